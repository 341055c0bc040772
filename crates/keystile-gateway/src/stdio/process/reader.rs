//! Both directions of a child's pipes, a message a line.

use std::{sync::atomic::Ordering, time::Duration};

use keystile_protocol::mcp::Envelope;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    process::{ChildStdin, ChildStdout},
    sync::mpsc,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Talk,
    noise::{Noise, judge},
};
use crate::{
    allowance::{Allowance, Pace},
    relay::{Failure, Outgoing, Received, Strange},
    stdio::{
        StdioConfig,
        lines::{Line, next_line, printable},
    },
};

pub(super) async fn write(
    mut stdin: ChildStdin,
    mut queue: mpsc::Receiver<Outgoing>,
    stop: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => queue.try_recv().ok(),
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
        // What was said before the end is still written, if the child takes it.
        let last_moment = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_MOMENT).await;
        };
        let written = tokio::select! {
            () = last_moment => return,
            written = async { stdin.write_all(&line).await?; stdin.flush().await } => written,
        };
        if written.is_err() {
            // The child closed its end; its exit is noticed by the supervisor.
            return;
        }
    }
}

/// For one message after the end was decided.
const LAST_MOMENT: Duration = Duration::from_millis(100);

pub(super) struct Reader<'a> {
    pub(super) config: &'a StdioConfig,
    pub(super) talk: &'a Talk,
    pub(super) strange: &'a Strange,
}

impl Reader<'_> {
    /// Until the child closes its standard output (`None`) or breaks the protocol.
    pub(super) async fn pump(
        &mut self,
        stdout: &mut BufReader<ChildStdout>,
        out: &mpsc::Sender<Received>,
    ) -> Option<Failure> {
        let mut forgiven = Allowance::new(FORGIVEN);
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
                    self.strange.tell(&line, &error);
                    self.talk.strange.fetch_add(1, Ordering::Relaxed);
                    match judge(&line) {
                        Noise::Message => return Some(Failure::NotMcp),
                        // Nobody waits for ids that are not ours.
                        Noise::Garbled(ids) => {
                            for id in ids.into_iter().map(Box::from) {
                                let failure = Failure::Garbled;
                                // What reads it notices its end by itself.
                                let _ = out.send(Received::Failed { id, failure }).await;
                            }
                        }
                        Noise::Chatter => {}
                    }
                    if forgiven.take(Instant::now()).is_none() {
                        return Some(self.too_noisy());
                    }
                }
            }
        }
    }

    fn too_noisy(&self) -> Failure {
        tracing::warn!(
            server = %self.config.name,
            "more than {} lines a minute on its standard output are no MCP",
            FORGIVEN.burst
        );
        match self.talk.answered.load(Ordering::Relaxed) {
            true => Failure::TooNoisy,
            false => Failure::NotMcp,
        }
    }
}

/// Lines on standard output that are no message and are forgiven.
const FORGIVEN: Pace = Pace {
    burst: 64,
    more: 64,
    every: Duration::from_secs(60),
};
