//! `cargo xtask`: what people type and what CI runs.
//!
//! One file per command. Everything that takes minutes to build (the tools, the target folder) is kept outside of the
//! clone, below `$KEYSTILE_CACHE` (default `~/.cache/keystile`), so that a fresh clone on the same machine starts warm.

mod bench;
mod cached_tool;
mod check;
mod coverage;
mod deny;
mod deps;
mod filesize;
mod fuzz;
mod generate;
mod links;
mod mutants;
mod release;
mod steps;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Checks, tests and measurements of Keystile"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that needs no test run: format, lints, docs, licences, crate directions, file sizes, links, generated pages
    Check,
    /// Everything: tools, check, all tests, mutations, the release build's hygiene
    Test(test::Options),
    /// Prove that the test of each row of docs/spec-coverage.md fails when its rule is switched off
    Mutants(mutants::Options),
    /// Does every row of docs/spec-coverage.md have its test, and every such test its row?
    Coverage,
    /// May each crate reach what it reaches?
    Deps,
    /// Is any Rust file too long?
    Filesize,
    /// Does every link between the Markdown pages lead somewhere?
    Links,
    /// Licences, bans, sources, and advisories where a local copy of the database exists
    Deny,
    /// Write the committed pages that come out of the program
    Generate(generate::Options),
    /// Measure, and compare with the gates of the design
    Bench(bench::Options),
    /// Put a million messages, most of them spoiled, before the gateway, and what passes before readers of four makes
    Fuzz(fuzz::Options),
    /// Install what the end-to-end tests need, outside of the clone
    Tools,
    /// Prove that the release build has none of the test-only switches
    Release,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = Workspace::find().and_then(|workspace| match arguments.command {
        Command::Check => check::run(&workspace),
        Command::Test(options) => test::run(&workspace, &options),
        Command::Mutants(options) => mutants::run(&workspace, &options).map(drop),
        Command::Coverage => coverage::run(&workspace),
        Command::Deps => deps::run(&workspace),
        Command::Filesize => filesize::run(&workspace),
        Command::Links => links::run(&workspace),
        Command::Deny => deny::run(&workspace),
        Command::Generate(options) => generate::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
        Command::Tools => tools::run(&workspace),
        Command::Release => release::run(&workspace),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
