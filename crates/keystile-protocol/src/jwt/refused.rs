//! What a refused token says of itself, for the operator's log.

use serde::Deserialize;

use super::MAX_TOKEN;
use super::compact::decode;

/// Claims of a token that was refused. Nothing may be decided by them: they only explain a decision
/// that was made without them, to whoever runs the server.
///
/// ```
/// use keystile_protocol::jwt::ClaimedOfRefused;
/// assert!(ClaimedOfRefused::read("no token").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClaimedOfRefused {
    /// Who is said to have signed it.
    #[serde(default)]
    pub iss: String,
    /// What it is said to be for.
    #[serde(default)]
    pub aud: String,
    /// When it is said to be made.
    #[serde(default)]
    pub iat: u64,
    /// When it is said to end.
    #[serde(default)]
    pub exp: u64,
    /// From when on it is said to be good.
    #[serde(default)]
    pub nbf: Option<u64>,
}

impl ClaimedOfRefused {
    /// Reads them, if the token has any that can be read.
    #[must_use]
    pub fn read(token: &str) -> Option<Self> {
        let claims = token
            .split('.')
            .nth(1)
            .filter(|_| token.len() <= MAX_TOKEN)?;
        serde_json::from_slice(&decode(claims).ok()?).ok()
    }
}
