//! From rows to records. A row that this program cannot have written is refused, not repaired (R3).

use std::str::FromStr;

use keystile_domain::ids::PersonId;
use keystile_domain::records::{
    GrantRecord, PersonRecord, PreRegisteredClient, SealedSigningKey, SigningKeyState,
};
use keystile_domain::time::Timestamp;

use crate::failure::Failure;

/// A column whose text is an id, a scope set or the like.
pub(crate) fn parse<T: FromStr>(text: &str, column: &'static str) -> Result<T, Failure> {
    text.parse()
        .map_err(|_| Failure::Inconsistent(format!("{column} cannot be read back")))
}

/// `id, name, password_hash, created_at, disabled_at`.
pub(crate) type PersonRow = (String, String, String, i64, Option<i64>);

pub(crate) fn person(row: PersonRow) -> Result<PersonRecord, Failure> {
    let (id, name, password_hash, created_at, disabled_at) = row;
    Ok(PersonRecord {
        id: parse(&id, "people.id")?,
        name,
        password_hash,
        created_at: Timestamp(created_at),
        disabled_at: disabled_at.map(Timestamp),
    })
}

/// `client_id, name, redirect_uris, native, created_at`.
pub(crate) type ClientRow = (String, String, String, i64, i64);

pub(crate) fn client(row: ClientRow) -> Result<PreRegisteredClient, Failure> {
    let (client_id, name, redirect_uris, native, created_at) = row;
    let redirect_uris = serde_json::from_str(&redirect_uris)
        .map_err(|_| Failure::Inconsistent("clients.redirect_uris is no list".to_owned()))?;
    Ok(PreRegisteredClient {
        client_id,
        name,
        redirect_uris,
        native: match native {
            0 => false,
            1 => true,
            _ => {
                return Err(Failure::Inconsistent(
                    "clients.native is no truth value".to_owned(),
                ));
            }
        },
        created_at: Timestamp(created_at),
    })
}

/// `kid, sealed, state, created_at, since`.
pub(crate) type SigningKeyRow = (String, Vec<u8>, String, i64, i64);

pub(crate) fn signing_key(row: SigningKeyRow) -> Result<SealedSigningKey, Failure> {
    let (kid, sealed, state, created_at, since) = row;
    let state = match state.as_str() {
        "next" => SigningKeyState::Next,
        "current" => SigningKeyState::Current,
        "retired" => SigningKeyState::Retired,
        _ => {
            return Err(Failure::Inconsistent(
                "signing_keys.state is unknown".to_owned(),
            ));
        }
    };
    Ok(SealedSigningKey {
        kid,
        sealed,
        state,
        created_at: Timestamp(created_at),
        since: Timestamp(since),
    })
}

/// The columns of a [`GrantRecord`] in its order.
pub(crate) type GrantRow = (
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    i64,
    Option<i64>,
    Option<String>,
);

pub(crate) fn grant(row: GrantRow) -> Result<GrantRecord, Failure> {
    Ok(GrantRecord {
        id: parse(&row.0, "grants.id")?,
        person: parse::<PersonId>(&row.1, "grants.person_id")?,
        person_name: row.2,
        client_id: row.3,
        client_name: row.4,
        resource: row.5,
        scopes: parse(&row.6, "grants.scopes")?,
        created_at: Timestamp(row.7),
        last_used_at: row.8.map(Timestamp),
        expires_at: Timestamp(row.9),
        revoked_at: row.10.map(Timestamp),
        revoked_why: row.11,
    })
}
