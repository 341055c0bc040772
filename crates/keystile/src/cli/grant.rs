//! `keystile grant`: which client may do what for whom.

use clap::Subcommand;

use crate::admin::Request;
use crate::cli::{Global, output};
use crate::control;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Grant {
    /// List grants, newest first.
    List {
        /// Those that have ended, too.
        #[arg(long)]
        all: bool,
        /// Only those of this person.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Only those of this client. A long id may be given as a list shows it, with its `…`.
        #[arg(long, value_name = "CLIENT_ID")]
        client: Option<String>,
    },
    /// End a grant: its tokens stop working and its streams close before this returns.
    Revoke {
        /// The id, as `grant list` shows it.
        id: String,
    },
}

impl Grant {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::List { all, user, client } => {
                let answer = control::ask(global, Request::GrantList { all, user, client })?;
                output::answer(global.json, &answer, || {
                    let fields = [
                        "id",
                        "person_name",
                        "client_name",
                        "client_id",
                        "resource",
                        "scopes",
                        "created_at",
                        "last_used_at",
                        "revoked_at",
                        "revoked_why",
                    ];
                    let mut rows = control::rows(&answer, fields);
                    for row in &mut rows {
                        row[3] = output::shortened(&row[3]);
                        for at in &mut row[6..=8] {
                            *at = output::moment_of(at);
                        }
                    }
                    let head = [
                        "ID",
                        "PERSON",
                        "CLIENT",
                        "CLIENT_ID",
                        "RESOURCE",
                        "SCOPES",
                        "SINCE",
                        "LAST USED",
                        "ENDED",
                        "WHY",
                    ];
                    output::table(head, &rows)
                })?;
            }
            Self::Revoke { id } => {
                let answer = control::ask(global, Request::GrantRevoke { id })?;
                output::answer(global.json, &answer, || {
                    if answer["was_alive"] == true {
                        "Revoked. Its tokens no longer work.".to_owned()
                    } else {
                        "It had ended before; nothing changed.".to_owned()
                    }
                })?;
            }
        }
        Ok(())
    }
}
