//! The presentation of refresh tokens (DESIGN §4, CHECKLIST R9), many in one statement.
//!
//! The winner is chosen by an `UPDATE` whose `WHERE` holds the whole rule for a first presentation.
//! What the family looks like after it is read in the same round trip and judged by
//! [`keystile_domain::decide::refresh::judge`]: a token that just won is then the highest presented,
//! for which the answer is its successor, first time or again.

use keystile_domain::decide::refresh::{FamilyFacts, Judgement, judge};
use keystile_domain::ids::GrantId;
use keystile_domain::records::{Presented, RefreshMismatch, Rotated};
use keystile_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::grants::together::{json, read};
use crate::failure::Failure;
use crate::feed::RevocationFeed;
use crate::row::{self, GrantRow};
use crate::weaken::statement;
use crate::writer::{SharedVerb, Waiting};

/// Why a grant died by the rule.
pub(crate) const REUSED: &str = "refresh_token_reused";

/// The presentation of one refresh token.
pub(crate) struct Rotate {
    pub(crate) presented: Presented,
    pub(crate) now: Timestamp,
}

impl SharedVerb for Rotate {
    type Answer = Rotated;

    fn committed(&self, rotated: &Rotated, feed: &RevocationFeed) {
        if matches!(rotated, Rotated::Reused) {
            feed.revoke(&[self.presented.grant], self.now);
        }
    }
}

/// Judges all of them by the families that the first round of [`PRESENT`] found; outcomes come in the same order. Inside a
/// transaction an error concerns all of it; outside of one each statement commits by itself, and what an error leaves
/// behind is at most a presentation whose answer was lost, which the rule lets the client repeat.
pub(crate) async fn settle(
    connection: &mut SqliteConnection,
    rotations: &[Waiting<Rotate>],
    found: Vec<FamilyRow>,
) -> Result<Vec<Result<Rotated, Failure>>, sqlx::Error> {
    let mut outcomes: Vec<Option<Result<Rotated, Failure>>> =
        rotations.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..rotations.len()).collect();
    let mut families = by_place(open.len(), found);
    loop {
        let before = open.len();
        let mut next = Vec::new();
        for (place, family) in open.into_iter().zip(families) {
            let (Some(Waiting { verb, .. }), Some(outcome)) =
                (rotations.get(place), outcomes.get_mut(place))
            else {
                continue;
            };
            match conclude(verb, family) {
                Ok(Conclusion::Answer(answer)) => *outcome = Some(Ok(answer)),
                Ok(Conclusion::Reused) => {
                    let first = revoke(connection, &verb.presented.grant, verb.now).await?;
                    *outcome = Some(Ok(match first {
                        true => Rotated::Reused,
                        false => Rotated::Refused(RefreshMismatch::Revoked),
                    }));
                }
                // A neighbour of this batch moved the family on: now it is this one's turn.
                Ok(Conclusion::NotYet) => next.push(place),
                Err(failure) => *outcome = Some(Err(failure)),
            }
        }
        // Each round in which somebody has to wait has a winner.
        if next.is_empty() || next.len() == before {
            break;
        }
        open = next;
        families = round(connection, rotations, &open).await?;
    }
    let declined = || Failure::Inconsistent("a refresh family moves against the rule".to_owned());
    Ok(outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| Err(declined())))
        .collect())
}

#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one match and is never kept"
)]
enum Conclusion {
    Answer(Rotated),
    Reused,
    NotYet,
}

fn conclude(rotation: &Rotate, family: Option<Family>) -> Result<Conclusion, Failure> {
    let Some(family) = family else {
        return Ok(Conclusion::Answer(Rotated::Refused(
            RefreshMismatch::Unknown,
        )));
    };
    let facts = family.facts(&rotation.presented)?;
    Ok(
        match judge(&facts, rotation.presented.generation, rotation.now) {
            Judgement::First => Conclusion::NotYet,
            Judgement::Again => Conclusion::Answer(Rotated::Successor(row::grant(family.grant)?)),
            Judgement::Reused => Conclusion::Reused,
            Judgement::Refused(why) => Conclusion::Answer(Rotated::Refused(why)),
        },
    )
}

/// One row of what goes in.
#[derive(Serialize)]
pub(crate) struct Shown<'a>(String, u32, i64, i64, &'a str, Option<&'a str>, i64);

/// What comes out.
pub(crate) struct Family {
    pub(crate) grant: GrantRow,
    pub(crate) active: bool,
    pub(crate) disabled: bool,
    pub(crate) presented: i64,
    pub(crate) presented_at: Option<i64>,
}

/// The same as the statement writes it: place in the batch, grant, `activated_at`, `disabled_at`,
/// `presented`, `presented_at`.
#[derive(Deserialize)]
pub(crate) struct FamilyRow(usize, GrantRow, Option<i64>, Option<i64>, i64, Option<i64>);

impl Family {
    fn facts(&self, presented: &Presented) -> Result<FamilyFacts, Failure> {
        let named = presented.resource.as_ref();
        Ok(FamilyFacts {
            same_client: self.grant.3 == presented.client_id,
            proved: self.grant.12 <= i64::from(presented.client_proved),
            same_resource: named.is_none_or(|named| *named == self.grant.5),
            ..self.own_facts()?
        })
    }

    /// As its own client would find it, for its own resource.
    pub(crate) fn own_facts(&self) -> Result<FamilyFacts, Failure> {
        Ok(FamilyFacts {
            same_client: true,
            proved: true,
            same_resource: true,
            active: self.active,
            revoked: self.grant.10.is_some() || self.disabled,
            expires_at: Timestamp(self.grant.9),
            presented: row::generation(self.presented)?,
            presented_at: self.presented_at.map(Timestamp),
        })
    }
}

impl Rotate {
    pub(crate) fn shown(&self) -> Shown<'_> {
        let Self { presented, now } = self;
        Shown(
            presented.grant.to_string(),
            presented.generation,
            now.0,
            presented.expires_at.0,
            &presented.client_id,
            presented.resource.as_deref(),
            i64::from(presented.client_proved),
        )
    }
}

/// Updates what may be updated and reads all families of the round: one trip to the database's
/// thread and one row back, which is what makes 64 refreshes cost little more than one.
async fn round(
    connection: &mut SqliteConnection,
    rotations: &[Waiting<Rotate>],
    open: &[usize],
) -> Result<Vec<Option<Family>>, sqlx::Error> {
    let shown = open.iter().filter_map(|place| rotations.get(*place));
    let shown: Vec<Shown<'_>> = shown.map(|one| one.verb.shown()).collect();
    let (_, found): (String, String) = sqlx::query_as(statement(PRESENT, PRESENT_CHECKS))
        .bind(None::<&str>)
        .bind(None::<&str>)
        .bind(json(&shown)?)
        .fetch_one(connection)
        .await?;
    Ok(by_place(open.len(), read(&found)?))
}

fn by_place(count: usize, rows: Vec<FamilyRow>) -> Vec<Option<Family>> {
    let mut families: Vec<Option<Family>> = (0..count).map(|_| None).collect();
    for FamilyRow(place, grant, activated_at, disabled_at, presented, presented_at) in rows {
        if let Some(slot) = families.get_mut(place) {
            let (active, disabled) = (activated_at.is_some(), disabled_at.is_some());
            *slot = Some(Family {
                grant,
                active,
                disabled,
                presented,
                presented_at,
            });
        }
    }
    families
}

/// Two presentations of one batch may find the same reuse: the family dies of the first, the other
/// comes to a dead one, so that the trail has one death of each family.
async fn revoke(
    connection: &mut SqliteConnection,
    grant: &GrantId,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let revoked = sqlx::query(
        "UPDATE grants SET revoked_at = $2, revoked_why = $3 WHERE id = $1 AND revoked_at IS NULL",
    )
    .bind(grant.to_string())
    .bind(now.0)
    .bind(REUSED)
    .execute(connection)
    .await?;
    Ok(revoked.rows_affected() == 1)
}

/// `$3` is a JSON array of [`Shown`]. When two presentations of one family are in it, only those of
/// the generation next to `presented` match, whichever of them SQLite takes.
pub(crate) const PRESENT: &str = "
UPDATE grants SET presented = shown.generation, presented_at = shown.now,
    last_used_at = shown.now, expires_at = shown.expires_at
FROM (SELECT value ->> 0 AS id, value ->> 1 AS generation, value ->> 2 AS now,
    value ->> 3 AS expires_at, value ->> 4 AS client_id, value ->> 5 AS resource,
    value ->> 6 AS client_proved
    FROM json_each($3)) AS shown
WHERE grants.id = shown.id AND grants.client_id = shown.client_id
    AND grants.client_proves <= shown.client_proved
    AND (shown.resource IS NULL OR grants.resource = shown.resource)
    AND grants.presented = shown.generation - 1
    AND grants.activated_at IS NOT NULL AND grants.revoked_at IS NULL
    AND grants.expires_at > shown.now
    AND EXISTS (SELECT 1 FROM people p WHERE p.id = grants.person_id AND p.disabled_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM disabled_clients d
        WHERE d.client_id = grants.client_id AND d.enabled_at IS NULL);
SELECT 'families', json_group_array(json_array(shown.place,
    json_array(g.id, g.person_id, p.name, g.client_id, g.client_name, g.resource, g.scopes,
        g.created_at, g.last_used_at, g.expires_at, g.revoked_at, g.revoked_why, g.client_proves),
    g.activated_at, coalesce(p.disabled_at, (SELECT d.disabled_at FROM disabled_clients d
        WHERE d.client_id = g.client_id AND d.enabled_at IS NULL)), g.presented, g.presented_at))
FROM (SELECT key AS place, value ->> 0 AS id FROM json_each($3)) AS shown
JOIN grants g ON g.id = shown.id JOIN people p ON p.id = g.person_id;";

pub(crate) const PRESENT_CHECKS: &[(&str, &str, &str)] = &[
    (
        "a_018",
        "grants.client_id = shown.client_id",
        "shown.client_id IS NOT NULL",
    ),
    (
        "n_as_32c",
        "grants.client_proves <= shown.client_proved",
        "TRUE",
    ),
    ("a_023", "grants.revoked_at IS NULL", "TRUE"),
];
