//! The scopes of one server.

use super::hierarchy::ScopeHierarchy;

/// One scope and what it means to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedScope {
    /// On the wire.
    pub scope: String,
    /// In plain words: "It will be able to …".
    pub description: String,
}

/// The scopes that exist for one server, the widest first, what each means and which contains which.
///
/// ```
/// use keystile_protocol::scope::ScopeCatalogue;
///
/// let scopes = ScopeCatalogue::of_server("kb");
/// assert!(scopes.has("kb:read") && !scopes.has("kb:write"));
/// assert!(scopes.hierarchy().contains("kb:call", "kb:read"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeCatalogue {
    named: Vec<NamedScope>,
    hierarchy: ScopeHierarchy,
}

impl ScopeCatalogue {
    /// What there is when nobody wrote other rules: `{server}:call` for everything, and in it
    /// `{server}:read` for what only looks.
    #[must_use]
    pub fn of_server(server: &str) -> Self {
        let (call, read) = (call_scope(server), read_scope(server));
        let hierarchy = ScopeHierarchy::flat().with(&call, &read);
        let named = [
            (call, format!("Use every tool of {server}")),
            (
                read,
                format!("See what {server} has: its lists, resources and prompts, but use no tool"),
            ),
        ];
        Self {
            named: named
                .map(|(scope, description)| NamedScope { scope, description })
                .into(),
            hierarchy: hierarchy.expect("two names, one in the other"),
        }
    }

    /// Whether this scope exists here.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.named.iter().any(|named| named.scope == scope)
    }

    /// What it means to people, if it exists here.
    #[must_use]
    pub fn description(&self, scope: &str) -> Option<&str> {
        let named = self.named.iter().find(|named| named.scope == scope)?;
        Some(&named.description)
    }

    /// All of them, the widest first.
    pub fn iter(&self) -> impl Iterator<Item = &NamedScope> {
        self.named.iter()
    }

    /// Which contains which.
    #[must_use]
    pub const fn hierarchy(&self) -> &ScopeHierarchy {
        &self.hierarchy
    }
}

/// `{server}:call`: the scope for using a server's tools, prompts and resources.
#[must_use]
pub fn call_scope(server: &str) -> String {
    format!("{server}:call")
}

/// `{server}:read`: the scope for looking only, without any tool.
#[must_use]
pub fn read_scope(server: &str) -> String {
    format!("{server}:read")
}
