//! `keystile demo`: the sample knowledge base behind the gate.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::serving::Serving;
use crate::cli::{Global, runtime};
use crate::failure::Failure;
use crate::wire::Upstream;

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    serving: Serving,
    /// A folder of Markdown to search instead of Keystile's own documentation.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Demo {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
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
        if let Some(folder) = self.folder {
            let folder = std::path::absolute(&folder).unwrap_or(folder);
            argv.extend(["--folder".into(), folder.into()]);
        }
        let upstream = Upstream::Stdio {
            argv,
            env: Vec::new(),
            idle: Duration::from_secs(600),
        };
        self.serving.serve(global, upstream, "knowledge-base")
    }
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
