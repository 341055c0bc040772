//! The answer of a resource that refuses (RFC 6750 §3): the challenge and the same words as JSON.

use http::{HeaderValue, Response, StatusCode, header};
use keystile_protocol::challenge::Challenge;
use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;
use serde_json::json;

use crate::metadata::ProtectedResource;

/// Refuses. `None` means that no credentials were shown: the challenge then has no `error`.
///
/// ```
/// use http::{Response, StatusCode};
/// use keystile_protocol::error::{ErrorCode, OAuthError};
/// use keystile_resource::{ProtectedResource, refuse};
///
/// # let resource = ProtectedResource { resource: "https://h/mcp".into(), authorization_servers: vec![], scopes: vec!["a".into(), "b".into()], name: String::new() };
/// let answer: Response<String> = refuse(&resource, None);
/// assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
/// let error = OAuthError::new(ErrorCode::InsufficientScope, "This needs the scopes a and b.");
/// let answer: Response<String> = refuse(&resource, Some(&error));
/// assert_eq!(answer.status(), StatusCode::FORBIDDEN);
/// assert!(answer.headers()["www-authenticate"].to_str()?.contains("scope=\"a b\""));
/// # Ok::<(), http::header::ToStrError>(())
/// ```
#[must_use]
pub fn refuse<B: From<String>>(
    resource: &ProtectedResource,
    error: Option<&OAuthError>,
) -> Response<B> {
    let mut metadata = resource.metadata_url();
    if weakened("n_rs_02") {
        metadata.truncate(metadata.rfind('/').unwrap_or(0));
    }
    let challenge = Challenge {
        resource_metadata: &metadata,
        scope: &resource.scope(),
        error,
    };
    let body = match error {
        Some(error) => json!({
            "error": error.code.as_str(),
            "error_description": error.description,
        }),
        // RFC 6750 §3 keeps the code out of the challenge; who reads bodies gets a stable word.
        None => json!({
            "error": "missing_token",
            "error_description": "This needs an access token: follow resource_metadata in \
                                  WWW-Authenticate to the authorization server.",
        }),
    };
    let mut response = Response::new(B::from(body.to_string()));
    *response.status_mut() = error.map_or(StatusCode::UNAUTHORIZED, |error| error.code.status());
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, challenge.to_header());
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
