//! Token requests and responses (OAuth 2.1 §3.2, §4.1.3, §4.3).

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::{ErrorCode, OAuthError};
use crate::form::Params;
use crate::mutation::weakened;
use crate::pkce::CodeChallenge;
use crate::scope::ScopeSet;

/// The grant type of devices (RFC 8628 §3.4).
pub const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a token request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRequest {
    /// `grant_type=authorization_code`
    AuthorizationCode(CodeRequest),
    /// `grant_type=refresh_token`
    RefreshToken(RefreshRequest),
    /// `grant_type=client_credentials`
    ClientCredentials(CredentialsRequest),
    /// `grant_type=urn:ietf:params:oauth:grant-type:device_code`
    DeviceCode(DeviceCodeRequest),
}

/// A code and its proof.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeRequest {
    /// The code's text.
    pub code: String,
    /// Exact bytes, if sent (OAuth 2.1 no longer wants it; RFC 6749 does).
    pub redirect_uri: Option<String>,
    /// Hash of the `code_verifier` that was sent.
    pub challenge: CodeChallenge,
    /// `resource` values (RFC 8707).
    pub resource: Vec<String>,
}

/// A refresh token and what to get for it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshRequest {
    /// The token's text.
    pub refresh_token: String,
    /// A subset of the granted scopes, or all.
    pub scope: Option<ScopeSet>,
    /// `resource` values (RFC 8707).
    pub resource: Vec<String>,
}

/// What a client asks for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsRequest {
    /// A subset of what it may ask for, or all.
    pub scope: Option<ScopeSet>,
    /// `resource` values (RFC 8707).
    pub resource: Vec<String>,
}

/// A device code (RFC 8628 §3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCodeRequest {
    /// The code's text.
    pub device_code: String,
    /// `resource` values (RFC 8707).
    pub resource: Vec<String>,
}

impl std::fmt::Debug for DeviceCodeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceCodeRequest").finish_non_exhaustive()
    }
}

// Secrets stay out of logs: neither request shows its code or token.
impl std::fmt::Debug for CodeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeRequest")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RefreshRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshRequest")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl TokenRequest {
    /// Reads the parameters of the form.
    ///
    /// # Errors
    /// `invalid_request`, `unsupported_grant_type`, `invalid_scope`, with what was expected.
    pub fn parse(params: &Params) -> Result<Self, OAuthError> {
        let resource = || params.many("resource").map(str::to_owned).collect();
        match params.one("grant_type") {
            Some("authorization_code") => Ok(Self::AuthorizationCode(CodeRequest {
                code: required(params, "code")?,
                redirect_uri: params.one("redirect_uri").map(str::to_owned),
                challenge: proof(params)?,
                resource: resource(),
            })),
            Some("refresh_token") => Ok(Self::RefreshToken(RefreshRequest {
                refresh_token: required(params, "refresh_token")?,
                scope: params.one("scope").map(scope).transpose()?,
                resource: resource(),
            })),
            Some("client_credentials") => Ok(Self::ClientCredentials(CredentialsRequest {
                scope: params.one("scope").map(scope).transpose()?,
                resource: resource(),
            })),
            Some(DEVICE_CODE_GRANT) => Ok(Self::DeviceCode(DeviceCodeRequest {
                device_code: required(params, "device_code")?,
                resource: resource(),
            })),
            Some(_) => Err(OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type must be authorization_code, refresh_token, client_credentials or urn:ietf:params:oauth:grant-type:device_code.",
            )),
            None => Err(OAuthError::invalid_request(
                "grant_type is missing: send application/x-www-form-urlencoded with grant_type.",
            )),
        }
    }
}

/// OAuth 2.1 §4.1.3: the verifier is required, because a challenge always was.
fn proof(params: &Params) -> Result<CodeChallenge, OAuthError> {
    let verifier = match params.one("code_verifier") {
        None if weakened("a_015") => {
            // The defect of CVE-2025-4144: no verifier counts as an empty one.
            return Ok(CodeChallenge::from_bytes(Sha256::digest("").into()));
        }
        None if weakened("n_as_20") => "weakened-weakened-weakened-weakened-weakened",
        None => {
            return Err(OAuthError::invalid_request(
                "code_verifier is missing: send the text whose SHA-256 was the code_challenge.",
            )
            .because("pkce_verifier_missing"));
        }
        Some(verifier) => verifier,
    };
    CodeChallenge::of_verifier(verifier).ok_or_else(|| {
        OAuthError::new(
            ErrorCode::InvalidGrant,
            "code_verifier must be 43 to 128 letters, digits or -._~ (RFC 7636 section 4.1): make one of that form, hash it for the code_challenge, and send the same text here.",
        )
        .because("pkce_verifier_malformed")
    })
}

/// RFC 6749 §3.3: at least one token, so spaces alone are no scope.
fn scope(text: &str) -> Result<ScopeSet, OAuthError> {
    let refuse = |why| OAuthError::new(ErrorCode::InvalidScope, format!("scope: {why}."));
    let scopes: ScopeSet = text.parse().map_err(|error| refuse(format!("{error}")))?;
    if scopes.is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    Ok(scopes)
}

fn required(params: &Params, name: &'static str) -> Result<String, OAuthError> {
    params
        .one(name)
        .map(str::to_owned)
        .ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing.")))
}

/// A successful token response (RFC 6749 §5.1).
#[derive(Serialize)]
pub struct TokenResponse {
    /// JWT (RFC 9068).
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    /// Rotates with each use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What was granted (N-AS-29: always said).
    pub scope: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_as_20_a_code_is_never_redeemed_without_a_verifier() {
        let with = |extra: &str| {
            let body = format!("grant_type=authorization_code&code=c{extra}");
            TokenRequest::parse(&Params::parse(body.as_bytes()).unwrap())
        };
        assert_eq!(with("").unwrap_err().code, ErrorCode::InvalidRequest);
        assert_eq!(
            with("&code_verifier=").unwrap_err().code,
            ErrorCode::InvalidRequest
        );
        assert_eq!(
            with("&code_verifier=short").unwrap_err().code,
            ErrorCode::InvalidGrant
        );
        assert!(with(&format!("&code_verifier={}", "v".repeat(43))).is_ok());
    }

    #[test]
    fn a_scope_of_spaces_is_no_scope() {
        let with = |scope: &str| {
            let body = format!("grant_type=refresh_token&refresh_token=r&scope={scope}");
            TokenRequest::parse(&Params::parse(body.as_bytes()).unwrap())
        };
        assert_eq!(with("+").unwrap_err().code, ErrorCode::InvalidScope);
        assert_eq!(with("%22").unwrap_err().code, ErrorCode::InvalidScope);
        assert!(with("").is_ok_and(|request| matches!(
            request,
            TokenRequest::RefreshToken(RefreshRequest { scope: None, .. })
        )));
    }

    #[test]
    fn other_grants_are_named_as_unsupported() {
        let params = Params::parse(b"grant_type=password&username=a&password=b").unwrap();
        assert_eq!(
            TokenRequest::parse(&params).unwrap_err().code,
            ErrorCode::UnsupportedGrantType
        );
    }
}
