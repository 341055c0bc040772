//! The command line (DESIGN §2): one file per command.

pub(crate) mod client;
mod configuration;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod generate;
pub(crate) mod grant;
pub(crate) mod key;
pub(crate) mod output;
pub(crate) mod protect;
mod registrations;
mod serve;
pub(crate) mod serving;
mod strangers;
mod unparsed;
pub(crate) mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config;
use crate::data_dir::DataDir;
use crate::failure::Failure;

/// Authorization for any MCP server: discovery, sign-in, consent, short tokens, revocation, audit.
#[derive(Debug, Parser)]
#[command(name = "keystile", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Under which the help of a command shows them, after its own.
const HEADING: &str = "Everywhere";

/// Flags that every command has.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Where keys, database and audit trail live (default: `keystile` in `$XDG_DATA_HOME`, else in
    /// ~/.local/share).
    #[arg(long, env = "KEYSTILE_DATA_DIR", global = true, value_name = "DIR", help_heading = HEADING)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The file of `keystile serve` (default: keystile.toml in this folder).
    #[arg(long, env = "KEYSTILE_CONFIG", global = true, value_name = "FILE", help_heading = HEADING)]
    pub(crate) config: Option<PathBuf>,
    /// How the log is written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, help_heading = HEADING)]
    pub(crate) log_format: LogFormat,
    /// Log more; twice, still more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = HEADING)]
    pub(crate) verbose: u8,
    /// Answer in JSON, one line.
    #[arg(long, global = true, help_heading = HEADING)]
    pub(crate) json: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a sample knowledge-base server behind the gate, and say how to connect.
    Demo(demo::Demo),
    /// Put authorization in front of one MCP server: a URL, or a command after `--`.
    Protect(protect::Protect),
    /// Put authorization in front of many MCP servers, which a file names.
    Serve(serve::Serve),
    /// The file of `serve`.
    #[command(subcommand)]
    Config(configuration::Configuration),
    /// People who may sign in.
    #[command(subcommand)]
    User(user::User),
    /// Clients that you register yourself.
    #[command(subcommand)]
    Client(client::Client),
    /// Which client may do what for whom.
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Keys that sign access tokens, and the master key that seals everything else.
    #[command(subcommand)]
    Key(key::Key),
    /// Say why an attempt failed and what to do; without a reference, which failed lately.
    Doctor(doctor::Doctor),
    /// Print generated reference pages.
    #[command(hide = true, subcommand)]
    Generate(generate::Generate),
    /// Serve the sample knowledge base on stdin and stdout (what `demo` starts).
    #[command(hide = true)]
    KnowledgeBase(demo::KnowledgeBase),
}

/// Parses the command line, runs the command and turns a failure into its exit code.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed::answer(error),
    };
    let json = cli.global.json;
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure, json);
            ExitCode::from(failure.exit)
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Demo(demo) => demo.run(global),
        Command::Protect(protect) => protect.run(global),
        Command::Serve(serve) => serve.run(global),
        Command::Config(config) => config.run(global),
        Command::User(user) => user.run(global),
        Command::Client(client) => client.run(global),
        Command::Grant(grant) => grant.run(global),
        Command::Key(key) => key.run(global),
        Command::Doctor(doctor) => doctor.run(global),
        Command::Generate(generate) => generate.run(),
        Command::KnowledgeBase(server) => server.run(),
    }
}

impl Global {
    /// The data directory of this run; one that is not there is made when it is locked.
    pub(crate) fn data_dir(&self) -> Result<DataDir, Failure> {
        DataDir::open(&self.data_dir_path()?)
    }

    /// The data directory of this run, in which there must be an installation.
    pub(crate) fn existing_data_dir(&self) -> Result<DataDir, Failure> {
        DataDir::open_existing(&self.data_dir_path()?)
    }

    /// The file of `keystile serve`.
    pub(crate) fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| config::FILE.into())
    }

    /// How every command that administers this data directory begins, in a shell.
    pub(crate) fn admin_command(&self) -> String {
        let named = self.data_dir.as_deref().map(std::path::absolute);
        let Some(Ok(named)) = named else {
            return "keystile".to_owned();
        };
        if default_data_dir().is_ok_and(|usual| usual == named) {
            return "keystile".to_owned();
        }
        let path = named.to_string_lossy().into_owned();
        let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
        match path.chars().all(plain) {
            true => format!("keystile --data-dir {path}"),
            false => format!("keystile --data-dir '{}'", path.replace('\'', r"'\''")),
        }
    }

    fn data_dir_path(&self) -> Result<PathBuf, Failure> {
        match &self.data_dir {
            Some(path) => Ok(path.clone()),
            None => default_data_dir(),
        }
    }
}

/// `$XDG_DATA_HOME/keystile`, else `$HOME/.local/share/keystile` (XDG Base Directory Specification).
fn default_data_dir() -> Result<PathBuf, Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the default of --data-dir is an environment variable"
    )]
    let var = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = var("XDG_DATA_HOME").or_else(|| Some(var("HOME")?.join(".local/share")));
    data.map(|data| data.join("keystile")).ok_or_else(|| {
        Failure::configuration(
            "no_data_dir",
            "neither XDG_DATA_HOME nor HOME is set, so there is no place for keys and database",
            "name a directory with --data-dir or KEYSTILE_DATA_DIR",
        )
    })
}

/// The runtime of a command that does one thing.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let made = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    made.map_err(|error| no_threads(&error))
}

/// The system gives no thread, or no memory for one.
pub(crate) fn no_threads(error: &std::io::Error) -> Failure {
    let why = format!("can't start: {error}");
    Failure::failed("no_threads", why, "free memory or threads and try again")
}
