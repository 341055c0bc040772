//! `keystile user`: people who may sign in.

use std::io::Read as _;

use clap::Subcommand;

use crate::admin::Request;
use crate::cli::{Global, output};
use crate::control;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make an account.
    Add {
        /// The name to sign in with.
        name: String,
        /// Read the password from standard input (one line).
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// List accounts.
    List,
    /// Keep a person out: sessions, grants, tokens and streams end before this returns.
    Disable {
        /// The name to sign in with.
        name: String,
    },
    /// Let a person in again, who has to sign in and connect anew.
    Enable {
        /// The name to sign in with.
        name: String,
    },
    /// Give a person another password: who is signed in with the earlier one has to sign in anew.
    Password {
        /// The name to sign in with.
        name: String,
        /// Read the password from standard input (one line).
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Remove a person for good: sessions, grants, tokens and streams end before this returns. The
    /// name is free then, and who gets it has nothing of theirs.
    Remove {
        /// The name to sign in with.
        name: String,
    },
    /// Make a new set-up link for the first account: single use, 15 minutes.
    SetupLink,
}

impl User {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Add {
                name,
                password_stdin: _,
            } => {
                let request = Request::UserAdd {
                    name: name.clone(),
                    password: password()?,
                };
                let answer = control::ask(global, request)?;
                output::answer(global.json, &answer, || format!("{name} can sign in now."))?;
            }
            Self::List => {
                let answer = control::ask(global, Request::UserList)?;
                output::answer(global.json, &answer, || {
                    let fields = ["id", "name", "created_at", "disabled_at"];
                    let mut rows = control::rows(&answer, fields);
                    for row in &mut rows {
                        row[2] = output::moment_of(&row[2]);
                        let disabled = !row[3].is_empty();
                        row[3] = if disabled { "disabled" } else { "" }.to_owned();
                    }
                    output::table(["ID", "NAME", "SINCE", "STATE"], &rows)
                })?;
            }
            Self::Disable { name } => {
                let answer = control::ask(global, Request::UserDisable { name: name.clone() })?;
                output::answer(global.json, &answer, || {
                    let ended = &answer["grants_ended"];
                    format!("{name} is kept out; {ended} grants have ended.")
                })?;
            }
            Self::Enable { name } => {
                let answer = control::ask(global, Request::UserEnable { name: name.clone() })?;
                output::answer(global.json, &answer, || {
                    if answer["was_disabled"] == true {
                        format!("{name} can sign in again.")
                    } else {
                        format!("{name} was not kept out; nothing changed.")
                    }
                })?;
            }
            Self::Password {
                name,
                password_stdin: _,
            } => {
                let request = Request::UserPassword {
                    name: name.clone(),
                    password: password()?,
                };
                let answer = control::ask(global, request)?;
                output::answer(global.json, &answer, || {
                    format!("{name} signs in with the new password from now on.")
                })?;
            }
            Self::Remove { name } => {
                let answer = control::ask(global, Request::UserRemove { name: name.clone() })?;
                output::answer(global.json, &answer, || {
                    let ended = &answer["grants_ended"];
                    format!("{name} is removed; {ended} grants have ended.")
                })?;
            }
            Self::SetupLink => {
                let answer = control::ask(global, Request::SetupLink)?;
                output::answer(global.json, &answer, || {
                    let part = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
                    match answer["setup_url"].as_str() {
                        Some(url) => format!(
                            "{url}\nThe set-up code is {}. It works once, for 15 minutes.",
                            part("code")
                        ),
                        None => format!(
                            "The set-up code is {}. It works once, for 15 minutes: start keystile and connect a client.",
                            part("code")
                        ),
                    }
                })?;
            }
        }
        Ok(())
    }
}

/// The one line of standard input.
fn password() -> Result<String, Failure> {
    let mut text = String::new();
    let help = "pipe it in: printf '%s' \"$PASSWORD\" | keystile user add NAME --password-stdin";
    std::io::stdin()
        .take(4096)
        .read_to_string(&mut text)
        .map_err(|error| {
            Failure::usage(
                "password_unreadable",
                format!("the password can't be read from standard input: {error}"),
                help,
            )
        })?;
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default();
    if lines.next().is_some() {
        return Err(Failure::usage(
            "password_lines",
            "standard input has more than one line, and a password is one",
            help,
        ));
    }
    if line.is_empty() {
        return Err(Failure::usage(
            "password_missing",
            "standard input has no password",
            help,
        ));
    }
    Ok(line.to_owned())
}
