//! A started program whose every line is kept, and can be waited for.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a busy machine; nextest ends a test before.
const PATIENCE: Duration = Duration::from_secs(100);

/// A running program.
pub(crate) struct Program {
    child: Child,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

/// How it ended, and all that it said.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// Starts it; `input` is its standard input.
    pub(crate) fn start(command: &mut Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("piped above");
        // One that does not read is free to.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let stdout = Lines::read(child.stdout.take().expect("piped above"));
        let stderr = Lines::read(child.stderr.take().expect("piped above"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is ours");
    }

    /// Waits until it and everything that holds its output has ended.
    pub(crate) fn wait(&mut self) -> Ended {
        let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
        let status = self.child.wait().expect("it is ours");
        Ended {
            status,
            stdout,
            stderr,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if thread::panicking() {
            let said = format!(
                "--- stdout\n{}\n--- stderr\n{}\n",
                self.stdout.so_far(),
                self.stderr.so_far()
            );
            let _ = std::io::stderr().write_all(said.as_bytes());
        }
        if let Ok(None) = self.child.try_wait() {
            // Already gone is as good.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The lines of one output, as they come.
#[derive(Clone)]
pub(crate) struct Lines(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn read(output: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let writer = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                writer.change(|said| said.lines.push(line));
            }
            writer.change(|said| said.ended = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        let (said, changed) = &*self.0;
        change(&mut said.lock().expect("nobody panics with it"));
        changed.notify_all();
    }

    /// The first line with this in it, now or later; `None` when the output ended without.
    pub(crate) fn find(&self, part: &str) -> Option<String> {
        self.find_line(&[part])
    }

    /// As [`find`](Self::find), with all of these in it.
    pub(crate) fn find_line(&self, parts: &[&str]) -> Option<String> {
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        self.until(|said| {
            let line = said.lines.iter().find(has_all);
            line.map(|line| Some(line.clone()))
                .or_else(|| said.ended.then_some(None))
        })
    }

    /// Everything, once it has ended.
    pub(crate) fn all(&self) -> String {
        self.until(|said| said.ended.then(|| said.lines.join("\n")))
    }

    /// Everything until now.
    pub(crate) fn so_far(&self) -> String {
        let said = self.0.0.lock().expect("nobody panics with it");
        said.lines.join("\n")
    }

    fn until<T>(&self, mut look: impl FnMut(&Said) -> Option<T>) -> T {
        let (said, changed) = &*self.0;
        let mut said = said.lock().expect("nobody panics with it");
        loop {
            if let Some(found) = look(&said) {
                return found;
            }
            let (next, waited) = changed
                .wait_timeout(said, PATIENCE)
                .expect("nobody panics with it");
            said = next;
            if waited.timed_out() {
                let last = said.lines.last().cloned();
                drop(said);
                panic!("silence after {last:?}");
            }
        }
    }
}
