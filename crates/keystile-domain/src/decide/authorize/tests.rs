use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_protocol::issuer::Issuer;

use super::*;
use crate::client::{Client, ClientKind};

const CHALLENGE: &str =
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

fn table() -> ResourceTable {
    ResourceTable::new(
        &Issuer::parse("http://localhost:7717").unwrap(),
        &["kb".to_owned()],
    )
}

fn judge(query: &str) -> Result<Authorizable, ErrorCode> {
    authorize(&Params::parse(query.as_bytes()).unwrap(), &table()).map_err(|error| error.code)
}

fn client(redirect_uris: &[&str], any_loopback_port: bool) -> Client {
    Client {
        client_id: "c".into(),
        kind: ClientKind::PreRegistered,
        name: None,
        redirect_uris: redirect_uris.iter().map(ToString::to_string).collect(),
        any_loopback_port,
        auth_method: TokenEndpointAuthMethod::None,
        jwks_uri: None,
        grant_types: crate::records::GrantTypes::default(),
        trust: crate::client::Trust::Unknown,
        pushes_only: false,
    }
}

#[test]
fn a_001_a_redirect_that_is_not_registered_is_never_trusted() {
    let client = client(&["http://127.0.0.1/callback"], true);
    assert!(trusted_redirect(&client, Some("http://127.0.0.1:4711/callback")).is_ok());
    for asked in [
        None,
        Some("https://evil.example/cb"),
        Some("http://127.0.0.1:4711/other"),
        Some("javascript:alert(1)"),
    ] {
        let refused = trusted_redirect(&client, asked).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRequest, "{asked:?}");
    }
}

#[test]
fn an_illegal_uri_in_an_old_record_is_not_trusted() {
    let client = client(&["http://evil.example/cb", "javascript:alert(1)"], true);
    assert!(trusted_redirect(&client, Some("http://evil.example/cb")).is_err());
    assert!(trusted_redirect(&client, Some("javascript:alert(1)")).is_err());
}

#[test]
fn the_small_differences_are_named() {
    let told = |registered: &[&str], native: bool, asked: &str| {
        let refused = trusted_redirect(&client(registered, native), Some(asked)).unwrap_err();
        assert_eq!(refused.reason(), NOT_REGISTERED);
        refused.description.into_owned()
    };
    let one = "http://127.0.0.1/callback";
    for (asked, how) in [
        (
            "http://127.0.0.1:4711/callback/",
            "They differ only in a trailing slash.",
        ),
        (
            "http://127.0.0.1:4711/Callback",
            "They differ only in upper and lower case, in the path.",
        ),
        (
            "http://localhost:4711/callback",
            "They differ only in localhost and 127.0.0.1, which are two hosts here.",
        ),
        (
            "http://127.0.0.1:4711/callbak",
            "They differ only in the path: /callbak instead of /callback.",
        ),
        (
            "http://127.0.0.1/callback?x=1",
            "They differ only in what stands behind the question mark.",
        ),
        (
            "https://127.0.0.1/callback",
            "They differ only in the scheme: https instead of http.",
        ),
        ("http://localhost/cb", "They differ in host and path."),
        ("cursor://callback", "They differ in scheme, host and path."),
    ] {
        let told = told(&[one], true, asked);
        let wanted = format!("Asked for: '{asked}'. Registered: '{one}'. {how}");
        assert!(told.ends_with(&wanted), "{told}");
    }
    let told = told(
        &[
            "https://b.example/cb",
            "https://c.example/cb",
            "https://d.example/cb",
            "http://127.0.0.1:1/callback",
            "http://[::1]:1/callback",
        ],
        false,
        "http://127.0.0.1:2/callback",
    );
    assert!(
        told.ends_with(
            "Registered: 'http://127.0.0.1:1/callback' 'http://[::1]:1/callback' 'https://b.example/cb' and 2 more. \
             Nearest is 'http://127.0.0.1:1/callback'. They differ only in the port: 2 instead of 1. \
             It may vary only for native clients on loopback."
        ),
        "{told}"
    );
}

#[test]
fn pkce_matrix_of_an_authorization_request() {
    let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (challenge, method, fine) in [
        (Some(good), Some("S256"), true),
        (Some(good), Some("plain"), false),
        (Some(good), Some("s256"), false),
        (Some(good), Some("S512"), false),
        (Some(good), Some(""), false),
        (Some(good), None, false),
        (None, Some("S256"), false),
        (None, Some("plain"), false),
        (None, None, false),
        (Some(""), Some("S256"), false),
        (Some("short"), Some("S256"), false),
        (Some(&good[1..]), Some("S256"), false),
    ] {
        let mut query = String::from("response_type=code");
        if let Some(challenge) = challenge {
            query += &format!("&code_challenge={challenge}");
        }
        if let Some(method) = method {
            query += &format!("&code_challenge_method={method}");
        }
        let outcome = judge(&query).map(|_| ());
        assert_eq!(
            outcome,
            if fine {
                Ok(())
            } else {
                Err(ErrorCode::InvalidRequest)
            },
            "{query}"
        );
    }
}

#[test]
fn only_the_code_flow_by_query() {
    assert_eq!(
        judge(&format!("response_type=token&{CHALLENGE}")).unwrap_err(),
        ErrorCode::UnsupportedResponseType
    );
    assert_eq!(judge(CHALLENGE).unwrap_err(), ErrorCode::InvalidRequest);
    assert_eq!(
        judge(&format!(
            "response_type=code&response_mode=fragment&{CHALLENGE}"
        ))
        .unwrap_err(),
        ErrorCode::InvalidRequest
    );
    assert_eq!(
        judge(&format!("response_type=code&request_uri=x&{CHALLENGE}")).unwrap_err(),
        ErrorCode::InvalidRequest
    );
    assert_eq!(
        judge(&format!("response_type=code&prompt=none&{CHALLENGE}")).unwrap_err(),
        ErrorCode::LoginRequired
    );
    for (prompt, another) in [
        ("consent", false),
        ("login", true),
        ("consent%20select_account", true),
        ("logins", false),
    ] {
        let asked = judge(&format!("response_type=code&prompt={prompt}&{CHALLENGE}"));
        assert_eq!(asked.expect(prompt).another_sign_in, another, "{prompt}");
    }
}

#[test]
fn scopes_are_what_exists_here() {
    let asked = |scope: &str| {
        judge(&format!("response_type=code&{CHALLENGE}{scope}")).map(|fine| fine.scopes.to_string())
    };
    assert_eq!(asked(""), Ok("kb:call".into()));
    assert_eq!(
        asked("&scope=kb:call+offline_access+openid"),
        Ok("kb:call offline_access".into())
    );
    assert_eq!(
        asked("&scope=offline_access"),
        Ok("kb:call offline_access".into()),
        "alone it would open nothing"
    );
    assert_eq!(
        asked("&scope=kb:read+offline_access"),
        Ok("kb:read offline_access".into()),
        "no more than was asked"
    );
    assert_eq!(
        asked("&scope=kb:read+kb:call"),
        Ok("kb:call".into()),
        "the wider one says it all"
    );
    assert_eq!(
        asked("&scope=admin:everything"),
        Err(ErrorCode::InvalidScope)
    );
    assert_eq!(asked("&scope=a%22b"), Err(ErrorCode::InvalidScope));
}
