//! How much of what somebody else sent is shown.

use keystile_protocol::jwt::Rejected;

use super::*;
use crate::ids::GrantId;
use crate::secrets::code::{CODE_LENGTH, FreshSecret};

struct Sevens;

impl crate::ports::Rng for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[test]
fn a_code_that_was_changed_on_the_way_is_told_from_one_of_another_server() {
    let code = FreshSecret::authorization_code(GrantId::from_bytes([9; 16]), &Sevens).text;
    let body = &code[4..];
    let end = &code[60..];
    for (text, reason, found) in [
        (
            code[..60].to_owned(),
            "code_damaged",
            "has 60 characters of 68, and it was cut off",
        ),
        ("ksc_".to_owned(), "code_damaged", "cut off"),
        (
            format!("{code}{end}"),
            "code_damaged",
            "has 76 characters of 68, and something else stands behind it",
        ),
        (
            format!("{code}\n"),
            "code_damaged",
            "white space stands before or behind it",
        ),
        (
            format!(" {code}"),
            "code_damaged",
            "white space stands before or behind it",
        ),
        (
            code.replacen('C', "C ", 1),
            "code_damaged",
            "white space stands in it",
        ),
        (
            code.replace('_', "%5F"),
            "code_damaged",
            "percent-encoded once too often",
        ),
        (
            format!("{code}%0A"),
            "code_damaged",
            "percent-encoded once too often",
        ),
        (
            format!("\"{code}\""),
            "code_damaged",
            "characters stand in it that no code has (2)",
        ),
        (
            format!("{code}&state=x"),
            "code_damaged",
            "that no code has (2)",
        ),
        (
            code.to_uppercase(),
            "code_damaged",
            "its beginning was changed",
        ),
        (
            body.to_owned(),
            "code_not_ours",
            "does not begin with ksc_; it has 64 characters",
        ),
        (
            "SplxlOBeZQQYbYS6WxSbIA".to_owned(),
            "code_not_ours",
            "it has 22 characters",
        ),
        (String::new(), "code_not_ours", "it has 0 characters"),
        (
            code.replacen("ksc_", "ksr_", 1),
            "code_not_ours",
            "begins as a refresh token of Keystile does",
        ),
        (
            code.replacen("ksc_", "ksv_", 1),
            "code_not_ours",
            "a device code",
        ),
        (
            "eyJhbGciOiJFUzI1NiJ9.e30.AAAA".to_owned(),
            "code_not_ours",
            "an access token",
        ),
    ] {
        let told = code::damaged(&text);
        assert_eq!(told.reason, reason, "{text}: {told}");
        assert!(told.found.contains(found), "{found}: {told}");
        for secret in [body, &body[..12], end, "SplxlOBe"] {
            assert!(!format!("{told:?}").contains(secret), "{told}");
        }
    }
    assert_eq!(code.len(), CODE_LENGTH);
    assert!(code::unknown().fix.contains("another data directory"));
}

#[test]
fn a_second_use_is_named_once_with_what_was_wrong_besides() {
    let grant = GrantId::from_bytes([9; 16]);
    let wrong = Diagnosis::named("code_of_another_redirect_uri", "'x' came.");
    let told = code::reused_wrongly(grant, wrong.clone());
    assert_eq!(told.reason, "code_reused_wrongly");
    for part in [
        "gave its tokens before",
        "(code_of_another_redirect_uri)",
        "'x' came.",
    ] {
        assert!(told.found.contains(part), "{told}");
    }
    let command = format!("keystile grant revoke {grant} ");
    assert!(
        told.fix.contains(&command) && told.fix.ends_with(&wrong.fix),
        "{told}"
    );
    assert_eq!(code::reused_wrongly(grant, told.clone()), told);
}

#[test]
fn an_id_that_nobody_knows_is_shown_as_far_as_it_can_be_no_secret() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    for (id, shown) in [
        (verifier, "'dBjf…' (43 characters)"),
        ("ksc_AAAABBBBCCCCDDDD", "'ksc_…' (20 characters)"),
        ("notes-desktop", "'not…' (13 characters)"),
        ("hunter2", "'h…' (7 characters)"),
        ("abc", "'…' (3 characters)"),
        ("\u{1b}[2Jxxxxxxxxxxxx", "'?[2J…' (16 characters)"),
        (
            "https://ann:hunter2@app.example/client.json?key=hunter2",
            "'https://app.example/client.json'",
        ),
        ("ksd_short", "'ksd_short'"),
    ] {
        assert_eq!(client::quoted(id), shown);
    }
    let long = format!("ksd_{}", "x".repeat(4_000));
    assert_eq!(client::quoted(&long).chars().count(), 25);
    let told = client::lost(
        "ksx_AAAABBBBCCCCDDDD",
        crate::secrets::whose_id::SealedBy::Nobody,
    );
    assert!(told.found.contains("a client secret of Keystile"), "{told}");
    let told = client::differs("notes-desktop", "notes-deskTop");
    assert!(told.found.contains("differ from character 11 on"), "{told}");
    for known in ["notes-desktop", "hunter2"] {
        assert!(client::disabled(known).found.contains(known));
    }
    assert_eq!(short("ksr_AAAABBBB"), "(a refresh token)");
}

#[test]
fn everything_in_which_an_address_differs_is_found() {
    let known = [
        "https://quite.another/thing",
        "https://app.example/oauth/cb?v=1",
    ];
    for (asked, found) in [
        (
            "https://app.example/oauth/cb/?v=2",
            "it differs from 'https://app.example/oauth/cb' in 2 things: in slashes at the end; behind the question mark.",
        ),
        (
            "http://app.example:8080/oauth/cb?v=1",
            "in 2 things: in the scheme; in the port.",
        ),
        (
            "http://app.exampel/oauth/cbs?v=1",
            "in 3 things: in the scheme; in the host; in the path.",
        ),
    ] {
        let told = difference::diagnose("x", "x_otherwise", asked, known.into_iter());
        assert_eq!(told.reason, "x_otherwise");
        assert!(told.found.ends_with(found), "{told}");
        let nearest = "Expected 'https://app.example/oauth/cb' or";
        assert!(told.expected.contains(nearest), "{}", told.expected);
    }
}

#[test]
fn an_assertion_says_who_it_claims_to_be_whatever_else_is_wrong_with_it() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let of = |claims: &str| {
        let parts = ["{}", claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        assertion::claimed(&format!("{}.{}.AAAA", parts[0], parts[1]))
    };
    let both = |one: &str, other: &str| vec![("sub", one.to_owned()), ("iss", other.to_owned())];
    assert_eq!(of(r#"{"iss":"a","sub":"b","aud":[]}"#), both("b", "a"));
    assert_eq!(of(r#"{"iss":"a","sub":"a"}"#), [("sub", "a".to_owned())]);
    assert_eq!(of(r#"{"iss":"a","sub":7}"#), [("iss", "a".to_owned())]);
    assert_eq!(of(r#"{"iss":"","sub":null}"#), []);
    assert_eq!(assertion::claimed("nonsense"), []);
    let expected = keystile_protocol::jwt::assertion::AssertionExpectations {
        client_id: "",
        issuer: "http://localhost:7717",
        now: 0,
    };
    let claims =
        URL_SAFE_NO_PAD.encode(r#"{"iss":"https://idp.example/?x","sub":"notes-desktop"}"#);
    let told = assertion::rejected(Rejected::Issuer, &format!("e30.{claims}.AAAA"), &expected);
    let found = "iss is 'https://idp.example/' and sub is 'not…' (13 characters).";
    assert_eq!(told.found, found);
}
