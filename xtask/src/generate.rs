//! `cargo xtask generate [--check]`: committed pages that come out of the program itself.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::test;
use crate::workspace::{Workspace, output_of};

#[derive(Args)]
pub(crate) struct Options {
    /// Write nothing; fail when a committed page is stale
    #[arg(long)]
    pub(crate) check: bool,
    /// Write the table of docs/compatibility.md too, from what real clients see; takes some minutes
    #[arg(long, conflicts_with = "check")]
    pub(crate) matrix: bool,
}

/// A page, and the arguments with which `keystile` prints it.
struct Page {
    file: &'static str,
    printed_by: &'static [&'static str],
}

const PAGES: &[Page] = &[
    Page {
        file: "docs/cli.md",
        printed_by: &["generate", "cli-page"],
    },
    Page {
        file: "docs/configuration.md",
        printed_by: &["generate", "configuration-page"],
    },
    Page {
        file: "docs/keystile.toml",
        printed_by: &["generate", "configuration-example"],
    },
    Page {
        file: "docs/failures.md",
        printed_by: &["generate", "failures-page"],
    },
];

/// Writes each page, or compares it with what is committed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut stale = Vec::new();
    for page in PAGES {
        let mut program =
            workspace.cargo(["run", "--quiet", "--locked", "--package", "keystile", "--"]);
        // Help is wrapped to the terminal; a page is not.
        program
            .args(page.printed_by)
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1");
        let printed = output_of(&mut program)?;
        let path = workspace.root.join(page.file);
        if std::fs::read(&path).is_ok_and(|committed| committed == printed) {
            continue;
        }
        if options.check {
            stale.push(page.file);
        } else {
            std::fs::write(&path, printed)
                .with_context(|| format!("can't write {}", path.display()))?;
            eprintln!("wrote {}", page.file);
        }
    }
    if !stale.is_empty() {
        bail!(
            "stale: {}; run `cargo xtask generate` and commit",
            stale.join(", ")
        );
    }
    if options.matrix {
        test::write_matrix(workspace)?;
    }
    Ok(())
}
