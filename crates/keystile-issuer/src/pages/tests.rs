mod markup;

use axum::response::IntoResponse as _;
use http::StatusCode;
use keystile_domain::client::{ClientKind, ClientSnapshot, Trust};
use keystile_domain::decide::register::RegistrationPolicy;
use keystile_protocol::redirect::RedirectUri;
use keystile_protocol::scope::ScopeCatalogue;
use keystile_testkit::reading::{skeleton, text};

use super::account::{Account, ConnectedApp};
use super::consent::{Consent, Lasts, Power, Requester, ReturnsTo, Vouched, Warning};
use super::error::ErrorPage;
use super::sign_in::{Asks, FirstAccount, SignIn};
use super::*;

fn consent<'a>(name: Option<String>) -> Consent<'a> {
    Consent {
        tx: "sealed",
        csrf: "token",
        requester: Requester::Site("claude.ai".to_owned()),
        name,
        name_by_operator: false,
        vouched: None,
        warnings: Vec::new(),
        server: "knowledge-base",
        resource: "http://localhost:7717/knowledge-base/mcp",
        powers: vec![Power::of(
            "knowledge-base:call",
            &ScopeCatalogue::of_server("knowledge-base"),
        )],
        less: Vec::new(),
        lasts: Lasts {
            words: "Until you disconnect it.".to_owned(),
            asked: true,
        },
        returns_to: ReturnsTo::of(&redirect("https://claude.ai/api/mcp/auth_callback")),
        person: "alice",
        reference: "KS-7F3Q2M9X",
        redirect_uri: "https://claude.ai/api/mcp/auth_callback",
    }
}

fn redirect(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap()
}

#[test]
fn consent_names_host_then_name_then_scopes_and_the_exact_redirect() {
    let page = consent(Some("Claude".to_owned())).page();
    insta::assert_snapshot!(text(page.html()), @r"
    Keystile
    Connect this app?
    claude.ai
    It calls itself “Claude”. Apps choose that name; Keystile cannot check it.
    Server
    knowledge-base
    http://localhost:7717/knowledge-base/mcp
    It will be able to
    Use every tool of knowledge-base knowledge-base:call
    It stays connected
    Until you disconnect it. offline_access
    Your answer goes to
    claude.ai
    https://claude.ai/api/mcp/auth_callback
    You are
    alice
    Not you? Sign in as somebody else
    Allow
    Deny
    You can disconnect it at any time under your account.
    Reference KS-7F3Q2M9X
    ");
}

#[test]
fn the_redirect_host_stands_on_the_page_in_an_element_of_ours() {
    let hostile = "a".repeat(60) + "</dd><b>evil</b>";
    let page = consent(shown::name(&hostile)).page();
    let plain = consent(Some("Claude".to_owned())).page();
    assert!(page.html().contains("<strong>claude.ai</strong>"));
    assert_eq!(
        skeleton(page.html()),
        skeleton(plain.html()),
        "a name adds no element"
    );
    let rule = asset::STYLE
        .split(".host, .who-host")
        .nth(1)
        .and_then(|rest| rest.split('}').next());
    assert!(
        rule.is_some_and(|rule| rule.contains("overflow-wrap: anywhere")),
        "long hosts wrap"
    );
    assert!(!asset::STYLE.contains("ellipsis"), "nothing is truncated");
}

#[test]
fn a_loopback_client_is_called_an_app_on_this_computer() {
    let mut view = consent(Some("MCP Inspector".to_owned()));
    view.requester = Requester::of_redirect(&redirect("http://127.0.0.1:6274/oauth/callback"));
    view.returns_to = ReturnsTo::of(&redirect("http://127.0.0.1:6274/oauth/callback"));
    view.redirect_uri = "http://127.0.0.1:6274/oauth/callback";
    view.warnings = vec![Warning::AnyProgram];
    insta::assert_snapshot!(text(view.page().html()), @r"
    Keystile
    Connect this app?
    An app on this computer
    It calls itself “MCP Inspector”. Apps choose that name; Keystile cannot check it.
    Any program on this computer could have asked this. Allow it only if you have just started connecting an app yourself.
    Server
    knowledge-base
    http://localhost:7717/knowledge-base/mcp
    It will be able to
    Use every tool of knowledge-base knowledge-base:call
    It stays connected
    Until you disconnect it. offline_access
    Your answer goes to
    An app on this computer
    http://127.0.0.1:6274/oauth/callback
    You are
    alice
    Not you? Sign in as somebody else
    Allow
    Deny
    You can disconnect it at any time under your account.
    Reference KS-7F3Q2M9X
    ");
}

#[test]
fn sign_in_says_who_waits_and_what_was_wrong() {
    let asks = Asks {
        who: "claude.ai".to_owned(),
        server: "knowledge-base".to_owned(),
    };
    let view = SignIn {
        tx: Some("sealed"),
        asks: Some(asks),
        device: None,
        username: "alice",
        problem: None,
    };
    let problem = Problem::wrong_password().about(&"KS-7F3Q2M9X".parse().expect("a reference"));
    let page = view.refused(StatusCode::UNAUTHORIZED, problem);
    assert!(page.html().contains(r#"role="alert" id="problem""#));
    assert!(
        page.html()
            .contains("<title>Error: Sign in · Keystile</title>")
    );
    insta::assert_snapshot!(text(page.html()), @r"
    Keystile
    Sign in
    Name or password is wrong.
    Check both and try again. Capital letters in the password count.
    Code wrong_name_or_password, reference KS-7F3Q2M9X
    claude.ai asks to use knowledge-base. Sign in to decide.
    Name
    Password
    Sign in
    Keystile guards who may use this server. Apps never see your password.
    ");
    assert_eq!(page.into_response().status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn too_many_tries_say_how_long_to_wait() {
    let view = SignIn {
        tx: None,
        asks: None,
        device: None,
        username: "alice",
        problem: None,
    };
    let wait = Duration::from_millis(29_001);
    let problem = Problem::too_many(wait);
    assert_eq!(problem.code, "too_many_requests");
    let page = view.refused(StatusCode::TOO_MANY_REQUESTS, problem);
    let response = page.retry_after(wait).into_response();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "30");
}

#[test]
fn the_first_account_page_says_where_the_code_is() {
    let view = FirstAccount {
        tx: None,
        asks: None,
        admin: "keystile --data-dir /srv/notes",
        setup_code: "ABCD-EFGH-JKMN",
        device: None,
        username: "",
        problem: None,
    };
    insta::assert_snapshot!(text(view.page().html()), @r"
    Keystile
    Make the first account
    Nobody has an account here yet. The first one owns this server.
    Set-up code
    Keystile printed it in the terminal where it runs. It works once. A new one: keystile --data-dir /srv/notes user setup-link
    Name
    Password
    At least 10 characters. A few random words are easy to keep.
    Make account
    Keystile guards who may use this server. Apps never see your password.
    ");
}

#[test]
fn an_error_page_says_what_was_expected_what_to_do_and_its_reference() {
    let view = ErrorPage {
        headline: "This sign-in took too long",
        expected: "A sign-in has to be finished within ten minutes.",
        to_do: "Go back to your app and start connecting again.",
        code: "sign_in_expired",
        reference: Some("KS-7F3Q2M9X"),
    };
    insta::assert_snapshot!(text(view.page(StatusCode::BAD_REQUEST).html()), @r"
    Keystile
    This sign-in took too long
    A sign-in has to be finished within ten minutes.
    What to do
    Go back to your app and start connecting again.
    Code
    sign_in_expired
    Reference
    KS-7F3Q2M9X
    Whoever runs this server finds out more with: keystile doctor KS-7F3Q2M9X
    ");
}

#[test]
fn the_account_page_lists_apps_and_how_to_end_them() {
    let app = ConnectedApp {
        who: "claude.ai (“Claude”)".to_owned(),
        resource: "http://localhost:7717/knowledge-base/mcp".to_owned(),
        powers: "Use every tool of knowledge-base".to_owned(),
        since: "2026-11-22 21:28 UTC".to_owned(),
        last_used: None,
        grant: "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b44".to_owned(),
        csrf: "token".to_owned(),
    };
    let view = Account {
        person: "alice",
        apps: vec![app],
        csrf_sign_out: "token",
        done: None,
    };
    insta::assert_snapshot!(text(view.page().html()), @r"
    Keystile
    Your account
    Sign out
    You are alice.
    Connected apps
    claude.ai (“Claude”)
    Uses http://localhost:7717/knowledge-base/mcp
    Use every tool of knowledge-base
    Connected 2026-11-22 21:28 UTC · not renewed yet
    Disconnect
    Keystile guards who may use this server. Apps never see your password.
    ");
}

#[test]
fn a_037_pages_cannot_be_framed_cached_or_sniffed() {
    let response = consent(None).page().into_response();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(
        header("content-security-policy"),
        Some(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' \
             https://claude.ai https://claude.com claude:; frame-ancestors 'none'; base-uri 'none'"
        )
    );
    assert_eq!(header("x-frame-options"), Some("DENY"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    assert_eq!(header("referrer-policy"), Some("same-origin"));
    assert_eq!(
        header("cross-origin-opener-policy"),
        None,
        "clients open this page in a popup"
    );
}

#[test]
fn an_app_is_well_known_only_as_long_as_the_policy_says_so() {
    let client = ClientSnapshot {
        client_id: "ksd_x".to_owned(),
        kind: ClientKind::Registered,
        name: None,
        is_loopback_only: false,
        trust: Trust::Unknown,
        proves: false,
        once: false,
    };
    let known = RegistrationPolicy::default();
    let nobody = RegistrationPolicy {
        callbacks: Vec::new(),
        ..RegistrationPolicy::default()
    };
    let redirect = |uri| RedirectUri::parse(uri).expect("a legal redirect");
    let of = |uri, policy| Vouched::of(&client, &redirect(uri), policy);
    let claude = "https://claude.ai/api/mcp/auth_callback";
    assert_eq!(of(claude, Some(&known)), Some(Vouched::WellKnown));
    assert_eq!(of(claude, Some(&nobody)), Some(Vouched::ByNobody));
    assert_eq!(of(claude, None), Some(Vouched::ByNobody));
    assert_eq!(of("http://127.0.0.1:1/cb", Some(&known)), None);
}
