//! `keystile key`: signing keys and the master key.

use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::admin::Request;
use crate::cli::{Global, output};
use crate::control;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the keys: what signs, what is next, what is still published, what seals and what opens.
    List,
    /// Sign access tokens with the key that is next. The one that signed until now stays published
    /// until its last token has ended, so nobody notices.
    Rotate {
        /// What to sign with from now on (default: as until now).
        #[arg(long, value_enum, value_name = "ALGORITHM")]
        algorithm: Option<Algorithm>,
        /// A key has leaked: make new ones and publish no earlier one any more. Every access token ends
        /// at once; clients get others with their refresh tokens.
        #[arg(long)]
        forget_old: bool,
    },
    /// Seal with a new master key. What the earlier ones made still works, so nobody notices; keep a
    /// new copy of `master.key`.
    RotateMaster {
        /// Forget the keys that only opened until now. Client ids, client secrets and refresh tokens
        /// that they made stop working: those clients must register and sign in again. The key that
        /// sealed until now still opens; after a leak, do this twice.
        #[arg(long)]
        forget_old: bool,
    },
}

/// What access tokens are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// ECDSA on P-256: what every client and server knows.
    #[value(name = "ES256")]
    Es256,
    /// Ed25519: the fastest to sign with.
    #[value(name = "EdDSA")]
    EdDsa,
    /// RSA, 2048 bits: for what knows nothing else.
    #[value(name = "RS256")]
    Rs256,
}

impl Key {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::List => {
                let answer = control::ask(global, Request::KeyList)?;
                output::answer(global.json, &answer, || listed(&answer))
            }
            Self::Rotate {
                algorithm,
                forget_old,
            } => {
                let algorithm = algorithm.map(|algorithm| {
                    let value = algorithm.to_possible_value();
                    value.expect("none is hidden").get_name().to_owned()
                });
                let request = Request::KeyRotate {
                    algorithm,
                    forget_old,
                };
                let answer = control::ask(global, request)?;
                output::answer(global.json, &answer, || rotated(&answer))
            }
            Self::RotateMaster { forget_old } => {
                let answer = control::ask(global, Request::KeyRotateMaster { forget_old })?;
                output::answer(global.json, &answer, || master_rotated(&answer))
            }
        }
    }
}

fn listed(answer: &Value) -> String {
    let fields = ["kid", "algorithm", "state", "since", "until"];
    let mut signing = control::rows(&answer["signing"], fields);
    for row in &mut signing {
        row[3] = output::moment_of(&row[3]);
        row[4] = output::moment_of(&row[4]);
    }
    let mut master = control::rows(&answer["master"], ["key_id", "state", "since"]);
    for row in &mut master {
        row[2] = match row[2].as_str() {
            "" => "the beginning".to_owned(),
            at => output::moment_of(at),
        };
    }
    let signing = output::table(
        ["SIGNING KEY", "ALGORITHM", "STATE", "SINCE", "UNTIL"],
        &signing,
    );
    let master = output::table(["MASTER KEY", "DOES", "SINCE"], &master);
    format!("{signing}\n\n{master}")
}

fn rotated(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let mut said = format!(
        "Access tokens are signed with the {} key {} now.",
        text("algorithm"),
        text("kid")
    );
    if answer["forgot_old"] == true {
        said.push_str("\nEarlier access tokens no longer work; clients refresh theirs.");
    }
    if answer["published_before"] == false {
        said.push_str(
            "\nIt was not published for long: another resource server that keeps the key set may refuse its\ntokens until it reads the set again, which takes five minutes at most. The gateway here knows it.",
        );
    }
    said
}

fn master_rotated(answer: &Value) -> String {
    let mut said = format!(
        "The master key {} seals now; {} earlier only open. Keep a new copy of master.key.",
        answer["key_id"].as_str().unwrap_or_default(),
        answer["open_only"],
    );
    if answer["forgotten"].as_u64().is_some_and(|count| count > 0) {
        said.push_str(&format!(
            "\nForgotten: {}. Clients that registered or signed in under them and not since must do so again.",
            answer["forgotten"]
        ));
    }
    said
}
