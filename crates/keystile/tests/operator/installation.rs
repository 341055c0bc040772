//! A data directory of its own, and `keystile` commands on it.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::program::{Ended, Program};

/// A data directory that goes away with the test.
pub(crate) struct Installation {
    temp: TempDir,
}

/// A `keystile` that serves.
pub(crate) struct Gate {
    pub(crate) program: Program,
    /// The ready line.
    pub(crate) ready: Value,
    pub(crate) port: u16,
}

/// A command that failed: how, and the error that it gave.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: i32,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Installation {
    /// Nothing there yet: `keystile` makes it.
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory can be made");
        Self { temp }
    }

    /// A folder for what a test needs besides.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.beside("data")
    }

    /// `keystile --data-dir … ARGUMENTS`, with nothing of this environment but what it needs.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = bare(arguments);
        command.env("KEYSTILE_DATA_DIR", self.data());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ended {
        Program::start(&mut self.command(arguments), "").wait()
    }

    /// Runs it with `--json`; it must succeed.
    pub(crate) fn answer<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Value {
        let ended = Program::start(self.command(arguments).arg("--json"), "").wait();
        assert!(ended.status.success(), "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).expect("an answer is JSON")
    }

    /// Runs it in both forms; it must fail, and say the same in both.
    pub(crate) fn failure<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Failed {
        let mut words: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        let text = self.run(&words);
        // Flags go before a `--`.
        words.insert(0, OsStr::new("--json"));
        let failed = Failed::read(&self.run(&words));
        assert_eq!(text.status.code(), Some(failed.exit), "{}", text.stderr);
        let coded = text.stderr.ends_with(&format!("\n  code: {}", failed.code));
        assert!(
            text.stderr.starts_with("error: ") && coded,
            "{}",
            text.stderr
        );
        assert_eq!(text.stdout, "");
        failed
    }

    /// Makes an account without a browser.
    pub(crate) fn add_user(&self, name: &str, password: &str) {
        let arguments = ["user", "add", name, "--password-stdin"];
        let ended = Program::start(&mut self.command(&arguments), password).wait();
        assert!(ended.status.success(), "{}", ended.stderr);
    }

    /// Starts a serving command on free ports and waits until it answers.
    pub(crate) fn serve<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Gate {
        Gate::start(&mut self.serving(arguments))
    }

    /// The command of [`serve`](Self::serve), for tests that start it in their own way.
    pub(crate) fn serving<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = self.command(&["--json"]);
        let (name, rest) = arguments.split_first().expect("a command");
        command
            .arg(name)
            .args(["--port", "0", "--ops-listen", "127.0.0.1:0"])
            .args(rest);
        command
    }

    /// Every file below the data directory.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.data(), &mut files);
        files
    }
}

/// `keystile ARGUMENTS`, without a data directory.
pub(crate) fn bare<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keystile"));
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test finds commands, and the test run its switches"
    )]
    for name in ["PATH", "KEYSTILE_MUTATION"] {
        command.env_remove(name);
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env_remove("HOME")
        .env_remove("XDG_DATA_HOME")
        .args(arguments);
    command
}

impl Failed {
    /// Its standard error is the error, in JSON.
    pub(crate) fn read(ended: &Ended) -> Self {
        let error: Value = serde_json::from_str(&ended.stderr)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
        let text = |name: &str| {
            let text = error["error"][name].as_str();
            text.expect("an error has code, message and help")
                .to_owned()
        };
        let exit = ended.status.code().expect("it exits");
        assert_eq!(error["error"]["exit"], exit);
        Self {
            exit,
            code: text("code"),
            message: text("message"),
            help: text("help"),
        }
    }

    /// Both numbers that scripts look at.
    pub(crate) fn is(&self, exit: i32, code: &str) -> &Self {
        assert_eq!((self.exit, self.code.as_str()), (exit, code), "{self:?}");
        self
    }

    /// What is wrong, or what was expected, in these words.
    pub(crate) fn says(&self, part: &str) -> &Self {
        assert!(self.message.contains(part), "{self:?}");
        self
    }

    /// What to do, in these words.
    pub(crate) fn advises(&self, part: &str) -> &Self {
        assert!(self.help.contains(part), "{self:?}");
        self
    }
}

impl Gate {
    /// Starts it and waits for the ready line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = Program::start(command, "");
        let line = program.stdout.find("mcp_url").unwrap_or_else(|| {
            panic!("it ended before it was ready: {}", program.stderr.all());
        });
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let issuer = ready["issuer"].as_str().expect("the issuer is a text");
        let port = issuer
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        Self {
            program,
            port: port.expect("the issuer has a port"),
            ready,
        }
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.ready[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.ready))
            .to_owned()
    }

    /// The path of the MCP endpoint.
    pub(crate) fn endpoint(&self) -> String {
        format!("/{}/mcp", self.text("name"))
    }

    /// Asks it to end, as an operator does, and waits until it has.
    pub(crate) fn stop(mut self) -> Ended {
        self.program.signal(rustix::process::Signal::TERM);
        let ended = self.program.wait();
        assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
        ended
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => walk(&path, files),
            false => files.push(path),
        }
    }
    files.sort();
}

/// The permission bits.
pub(crate) fn mode(path: &Path) -> u32 {
    let found = std::fs::symlink_metadata(path).expect("it is there");
    found.permissions().mode() & 0o777
}

/// Sets them.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}
