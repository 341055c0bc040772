//! A child process that is read line by line and is gone when the test is.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a busy machine; nextest ends a test before.
const PATIENCE: Duration = Duration::from_secs(100);

/// How long a process of a failed test may take to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A started program: its standard output as lines, its standard input to write to.
pub(crate) struct Process {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it; standard error goes where the command says.
    pub(crate) fn start(command: &mut Command) -> Self {
        let what = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let stdout = child.stdout.take().expect("piped above");
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        Self {
            what,
            child,
            stdin,
            lines,
        }
    }

    /// The next line of standard output; `None` when it ended.
    pub(crate) fn line(&self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(Disconnected) => None,
            Err(Timeout) => panic!("{} says nothing", self.what),
        }
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("open until the end");
        // One that has ended meanwhile shows by its silence, and by its status.
        let _ = writeln!(stdin, "{line}");
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        if let Ok(None) = self.child.try_wait() {
            let pid = Pid::from_child(&self.child);
            kill_process(pid, Signal::TERM).expect("it is ours");
        }
        self.finish()
    }

    /// Closes its standard input and waits until it has ended.
    pub(crate) fn finish(&mut self) -> ExitStatus {
        drop(self.stdin.take());
        // The end of its output is the event to wait for; a program that goes on fails here, loudly.
        while self.line().is_some() {}
        self.child.wait().expect("it is ours")
    }
}

impl Drop for Process {
    /// Only a failed test comes here with a process that runs: it gets the chance to end its own children.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            while self.lines.recv_timeout(LAST_WORDS).is_ok() {}
            // Already gone is as good.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
