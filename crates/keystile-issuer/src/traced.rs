//! The steps of an attempt as they are kept for `keystile doctor` (docs/adr/0011-flow-traces.md), and
//! what is known of an attempt when its token request is refused.

use axum::response::{IntoResponse as _, Response};
use keystile_domain::decide::diagnose::{
    Diagnosis, assertion, client, code, difference, pkce, resource,
};
use keystile_domain::flow::{KnownCode, Line, Noted, Stage, Step, Whose, without_query};
use keystile_domain::ids::GrantId;
use keystile_domain::secrets::code::AuthorizationCode;
use keystile_domain::secrets::digest::Digest;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::form::Params;
use keystile_protocol::pkce::CodeChallenge;

use crate::app::App;
use crate::clients::ClientId;
use crate::refusal::{self, Refusal};

/// Leaves a page's refusal for [`crate::refusal::render`] to say in the log and to keep.
pub(crate) fn note(
    response: &mut Response,
    reference: &Reference,
    diagnosis: Diagnosis,
    line: Line,
) {
    response.extensions_mut().insert(Noted {
        reference: reference.clone(),
        stage: Stage::Page,
        diagnosis,
        line,
    });
}

/// Adds to a refusal that will be kept whose request it was: an attempt that fails at its first step
/// has nothing else that says so. Of other answers nothing is looked up.
pub(crate) async fn tell_whose(
    app: &App,
    client_id: impl FnOnce() -> Option<String>,
    params: &Params,
    response: &mut Response,
) {
    if !refusal::is_kept(response) {
        return;
    }
    let id = client_id();
    let known = match &id {
        Some(id) => named(app, id).await,
        None => None,
    };
    let operators =
        |id: &String| known.is_some() && matches!(ClientId::read(id), Ok(ClientId::Recorded(_)));
    response.extensions_mut().insert(Whose {
        operators_id: id.filter(operators),
        client: match known {
            Some(name) => Some(name),
            None => claims_to_be(app, params).await,
        },
        resource: params.many("resource").next().map(str::to_owned),
        redirect_uri: params.one("redirect_uri").map(str::to_owned),
        person: None,
        grant: None,
    });
}

/// A client that is known here, as an operator knows it.
async fn named(app: &App, client_id: &str) -> Option<String> {
    match ClientId::read(client_id).ok()? {
        ClientId::Sealed(id) => app.secrets.called(id),
        ClientId::Document(url) => Some(without_query(url.as_str())),
        ClientId::Recorded(id) => {
            let record = app.clients.lookup(id).await.ok()??;
            Some(format!("{} ({id})", record.name))
        }
    }
}

/// Who an assertion says to be from, where nothing names a client that is known (RFC 7523 §3). Nothing of it was checked.
async fn claims_to_be(app: &App, params: &Params) -> Option<String> {
    let claimed = assertion::claimed(params.one("client_assertion")?);
    let mut told: Vec<String> = Vec::new();
    for (claim, id) in &claimed {
        let name = named(app, id).await;
        let name = name.unwrap_or_else(|| client::quoted(id));
        told.push(match claimed.len() {
            1 => name,
            _ => format!("{name} ({claim})"),
        });
    }
    (!told.is_empty()).then(|| format!("claims to be {}", told.join(" and ")))
}

/// Where an attempt is that comes to this path.
pub(crate) fn stage(path: &str) -> Stage {
    match path {
        "/oauth/authorize" | "/authorize" => Stage::Authorize,
        "/oauth/par" => Stage::Push,
        "/oauth/device" | "/ks/device" | "/ks/device/answer" => Stage::Device,
        "/oauth/token" | "/token" => Stage::Token,
        "/oauth/register" | "/register" => Stage::Register,
        "/oauth/revoke" | "/oauth/introspect" => Stage::AboutToken,
        "/ks/consent" => Stage::Consent,
        "/ks/sign-in" | "/ks/setup" => Stage::SignIn,
        _ if path.starts_with("/ks/") => Stage::Page,
        _ => Stage::Request,
    }
}

/// A person signed in as part of an attempt. What was typed stays out of it.
pub(crate) fn signed_in(app: &App, reference: &Reference, how: &'static str, now: Timestamp) {
    let step = Step::passed(now, Stage::SignIn, how);
    app.flows.add(reference, step);
}

/// A person said yes, and this code was made.
pub(crate) fn allowed(app: &App, reference: &Reference, code: Digest, now: Timestamp) {
    let step = Step::passed(now, Stage::Consent, "the person allowed it");
    app.flows.add(reference, step);
    app.flows.code_made(reference, code, now);
}

/// A token request was answered: its attempt, if it is known by its code, goes on or ends here, and a
/// refusal says what mistake it looks like.
pub(crate) async fn token(
    app: &App,
    params: &Params,
    client_id: impl FnOnce() -> Option<String>,
    answered: Result<Response, OAuthError>,
    now: Timestamp,
) -> Response {
    let code = params.one("code");
    let known = code
        .or_else(|| params.one("device_code"))
        .and_then(|code| app.flows.of_code(Digest::of(code)));
    match answered {
        Ok(response) => {
            if let Some(known) = known {
                let step = Step::passed(now, Stage::Token, "the app got its tokens");
                app.flows.add(&known.reference, step);
            }
            response
        }
        Err(error) => {
            let spent = spent_before(code, known.as_ref(), &error);
            let error = diagnosed(app, params, known.as_ref(), error);
            let error = match spent {
                Some(grant) => {
                    let wrong = Diagnosis::of(&error);
                    error.with_detail(code::reused_wrongly(grant, wrong))
                }
                None => error,
            };
            let Some(known) = known else {
                return Refusal::from(error).into_response();
            };
            let error = match client_id().filter(|id| known.is_of_another(id)) {
                Some(id) => from_another(app, &known, &id, error).await,
                None => error,
            };
            Refusal::from(error).about(known.reference).into_response()
        }
    }
}

/// The grant of a code that gave its tokens before and is refused for something else now: as the store says it, or of a
/// request that never came so far as the store, the book.
fn spent_before(
    code: Option<&str>,
    known: Option<&KnownCode>,
    error: &OAuthError,
) -> Option<GrantId> {
    let code = AuthorizationCode::read(code?)?;
    let no_answer = error.code == ErrorCode::ServerError
        || error.retry_after().is_some()
        || error.reason() == code::REUSED;
    let spent = Diagnosis::of(error).reason == code::REUSED_WRONGLY
        || known.is_some_and(|known| known.is_spent);
    (spent && !no_answer).then_some(code.grant)
}

/// Of another client than the code was made for: whatever was refused, doctor says who came, since all
/// else that it shows is the attempt of the other. For the operator: it is nobody else's business.
async fn from_another(
    app: &App,
    known: &KnownCode,
    client_id: &str,
    error: OAuthError,
) -> OAuthError {
    if error.code == ErrorCode::ServerError || error.code.is_not_yet() {
        return error;
    }
    let owner = known.client.as_deref().unwrap_or("another client");
    let id = client::quoted(client_id);
    let came = match named(app, client_id).await {
        Some(name) if !name.contains(client_id) => format!("{name}, {id},"),
        Some(name) => name,
        None => id,
    };
    let mut diagnosis = Diagnosis::of(&error);
    diagnosis.found = format!(
        "The code was made for {owner}; {came} showed it. {}",
        diagnosis.found
    );
    error.with_detail(diagnosis)
}

/// Whoever is told shows the code and names its client: what they hear is about what they sent.
fn diagnosed(
    app: &App,
    params: &Params,
    known: Option<&KnownCode>,
    error: OAuthError,
) -> OAuthError {
    let asked = params.one("redirect_uri").unwrap_or_default();
    match (error.reason(), known) {
        ("code_challenge_not_met" | "pkce_verifier_malformed", known) => {
            let verifier = params.one("code_verifier").unwrap_or_default();
            let reused = known.zip(CodeChallenge::of_verifier(verifier));
            let reused =
                reused.and_then(|(known, own)| app.flows.of_challenge(&own, &known.reference));
            let challenge = known.and_then(|known| known.challenge);
            pkce::mismatch(verifier, challenge, reused.as_ref()).explain(error)
        }
        (reason @ "code_of_another_redirect_uri", Some(known)) => {
            let expected = known.redirect_uri(asked);
            let expected = expected.as_deref().into_iter();
            difference::diagnose("code_redirect", reason, asked, expected).explain(error)
        }
        (reason @ "code_for_another_resource", Some(known)) => {
            let asked = params.many("resource").next().unwrap_or_default();
            let expected = known.resource.as_deref().into_iter();
            difference::diagnose("code_resource", reason, asked, expected).explain(error)
        }
        (resource::NOT_SERVED, _) => {
            let resources = &app.settings.resources;
            resource::explain(error, params.many("resource"), resources)
        }
        _ => error,
    }
}
