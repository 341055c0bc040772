//! Scopes (RFC 6749 §3.3).

mod catalogue;
mod hierarchy;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use catalogue::{NamedScope, ScopeCatalogue, call_scope, read_scope};
pub use hierarchy::{ScopeCircle, ScopeHierarchy};

/// The scope that asks for a refresh token (OpenID Connect Core §11; MCP authorization).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// A set of scope tokens, in a stable order.
///
/// ```
/// use keystile_protocol::scope::ScopeSet;
/// let scopes: ScopeSet = "b a".parse().unwrap();
/// assert_eq!(scopes.to_string(), "a b");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeSet(BTreeSet<String>);

/// The text is no list of scope tokens.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "a scope is printable ASCII without spaces, quotes and backslashes, at most 128 bytes, at most 64 of them"
)]
pub struct ScopeError;

impl ScopeSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether this token is in the set, byte for byte.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether each token of `other` is in this set, byte for byte; what the tokens mean is
    /// [`ScopeHierarchy`]'s to say.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.is_superset(&other.0)
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The tokens that both sets have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The tokens of this set that `keep` wants.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope)).cloned().collect())
    }

    /// This set and one more token.
    #[must_use]
    pub fn with(mut self, scope: &str) -> Self {
        self.0.insert(scope.to_owned());
        self
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeError;

    /// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`, separated by spaces.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let mut set = BTreeSet::new();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            let legal = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            if token.len() > 128 || !token.bytes().all(legal) || set.len() >= 64 {
                return Err(ScopeError);
            }
            set.insert(token.to_owned());
        }
        Ok(Self(set))
    }
}

impl TryFrom<String> for ScopeSet {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<ScopeSet> for String {
    fn from(scopes: ScopeSet) -> Self {
        scopes.to_string()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_do_not_matter() {
        let scopes: ScopeSet = "b  a b".parse().unwrap();
        assert_eq!(scopes.to_string(), "a b");
        assert!(scopes.covers(&"a".parse().unwrap()));
        assert!(!scopes.covers(&"a c".parse().unwrap()));
    }

    #[test]
    fn a_scope_with_a_quote_or_control_is_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "a\u{e9}", &"x".repeat(129)] {
            assert_eq!(text.parse::<ScopeSet>(), Err(ScopeError), "{text:?}");
        }
    }
}
