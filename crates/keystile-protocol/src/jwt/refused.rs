//! What a refused token says of itself, for the operator's log.

use serde::Deserialize;
use serde_json::Value;

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
    /// Whom it is said to be given to.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The key that is said to have signed it.
    #[serde(skip)]
    pub kid: Option<String>,
}

impl ClaimedOfRefused {
    /// Reads them, if the token has any that can be read.
    #[must_use]
    pub fn read(token: &str) -> Option<Self> {
        let whole = WholeOfRefused::read(token)?;
        let kid = whole.header("kid").and_then(Value::as_str);
        let kid = kid.map(str::to_owned);
        let claims: Self = serde_json::from_value(whole.claims).ok()?;
        Some(Self { kid, ..claims })
    }
}

/// Header and claims of a refused JWT of any kind, whatever stands in them; for the same use and for
/// nothing else.
///
/// ```
/// use keystile_protocol::jwt::WholeOfRefused;
/// assert!(WholeOfRefused::read("no token").is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WholeOfRefused {
    header: Value,
    claims: Value,
}

impl WholeOfRefused {
    /// Reads them, if both are JSON.
    #[must_use]
    pub fn read(token: &str) -> Option<Self> {
        let mut parts = token
            .split('.')
            .take(if token.len() > MAX_TOKEN { 0 } else { 3 });
        let mut next = || serde_json::from_slice(&decode(parts.next()?).ok()?).ok();
        let (header, claims) = (next()?, next()?);
        Some(Self { header, claims })
    }

    /// A member of the header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }

    /// A claim.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }
}
