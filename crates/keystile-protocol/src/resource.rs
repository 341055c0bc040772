//! Resources and their aliases (RFC 8707, RFC 9728, MCP "canonical server URI").

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::error::{ErrorCode, OAuthError};
use crate::issuer::Issuer;
use crate::mutation::weakened;
use crate::scope::ScopeCatalogue;

pub use crate::scope::{call_scope, read_scope};

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
    /// The scopes of its tokens.
    pub scopes: ScopeCatalogue,
}

impl ServedResource {
    /// The one scope that a call needs.
    #[must_use]
    pub fn call_scope(&self) -> String {
        call_scope(&self.name)
    }

    /// The one scope that looking needs; [`call_scope`](Self::call_scope) contains it.
    #[must_use]
    pub fn read_scope(&self) -> String {
        read_scope(&self.name)
    }
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
                scopes: ScopeCatalogue::of_server(name),
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

    /// By canonical identifier or alias, as [`same_resource`] compares them.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&ServedResource> {
        let is = |entry: &&ServedResource| {
            same_resource(entry.resource.as_str(), text)
                || entry.aliases.iter().any(|alias| same_resource(alias, text))
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
        // It is logged, too: secrets stand behind a question mark.
        let asked = text.split(['?', '#']).next().unwrap_or_default();
        let asked: String = asked.chars().take(200).collect();
        OAuthError::new(
            ErrorCode::InvalidTarget,
            format!(
                "The resource {asked} is not served here; expected {}.",
                served.join(" or ")
            ),
        )
        .because("resource_not_served")
    }
}

/// Whether two texts name one resource: scheme and host in any case, the default port written or not
/// (RFC 3986 §6.2.2.1, §6.2.3; MCP authorization, "canonical server URI"). Everything from the path
/// on is compared byte for byte; what is no plain http or https URL is only itself.
///
/// ```
/// use keystile_protocol::resource::same_resource;
/// assert!(same_resource("https://mcp.example.com/kb", "HTTPS://MCP.Example.com:443/kb"));
/// assert!(!same_resource("https://mcp.example.com/kb", "https://mcp.example.com/KB"));
/// ```
#[must_use]
pub fn same_resource(one: &str, other: &str) -> bool {
    one == other || spelled(one) == spelled(other)
}

/// With scheme and host in lower case and without the default port.
fn spelled(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://").filter(|_| !weakened("n_as_23")) else {
        return text.into();
    };
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return text.into(),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return text.into();
    }
    let host = authority.strip_suffix(default_port).unwrap_or(authority);
    format!("{scheme}://{}{path}", host.to_ascii_lowercase()).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// MCP authorization, "canonical server URI": clients should send lower case, servers should take
    /// upper case in scheme and host.
    #[test]
    fn n_as_23_a_resource_is_compared_by_its_canonical_form() {
        let issuer = Issuer::parse("https://mcp.example.com").unwrap();
        let table = ResourceTable::new(&issuer, &["kb".to_owned()]);
        for (text, is_served) in [
            ("https://mcp.example.com/kb/mcp", true),
            ("HTTPS://mcp.example.com/kb/mcp", true),
            ("https://MCP.Example.COM/kb/mcp", true),
            ("https://mcp.example.com:443/kb/mcp", true),
            ("HTTPS://MCP.EXAMPLE.COM:443/kb/mcp/", true),
            ("Https://mcp.example.com:443", true),
            ("https://mcp.example.com:80/kb/mcp", false),
            ("http://mcp.example.com/kb/mcp", false),
            ("mcp.example.com/kb/mcp", false),
            ("https://mcp.example.com/KB/mcp", false),
            ("https://mcp.example.com/kb/mcp#fragment", false),
            ("https://user@mcp.example.com/kb/mcp", false),
            ("https://mcp.example.com.:443/kb/mcp", false),
            ("https://mcp.example.com/kb/mcp?a=b", false),
        ] {
            let found = table.resolve([text].into_iter());
            assert_eq!(found.is_ok(), is_served, "{text}");
        }
        let two = [
            "https://mcp.example.com/kb/mcp",
            "HTTPS://mcp.example.com:443",
        ];
        assert!(
            table.resolve(two.into_iter()).is_ok(),
            "one resource, said twice"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn n_as_23_no_two_paths_are_one_resource(
            host in "[a-zA-Z0-9.-]{1,12}", path in "[/?#:@a-zA-Z0-9%.]{0,12}", other in "[/?#:@a-zA-Z0-9%.]{0,12}",
            any in ".{0,24}",
        ) {
            prop_assert!(same_resource(&any, &any));
            let at = |scheme: &str, host: &str, port: &str, path: &str| format!("{scheme}://{host}{port}/{path}");
            let one = at("https", &host, "", &path);
            let upper = at("HTTPS", &host.to_ascii_uppercase(), ":443", &path);
            prop_assert!(same_resource(&one, &upper) && same_resource(&upper, &one));
            prop_assert_eq!(same_resource(&one, &at("HTTPS", &host, "", &other)), path == other);
            prop_assert!(!same_resource(&one, &at("http", &host, "", &path)));
            prop_assert!(!same_resource(&one, &at("https", &host, ":8443", &path)));
        }
    }
}
