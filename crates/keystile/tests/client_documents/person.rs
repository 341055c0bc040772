//! A person with a browser in front of the gate, and the client that sent them there.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use keystile_testkit::browser::{Browser, Reply};
use keystile_testkit::issuer::{CHALLENGE, VERIFIER};
use serde_json::Value;

use crate::gate::{Gate, NAME, PASSWORD};

/// A fresh browser whose requests go over TCP to the gate.
pub(crate) fn browser(gate: &Gate) -> Browser {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let origin = gate.said("issuer").to_owned();
    let forward = async move |request: Request| {
        let (mut parts, body) = request.into_parts();
        let url = format!("{origin}{}", parts.uri);
        parts.uri = url.parse().expect("an origin and a path");
        let answer = client.request(Request::from_parts(parts, body)).await;
        answer.expect("the gate answers").map(Body::new)
    };
    Browser::new(Router::new().fallback(forward), gate.said("issuer"))
}

/// Where a client sends the browser, as a path of the gate.
pub(crate) fn authorize(client_id: &str, redirect_uri: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("state", "st&te"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    format!("/oauth/authorize?{query}")
}

/// Whether a client may begin a sign-in: where the browser is sent, or the page that refuses.
pub(crate) async fn begin(gate: &Gate, client_id: &str, redirect_uri: &str) -> Result<(), Reply> {
    let reply = browser(gate).get(&authorize(client_id, redirect_uri)).await;
    match reply.location() {
        Some(next) if next.starts_with("/ks/consent?tx=") => Ok(()),
        _ => Err(reply),
    }
}

/// Signs in and stops at the consent page.
pub(crate) async fn reach_consent(browser: &mut Browser, path: &str) -> Reply {
    let page = browser.open(path).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let tx = page.input("tx");
    let fields = [
        ("tx", tx.as_str()),
        ("username", NAME),
        ("password", PASSWORD),
    ];
    let signed_in = browser.submit("/ks/sign-in", &fields).await;
    let next = signed_in.location().expect("on to consent").to_owned();
    browser.open(&next).await
}

/// Says yes; where the browser is sent with the code.
pub(crate) async fn allow(browser: &mut Browser, consent: &Reply) -> Reply {
    let (tx, csrf) = (consent.input("tx"), consent.input("csrf"));
    let fields = [("tx", &*tx), ("csrf", &*csrf), ("decision", "allow")];
    browser.submit("/ks/consent", &fields).await
}

/// The code in a redirect.
pub(crate) fn code(reply: &Reply) -> String {
    let params = reply.location_params();
    let code = params.into_iter().find(|(name, _)| name == "code");
    code.expect("a code").1
}

/// Redeems a code.
pub(crate) async fn redeem(
    gate: &Gate,
    client_id: &str,
    redirect_uri: &str,
    code: &str,
) -> (u16, Value) {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    ask(gate, &fields).await
}

/// What the token endpoint answers.
pub(crate) async fn ask(gate: &Gate, fields: &[(&str, &str)]) -> (u16, Value) {
    let reply = browser(gate).post("/oauth/token", &[], fields).await;
    let body = serde_json::from_str(&reply.body).expect("JSON");
    (reply.status.as_u16(), body)
}
