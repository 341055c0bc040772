//! A server that sends what is no MCP: how much of it is logged, how soon it is started again, and whether it is healthy.
//!
//! Both are counted for the server and not for a child, since each client's call starts another child.

use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keystile_protocol::mcp::{Envelope, Kind};
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::allowance::{Allowance, Pace};
use crate::stdio::printable;

/// What has been seen of that so far.
pub(crate) struct Strange {
    /// The server's name.
    server: Box<str>,
    seen: Mutex<Seen>,
    /// What it answered last could not be passed on. Read with each answer, so it takes no lock.
    unfit: AtomicBool,
}

struct Seen {
    /// Of what else there is to be told.
    noise: Allowance,
    /// Requests to be told.
    requests: Allowance,
    /// Children given up as not MCP, one after the other.
    refused: u32,
    resting_until: Option<Instant>,
}

impl Strange {
    /// Nothing yet, of the server with this name.
    pub(crate) fn of(server: &str) -> Self {
        let seen = Seen {
            noise: Allowance::new(TOLD),
            requests: Allowance::new(TOLD),
            refused: 0,
            resting_until: None,
        };
        Self {
            server: server.into(),
            seen: Mutex::new(seen),
            unfit: AtomicBool::new(false),
        }
    }

    /// The server's name.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Logs what a server sent that reaches no client, unless that was done often enough of late. What it asks is
    /// counted by itself, so that noise does not hide it.
    pub(crate) fn tell(&self, sent: &[u8], error: &dyn Display) {
        let what = What::of(sent);
        let told = {
            let mut seen = self.seen.lock();
            let allowance = match what {
                What::Request(_) => &mut seen.requests,
                _ => &mut seen.noise,
            };
            allowance.take(Instant::now())
        };
        if let Some(left_out) = told {
            let server = self.server();
            tracing::warn!(%server, %what, %error, left_out, "the server sent what reaches no client");
        }
    }

    /// An answer of the server could not be passed on. The first one in a row marks it (CHECKLIST A-162); it is served
    /// all the same, since one answer may be one tool's, and others may be meant for others.
    pub(crate) fn unfit(&self, why: &dyn Display) {
        if !self.silently_unfit() && !weakened("a_162b") {
            let server = self.server();
            tracing::error!(%server, %why, "the server is unhealthy: its answer can't be passed on");
        }
    }

    /// As [`unfit`](Self::unfit), for who says more about it. Whether it was marked already.
    pub(crate) fn silently_unfit(&self) -> bool {
        self.unfit.swap(true, Ordering::Relaxed)
    }

    /// The answer that was awaited can't be passed on, because of what was sent.
    pub(crate) fn fail(&self, sent: &[u8], why: &dyn Display) {
        self.tell(sent, why);
        self.unfit(why);
    }

    /// It answered as it should.
    pub(crate) fn fit(&self) {
        if self.unfit.load(Ordering::Relaxed) && self.unfit.swap(false, Ordering::Relaxed) {
            let server = self.server();
            tracing::info!(%server, "the server is healthy again");
        }
    }

    /// Whether its last answer could not be passed on, or its children rest.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.is_resting() || self.unfit.load(Ordering::Relaxed)
    }

    /// A child was given up as not MCP; for how long none is started now.
    pub(crate) fn refused(&self) -> Duration {
        let mut seen = self.seen.lock();
        let longer = FIRST_REST.saturating_mul(1 << seen.refused.min(16));
        let rest = longer.min(LAST_REST);
        seen.refused = seen.refused.saturating_add(1);
        seen.resting_until = Some(Instant::now() + rest);
        rest
    }

    /// Whether no child is to be started yet.
    pub(crate) fn is_resting(&self) -> bool {
        let until = self.seen.lock().resting_until;
        until.is_some_and(|until| Instant::now() < until)
    }

    /// A child has sent a message.
    pub(crate) fn forget(&self) {
        let mut seen = self.seen.lock();
        (seen.refused, seen.resting_until) = (0, None);
        drop(seen);
        self.fit();
    }
}

/// What a server sent, without what it may say of arguments and results: those are the person's.
enum What {
    Request(String),
    Notification(String),
    Answer,
    /// So many bytes that begin like JSON, and are no message.
    Json(usize),
    /// Its beginning. Whoever prints it to a log has it in its own.
    Text(String),
    Nothing,
}

impl What {
    fn of(sent: &[u8]) -> Self {
        let begun = sent.trim_ascii_start().first();
        if !matches!(begun, Some(b'{' | b'[')) {
            return match begun {
                Some(_) => Self::Text(printable(sent, WORD)),
                None => Self::Nothing,
            };
        }
        let Ok(message) = Envelope::parse(sent) else {
            return Self::Json(sent.len());
        };
        let method = || printable(message.method().unwrap_or_default().as_bytes(), METHOD);
        match message.kind() {
            Kind::Request => Self::Request(method()),
            Kind::Notification => Self::Notification(method()),
            Kind::Response | Kind::Error => Self::Answer,
        }
    }
}

impl Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(method) => write!(f, "the request {method}"),
            Self::Notification(method) => write!(f, "the notification {method}"),
            Self::Answer => f.write_str("an answer"),
            Self::Json(length) => {
                write!(f, "{length} bytes that begin like JSON and are no message")
            }
            Self::Text(text) => write!(f, "the text {text}"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// Characters of a method's name.
const METHOD: usize = 64;
/// Characters of one line.
const WORD: usize = 200;
/// Lines of it.
const TOLD: Pace = Pace {
    burst: 5,
    more: 5,
    every: Duration::from_secs(60),
};
const FIRST_REST: Duration = Duration::from_secs(5);
const LAST_REST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_has_nothing_of_arguments_and_results() {
        for (sent, what) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"hunter2"}}"#,
                "the request elicitation/create",
            ),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"hunter2"}}"#,
                "the notification notifications/message",
            ),
            (
                r#"{"jsonrpc":"2.0","id":9,"result":{"text":"hunter2"}}"#,
                "an answer",
            ),
            (
                r#"{"detail":[{"input":{"password":"hunter2"}}]}"#,
                "45 bytes that begin like JSON and are no message",
            ),
            (
                r#" {"detail":[{"input":"hunter2"#,
                "29 bytes that begin like JSON and are no message",
            ),
            ("Listening on port 1", "the text Listening on port 1"),
            ("", "nothing"),
        ] {
            assert_eq!(What::of(sent.as_bytes()).to_string(), what);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn noise_does_not_hide_what_a_server_asks() {
        let strange = Strange::of("kb");
        for _ in 0..TOLD.burst * 2 {
            strange.tell(b"noise", &"");
        }
        let mut seen = strange.seen.lock();
        assert_eq!(seen.noise.take(Instant::now()), None);
        assert_eq!(seen.requests.take(Instant::now()), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_mcp_again_and_again_is_started_more_and_more_rarely() {
        let strange = Strange::of("kb");
        assert!(!strange.is_resting());
        let rests: Vec<_> = (0..6).map(|_| strange.refused().as_secs()).collect();
        assert_eq!(rests, [5, 10, 20, 40, 60, 60]);
        assert!(strange.is_resting());
        tokio::time::advance(LAST_REST).await;
        assert!(!strange.is_resting());
        strange.refused();
        strange.forget();
        assert!(!strange.is_resting());
        assert_eq!(strange.refused(), FIRST_REST);
    }
}
