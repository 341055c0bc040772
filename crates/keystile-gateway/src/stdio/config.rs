//! What the operator decided about one stdio server.

use std::{ffi::OsString, path::PathBuf, time::Duration};

/// The variables that a child inherits; everything else is named by the operator (DESIGN §2).
pub const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// One stdio server: how to start it, and how much of it there may be.
///
/// It comes from the operator's command line or configuration file and from nowhere else (CHECKLIST R12).
#[derive(Clone, Debug)]
pub struct StdioConfig {
    /// The server's name, for the log.
    pub name: String,
    /// The program and its arguments, as they are: no shell ever sees them. Not empty.
    pub argv: Vec<OsString>,
    /// The whole environment of the child: [`INHERITED`] from the gateway's own, and what the operator named.
    pub env: Vec<(OsString, OsString)>,
    /// The child's working directory; the gateway's own if `None`.
    pub cwd: Option<PathBuf>,
    /// A child without a call, stream or session use for this long is ended.
    pub idle: Duration,
    /// Time for start and handshake when nobody waits for it ([`super::Pool::probe`]); `npx` may download first.
    pub start_limit: Duration,
    /// Time for start and handshake while a client waits, which then gets an error that says so.
    pub first_answer: Duration,
    /// How long a call may take, from its beginning to its end.
    pub call_limit: Duration,
    /// From closing the child's standard input to SIGTERM, and from there to SIGKILL.
    pub grace: Duration,
    /// Children at a time, for everybody. The one that is started in advance belongs to nobody and is not counted.
    pub max_children: usize,
    /// Children at a time, for one person.
    pub max_children_per_person: usize,
    /// Bytes in one message of the child.
    pub max_message: usize,
}

impl StdioConfig {
    /// The defaults, for this command and environment.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        argv: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
    ) -> Self {
        Self {
            name: name.into(),
            argv,
            env,
            cwd: None,
            idle: Duration::from_secs(30 * 60),
            start_limit: Duration::from_secs(60),
            first_answer: FIRST_ANSWER,
            call_limit: CALL_LIMIT,
            grace: Duration::from_secs(2),
            max_children: 64,
            max_children_per_person: 16,
            max_message: 16 * 1024 * 1024,
        }
    }
}

/// As long as an HTTP server has.
const CALL_LIMIT: Duration = Duration::from_secs(600);
/// Clients give up by themselves after 30 to 60 s, and then say nothing of use.
const FIRST_ANSWER: Duration = Duration::from_secs(15);
