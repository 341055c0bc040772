//! A child's standard error on its way to the log: harmless, and bounded in length and number (CHECKLIST A-167).

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, BufReader},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::lines::{Line, next_line, printable};
use crate::allowance::{Allowance, Pace};

/// Whose standard error it is.
pub(super) struct Source {
    pub(super) server: String,
    pub(super) pid: u32,
    /// It was told to end: what it says about that interests nobody but who looks for defects.
    pub(super) dismissed: CancellationToken,
    /// Of all children of the server together, since each client has its own.
    pub(super) allowance: Arc<Mutex<Allowance>>,
}

/// Lines at once, which a start or a stack trace needs, and then so many a second.
pub(super) const LINES: Pace = Pace {
    burst: 256,
    more: 64,
    every: Duration::from_secs(1),
};

/// Passes lines on until the pipe ends. More than an allowance of them are counted instead: a child in a loop must not
/// fill the disk of the log.
pub(super) async fn log(source: Source, stderr: impl AsyncRead + Unpin, words: LastWords) {
    let Source {
        server,
        pid,
        dismissed,
        allowance,
    } = source;
    let mut stderr = BufReader::with_capacity(4 * 1024, stderr);
    let tell_left_out = |count: u64| {
        if count > 0 {
            tracing::warn!(target: "keystile::stdio", %server, "{count} lines left out");
        }
    };
    loop {
        let line = next_line(&mut stderr, LINE);
        tokio::pin!(line);
        let line = loop {
            let owed = allowance.lock().owed();
            tokio::select! {
                biased;
                line = &mut line => break line,
                () = sleep_until(owed.unwrap_or_else(Instant::now)), if owed.is_some() => {
                    tell_left_out(allowance.lock().settle());
                }
            }
        };
        let line = match line {
            Ok(Line::Text(line) | Line::TooLong(line)) => line,
            Ok(Line::End) | Err(_) => break,
        };
        if line.is_empty() {
            continue;
        }
        let line = printable(&line, LINE);
        let told = allowance.lock().take(Instant::now());
        if let Some(left_out) = told {
            tell_left_out(left_out);
            if dismissed.is_cancelled() {
                tracing::debug!(target: "keystile::stdio", %server, child.pid = pid, "{line}");
            } else {
                tracing::info!(target: "keystile::stdio", %server, child.pid = pid, "{line}");
            }
        }
        words.hear(line);
    }
    tell_left_out(allowance.lock().settle());
}

/// The last lines of a child's standard error, told when it dies.
#[derive(Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    fn hear(&self, line: String) {
        let mut lines = self.0.lock();
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock();
        lines
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" | ")
    }
}

/// Bytes of a line; what is longer goes on in the next.
const LINE: usize = 1024;
const LAST_LINES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What `log` logs of these bytes.
    async fn logged(stderr: impl AsyncRead + Unpin) -> (String, LastWords) {
        #[derive(Clone, Default)]
        struct Kept(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _listening = tracing::subscriber::set_default(subscriber);
        let words = LastWords::default();
        let source = Source {
            server: "s".into(),
            pid: 1,
            dismissed: CancellationToken::new(),
            allowance: Arc::new(Mutex::new(Allowance::new(LINES))),
        };
        log(source, stderr, words.clone()).await;
        let text = String::from_utf8(kept.0.lock().clone()).unwrap();
        (text, words)
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_has_as_many_lines_as_are_allowed_and_the_number_of_the_rest() {
        let flood: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        let (text, words) = logged(flood.as_bytes()).await;
        assert_eq!(text.lines().count() as u64, LINES.burst + 1);
        assert!(text.contains("744 lines left out"), "{text}");
        assert!(words.text().ends_with("line 998 | line 999"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_left_out_is_told_though_the_child_says_no_more() {
        let flood: String = (0..300).map(|line| format!("line {line}\n")).collect();
        let (mut child, stderr) = tokio::io::duplex(1 << 20);
        tokio::io::AsyncWriteExt::write_all(&mut child, flood.as_bytes())
            .await
            .unwrap();
        let hang_up = async {
            tokio::time::sleep(SECOND * 5).await;
            tokio::io::AsyncWriteExt::write_all(&mut child, b"late\n")
                .await
                .unwrap();
            drop(child);
        };
        let ((text, _), ()) = tokio::join!(logged(stderr), hang_up);
        let (before, after) = text.split_once("44 lines left out").unwrap();
        assert!(!before.contains("late") && after.contains("late"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_is_short_and_harmless() {
        let endless = format!("\u{1b}[2J{}", "x".repeat(10 * LINE));
        let (text, _) = logged(endless.as_bytes()).await;
        assert!(text.contains("\\u{1b}[2J") && !text.contains('\u{1b}'));
        assert_eq!(text.lines().count(), 11);
        assert!(text.lines().all(|line| line.len() < LINE + 200), "{text}");
    }
}
