//! What commands print: text for people, one JSON line for programs. Failures go to stderr.

use std::io::{self, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use keystile_domain::secrets::client_id::PREFIX;
use keystile_domain::shown;
use keystile_domain::time::Timestamp;
use serde::Serialize;

use crate::cli::{Global, LogFormat};
use crate::failure::Failure;

/// Prints the answer of a command: `text` for people, or `value` as one JSON line.
///
/// # Errors
/// As [`line_out`].
pub(crate) fn answer<T: Serialize + ?Sized>(
    json: bool,
    value: &T,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let line = if json {
        serde_json::to_string(value).expect("answers are plain data")
    } else {
        text()
    };
    line_out(&line)
}

/// One line on stdout, flushed, so that whoever waits for it sees it.
///
/// # Errors
/// `stdout`, when it can't be written, a full disk for example. A reader that has gone (a closed
/// pipe) wants no answer, so that is none.
pub(crate) fn line_out(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(
            "stdout",
            format!("what was asked for is done, but the answer can't be written: {error}"),
            "look at where the output goes",
        )),
        _ => Ok(()),
    }
}

/// One line on stderr.
pub(crate) fn line_err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The failure that a command ends in.
pub(crate) fn failure(failure: &Failure, json: bool) {
    if json {
        let body = serde_json::json!({ "error": failure });
        line_err(&body.to_string());
    } else {
        line_err(&failure.to_string());
    }
}

/// A table with aligned columns; control characters are replaced, so that nothing stored can move
/// the cursor.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| shown::line(cell)))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head)];
    lines.extend(
        rows.iter()
            .map(|row| line(row.each_ref().map(String::as_str))),
    );
    lines.join("\n")
}

/// A client id that fits in a table; sealed ones are hundreds of characters long, and `--json` has them
/// whole. Commands take it back like this (`admin/clients/short.rs`).
pub(crate) fn shortened(id: &str) -> String {
    if !id.starts_with(PREFIX) || id.chars().count() <= LONGEST_ID {
        return id.to_owned();
    }
    let begin: String = id.chars().take(LONGEST_ID - 9).collect();
    let end: Vec<char> = id.chars().rev().take(8).collect();
    format!("{begin}…{}", end.iter().rev().collect::<String>())
}

const LONGEST_ID: usize = 48;

/// A date that people read (RFC 9110 §5.6.7).
pub(crate) fn moment(at: Timestamp) -> String {
    let millis = u64::try_from(at.0).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(millis))
}

/// As [`moment`], of the milliseconds in a cell; nothing for nothing.
pub(crate) fn moment_of(cell: &str) -> String {
    let at = cell.parse().ok().map(Timestamp);
    at.map(moment).unwrap_or_default()
}

/// Sends the log to stderr: warnings by default, more with `-v`.
pub(crate) fn log_to_stderr(global: &Global) -> Result<(), Failure> {
    let level = match global.verbose {
        0 => "warn,keystile=info",
        1 => "info,keystile=debug",
        // Never `trace` for dependencies: theirs is what went over the wire, tokens and passwords included.
        _ => "info,keystile=trace",
    };
    let filter = tracing_subscriber::EnvFilter::new(level);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false);
    let set = match global.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    set.map_err(|error| Failure::failed("log", error, "this is a defect: please report it"))
}
