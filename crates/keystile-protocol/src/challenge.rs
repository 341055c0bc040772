//! The bearer challenge (RFC 6750 §3, RFC 9728 §5.1).

use http::HeaderValue;

use crate::error::OAuthError;

/// What `WWW-Authenticate` says when a resource refuses.
///
/// ```
/// use keystile_protocol::challenge::Challenge;
///
/// let challenge = Challenge {
///     resource_metadata: "https://mcp.example/.well-known/oauth-protected-resource/kb/mcp",
///     scope: "kb:call",
///     error: None,
/// };
/// assert_eq!(
///     challenge.to_header(),
///     "Bearer resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/kb/mcp\", \
///      scope=\"kb:call\"",
/// );
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Challenge<'a> {
    /// Where the resource's metadata is, absolute.
    pub resource_metadata: &'a str,
    /// All scopes that the operation needs, in one challenge (N-RS-06).
    pub scope: &'a str,
    /// Only when credentials were shown: a request without any is not told of an error (§3.1).
    pub error: Option<&'a OAuthError>,
}

impl Challenge<'_> {
    /// The value of `WWW-Authenticate`.
    ///
    /// Whatever the parts contain, the header is well-formed: characters that a quoted string of
    /// RFC 6750 §3 can't have are replaced.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        let mut text = String::with_capacity(256);
        text.push_str("Bearer resource_metadata=\"");
        push_quoted(&mut text, self.resource_metadata);
        if !self.scope.is_empty() {
            text.push_str("\", scope=\"");
            push_quoted(&mut text, self.scope);
        }
        if let Some(error) = self.error {
            text.push_str("\", error=\"");
            text.push_str(error.code.as_str());
            text.push_str("\", error_description=\"");
            push_quoted(&mut text, &error.description);
        }
        text.push('"');
        HeaderValue::try_from(text).expect("only printable ASCII was pushed")
    }
}

fn push_quoted(text: &mut String, part: &str) {
    text.extend(part.chars().map(|char| match char {
        '"' | '\\' => '\'',
        ' '..='~' => char,
        _ => '?',
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn nothing_breaks_out_of_the_header() {
        let error = OAuthError::new(ErrorCode::InvalidToken, "no \"good\"\r\nX: y");
        let challenge = Challenge {
            resource_metadata: "http://h/\r\n\"",
            scope: "a\u{e9}",
            error: Some(&error),
        };
        assert_eq!(
            challenge.to_header(),
            "Bearer resource_metadata=\"http://h/??'\", scope=\"a?\", error=\"invalid_token\", \
             error_description=\"no 'good'??X: y\"",
        );
    }
}
