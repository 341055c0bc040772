//! What can go wrong between the gateway and the server behind it, each with a stable code.
//!
//! The client gets the code, one sentence and what to do; the details (paths, exit status, what was printed) go to
//! the log only, because the client is not the operator.

use http::StatusCode;
use keystile_domain::flow::without_queries;

/// Why the server behind the gateway gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The program of the command line does not exist.
    #[error("the server's command was not found")]
    CommandNotFound,
    /// It exists and may not be executed.
    #[error("the server's command may not be executed")]
    CommandNotExecutable,
    /// The operating system refused for another reason.
    #[error("the server's process could not be started: {0}")]
    NotStarted(String),
    /// It ended before it answered anything.
    #[error("the server ended before it answered anything ({0})")]
    ExitedAtOnce(String),
    /// It ended with calls in flight.
    #[error("the server ended while it was working ({0})")]
    Exited(String),
    /// It printed what is no MCP message on its standard output.
    #[error("the server sent something that is not MCP")]
    NotMcp,
    /// Its answer can't be read, since something else was printed on the same line.
    #[error("the server's answer can't be read: something else stands on its line")]
    Garbled,
    /// Too many lines on its standard output are no MCP.
    #[error("the server printed too much on its standard output that is not MCP")]
    TooNoisy,
    /// One message is longer than the configured cap.
    #[error("the server sent a message longer than {0} bytes")]
    TooLong(usize),
    /// No answer to the handshake in time.
    #[error("the server gave no answer to the handshake in time")]
    HandshakeTimeout,
    /// The configured number of running servers is reached and none is idle.
    #[error("too many servers are running")]
    TooMany,
    /// The gateway is shutting down, or the conversation was ended by its owner.
    #[error("the conversation with the server was ended")]
    Closed,
    /// It answered 404 in a session that it had begun.
    #[error("the server has forgotten the session")]
    Forgotten,
    /// It wants to be asked later: its status, and after how many seconds, where it says.
    #[error("the server answered with HTTP status {0}: it wants to be asked later")]
    Busy(u16, Option<u32>),
    /// The HTTP server behind the gateway could not be reached.
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
    /// The HTTP server behind the gateway answered with something that is no MCP.
    #[error("the server answered with HTTP status {0}, which is no MCP answer")]
    BadStatus(u16),
    /// An event stream that does not say where messages are to be posted (HTTP+SSE of 2024-11-05).
    #[error("the server's event stream did not begin with an endpoint event")]
    NoEndpoint,
    /// Messages are to be posted to another origin, or to what is no URI (CHECKLIST A-139).
    #[error("the server wants messages posted to {0}, which is not at its own origin")]
    ForeignEndpoint(String),
    /// It named a second endpoint on the same stream.
    #[error("the server named a second endpoint in the middle of its event stream")]
    SecondEndpoint,
}

impl Failure {
    /// With what caused the error, which says more than the error itself.
    pub(crate) fn unreachable(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        Self::Unreachable(causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")))
    }

    /// Stable: logs, documentation and tests name it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CommandNotFound => "stdio_command_not_found",
            Self::CommandNotExecutable => "stdio_command_not_executable",
            Self::NotStarted(_) => "stdio_start_failed",
            Self::ExitedAtOnce(_) => "stdio_exited_at_once",
            Self::Exited(_) => "stdio_exited",
            Self::NotMcp => "upstream_not_mcp",
            Self::Garbled => "stdio_answer_garbled",
            Self::TooNoisy => "stdio_too_noisy",
            Self::TooLong(_) => "upstream_message_too_long",
            Self::HandshakeTimeout => "upstream_handshake_timeout",
            Self::TooMany => "stdio_too_many",
            Self::Closed => "upstream_closed",
            Self::Forgotten => "upstream_session_lost",
            Self::Busy(..) => "upstream_busy",
            Self::Unreachable(_) => "upstream_unreachable",
            Self::BadStatus(_) => "upstream_bad_status",
            Self::NoEndpoint => "upstream_no_endpoint",
            Self::ForeignEndpoint(_) => "upstream_foreign_endpoint",
            Self::SecondEndpoint => "upstream_second_endpoint",
        }
    }

    /// What the client is told: no detail of the host.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        match self {
            Self::CommandNotFound => {
                "The MCP server could not be started: its command was not found."
            }
            Self::CommandNotExecutable => {
                "The MCP server could not be started: its command may not be executed."
            }
            Self::NotStarted(_) => "The MCP server could not be started.",
            Self::ExitedAtOnce(_) => "The MCP server ended before it answered anything.",
            Self::Exited(_) => "The MCP server ended while it was working on this.",
            Self::NotMcp => "The MCP server sent something that is not MCP.",
            Self::Garbled => {
                "The MCP server's answer can't be read: something else stands on its line."
            }
            Self::TooNoisy => {
                "The MCP server printed too much on its standard output that is not MCP."
            }
            Self::TooLong(_) => "The MCP server sent a message that is too long.",
            Self::HandshakeTimeout => "The MCP server gave no answer in time when it was started.",
            Self::TooMany => "Too many MCP servers are running behind this gateway.",
            Self::Closed => "The conversation with the MCP server was ended.",
            Self::Forgotten => "The MCP server has forgotten the session.",
            Self::Busy(..) => "The MCP server wants to be asked later.",
            Self::Unreachable(_) => "The MCP server could not be reached.",
            Self::BadStatus(_) => "The MCP server refused in a way that is not MCP.",
            Self::NoEndpoint => "The MCP server did not say where it takes messages.",
            Self::ForeignEndpoint(_) | Self::SecondEndpoint => {
                "The MCP server wants its messages sent elsewhere, which is not done."
            }
        }
    }

    /// What the operator is told of it, in log and `keystile doctor`. The last words of a process, and where it lies, are in
    /// the log alone: there may be a secret in them.
    pub(crate) fn found(&self) -> String {
        match self {
            Self::NotStarted(_) | Self::ExitedAtOnce(_) | Self::Exited(_) => {
                self.sentence().to_owned()
            }
            other => {
                let detail = without_queries(&other.to_string());
                format!("{} In detail: {detail}.", self.sentence())
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::CommandNotFound => {
                "Install the command or give its absolute path; PATH is the gateway's own."
            }
            Self::CommandNotExecutable => "Make the file executable, or name its interpreter.",
            Self::NotStarted(_) => "See the gateway's log for the operating system's reason.",
            Self::ExitedAtOnce(_) => {
                "Run the command by hand; it may lack an argument or an environment variable (--env). Its last words are in the gateway's log."
            }
            Self::Exited(_) => {
                "Try again. If it repeats, the server's last words are in the gateway's log."
            }
            Self::NotMcp => {
                "The address must be an MCP endpoint; a stdio server must log to standard error, since its standard output belongs to MCP alone."
            }
            Self::Garbled | Self::TooNoisy => {
                "The server must log to standard error, since its standard output belongs to MCP alone; the gateway's log has the beginning of what it printed."
            }
            Self::TooLong(_) => {
                "Ask for less: what is longer than the gateway's limit for one message is not passed on."
            }
            Self::HandshakeTimeout => {
                "Try again in a while: it may still be starting. If it repeats, whoever runs the gateway should see whether what stands behind it is an MCP server."
            }
            Self::TooMany => "Try again in a while: one that nobody uses makes room.",
            Self::Closed | Self::Forgotten => "Connect again.",
            Self::Busy(..) => "Try again in a while.",
            Self::Unreachable(_) => "Its operator should see whether it runs, and where.",
            Self::BadStatus(300..=399) => {
                "It redirects, which is not followed: configure the address that it redirects to."
            }
            Self::BadStatus(401 | 403 | 407) => {
                "It wants a sign-in of its own, which this gateway cannot give it, or it does not know the address by which it is called (its allowed hosts)."
            }
            Self::BadStatus(500..) => "Its own log says why.",
            Self::BadStatus(_) => "Check that the address is an MCP endpoint.",
            Self::NoEndpoint => {
                "The address must be the event stream of an HTTP+SSE server; its own log may say why it names no endpoint."
            }
            Self::ForeignEndpoint(_) => {
                "Configure the address that the server itself names, host and port alike; the gateway's log has it."
            }
            Self::SecondEndpoint => "Connect again; its own log may say why.",
        }
    }

    /// What whoever gave the gateway the address of an HTTP server is to do.
    pub(crate) const fn advice_for_http(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "Start it, or correct the URL on the command line.",
            Self::NotMcp => {
                "The URL on the command line must be its MCP endpoint, and something else answers there."
            }
            Self::HandshakeTimeout => {
                "It takes connections and does not answer MCP's handshake: see what it waits for, or correct the URL on the command line."
            }
            Self::BadStatus(300..=399) => {
                "It redirects, which is not followed: give the URL that it redirects to."
            }
            Self::BadStatus(..=499) => match self {
                Self::BadStatus(401 | 403 | 407) => self.hint(),
                _ => "See whether the URL on the command line is its MCP endpoint.",
            },
            Self::ForeignEndpoint(_) => {
                "Give the URL with the host and port that the server itself names; nothing is posted to another origin."
            }
            other => other.hint(),
        }
    }

    /// What whoever gave the gateway the command of a stdio server is to do.
    #[must_use]
    pub const fn advice_for_stdio(&self) -> &'static str {
        match self {
            Self::ExitedAtOnce(_) => {
                "run the command by hand; it may lack an argument or an environment variable (--env)"
            }
            Self::NotMcp => {
                "run the command by hand and see what it prints: on standard output it may speak MCP only, its log belongs on standard error"
            }
            Self::HandshakeTimeout => {
                "run the command by hand: a stdio server answers MCP's initialize on its standard output, and what it downloads first has to be in place"
            }
            other => other.hint(),
        }
    }

    /// Seconds until it is worth another try, if anybody knows.
    pub(crate) fn passes_in(&self) -> Option<u32> {
        match self {
            Self::TooMany => Some(10),
            Self::Busy(_, seconds) => *seconds,
            _ => None,
        }
    }

    /// 502 what is broken behind us, 503 what time heals, 504 what took too long.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Busy(429, _) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooMany | Self::Closed | Self::Forgotten | Self::Busy(..) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::HandshakeTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::CommandNotFound
            | Self::CommandNotExecutable
            | Self::NotStarted(_)
            | Self::ExitedAtOnce(_)
            | Self::Exited(_)
            | Self::NotMcp
            | Self::Garbled
            | Self::TooNoisy
            | Self::TooLong(_)
            | Self::Unreachable(_)
            | Self::BadStatus(_)
            | Self::NoEndpoint
            | Self::ForeignEndpoint(_)
            | Self::SecondEndpoint => StatusCode::BAD_GATEWAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use keystile_domain::{flow::Noted, ports::Rng};

    use super::*;
    use crate::refusal::Refusal;

    #[test]
    fn advice_fits_what_the_operator_wrote() {
        let silent = Failure::HandshakeTimeout;
        let dead = Failure::Unreachable("refused".into());
        assert!(silent.advice_for_stdio().contains("by hand"));
        assert!(silent.advice_for_http().contains("URL on the command line"));
        assert!(dead.advice_for_http().contains("URL on the command line"));
        for text in [silent.hint(), silent.advice_for_http(), dead.hint()] {
            // Neither a flag that is not there nor a command that nobody gave.
            assert!(
                !text.contains("limit") && !text.contains("command by hand"),
                "{text}"
            );
            assert!(!text.contains("configuration"), "{text}");
        }
    }

    #[test]
    fn the_operator_is_told_the_status_and_no_last_words() {
        assert!(Failure::BadStatus(418).found().contains("status 418"));
        let busy = Failure::Busy(503, None).found();
        assert!(busy.contains("status 503"), "{busy}");
        let gone = Failure::Unreachable("tcp: http://a.example/?key=x refused".into()).found();
        assert!(gone.contains("http://a.example/?… refused."), "{gone}");
        let last_words = Failure::Exited("exit status: 3, my secret".into()).found();
        assert_eq!(last_words, Failure::Exited(String::new()).sentence());
    }

    #[tokio::test]
    async fn the_private_detail_never_reaches_the_body() {
        struct Zeros;
        impl Rng for Zeros {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        let failure = Failure::ExitedAtOnce("exit status: 3, /srv/secret".into());
        let refusal = Refusal::from(&failure).with_id(Some("7"));
        let response = refusal.respond(&Zeros);
        let noted = response.extensions().get::<Noted>().unwrap();
        assert_eq!(noted.diagnosis.reason, "stdio_exited_at_once");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = str::from_utf8(&body).unwrap();
        assert!(body.contains(r#""id":7"#) && body.contains("stdio_exited_at_once"));
        assert!(!body.contains("secret"));
    }
}
