//! A child process and everything it started.
//!
//! The child leads its own process group, so that what it started (`npx` → `node`) goes with it. Its standard input
//! is a pipe that only the gateway holds: if the gateway is killed, the pipe closes, and the MCP transport (stdio,
//! "Shutdown") tells the server to exit.

mod noise;
mod reader;
mod supervisor;

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use rustix::process::Pid;
use tokio::{
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use super::{
    StdioConfig,
    lines::printable,
    stderr::{self, LastWords},
};
use crate::allowance::Allowance;
use crate::relay::{Connect, Failure, Link, Outgoing, Received, Strange, Wire};
use reader::write;
use supervisor::{Group, Supervisor};

/// Starts children of one command line.
pub(crate) struct Spawn {
    config: Arc<StdioConfig>,
    strange: Arc<Strange>,
    /// Lines of standard error that are logged.
    allowance: Arc<Mutex<Allowance>>,
}

#[async_trait]
impl Connect for Spawn {
    fn takes_time(&self) -> bool {
        true
    }

    async fn connect(&self) -> Result<Wire, Failure> {
        self.start(false)
    }

    async fn try_out(&self) -> Result<Wire, Failure> {
        self.start(true)
    }
}

impl Spawn {
    pub(crate) fn new(config: StdioConfig) -> Self {
        Self {
            strange: Arc::new(Strange::of(&config.name)),
            config: Arc::new(config),
            allowance: Arc::new(Mutex::new(Allowance::new(stderr::LINES))),
        }
    }

    /// What was seen of its children.
    pub(crate) fn strange(&self) -> Arc<Strange> {
        Arc::clone(&self.strange)
    }

    /// `tried_out`: somebody waits for the failure of this child, and reports it.
    fn start(&self, tried_out: bool) -> Result<Wire, Failure> {
        let config = &self.config;
        if self.strange.is_resting() {
            return Err(Failure::NotMcp);
        }
        let mut child = command(config)
            .spawn()
            .map_err(|error| not_started(config, &error))?;
        let pid = child.id().unwrap_or_default();
        tracing::info!(server = %config.name, child.pid = pid, "stdio server started");

        let (outbox, to_child) = mpsc::channel(QUEUE);
        let (from_child, inbox) = mpsc::channel(QUEUE);
        let (ended, has_ended) = watch::channel(false);
        let stop = CancellationToken::new();
        let (stdin, stdout, errors) = pipes(&mut child);
        let words = LastWords::default();
        let talk = Arc::new(Talk::default());
        let source = stderr::Source {
            server: config.name.clone(),
            pid,
            dismissed: stop.clone(),
            allowance: Arc::clone(&self.allowance),
        };
        let hearing = tokio::spawn(stderr::log(source, errors, words.clone()));
        let hang_up = stop.child_token();
        tokio::spawn(write(stdin, to_child, hang_up.clone()));
        let supervisor = Supervisor {
            config: Arc::clone(config),
            group: Group(Pid::from_raw(i32::try_from(pid).unwrap_or_default())),
            child,
            words,
            hearing,
            talk: Arc::clone(&talk),
            strange: Arc::clone(&self.strange),
            tried_out,
            stop: stop.clone(),
            hang_up,
        };
        tokio::spawn(async move {
            let failure = supervisor.run(stdout, &from_child).await;
            let _ = ended.send(true);
            // Nobody may be waiting for it any more.
            let _ = from_child.send(Received::Ended(failure)).await;
        });
        Ok(Wire {
            link: Arc::new(Pipes {
                outbox,
                talk,
                stop,
                ended: has_ended,
            }),
            inbox,
            strange: Arc::clone(&self.strange),
        })
    }
}

/// What has been said so far.
#[derive(Default)]
struct Talk {
    /// Something was sent to the child.
    asked: AtomicBool,
    /// It has sent a message.
    answered: AtomicBool,
    /// Lines of it that are no message.
    strange: AtomicUsize,
}

impl Talk {
    /// Why a child that has answered nothing is given up.
    fn given_up(&self) -> Failure {
        if self.strange.load(Ordering::Relaxed) > 0 && !self.answered.load(Ordering::Relaxed) {
            Failure::NotMcp
        } else {
            Failure::HandshakeTimeout
        }
    }
}

/// The sending half; dropping it stops the child.
struct Pipes {
    outbox: mpsc::Sender<Outgoing>,
    talk: Arc<Talk>,
    stop: CancellationToken,
    ended: watch::Receiver<bool>,
}

#[async_trait]
impl Link for Pipes {
    async fn send(&self, message: Outgoing) -> Result<(), Failure> {
        self.talk.asked.store(true, Ordering::Relaxed);
        self.outbox.send(message).await.map_err(|_| Failure::Closed)
    }

    fn given_up(&self) -> Failure {
        self.talk.given_up()
    }

    fn try_send(&self, message: Outgoing) -> bool {
        self.outbox.try_send(message).is_ok()
    }

    async fn close(&self) {
        self.stop.cancel();
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn command(config: &StdioConfig) -> Command {
    let (program, arguments) = config.argv.split_first().expect("argv is not empty");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if !weakened("n_tr_20") {
        command.env_clear();
    }
    command.envs(config.env.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &config.cwd {
        command.current_dir(cwd);
    }
    command
}

fn not_started(config: &StdioConfig, error: &std::io::Error) -> Failure {
    tracing::error!(
        server = %config.name,
        command = %printable(config.argv[0].as_encoded_bytes(), WORD),
        %error,
        "the stdio server cannot be started"
    );
    match error.kind() {
        std::io::ErrorKind::NotFound => Failure::CommandNotFound,
        std::io::ErrorKind::PermissionDenied => Failure::CommandNotExecutable,
        _ => Failure::NotStarted(error.to_string()),
    }
}

fn pipes(child: &mut Child) -> (ChildStdin, ChildStdout, ChildStderr) {
    let piped = "all three streams are piped";
    (
        child.stdin.take().expect(piped),
        child.stdout.take().expect(piped),
        child.stderr.take().expect(piped),
    )
}

/// Messages on the way to and from a child.
const QUEUE: usize = 32;
/// Characters of the command in the log.
const WORD: usize = 200;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_child_that_nobody_listens_to_is_ended_all_the_same() {
        let says = r#"yes '{"jsonrpc":"2.0","method":"notifications/message"}'"#;
        let argv = ["sh", "-c", says].map(Into::into).to_vec();
        let env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let mut config = StdioConfig::new("talkative", argv, env);
        config.grace = Duration::from_millis(1);
        let spawn = Spawn::new(config);
        let Wire { link, inbox, .. } = spawn.connect().await.unwrap();
        while inbox.len() < QUEUE {
            tokio::task::yield_now().await;
        }
        let closing = tokio::time::timeout(Duration::from_secs(20), link.close());
        closing.await.expect("its last word waits for no reader");
        assert_eq!(inbox.len(), QUEUE);
    }
}
