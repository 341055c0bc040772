//! Resources and their aliases (RFC 8707, RFC 9728, MCP "canonical server URI").

use std::fmt;
use std::sync::Arc;

use crate::error::{ErrorCode, OAuthError};
use crate::issuer::Issuer;
use crate::mutation::weakened;

/// A canonical resource identifier: the one `aud` of its tokens.
///
/// Only [`ResourceTable`] makes one, so a `Resource` is always one that is served here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(Arc<str>);

impl Resource {
    /// The identifier, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One MCP endpoint that is served here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedResource {
    /// `{server}` in the paths.
    pub name: String,
    /// `{issuer}/{server}/mcp`.
    pub resource: Resource,
    /// Other spellings that clients send for it; they mean the canonical one.
    pub aliases: Vec<String>,
}

impl ServedResource {
    /// The one scope that a call needs.
    #[must_use]
    pub fn call_scope(&self) -> String {
        call_scope(&self.name)
    }
}

/// `{server}:call`: the scope for using a server's tools, prompts and resources.
#[must_use]
pub fn call_scope(server: &str) -> String {
    format!("{server}:call")
}

/// Every resource that is served here.
///
/// ```
/// use keystile_protocol::{issuer::Issuer, resource::ResourceTable};
/// let issuer = Issuer::parse("http://localhost:7717").unwrap();
/// let table = ResourceTable::new(&issuer, &["kb".to_owned()]);
/// let asked = table.resolve(["http://localhost:7717/kb/mcp/"].into_iter()).unwrap();
/// assert_eq!(asked.resource.as_str(), "http://localhost:7717/kb/mcp");
/// ```
#[derive(Debug, Clone)]
pub struct ResourceTable(Vec<ServedResource>);

impl ResourceTable {
    /// The table of these servers under an issuer, with the default aliases of DESIGN §4: the
    /// trailing-slash form and, while it is the only one, the origin with and without slash.
    #[must_use]
    pub fn new(issuer: &Issuer, names: &[String]) -> Self {
        let entry = |name: &String| {
            let canonical = issuer.at(&format!("/{name}/mcp"));
            let mut aliases = vec![format!("{canonical}/")];
            if names.len() == 1 {
                aliases.extend([issuer.as_str().to_owned(), issuer.at("/")]);
            }
            ServedResource {
                name: name.clone(),
                resource: Resource(canonical.into()),
                aliases,
            }
        };
        Self(names.iter().map(entry).collect())
    }

    /// The resource that a request names, or the only one if it names none (2025-03-26 clients).
    ///
    /// # Errors
    /// `invalid_target` (RFC 8707 §2) for anything that is not served here, and for two of them.
    pub fn resolve<'a>(
        &self,
        asked: impl Iterator<Item = &'a str>,
    ) -> Result<&ServedResource, OAuthError> {
        let mut found: Option<&ServedResource> = None;
        for text in asked {
            let entry = match self.find(text) {
                Some(entry) => entry,
                None if weakened("a_028") => self.0.first().ok_or_else(|| self.unknown(text))?,
                None => return Err(self.unknown(text)),
            };
            if found.is_some_and(|other| other != entry) {
                return Err(OAuthError::new(
                    ErrorCode::InvalidTarget,
                    "A token is for one resource: send one resource parameter.",
                ));
            }
            found = Some(entry);
        }
        match (found, self.0.as_slice()) {
            (Some(entry), _) | (None, [entry]) => Ok(entry),
            (None, _) => Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "Several servers live here: send resource with the URL of the one you mean.",
            )),
        }
    }

    /// By canonical identifier or alias, byte for byte.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&ServedResource> {
        let is = |entry: &&ServedResource| {
            entry.resource.as_str() == text || entry.aliases.iter().any(|alias| alias == text)
        };
        self.0.iter().find(is)
    }

    /// By `{server}`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&ServedResource> {
        self.0.iter().find(|entry| entry.name == name)
    }

    /// The only resource, if there is exactly one.
    #[must_use]
    pub fn only(&self) -> Option<&ServedResource> {
        match self.0.as_slice() {
            [entry] => Some(entry),
            _ => None,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ServedResource> {
        self.0.iter()
    }

    fn unknown(&self, text: &str) -> OAuthError {
        let served: Vec<&str> = self.0.iter().map(|entry| entry.resource.as_str()).collect();
        let asked: String = text.chars().take(200).collect();
        OAuthError::new(
            ErrorCode::InvalidTarget,
            format!(
                "The resource {asked} is not served here; expected {}.",
                served.join(" or ")
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str]) -> ResourceTable {
        let issuer = Issuer::parse("http://localhost:7717").unwrap();
        ResourceTable::new(
            &issuer,
            &names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn aliases_mean_the_canonical_resource() {
        let table = table(&["kb"]);
        for text in [
            "http://localhost:7717/kb/mcp",
            "http://localhost:7717/kb/mcp/",
            "http://localhost:7717",
            "http://localhost:7717/",
        ] {
            let found = table.resolve([text].into_iter()).unwrap();
            assert_eq!(
                found.resource.as_str(),
                "http://localhost:7717/kb/mcp",
                "{text}"
            );
        }
        assert_eq!(table.resolve([].into_iter()).unwrap().name, "kb");
    }

    #[test]
    fn a_028_only_a_resource_that_is_served_here_can_be_asked_for() {
        let one = table(&["kb"]);
        for text in [
            "https://evil.example/mcp",
            "http://localhost:7717/other/mcp",
            "http://localhost:7717/KB/mcp",
            "HTTP://localhost:7717/kb/mcp",
            "http://localhost:7717/kb/mcp#x",
            "http://localhost:7717/kb/mcp/../mcp",
            "http://localhost:77170/kb/mcp",
        ] {
            let refused = one.resolve([text].into_iter()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidTarget, "{text}");
        }
        let both = table(&["kb", "git"]);
        let two = [
            "http://localhost:7717/kb/mcp",
            "http://localhost:7717/git/mcp",
        ];
        assert_eq!(
            both.resolve(two.into_iter()).unwrap_err().code,
            ErrorCode::InvalidTarget
        );
        assert_eq!(
            both.resolve([].into_iter()).unwrap_err().code,
            ErrorCode::InvalidTarget
        );
        assert!(
            both.find("http://localhost:7717").is_none(),
            "the origin means nobody among two"
        );
    }
}
