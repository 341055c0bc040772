//! The endpoints of the authorization server, through the router, with the fakes of
//! keystile-testkit. The files mirror `src/endpoints`.

mod authorize;
mod authorize_attacks;
mod client_facts;
mod connecting;
mod device;
mod disabled;
mod explained;
mod fetching;
mod gone;
mod introspect;
mod knocking;
mod limits;
mod log;
mod metadata;
mod par;
mod pkce;
mod recorded_clients;
mod redirect;
mod refusals;
mod register;
mod registration;
mod revoke;
mod strangers;
mod token;

use axum::body::{Body, to_bytes};
use http::Request;
use http::header::CONTENT_TYPE;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::Attempt;
use keystile_domain::ports::Clock as _;
use keystile_domain::secrets::reference::Reference;
use keystile_testkit::browser::Reply;
use keystile_testkit::issuer::{CHALLENGE, TestApp};
use serde_json::Value;
use tower::ServiceExt as _;
use url::form_urlencoded::Serializer;

/// A client that listens on a loopback port.
const LOOPBACK: &str = "http://127.0.0.1:6274/callback";
/// The one server of a [`TestApp`].
const RESOURCE: &str = "http://localhost:7717/knowledge-base/mcp";
/// [`RESOURCE`]'s neighbour, where there are two.
const OTHER_RESOURCE: &str = "http://localhost:7717/git/mcp";
/// A client whose document is shipped.
const CLAUDE: &str = "https://claude.ai/oauth/mcp-oauth-client-metadata";
/// Its redirect URI.
const CLAUDE_CALLBACK: &str = "https://claude.ai/api/mcp/auth_callback";

/// The parameters that a test changes, adds or, with `None`, leaves out.
type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

/// Two servers at one origin.
fn two_servers() -> TestApp {
    TestApp::new().with(|app| {
        let names = ["knowledge-base".to_owned(), "git".to_owned()];
        let issuer = &app.settings.issuer;
        app.settings.resources = keystile_protocol::resource::ResourceTable::new(issuer, &names);
    })
}

/// A good authorization request of this client, but for the changes.
fn authorize_url(client: &str, changes: Changes<'_>) -> String {
    let good = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", LOOPBACK),
        ("state", "st&te"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
    ];
    format!("/oauth/authorize?{}", changed(&good, changes))
}

/// A form or a query.
fn changed(good: &[(&str, &str)], changes: Changes<'_>) -> String {
    let kept = good
        .iter()
        .filter(|(name, _)| changes.iter().all(|(other, _)| other != name));
    let added = changes
        .iter()
        .filter_map(|(name, value)| value.map(|value| (*name, value)));
    Serializer::new(String::new())
        .extend_pairs(kept.copied().chain(added))
        .finish()
}

/// Sends a request and reads the answer to its end.
async fn send(test: &TestApp, request: Request<Body>) -> Reply {
    let response = test
        .router()
        .oneshot(request)
        .await
        .expect("the router never fails");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20)
        .await
        .expect("an answer is below a mebibyte");
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("answers are UTF-8"),
    }
}

async fn get(test: &TestApp, path: &str) -> Reply {
    let request = Request::get(path)
        .body(Body::empty())
        .expect("a legal request");
    send(test, request).await
}

async fn post_form(test: &TestApp, path: &str, body: String) -> Reply {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .expect("a legal request");
    send(test, request).await
}

async fn post_json(test: &TestApp, path: &str, body: impl ToString) -> Reply {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a legal request");
    send(test, request).await
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.body))
}

/// `error` of a refusal in JSON, which has a status and is kept by no cache.
fn refused(reply: &Reply) -> (u16, String) {
    assert_eq!(
        reply.header("content-type"),
        "application/json",
        "{}",
        reply.body
    );
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = json(reply);
    assert!(body["error_description"].is_string(), "{body}");
    if reply.status != 429 {
        let _ = reference_of(reply);
    }
    (
        reply.status.as_u16(),
        body["error"].as_str().expect("an error").to_owned(),
    )
}

/// What goes over the wire, for snapshots.
fn wire(reply: &Reply) -> String {
    let headers = ["content-type", "cache-control", "www-authenticate"]
        .iter()
        .filter_map(|name| {
            reply
                .headers
                .get(*name)
                .map(|_| format!("{name}: {}", reply.header(name)))
        });
    let head: Vec<String> = [reply.status.to_string()]
        .into_iter()
        .chain(headers)
        .collect();
    format!("{}\n\n{}", head.join("\n"), without_reference(&reply.body))
}

/// With every reference replaced by `KS-…`, which is another each time.
fn without_reference(text: &str) -> String {
    let mut parts = text.split("KS-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "KS-\u{2026}" + part.get(8..).unwrap_or_default()
    })
}

/// What log and doctor are told about a refusal.
#[track_caller]
fn told(test: &TestApp, reply: &Reply) -> Diagnosis {
    let attempt = attempt(test, reply);
    let (_, diagnosis) = attempt.failure().expect("it ended there");
    diagnosis.clone()
}

/// What is kept of the attempt that a refusal ended.
#[track_caller]
fn attempt(test: &TestApp, reply: &Reply) -> Attempt {
    let found = test
        .app
        .flows
        .lookup(&reference_of(reply), test.clock.now());
    found.expect("it is kept")
}

/// The reference of a refusal, wherever it went.
#[track_caller]
fn reference_of(reply: &Reply) -> Reference {
    let text = reply.location().unwrap_or(&reply.body);
    let at = text.rfind("KS-").expect("a reference");
    text[at..at + 11].parse().expect("a reference")
}

/// The answer is a page of our own with a reference, and sends the browser nowhere.
#[track_caller]
fn own_page(reply: &Reply, context: &str) {
    assert_eq!(reply.location(), None, "{context}");
    assert!(!reply.headers.contains_key("refresh"), "{context}");
    assert!(
        reply.status.is_client_error() || reply.status.is_server_error(),
        "{context}"
    );
    assert!(
        reply.header("content-type").starts_with("text/html"),
        "{context}"
    );
    assert!(reply.text().contains("KS-"), "{context}: {}", reply.text());
}

/// The `error` that was sent back to a client.
#[track_caller]
fn sent_back(reply: &Reply, redirect: &str) -> String {
    assert_eq!(reply.status, 303, "{}", reply.text());
    let location = reply.location().expect("a redirect");
    assert!(location.starts_with(redirect), "{location}");
    let params = reply.location_params();
    let error = params.iter().find(|(name, _)| name == "error");
    error
        .unwrap_or_else(|| panic!("no error in {location}"))
        .1
        .clone()
}
