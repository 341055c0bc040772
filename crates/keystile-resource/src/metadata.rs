//! Protected resource metadata (RFC 9728).

use http::{HeaderValue, Response, header};
use serde_json::json;

/// What a resource says of itself.
///
/// ```
/// use keystile_resource::ProtectedResource;
///
/// let resource = ProtectedResource {
///     resource: "https://mcp.example/kb/mcp".into(),
///     authorization_servers: vec!["https://auth.example".into()],
///     scopes: vec!["kb:call".into()],
///     name: "Knowledge base".into(),
/// };
/// assert_eq!(resource.metadata_path(), "/.well-known/oauth-protected-resource/kb/mcp");
/// assert_eq!(
///     resource.metadata_url(),
///     "https://mcp.example/.well-known/oauth-protected-resource/kb/mcp",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// Its identifier: scheme, host, path; the `aud` of its tokens.
    pub resource: String,
    /// Issuers whose tokens it takes; at least one (N-RS-01).
    pub authorization_servers: Vec<String>,
    /// What a call needs; never `offline_access` (N-RS-12).
    pub scopes: Vec<String>,
    /// For people.
    pub name: String,
}

impl ProtectedResource {
    /// Where its document stands: the well-known part between host and path (RFC 9728 §3.1).
    #[must_use]
    pub fn metadata_path(&self) -> String {
        let (_, path) = self.split();
        format!("{WELL_KNOWN}{path}")
    }

    /// The absolute URL of its document.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        let (origin, path) = self.split();
        format!("{origin}{WELL_KNOWN}{path}")
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> String {
        json!({
            "resource": self.resource,
            "authorization_servers": self.authorization_servers,
            "scopes_supported": self.scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": self.name,
        })
        .to_string()
    }

    /// The answer to a GET of [`Self::metadata_path`].
    #[must_use]
    pub fn response<B: From<String>>(&self) -> Response<B> {
        let mut response = Response::new(B::from(self.document()));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=300"),
        );
        response
    }

    /// All scopes that a call needs, as a challenge names them.
    #[must_use]
    pub fn scope(&self) -> String {
        self.scopes.join(" ")
    }

    fn split(&self) -> (&str, &str) {
        let host = self.resource.find("://").map_or(0, |at| at + 3);
        let path = self.resource.get(host..).and_then(|rest| rest.find('/'));
        let (origin, path) = self
            .resource
            .split_at(path.map_or(self.resource.len(), |at| host + at));
        (origin, if path == "/" { "" } else { path })
    }
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_stands_between_host_and_path() {
        for (resource, url) in [
            (
                "https://h/a/mcp",
                "https://h/.well-known/oauth-protected-resource/a/mcp",
            ),
            (
                "https://h",
                "https://h/.well-known/oauth-protected-resource",
            ),
            (
                "https://h/",
                "https://h/.well-known/oauth-protected-resource",
            ),
            (
                "http://localhost:1/x",
                "http://localhost:1/.well-known/oauth-protected-resource/x",
            ),
        ] {
            let resource = ProtectedResource {
                resource: resource.into(),
                authorization_servers: vec![],
                scopes: vec![],
                name: String::new(),
            };
            assert_eq!(resource.metadata_url(), url);
        }
    }
}
