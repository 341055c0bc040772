//! OAuth errors: one type, one status table.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// An error code as OAuth, its extensions and bearer tokens name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749 §4.1.2.1, §5.2
    InvalidRequest,
    /// RFC 6749 §5.2
    InvalidClient,
    /// RFC 6749 §5.2
    InvalidGrant,
    /// RFC 6749 §5.2
    UnauthorizedClient,
    /// RFC 6749 §5.2
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1
    UnsupportedResponseType,
    /// RFC 6749 §5.2
    InvalidScope,
    /// RFC 8707 §2
    InvalidTarget,
    /// RFC 9101 §7, for a `request_uri` of RFC 9126
    InvalidRequestUri,
    /// RFC 6749 §4.1.2.1
    AccessDenied,
    /// RFC 8628 §3.5
    AuthorizationPending,
    /// RFC 8628 §3.5
    SlowDown,
    /// RFC 8628 §3.5
    ExpiredToken,
    /// OpenID Connect Core §3.1.2.6
    LoginRequired,
    /// RFC 7009 §2.2.1
    UnsupportedTokenType,
    /// RFC 7591 §3.2.2
    InvalidRedirectUri,
    /// RFC 7591 §3.2.2
    InvalidClientMetadata,
    /// RFC 6750 §3.1
    InvalidToken,
    /// RFC 6750 §3.1
    InsufficientScope,
    /// RFC 6749 §4.1.2.1; at the token endpoint our rate limits use it too.
    TemporarilyUnavailable,
    /// RFC 6749 §4.1.2.1
    ServerError,
}

impl ErrorCode {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::LoginRequired => "login_required",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// Whether it only says to ask again: no refusal (RFC 8628 §3.5).
    #[must_use]
    pub const fn is_not_yet(self) -> bool {
        matches!(self, Self::AuthorizationPending | Self::SlowDown)
    }

    /// The only place where a code becomes a status.
    ///
    /// RFC 6749 §5.2: 400 unless stated otherwise, 401 for `invalid_client`. RFC 6750 §3.1: 401 for
    /// `invalid_token`, 403 for `insufficient_scope`.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::InvalidRequestUri
            | Self::AccessDenied
            | Self::AuthorizationPending
            | Self::SlowDown
            | Self::ExpiredToken
            | Self::LoginRequired
            | Self::UnsupportedTokenType
            | Self::InvalidRedirectUri
            | Self::InvalidClientMetadata => StatusCode::BAD_REQUEST,
            Self::InvalidClient | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: a code, a public sentence, a private detail.
///
/// The description goes to the client (`error_description`); the detail only into the log.
///
/// ```
/// use keystile_protocol::error::{ErrorCode, OAuthError};
/// let refusal = OAuthError::new(ErrorCode::InvalidGrant, "The code expired. Start sign-in again.");
/// assert_eq!(refusal.code.status(), 400);
/// ```
#[derive(Debug)]
pub struct OAuthError {
    /// What kind of refusal.
    pub code: ErrorCode,
    /// What was expected and what to do: ASCII without `"` and `\` (RFC 6749 §5.2).
    pub description: Cow<'static, str>,
    /// Read by the access log; never sent.
    pub detail: Option<Box<dyn Error + Send + Sync>>,
    reason: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl OAuthError {
    /// A refusal with a public sentence.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            description: printable(description.into()),
            detail: None,
            reason: None,
            retry_after: None,
        }
    }

    /// `invalid_request` with a public sentence.
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// Something of ours failed: the cause goes to the log, never to the client.
    pub fn internal(detail: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let why = "Something failed on this server. Try again.";
        Self::new(ErrorCode::ServerError, why).with_detail(detail)
    }

    /// One request more than its sender may send: for how long there is none again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use keystile_protocol::error::OAuthError;
    /// let refusal = OAuthError::too_many("Too many. Try again in 6 seconds.", Duration::from_secs(6));
    /// assert_eq!(refusal.status(), 429);
    /// ```
    pub fn too_many(description: impl Into<Cow<'static, str>>, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..Self::new(ErrorCode::TemporarilyUnavailable, description)
        }
    }

    /// How long to wait, where waiting helps (RFC 9110 §10.2.3).
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The code's status, but 429 for one request too many (RFC 6585 §4).
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.retry_after {
            Some(_) => StatusCode::TOO_MANY_REQUESTS,
            None => self.code.status(),
        }
    }

    /// Adds the stable word for what went wrong, where the code says too little.
    ///
    /// ```
    /// use keystile_protocol::error::OAuthError;
    /// let refusal = OAuthError::invalid_request("redirect_uri is missing.");
    /// assert_eq!(refusal.reason(), "invalid_request");
    /// assert_eq!(refusal.because("redirect_missing").reason(), "redirect_missing");
    /// ```
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// A stable word for what went wrong: for log and trail, never sent.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.reason {
            Some(reason) => reason,
            None => self.code.as_str(),
        }
    }

    /// Adds the private detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.description)
    }
}

impl Error for OAuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.detail
            .as_deref()
            .map(|detail| detail as &(dyn Error + 'static))
    }
}

/// RFC 6749 §5.2 allows `%x20-21 / %x23-5B / %x5D-7E` in a description; the rest becomes `'` or `?`.
fn printable(text: Cow<'static, str>) -> Cow<'static, str> {
    let fine = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    if text.chars().all(fine) {
        return text;
    }
    let clean = |c: char| match c {
        '"' | '\\' => '\'',
        c if fine(c) => c,
        _ => '?',
    };
    text.chars().map(clean).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_never_breaks_a_quoted_string() {
        let error = OAuthError::invalid_request("say \"hi\"\r\nSet-Cookie: \u{e9}".to_owned());
        assert_eq!(error.description, "say 'hi'??Set-Cookie: ?");
    }
}
