//! From rows to records. A row that this program cannot have written is refused, not repaired (R3).

use std::str::FromStr;

use keystile_domain::ids::PersonId;
use keystile_domain::records::{
    GrantRecord, PersonRecord, PreRegisteredClient, SealedSigningKey, ServiceGrant, SigningKeyState,
};
use keystile_domain::secrets::digest::Digest;
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

/// The digest of a secret.
pub(crate) fn digest(bytes: Vec<u8>) -> Result<Digest, Failure> {
    let bytes = bytes.try_into();
    bytes
        .map(Digest::from_bytes)
        .map_err(|_| Failure::Inconsistent("a digest has not 32 bytes".to_owned()))
}

/// The columns of a [`PreRegisteredClient`] in its order.
pub(crate) type ClientRow = (
    String,
    String,
    String,
    i64,
    String,
    Option<String>,
    Option<String>,
    String,
    String,
    Option<String>,
    i64,
    i64,
);

pub(crate) fn client(row: ClientRow) -> Result<PreRegisteredClient, Failure> {
    let (
        client_id,
        name,
        redirect_uris,
        native,
        method,
        jwks,
        jwks_uri,
        grants,
        scopes,
        serves,
        at,
        pushes,
    ) = row;
    Ok(PreRegisteredClient {
        client_id,
        name,
        redirect_uris: json(&redirect_uris, "clients.redirect_uris")?,
        native: truth(native, "clients.native")?,
        auth_method: json(&format!("\"{method}\""), "clients.auth_method")?,
        jwks: jwks.map(|jwks| json(&jwks, "clients.jwks")).transpose()?,
        jwks_uri,
        grant_types: json(&grants, "clients.grant_types")?,
        scopes: parse(&scopes, "clients.scopes")?,
        introspects: serves,
        pushes_only: truth(pushes, "clients.pushes_only")?,
        created_at: Timestamp(at),
    })
}

/// A column that is 0 or 1.
fn truth(value: i64, column: &'static str) -> Result<bool, Failure> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::Inconsistent(format!("{column} is no truth value"))),
    }
}

/// A column of JSON.
pub(crate) fn json<T: serde::de::DeserializeOwned>(
    text: &str,
    column: &'static str,
) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|_| Failure::Inconsistent(format!("{column} cannot be read back")))
}

/// The columns of a [`ServiceGrant`] in its order.
pub(crate) type ServiceGrantRow = (
    String,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

pub(crate) fn service_grant(row: ServiceGrantRow) -> Result<ServiceGrant, Failure> {
    Ok(ServiceGrant {
        id: parse(&row.0, "service_grants.id")?,
        client_id: row.1,
        client_name: row.2,
        resource: row.3,
        scopes: parse(&row.4, "service_grants.scopes")?,
        created_at: Timestamp(row.5),
        last_used_at: row.6.map(Timestamp),
        revoked_at: row.7.map(Timestamp),
        revoked_why: row.8,
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
    i64,
);

/// The generation of a refresh token.
pub(crate) fn generation(column: i64) -> Result<u32, Failure> {
    u32::try_from(column)
        .map_err(|_| Failure::Inconsistent("grants.presented is no generation".to_owned()))
}

pub(crate) fn grant(row: GrantRow) -> Result<GrantRecord, Failure> {
    Ok(GrantRecord {
        id: parse(&row.0, "grants.id")?,
        person: parse::<PersonId>(&row.1, "grants.person_id")?,
        person_name: row.2,
        client_id: row.3,
        client_name: row.4,
        client_proves: truth(row.12, "grants.client_proves")?,
        resource: row.5,
        scopes: parse(&row.6, "grants.scopes")?,
        created_at: Timestamp(row.7),
        last_used_at: row.8.map(Timestamp),
        expires_at: Timestamp(row.9),
        revoked_at: row.10.map(Timestamp),
        revoked_why: row.11,
    })
}
