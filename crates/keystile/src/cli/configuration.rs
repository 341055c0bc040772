//! `keystile config`: the file of `keystile serve`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use clap::Subcommand;
use serde_json::json;

use crate::cli::{Global, output};
use crate::config::{Config, reference};
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Configuration {
    /// Say everything that is wrong with the file, and where.
    Check,
    /// Print what holds, defaults and variables of the environment included.
    Show,
    /// Print the JSON Schema of the file.
    Schema,
    /// Write a file with every key explained.
    Init,
}

impl Configuration {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let file = global.config();
        match self {
            Self::Check => {
                let config = Config::load(&file)?;
                let missing = config.missing_programs();
                let said = json!({
                    "file": file,
                    "servers": config.servers.len(),
                    "missing_programs": missing,
                });
                output::answer(global.json, &said, || {
                    let mut text = format!(
                        "{} is fine: {} servers",
                        file.display(),
                        config.servers.len()
                    );
                    for (server, program) in &missing {
                        text += &format!(
                            "\nbut the command of {server}, {program}, is not there, or is not executable"
                        );
                    }
                    text
                })
            }
            Self::Show => {
                let shown = Config::load(&file)?.shown();
                output::line_out(&serde_json::to_string_pretty(&shown).unwrap_or_default())
            }
            Self::Schema => {
                let schema = reference::schema();
                output::line_out(&serde_json::to_string_pretty(&schema).unwrap_or_default())
            }
            Self::Init => {
                let written = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&file)
                    .and_then(|mut new| new.write_all(reference::example().as_bytes()));
                written.map_err(|error| match error.kind() {
                    ErrorKind::AlreadyExists => Failure::configuration(
                        "config_exists",
                        format!("{} is there already", file.display()),
                        "name another with --config, or move it away",
                    ),
                    _ => Failure::configuration(
                        "config_unwritable",
                        format!("{}: {error}", file.display()),
                        "name a place that you may write to with --config",
                    ),
                })?;
                output::answer(global.json, &json!({ "file": file }), || {
                    format!(
                        "wrote {}; change it, look with keystile config check, and start with keystile serve",
                        file.display()
                    )
                })
            }
        }
    }
}
