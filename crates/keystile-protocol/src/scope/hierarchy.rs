//! Which scopes contain which (MCP authorization, "scope hierarchies").

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::ScopeSet;
use crate::mutation::weakened;

/// Says of each scope which others it contains: who was granted the wider one may do what the
/// narrower one is for, and never the other way round.
///
/// A partial order by construction: an edge that would close a circle is refused.
///
/// ```
/// use keystile_protocol::scope::ScopeHierarchy;
///
/// let hierarchy = ScopeHierarchy::flat().with("kb:call", "kb:read").unwrap();
/// assert!(hierarchy.permits(["kb:call"], "kb:read"));
/// assert!(!hierarchy.permits(["kb:read"], "kb:call"));
/// let asked = "kb:call kb:read".parse().unwrap();
/// assert_eq!(hierarchy.normalised(&asked).to_string(), "kb:call");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeHierarchy {
    /// Of each scope all narrower ones, direct or not; never itself.
    narrower: BTreeMap<String, BTreeSet<String>>,
}

/// Two scopes would contain each other.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{wider} can't contain {narrower}, which is the same scope or contains it already")]
pub struct ScopeCircle {
    /// What was to contain the other.
    pub wider: String,
    /// What was to be contained.
    pub narrower: String,
}

impl ScopeHierarchy {
    /// In which no scope contains another.
    #[must_use]
    pub const fn flat() -> Self {
        let narrower = BTreeMap::new();
        Self { narrower }
    }

    /// And `wider` contains `narrower` with all that it contains.
    ///
    /// # Errors
    /// [`ScopeCircle`], so that no two scopes contain each other.
    pub fn with(mut self, wider: &str, narrower: &str) -> Result<Self, ScopeCircle> {
        if narrower == wider || self.below(narrower).any(|below| below == wider) {
            let (wider, narrower) = (wider.to_owned(), narrower.to_owned());
            return Err(ScopeCircle { wider, narrower });
        }
        let below: BTreeSet<String> = self
            .below(narrower)
            .chain([narrower])
            .map(str::to_owned)
            .collect();
        for (scope, all) in &mut self.narrower {
            if scope == wider || all.contains(wider) {
                all.extend(below.iter().cloned());
            }
        }
        let direct = self.narrower.entry(wider.to_owned()).or_default();
        direct.extend(below);
        Ok(self)
    }

    /// The scopes that this one contains besides itself, in order.
    pub fn below(&self, scope: &str) -> impl Iterator<Item = &str> {
        let all = self.narrower.get(scope).into_iter().flatten();
        all.map(String::as_str)
    }

    /// Whether `scope` is `other` or contains it.
    #[must_use]
    pub fn contains(&self, scope: &str, other: &str) -> bool {
        let is_below = |wider: &str, narrower: &str| {
            let all = self.narrower.get(wider);
            all.is_some_and(|all| all.contains(narrower))
        };
        scope == other || is_below(scope, other) || weakened("n_rs_07") && is_below(other, scope)
    }

    /// Whether one of the granted scopes is enough where `wanted` is needed (N-RS-07).
    #[must_use]
    pub fn permits<'a>(&self, granted: impl IntoIterator<Item = &'a str>, wanted: &str) -> bool {
        let mut granted = granted.into_iter();
        granted.any(|scope| self.contains(scope, wanted))
    }

    /// Whether everything that `wanted` allows is allowed by `granted`.
    #[must_use]
    pub fn covers(&self, granted: &ScopeSet, wanted: &ScopeSet) -> bool {
        wanted
            .iter()
            .all(|wanted| self.permits(granted.iter(), wanted))
    }

    /// The same powers, said once: without the scopes that another of the set contains (N-AS-29).
    #[must_use]
    pub fn normalised(&self, scopes: &ScopeSet) -> ScopeSet {
        let said_by_another = |scope: &str| {
            let mut all = scopes.iter();
            all.any(|other| other != scope && self.contains(other, scope))
        };
        scopes.filtered(|scope| !said_by_another(scope) || weakened("n_as_29b"))
    }

    /// What both sets allow: never more than either.
    #[must_use]
    pub fn common(&self, one: &ScopeSet, other: &ScopeSet) -> ScopeSet {
        let within = |scopes: &ScopeSet, all: &ScopeSet| {
            scopes.filtered(|scope| self.permits(all.iter(), scope))
        };
        let mut both = within(one, other);
        both.0.extend(within(other, one).0);
        self.normalised(&both)
    }

    /// The same powers with every scope named, for those who do not know the hierarchy.
    #[must_use]
    pub fn spelled_out(&self, scopes: &ScopeSet) -> ScopeSet {
        let below = scopes.iter().flat_map(|scope| self.below(scope));
        ScopeSet(scopes.iter().chain(below).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests;
