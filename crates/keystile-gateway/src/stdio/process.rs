//! A child process and everything it started.
//!
//! The child leads its own process group, so that what it started (`npx` → `node`) goes with it. Its standard input
//! is a pipe that only the gateway holds: if the gateway is killed, the pipe closes, and the MCP transport (stdio,
//! "Shutdown") tells the server to exit.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use keystile_protocol::{mcp::Envelope, mutation::weakened};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    StdioConfig,
    lines::{Line, next_line, printable},
    stderr::{self, LastWords},
};
use crate::allowance::Allowance;
use crate::relay::{Connect, Failure, Link, Outgoing, Received, Strange, Wire};

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
            config: Arc::new(config),
            strange: Arc::default(),
            allowance: Arc::new(Mutex::new(Allowance::new(stderr::LINES))),
        }
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

async fn write(
    mut stdin: ChildStdin,
    mut queue: mpsc::Receiver<Outgoing>,
    stop: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return,
            message = queue.recv() => message,
        };
        let Some(Outgoing { text }) = message else {
            return;
        };
        let mut line = text.into_bytes();
        // Line breaks can only be white space between tokens here: in a string they are escaped.
        let breaks = line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r'));
        breaks.for_each(|byte| *byte = b' ');
        line.push(b'\n');
        let written = tokio::select! {
            () = stop.cancelled() => return,
            written = async { stdin.write_all(&line).await?; stdin.flush().await } => written,
        };
        if written.is_err() {
            // The child closed its end; its exit is noticed by the supervisor.
            return;
        }
    }
}

/// Kills the group when dropped, whatever happened to the task that held it.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // The only error is that nobody is left.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Once only: the system may give its number to others as soon as nobody is left.
    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Supervisor {
    config: Arc<StdioConfig>,
    group: Group,
    child: Child,
    words: LastWords,
    /// Reads standard error to its end.
    hearing: JoinHandle<()>,
    talk: Arc<Talk>,
    strange: Arc<Strange>,
    /// The failure is reported by whoever waits for it.
    tried_out: bool,
    /// Nobody wants it any more.
    stop: CancellationToken,
    /// Closes its standard input.
    hang_up: CancellationToken,
}

impl Supervisor {
    /// Until the child and all that it started are gone; why that is.
    async fn run(mut self, stdout: ChildStdout, out: &mpsc::Sender<Received>) -> Failure {
        let mut stdout = BufReader::with_capacity(32 * 1024, stdout);
        let mut reader = Reader {
            config: &self.config,
            talk: &self.talk,
            strange: &self.strange,
        };
        let broken = tokio::select! {
            () = self.stop.cancelled() => Some(Failure::Closed),
            broken = reader.pump(&mut stdout, out) => broken,
        };
        // A server that is told to end may be writing, and many crash loudly when nobody reads.
        let _heard_out = (broken == Some(Failure::Closed)).then(|| {
            self.stop.cancel();
            AbortOnDropHandle::new(tokio::spawn(async move {
                tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await
            }))
        });
        let answered = self.talk.answered.load(Ordering::Relaxed);
        let strange = self.talk.strange.load(Ordering::Relaxed);
        let mut failure = match broken {
            Some(failure) => {
                self.end().await;
                failure
            }
            // It closed its standard output: it is about to exit, or it will be made to.
            None => {
                let status = self.end().await;
                match (answered, strange) {
                    (false, 1..) => Failure::NotMcp,
                    (false, _) => Failure::ExitedAtOnce(status),
                    (true, _) => Failure::Exited(status),
                }
            }
        };
        let in_vain = self.talk.asked.load(Ordering::Relaxed) && !answered;
        let why = match &failure {
            Failure::Closed if in_vain => Some(self.talk.given_up()),
            Failure::Closed => None,
            failure => Some(failure.clone()),
        };
        let refused = why == Some(Failure::NotMcp) && !answered;
        if let Some(why) = why {
            // What it said last may still be in the pipe. All who could hold that open are dead.
            let _ = tokio::time::timeout(HEAR_OUT, &mut self.hearing).await;
            let (server, code, words) = (&self.config.name, why.code(), self.words.text());
            match self.tried_out {
                false => tracing::error!(%server, code, last_words = %words, "{why}"),
                true => tracing::debug!(%server, code, last_words = %words, "{why}"),
            }
            if refused && !self.tried_out {
                let rest = self.strange.refused().as_secs();
                tracing::warn!(%server, "it is not started again for {rest} s, since it is not MCP");
            }
            if let Failure::ExitedAtOnce(status) = &mut failure
                && !words.is_empty()
            {
                *status += &format!("; its last words: {words}");
            }
        } else {
            tracing::info!(server = %self.config.name, "stdio server stopped");
        }
        failure
    }

    /// Closes the child's standard input, waits, then SIGTERM and SIGKILL for the whole group.
    async fn end(&mut self) -> String {
        self.hang_up.cancel();
        let grace = self.config.grace;
        let mut status = self.exit_within(grace).await;
        if status.is_none() {
            self.group.signal(Signal::TERM);
            status = self.exit_within(grace).await;
        }
        // Also when the child itself is gone: what it started may have outlived it.
        self.group.kill();
        match status {
            Some(status) => status,
            None => self
                .child
                .wait()
                .await
                .map_or_else(|error| error.to_string(), |s| s.to_string()),
        }
    }

    async fn exit_within(&mut self, limit: Duration) -> Option<String> {
        let status = tokio::time::timeout(limit, self.child.wait()).await.ok()?;
        Some(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
    }
}

struct Reader<'a> {
    config: &'a StdioConfig,
    talk: &'a Talk,
    strange: &'a Strange,
}

impl Reader<'_> {
    /// Until the child closes its standard output (`None`) or breaks the protocol.
    async fn pump(
        &mut self,
        stdout: &mut BufReader<ChildStdout>,
        out: &mpsc::Sender<Received>,
    ) -> Option<Failure> {
        loop {
            let line = match next_line(stdout, self.config.max_message).await {
                Ok(Line::Text(line)) => line,
                Ok(Line::TooLong(start)) => {
                    tracing::warn!(server = %self.config.name, line = %printable(&start, 80), "too long a line");
                    return Some(Failure::TooLong(self.config.max_message));
                }
                Ok(Line::End) | Err(_) => return None,
            };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match Envelope::parse(&line) {
                Ok(_) => {
                    if !self.talk.answered.swap(true, Ordering::Relaxed) {
                        self.strange.forget();
                    }
                    let text =
                        String::from_utf8(line).expect("the strict parser accepts UTF-8 only");
                    if out
                        .send(Received::Message { text, about: None })
                        .await
                        .is_err()
                    {
                        return Some(Failure::Closed);
                    }
                }
                Err(error) => {
                    self.strange.tell(&self.config.name, &line, &error);
                    let strange = self.talk.strange.fetch_add(1, Ordering::Relaxed) + 1;
                    // A banner is forgiven. Something that looks like a message may be an answer that
                    // somebody waits for, and must not be passed over.
                    if line.starts_with(b"{\"") || strange > MAX_STRANGE {
                        return Some(Failure::NotMcp);
                    }
                }
            }
        }
    }
}

/// Messages on the way to and from a child.
const QUEUE: usize = 32;
/// Characters of the command in the log.
const WORD: usize = 200;
const HEAR_OUT: Duration = Duration::from_millis(500);
/// Lines on standard output that are no message and are forgiven.
const MAX_STRANGE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_that_nobody_listens_to_is_ended_all_the_same() {
        let says = r#"yes '{"jsonrpc":"2.0","method":"notifications/message"}'"#;
        let argv = ["sh", "-c", says].map(Into::into).to_vec();
        let env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let mut config = StdioConfig::new("talkative", argv, env);
        config.grace = Duration::from_millis(1);
        let spawn = Spawn::new(config);
        let Wire { link, inbox } = spawn.connect().await.unwrap();
        while inbox.len() < QUEUE {
            tokio::task::yield_now().await;
        }
        let closing = tokio::time::timeout(Duration::from_secs(20), link.close());
        closing.await.expect("its last word waits for no reader");
        assert_eq!(inbox.len(), QUEUE);
    }
}
