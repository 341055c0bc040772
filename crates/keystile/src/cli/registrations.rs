//! `keystile client initial-access-token` and `keystile client redirect`: who may register itself
//! beyond the default policy.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use crate::admin::Request;
use crate::admin::registrations::RegistrationRequest;
use crate::cli::{Global, output};
use crate::config::duration;
use crate::control;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum InitialAccessToken {
    /// Make one. It is shown once; a client sends it as `Authorization: Bearer` when it registers.
    Add {
        /// How many clients it registers.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        uses: u32,
        /// How long it works, at most 90d.
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = duration)]
        lifetime: Duration,
        /// What it is for; you see it in the list.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// List them, newest first; never their text.
    List,
    /// Make one useless. Clients that it registered stay: see `keystile client disable`.
    Revoke {
        /// The id, as the list shows it.
        id: String,
    },
}

impl InitialAccessToken {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Add {
                uses,
                lifetime,
                note,
            } => {
                let request = RegistrationRequest::TokenAdd {
                    uses,
                    lifetime,
                    note,
                };
                let answer = ask(global, request)?;
                output::answer(global.json, &answer, || {
                    let token = &answer["initial_access_token"];
                    token.as_str().unwrap_or_default().to_owned()
                })
            }
            Self::List => {
                let answer = ask(global, RegistrationRequest::TokenList)?;
                output::answer(global.json, &answer, || {
                    let fields = ["id", "note", "used", "uses", "expires_at", "revoked_at"];
                    let mut rows = control::rows(&answer, fields);
                    for row in &mut rows {
                        row[4] = output::moment_of(&row[4]);
                        row[5] = output::moment_of(&row[5]);
                    }
                    let head = ["ID", "NOTE", "USED", "OF", "EXPIRES", "REVOKED"];
                    output::table(head, &rows)
                })
            }
            Self::Revoke { id } => {
                let answer = ask(global, RegistrationRequest::TokenRevoke { id })?;
                output::answer(global.json, &answer, || {
                    if answer["was_good"] == true {
                        "Revoked. It registers nobody any more.".to_owned()
                    } else {
                        "It was of no use any more; nothing changed.".to_owned()
                    }
                })
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Redirect {
    /// Let clients register whose sign-ins lead to this origin (or app scheme).
    Approve {
        /// For example `https://app.example.com`, or `notes:` for the scheme of an app.
        #[arg(value_name = "ORIGIN")]
        place: String,
    },
    /// List what you approved of.
    List {
        /// What was asked for instead, since the start of the process that serves (`--registration
        /// approval`); anybody can ask.
        #[arg(long)]
        asked: bool,
    },
    /// Take an approval back: apps that registered by it sign nobody in any more. Those that you added,
    /// or that registered with an initial access token, stay: see `keystile client disable`. Grants
    /// stay: see `keystile grant`.
    Remove {
        /// As the list shows it.
        #[arg(value_name = "ORIGIN")]
        place: String,
    },
}

impl Redirect {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Approve { place } => {
                let answer = ask(global, RegistrationRequest::RedirectApprove { place })?;
                output::answer(global.json, &answer, || {
                    let place = answer["place"].as_str().unwrap_or_default();
                    format!("Approved. Apps that sign in to {place} can register now.")
                })
            }
            Self::List { asked: false } => {
                let answer = ask(global, RegistrationRequest::RedirectList { asked: false })?;
                output::answer(global.json, &answer, || {
                    let mut rows = control::rows(&answer, ["place", "approved_at"]);
                    for row in &mut rows {
                        row[1] = output::moment_of(&row[1]);
                    }
                    output::table(["ORIGIN", "SINCE"], &rows)
                })
            }
            Self::List { asked: true } => {
                let answer = ask(global, RegistrationRequest::RedirectList { asked: true })?;
                output::answer(global.json, &answer, || {
                    if answer.as_array().is_some_and(Vec::is_empty) {
                        return NOTHING_ASKED.to_owned();
                    }
                    let fields = ["place", "client_name", "peer", "times", "last_at"];
                    let mut rows = control::rows(&answer, fields);
                    for row in &mut rows {
                        row[4] = output::moment_of(&row[4]);
                    }
                    let head = ["ORIGIN", "CALLS ITSELF", "FROM", "TIMES", "LAST"];
                    output::table(head, &rows)
                })
            }
            Self::Remove { place } => {
                let answer = ask(global, RegistrationRequest::RedirectRemove { place })?;
                output::answer(global.json, &answer, || {
                    if answer["was_approved"] == true {
                        REMOVED.to_owned()
                    } else {
                        "It was not approved of; nothing changed.".to_owned()
                    }
                })
            }
        }
    }
}

const REMOVED: &str = "Removed. Apps that registered by this approval sign nobody in any more; those that you added, or that
registered with an initial access token, still do: keystile client disable keeps them out.";

/// Where nothing was asked for, or nobody listened.
const NOTHING_ASKED: &str = "Nothing was asked for since the server started. Only a server that runs with --registration approval keeps
what it refuses.";

fn ask(global: &Global, registration: RegistrationRequest) -> Result<Value, Failure> {
    control::ask(global, Request::Registration { registration })
}
