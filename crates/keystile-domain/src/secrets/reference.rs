//! References of login attempts: `KS-7F3Q2M9X`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ports::Rng;
use crate::secrets::code::unambiguous;

/// What a person reads out when sign-in failed; it stands on the page, in the error and in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);

impl Reference {
    /// A fresh one.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        Self(format!("KS-{}", unambiguous::<8>(rng)))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no reference.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a reference looks like KS-7F3Q2M9X")]
pub struct NotAReference;

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let body = text.strip_prefix("KS-").ok_or(NotAReference)?;
        let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        (body.len() == 8 && body.bytes().all(legal))
            .then(|| Self(text.to_owned()))
            .ok_or(NotAReference)
    }
}

impl TryFrom<String> for Reference {
    type Error = NotAReference;

    fn try_from(text: String) -> Result<Self, NotAReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}
