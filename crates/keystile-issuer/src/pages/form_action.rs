//! Where the forms of a page may lead (CSP `form-action`).

use std::fmt;

use url::{Host, Url};

/// The sources of a `form-action` directive.
///
/// Chromium applies the directive to each redirect after the POST, so the page whose answer
/// redirects to a client has to name that client's origin (DESIGN §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FormAction {
    /// The page has no form.
    Nowhere,
    /// Forms stay here.
    Ours,
    /// Forms may end at this redirect URI.
    OursAndRedirect(String),
}

impl FormAction {
    /// For a page whose form may be answered by a redirect to `redirect_uri`.
    pub(crate) fn ours_and(redirect_uri: &str) -> Self {
        match redirect_sources(redirect_uri) {
            Some(sources) => Self::OursAndRedirect(sources),
            None => Self::Ours,
        }
    }
}

impl fmt::Display for FormAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("'none'"),
            Self::Ours => f.write_str("'self'"),
            Self::OursAndRedirect(sources) => write!(f, "'self' {sources}"),
        }
    }
}

/// Origin or, where CSP has no way to write the origin, scheme of a redirect URI.
///
/// A host-source takes letters, digits, `-` and `.` only (CSP3 §2.3.1): no IPv6 literal, and none of
/// the `;` and `,` that a URL host may have and that would begin a directive of their own.
fn redirect_sources(redirect_uri: &str) -> Option<String> {
    let url = Url::parse(redirect_uri).ok()?;
    let scheme = url.scheme();
    if !matches!(scheme, "http" | "https") {
        return Some(format!("{scheme}:"));
    }
    let writable = |host: &str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    let source = match url.host()? {
        Host::Domain(name) if !writable(name) => format!("{scheme}:"),
        Host::Ipv6(_) => format!("{scheme}:"),
        Host::Domain(_) | Host::Ipv4(_) => url.origin().ascii_serialization(),
    };
    let onward = ONWARD.iter().find(|(host, _)| url.host_str() == Some(host));
    Some(onward.map_or_else(|| source.clone(), |(_, more)| format!("{source} {more}")))
}

/// Callback sites that pass the browser on to an app: the directive counts for that hop as well.
const ONWARD: [(&str, &str); 6] = [
    (
        "vscode.dev",
        "vscode: vscode-insiders: http://127.0.0.1:* http://localhost:*",
    ),
    (
        "insiders.vscode.dev",
        "vscode: vscode-insiders: http://127.0.0.1:* http://localhost:*",
    ),
    ("www.cursor.com", "https://cursor.com cursor:"),
    ("cursor.com", "https://www.cursor.com cursor:"),
    ("claude.ai", "https://claude.com claude:"),
    ("claude.com", "https://claude.ai claude:"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directive_names_the_origin_or_the_scheme_of_the_redirect() {
        for (redirect, directive) in [
            ("http://127.0.0.1:33418/", "'self' http://127.0.0.1:33418"),
            (
                "http://localhost:8787/callback?a=b",
                "'self' http://localhost:8787",
            ),
            ("http://[::1]:8787/callback", "'self' http:"),
            (
                "https://chatgpt.com/connector/oauth/x",
                "'self' https://chatgpt.com",
            ),
            (
                "https://Example.com:8443/cb",
                "'self' https://example.com:8443",
            ),
            (
                "cursor://anysphere.cursor-mcp/oauth/callback",
                "'self' cursor:",
            ),
            (
                "https://www.cursor.com/x",
                "'self' https://www.cursor.com https://cursor.com cursor:",
            ),
            ("not a url", "'self'"),
        ] {
            assert_eq!(
                FormAction::ours_and(redirect).to_string(),
                directive,
                "{redirect}"
            );
        }
    }

    #[test]
    fn a_host_with_a_semicolon_cannot_begin_a_directive_of_its_own() {
        for redirect in [
            "https://a;sandbox/cb",
            "https://a,b/cb",
            "https://a'self'/cb",
        ] {
            assert_eq!(
                FormAction::ours_and(redirect).to_string(),
                "'self' https:",
                "{redirect}"
            );
        }
    }
}
