//! One child from its start to the end of all that it started.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::BufReader,
    process::{Child, ChildStdout},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{Talk, reader::Reader};
use crate::{
    relay::{Failure, Received, Strange},
    stdio::{StdioConfig, stderr::LastWords},
};

/// Kills the group when dropped, whatever happened to the task that held it.
pub(super) struct Group(pub(super) Option<Pid>);

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

pub(super) struct Supervisor {
    pub(super) config: Arc<StdioConfig>,
    pub(super) group: Group,
    pub(super) child: Child,
    pub(super) words: LastWords,
    /// Reads standard error to its end.
    pub(super) hearing: JoinHandle<()>,
    pub(super) talk: Arc<Talk>,
    pub(super) strange: Arc<Strange>,
    /// The failure is reported by whoever waits for it.
    pub(super) tried_out: bool,
    /// Nobody wants it any more.
    pub(super) stop: CancellationToken,
    /// Closes its standard input.
    pub(super) hang_up: CancellationToken,
}

impl Supervisor {
    /// Until the child and all that it started are gone; why that is.
    pub(super) async fn run(
        mut self,
        stdout: ChildStdout,
        out: &mpsc::Sender<Received>,
    ) -> Failure {
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

const HEAR_OUT: Duration = Duration::from_millis(500);
