//! `keystile demo`: the sample knowledge base behind the gate.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Mode;

use crate::cli::serving::Serving;
use crate::cli::{Global, runtime};
use crate::failure::Failure;
use crate::wire::{KnownAs, Upstream};

#[derive(Debug, clap::Args)]
#[command(mut_arg("name", |name| name.help(NAME_HELP)))]
pub(crate) struct Demo {
    #[command(flatten)]
    serving: Serving,
    /// A folder of Markdown files to search instead of Keystile's own documentation.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Demo {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        if let Some(folder) = &self.folder {
            readable(folder)?;
        }
        let state = global.data_dir()?.at("knowledge-base");
        let program = std::env::current_exe().map_err(|error| {
            Failure::failed(
                "no_own_path",
                format!("this program can't find itself: {error}"),
                "start it by its full path",
            )
        })?;
        let mut argv: Vec<OsString> = vec![
            program.into(),
            "knowledge-base".into(),
            "--state".into(),
            state.into(),
        ];
        let folder = self.folder.as_ref();
        let known_as =
            folder.map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.clone()));
        if let Some(folder) = self.folder {
            let folder = std::path::absolute(&folder).unwrap_or(folder);
            argv.extend(["--folder".into(), folder.into()]);
        }
        let upstream = Upstream::Stdio {
            argv,
            known_as: KnownAs::Demo(known_as),
            env: Vec::new(),
            idle: Duration::from_secs(600),
        };
        self.serving.serve(global, upstream, NAME)
    }
}

const NAME: &str = "knowledge-base";
const NAME_HELP: &str = "The name in the path of its URL, `/NAME/mcp` (default: knowledge-base)";

/// Said now, and not by a server that ends as soon as it is started.
fn readable(folder: &Path) -> Result<(), Failure> {
    std::fs::read_dir(folder).map(drop).map_err(|error| {
        Failure::configuration(
            "folder",
            format!("--folder {}: {error}", folder.display()),
            "name a folder of Markdown files that you can read",
        )
    })
}

#[derive(Debug, clap::Args)]
pub(crate) struct KnowledgeBase {
    /// Where notes and the index are kept.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The folder of Markdown.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl KnowledgeBase {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Its files lie in the data directory, where everything is private.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let options = keystile_knowledge_base::Options {
            folder: self.folder,
            state: self.state,
        };
        runtime()?
            .block_on(keystile_knowledge_base::serve_stdio(options))
            .map_err(|error| {
                Failure::failed(
                    "knowledge_base",
                    error,
                    "look at the folder that it was given",
                )
            })
    }
}
