//! The authorization request (OAuth 2.1 §4.1.1).

mod redirect;

use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;
use keystile_protocol::pkce::CodeChallenge;
use keystile_protocol::resource::{ResourceTable, ServedResource};
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeSet};

use crate::decide::diagnose;

pub use redirect::{NOT_REGISTERED, trusted_redirect};

/// The longest `state` that is given back. One beside a long client and redirect has less room: see
/// [`TooLong`](crate::transaction::TooLong).
const LONGEST_STATE: usize = 3072;

/// A request that may go on to sign-in.
#[derive(Debug, Clone)]
pub struct Authorizable {
    /// Given back untouched.
    pub state: Option<String>,
    /// The one resource that the token will be for.
    pub resource: ServedResource,
    /// What will be granted on yes: the part of the request that exists here.
    pub scopes: ScopeSet,
    /// What the verifier must hash to.
    pub challenge: CodeChallenge,
    /// Who is signed in already is asked once more.
    pub another_sign_in: bool,
}

/// Judges the rest of the request; the redirect is trusted by now, so a refusal may be sent there.
///
/// # Errors
/// The OAuth error for the client, with what was expected.
pub fn authorize(params: &Params, resources: &ResourceTable) -> Result<Authorizable, OAuthError> {
    response_type(params)?;
    no_request_object(params)?;
    no_silent_sign_in(params)?;
    let (challenge, method) = (
        params.one("code_challenge"),
        params.one("code_challenge_method"),
    );
    let challenge = CodeChallenge::parse(challenge, method).map_err(|error| {
        let refusal = OAuthError::invalid_request(format!("{error}."));
        diagnose::pkce::challenge(&error, challenge, method).explain(refusal)
    })?;
    let (resource, scopes) = target(params, resources)?;
    let state = params.one("state").map(str::to_owned);
    Ok(Authorizable {
        state,
        resource: resource.clone(),
        scopes,
        challenge,
        another_sign_in: wants_another_sign_in(params),
    })
}

/// The one resource and the scopes that a request of any kind asks for (RFC 8707 §2, RFC 6749 §3.3).
///
/// # Errors
/// `invalid_target` or `invalid_scope`.
pub fn target<'a>(
    params: &Params,
    resources: &'a ResourceTable,
) -> Result<(&'a ServedResource, ScopeSet), OAuthError> {
    let asked = || params.many("resource");
    let resource = resources
        .resolve(asked())
        .map_err(|error| diagnose::resource::explain(error, asked(), resources))?;
    let scopes = scopes(params.one("scope"), resource)?;
    Ok((resource, scopes))
}

/// Only `code`: no token ever stands in an address.
fn response_type(params: &Params) -> Result<(), OAuthError> {
    match (params.one("response_type"), params.one("response_mode")) {
        (Some("code"), None | Some("query")) => Ok(()),
        (Some("code"), Some(_)) => Err(OAuthError::invalid_request("response_mode must be query.")),
        (None, _) => Err(OAuthError::invalid_request(
            "response_type is missing: send code.",
        )),
        (Some(_), _) if weakened("a_014") => Ok(()),
        (Some(_), _) => Err(OAuthError::new(
            ErrorCode::UnsupportedResponseType,
            "response_type must be code.",
        )),
    }
}

/// RFC 9126 §2.1: a pushed request has no `request_uri`; none is looked at anywhere else by now.
fn no_request_object(params: &Params) -> Result<(), OAuthError> {
    let shown = |name| params.one(name).is_some();
    if shown("request") || (shown("request_uri") && !weakened("rfc_9126c")) {
        return Err(OAuthError::invalid_request(
            "request and request_uri have no place here: send the parameters themselves.",
        )
        .because("request_object"));
    }
    Ok(())
}

/// OpenID Connect Core §3.1.2.1: who is signed in already is not taken for granted. `consent` asks for
/// nothing more than what always comes.
fn wants_another_sign_in(params: &Params) -> bool {
    let prompts = params.one("prompt").unwrap_or_default();
    let mut prompts = prompts.split(' ');
    prompts.any(|prompt| ["login", "select_account"].contains(&prompt))
}

/// Consent always takes a click, so `prompt=none` can't succeed.
fn no_silent_sign_in(params: &Params) -> Result<(), OAuthError> {
    let none = params
        .one("prompt")
        .is_some_and(|prompt| prompt.split(' ').any(|word| word == "none"));
    if none {
        return Err(OAuthError::new(
            ErrorCode::LoginRequired,
            "prompt=none is not possible: a person confirms each connection with a click. Send no prompt.",
        )
        .because("prompt_none"));
    }
    Ok(())
}

/// A state that is too long is refused before it is carried.
///
/// # Errors
/// `invalid_request`; it can't be sent back with the state, so it is a page of our own.
pub fn carriable_state(params: &Params) -> Result<(), OAuthError> {
    match params.one("state") {
        Some(state) if state.len() > LONGEST_STATE => Err(OAuthError::invalid_request(format!(
            "state has over {LONGEST_STATE} bytes."
        ))
        .because("state_too_long")),
        _ => Ok(()),
    }
}

/// The scopes that exist here out of those that were asked, each power said once; the call scope if
/// none was asked, or none but `offline_access`, with which alone nothing could be called. Clients
/// that ask for everything they know are given what there is (N-AS-29).
fn scopes(asked: Option<&str>, resource: &ServedResource) -> Result<ScopeSet, OAuthError> {
    let call = resource.call_scope();
    let Some(asked) = asked else {
        return Ok(ScopeSet::new().with(&call));
    };
    let asked: ScopeSet = asked
        .parse()
        .map_err(|error| OAuthError::new(ErrorCode::InvalidScope, format!("scope: {error}.")))?;
    let exists = |scope: &str| resource.scopes.has(scope) || scope == OFFLINE_ACCESS;
    let known = asked.filtered(|scope| exists(scope) || weakened("n_as_29"));
    if known.is_empty() {
        let names: Vec<&str> = resource.scopes.iter().map(|named| &*named.scope).collect();
        return Err(OAuthError::new(
            ErrorCode::InvalidScope,
            format!(
                "None of these scopes exists here; expected {}, or no scope at all.",
                names.join(" or ")
            ),
        )
        .because("scope_unknown"));
    }
    let calls = known.iter().any(|scope| scope != OFFLINE_ACCESS);
    let known = if calls { known } else { known.with(&call) };
    Ok(resource.scopes.hierarchy().normalised(&known))
}

#[cfg(test)]
mod tests;
