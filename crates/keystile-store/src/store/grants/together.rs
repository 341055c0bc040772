//! The verbs of a grant's life (approve, take, rotate), all that wait in one trip to SQLite's thread and one commit.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use keystile_domain::records::{Approved, Rotated, Taken};
use keystile_domain::secrets::code::AuthorizationCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr, SqliteConnection};

use super::approve::{APPROVE, Approve, Made};
use super::take::{SPEND, SPEND_CHECKS, Spent, Take};
use crate::failure::{BatchFailed, Failure};
use crate::feed::RevocationFeed;
use crate::store::rotation::{self, PRESENT, PRESENT_CHECKS, Rotate};
use crate::weaken::statement;
use crate::writer::{SharedVerb, Waiting};

/// What waits.
#[derive(Default)]
pub(crate) struct Together {
    pub(crate) approvals: Vec<Waiting<Approve>>,
    pub(crate) takes: Vec<Waiting<Take>>,
    pub(crate) rotations: Vec<Waiting<Rotate>>,
}

/// What came of it, in the same order.
pub(crate) struct Outcomes {
    approvals: Vec<Result<Approved, Failure>>,
    takes: Vec<Result<Taken, Failure>>,
    rotations: Vec<Result<Rotated, Failure>>,
}

/// Whether the script is a transaction, or part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commits {
    Itself,
    WithOthers,
}

impl Together {
    pub(crate) const fn is_empty(&self) -> bool {
        self.approvals.is_empty() && self.takes.is_empty() && self.rotations.is_empty()
    }

    /// Whether this code is in it: two requests that show one code are judged one after the other.
    pub(crate) fn takes_code(&self, code: &AuthorizationCode) -> bool {
        self.takes.iter().any(|one| one.verb.proof.code == *code)
    }

    /// Does all of it. An error concerns all of it: nothing is durable, or, where it commits by itself, at most what a
    /// client whose answer was lost may have left behind.
    pub(crate) async fn settle(
        &self,
        connection: &mut SqliteConnection,
        commits: Commits,
    ) -> Result<Outcomes, sqlx::Error> {
        let approvals: Vec<_> = self.approvals.iter().map(|one| one.verb.given()).collect();
        let takes: Vec<_> = self.takes.iter().map(|one| one.verb.shown()).collect();
        let rotations: Vec<_> = self.rotations.iter().map(|one| one.verb.shown()).collect();
        let script = Script {
            commits,
            approves: !approvals.is_empty(),
            takes: !takes.is_empty(),
            rotates: !rotations.is_empty(),
        };
        let rows: Vec<(String, String)> = sqlx::query_as(script.text())
            .bind(json(&approvals)?)
            .bind(json(&takes)?)
            .bind(json(&rotations)?)
            .fetch_all(&mut *connection)
            .await?;
        let mut made: HashSet<Made> = HashSet::new();
        let mut spent: HashMap<String, Spent> = HashMap::new();
        let mut families = Vec::new();
        for (kind, row) in rows {
            match &*kind {
                "approved" => {
                    made.insert(read(&row)?);
                }
                "families" => families = read(&row)?,
                _ => {
                    let row: Spent = read(&row)?;
                    spent.insert(row.0.clone(), row);
                }
            }
        }
        let mut approved = Vec::new();
        for Waiting { verb, .. } in &self.approvals {
            // Once for each: of two that are the same, one made it.
            approved.push(match made.remove(&verb.made()) {
                true => Ok(Approved::First),
                false => verb.explain(connection).await,
            });
        }
        let mut taken = Vec::new();
        for Waiting { verb, .. } in &self.takes {
            taken.push(match spent.get(&verb.digest()) {
                Some(spent) => spent.outcome(),
                None => verb.explain(connection).await,
            });
        }
        Ok(Outcomes {
            approvals: approved,
            takes: taken,
            rotations: rotation::settle(connection, &self.rotations, families).await?,
        })
    }

    pub(crate) fn committed(self, outcomes: Outcomes, feed: &RevocationFeed) {
        committed(self.approvals, outcomes.approvals, feed);
        committed(self.takes, outcomes.takes, feed);
        committed(self.rotations, outcomes.rotations, feed);
    }

    pub(crate) fn failed(self, failed: &BatchFailed) {
        self.approvals
            .into_iter()
            .for_each(|one| one.failed(failed));
        self.takes.into_iter().for_each(|one| one.failed(failed));
        self.rotations
            .into_iter()
            .for_each(|one| one.failed(failed));
    }
}

fn committed<V: SharedVerb>(
    waiting: Vec<Waiting<V>>,
    outcomes: Vec<Result<V::Answer, Failure>>,
    feed: &RevocationFeed,
) {
    for (one, outcome) in waiting.into_iter().zip(outcomes) {
        one.committed(outcome, feed);
    }
}

pub(crate) fn json<T: Serialize>(rows: &[T]) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(crate) fn read<T: DeserializeOwned>(row: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(row).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The statements of those kinds that wait.
#[derive(Debug, Clone, Copy)]
struct Script {
    commits: Commits,
    approves: bool,
    takes: bool,
    rotates: bool,
}

impl Script {
    /// SQLite compiles each of them once for a connection.
    fn text(self) -> SqlStr {
        static TEXTS: LazyLock<[SqlStr; 16]> = LazyLock::new(|| {
            std::array::from_fn(|number| {
                let has = |bit: usize| number >> bit & 1 == 1;
                let script = Script {
                    commits: if has(3) {
                        Commits::Itself
                    } else {
                        Commits::WithOthers
                    },
                    approves: has(2),
                    takes: has(1),
                    rotates: has(0),
                };
                AssertSqlSafe(script.written()).into_sql_str()
            })
        });
        let bit = |has: bool, bit: usize| usize::from(has) << bit;
        let number = bit(self.commits == Commits::Itself, 3)
            + bit(self.approves, 2)
            + bit(self.takes, 1)
            + bit(self.rotates, 0);
        TEXTS[number].clone()
    }

    fn written(self) -> String {
        let parts = [
            (self.approves, statement(APPROVE, &[])),
            (self.takes, statement(SPEND, SPEND_CHECKS)),
            (self.rotates, statement(PRESENT, PRESENT_CHECKS)),
        ];
        let parts = parts.iter().filter(|(wanted, _)| *wanted);
        let all: String = parts.map(|(_, part)| part.as_str()).collect();
        // The only writing statement of a rotation is a transaction by itself.
        match self.commits == Commits::Itself && (self.approves || self.takes) {
            true => format!("BEGIN IMMEDIATE;{all}COMMIT"),
            false => all,
        }
    }
}
