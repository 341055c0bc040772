//! Administration: by the control socket of the process that owns the data directory, or, when
//! nobody owns it, by opening the store here. Either way the same [`crate::admin`] answers, so that
//! `grant revoke` is true when it returns (DESIGN §2).

pub(crate) mod server;

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use keystile_domain::flow::FlowBook;
use keystile_domain::ports::Clock as _;
use serde_json::Value;

use crate::admin::{Answer, Known, Request};
use crate::ambient::SystemClock;
use crate::cli::{Global, runtime};
use crate::data_dir::{DataDir, Lock};
use crate::failure::Failure;
use crate::{flows, wire};

/// The most bytes of a request or an answer.
pub(crate) const LARGEST: u64 = 16 * 1024 * 1024;

/// How often an owner that does not listen is looked at again, and the pause between.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Has a request answered, by whoever may.
pub(crate) fn ask(global: &Global, request: Request) -> Result<Value, Failure> {
    let mut looks = 0;
    loop {
        // Looked at each time: a first start that fails takes it away again.
        let dir = if request.makes_an_installation() {
            global.data_dir()?
        } else {
            global.existing_data_dir()?
        };
        if let Lock::Ours(mut owned) = dir.lock()? {
            if let Some(answered) = of_files(&dir, &request) {
                return answered;
            }
            let answered: Result<Value, Failure> = runtime()?.block_on(async {
                let wired = wire::administration(&owned).await?;
                let answer = wired.admin.answer(request).await;
                wired.close().await;
                answer.into()
            });
            if answered.is_ok() {
                owned.keep();
            }
            return answered;
        }
        let socket = dir.control_socket();
        match UnixStream::connect(&socket) {
            Ok(stream) => return by_socket(stream, &socket, &request),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(denied(&socket, &error));
            }
            Err(error) if looks == LOOKS => return Err(broken(&socket, &error)),
            // It is starting or ending, or a command like this one that is done in a moment.
            Err(_) => std::thread::sleep(PAUSE),
        }
        looks += 1;
    }
}

/// What failed is in a file of its own: it can be explained while nothing else of the installation can be opened, which
/// may be why somebody asks.
fn of_files(dir: &DataDir, request: &Request) -> Option<Result<Value, Failure>> {
    let now = SystemClock.now();
    if !matches!(request, Request::Explain { .. } | Request::FailedAttempts) {
        return None;
    }
    let flows = FlowBook::new(flows::load(&dir.at(flows::FILE)), now);
    let known = Known {
        flows: &flows,
        now,
        serving: false,
    };
    known.answer(request)
}

fn denied(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::configuration(
        "control_socket_denied",
        format!(
            "keystile runs, but {} can't be opened: {error}",
            path.display()
        ),
        "run this as the user that runs keystile, who needs leave to read and write the socket",
    )
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(
        "control_socket",
        format!(
            "the keystile that owns the data directory does not answer on {}: {error}",
            path.display()
        ),
        "it may be starting or ending: try again; if it hangs, end it",
    )
}

fn by_socket(mut stream: UnixStream, path: &Path, request: &Request) -> Result<Value, Failure> {
    let broken = |error: &dyn std::fmt::Display| broken(path, error);
    let wait = Some(Duration::from_secs(30));
    stream
        .set_read_timeout(wait)
        .map_err(|error| broken(&error))?;
    let mut line = serde_json::to_string(request).expect("a request is plain data");
    line.push('\n');
    stream
        .write_all(line.as_bytes())
        .map_err(|error| broken(&error))?;
    let mut answer = String::new();
    let mut reader = BufReader::new(std::io::Read::take(stream, LARGEST));
    reader
        .read_line(&mut answer)
        .map_err(|error| broken(&error))?;
    let answer: Answer = serde_json::from_str(&answer).map_err(|error| broken(&error))?;
    answer.into()
}

/// The rows of a table out of an answer that is an array of objects.
pub(crate) fn rows<const N: usize>(answer: &Value, fields: [&str; N]) -> Vec<[String; N]> {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    };
    let items = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| fields.map(|field| cell(&item[field])))
        .collect()
}
