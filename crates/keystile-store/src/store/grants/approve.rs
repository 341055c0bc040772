//! The approval of a person: a grant and its code, in one step.

use keystile_domain::records::{Approval, Approved};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::writer::SharedVerb;

pub(crate) struct Approve(pub(crate) Approval);

impl SharedVerb for Approve {
    type Answer = Approved;
}

/// One row of what goes in.
#[derive(Serialize)]
pub(super) struct Given<'a> {
    grant: String,
    transaction: String,
    person: String,
    client_id: &'a str,
    client_name: &'a str,
    client_proves: bool,
    resource: &'a str,
    scopes: String,
    created_at: i64,
    grant_expires_at: i64,
    code: String,
    redirect_uri: &'a str,
    challenge: String,
    code_expires_at: i64,
}

impl Approve {
    pub(super) fn given(&self) -> Given<'_> {
        let Self(approval) = self;
        Given {
            grant: approval.grant.to_string(),
            transaction: approval.transaction.to_string(),
            person: approval.person.to_string(),
            client_id: &approval.client_id,
            client_name: &approval.client_name,
            client_proves: approval.client_proves,
            resource: &approval.resource,
            scopes: approval.scopes.to_string(),
            created_at: approval.created_at.0,
            grant_expires_at: approval.grant_expires_at.0,
            code: hex::encode(approval.code.as_bytes()),
            redirect_uri: &approval.redirect_uri,
            challenge: hex::encode(approval.challenge.as_bytes()),
            code_expires_at: approval.code_expires_at.0,
        }
    }
}

/// What stands in the database afterwards, as 0 or 1: the grant itself, a grant of its transaction, its person.
#[derive(Deserialize)]
pub(super) struct Found(u8, u8, u8);

impl Found {
    pub(super) fn outcome(&self) -> Result<Approved, Failure> {
        match self {
            Self(1, ..) => Ok(Approved::First),
            Self(_, 1, _) => Ok(Approved::AlreadyAnswered),
            Self(_, _, 0) => Ok(Approved::PersonGone),
            Self(..) => Err(Failure::Inconsistent(
                "the code of an approval is another's".to_owned(),
            )),
        }
    }
}

/// `$1` is a JSON array of [`Given`]. The grants, unless a person is gone or a transaction was answered before; the codes
/// of the grants that were made; and a grant whose code could not be written is none.
pub(super) const APPROVE: &str = "
INSERT INTO grants (id, transaction_id, person_id, client_id, client_name, resource,
    scopes, created_at, expires_at, presented, client_proves)
SELECT value ->> 'grant', value ->> 'transaction', p.id, value ->> 'client_id', value ->> 'client_name',
    value ->> 'resource', value ->> 'scopes', value ->> 'created_at', value ->> 'grant_expires_at', 0,
    value ->> 'client_proves'
FROM json_each($1) JOIN people p ON p.id = value ->> 'person' WHERE p.disabled_at IS NULL
ON CONFLICT (transaction_id) DO NOTHING;
INSERT INTO codes (digest, grant_id, redirect_uri, challenge, expires_at)
SELECT unhex(value ->> 'code'), g.id, value ->> 'redirect_uri',
    unhex(value ->> 'challenge'), value ->> 'code_expires_at'
FROM json_each($1) JOIN grants g ON g.id = value ->> 'grant' WHERE TRUE
ON CONFLICT (digest) DO NOTHING;
DELETE FROM grants WHERE id IN (SELECT value ->> 'grant' FROM json_each($1))
    AND NOT EXISTS (SELECT 1 FROM codes c WHERE c.grant_id = grants.id);
SELECT 'approved', json_group_array(json_array(
    EXISTS (SELECT 1 FROM grants g WHERE g.id = value ->> 'grant'),
    EXISTS (SELECT 1 FROM grants g WHERE g.transaction_id = value ->> 'transaction'),
    EXISTS (SELECT 1 FROM people p WHERE p.id = value ->> 'person' AND p.disabled_at IS NULL)))
FROM json_each($1);";
