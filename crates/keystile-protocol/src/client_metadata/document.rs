//! The rules that a Client ID Metadata Document obeys beyond a registration (draft §4, §6).

use serde_json::Value;

use super::member::Members;
use super::{ClientMetadata, MetadataError, TokenEndpointAuthMethod};
use crate::client_id_url::ClientIdUrl;
use crate::mutation::weakened;

/// Reads the document that was found at `url`.
///
/// The client can have no shared secret, so a document that names no method at all means `none`,
/// not RFC 7591's `client_secret_basic`; methods with a shared secret among
/// `token_endpoint_auth_methods_supported` are left out.
///
/// ```
/// use keystile_protocol::client_id_url::ClientIdUrl;
/// use keystile_protocol::client_metadata::document;
///
/// let url = ClientIdUrl::parse("https://client.example/c.json")?;
/// let body = br#"{"client_id":"https://client.example/c.json","client_name":"Example",
///                 "redirect_uris":["https://client.example/callback"]}"#;
/// assert_eq!(document(&url, body)?.client_name.as_deref(), Some("Example"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first rule that the document breaks.
pub fn document(url: &ClientIdUrl, body: &[u8]) -> Result<ClientMetadata, DocumentError> {
    let value = super::parse(body)?;
    let members = Members::of(&value)?;
    let client_id = value.get("client_id").and_then(Value::as_str);
    let client_id = client_id.ok_or(DocumentError::NoClientId)?;
    if client_id != url.as_str() && !weakened("n_as_06") {
        return Err(DocumentError::OtherClientId);
    }
    let secret = members.has("client_secret") || members.has("client_secret_expires_at");
    if secret && !weakened("n_as_10") {
        return Err(DocumentError::Secret);
    }
    let method = members.string("token_endpoint_auth_method")?;
    if method.is_some_and(|method| method.starts_with("client_secret")) && !weakened("n_as_10") {
        return Err(DocumentError::SharedSecret);
    }
    let mut metadata = ClientMetadata::read(&members)?;
    let named = metadata
        .client_name
        .as_deref()
        .is_some_and(|name| !name.trim().is_empty());
    if !named && !weakened("n_as_08") {
        return Err(MetadataError::Missing {
            member: "client_name",
        }
        .into());
    }
    let said_nothing = metadata.token_endpoint_auth_method.is_none()
        && !members.has("token_endpoint_auth_methods_supported");
    if said_nothing {
        metadata.token_endpoint_auth_method = Some(TokenEndpointAuthMethod::None);
    }
    metadata
        .token_endpoint_auth_methods_supported
        .retain(|method| !method.is_shared_secret());
    if metadata.token_endpoint_auth_method.is_none()
        && metadata.token_endpoint_auth_methods_supported.is_empty()
    {
        return Err(DocumentError::SharedSecret);
    }
    Ok(metadata)
}

/// Why what stands at a `client_id` URL does not describe a client. Never repeats the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is not good client metadata at all.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// `client_id` is missing or no string.
    #[error("the document has no client_id")]
    NoClientId,
    /// The document belongs to another URL.
    #[error("the client_id in the document is not the URL it was fetched from")]
    OtherClientId,
    /// A secret in a document that anybody can read.
    #[error("the document has a client_secret, which would be public")]
    Secret,
    /// A method that needs a shared secret, which a public document cannot hold.
    #[error("the document asks for authentication with a shared secret")]
    SharedSecret,
}
