mod pkce_names;
mod shown_of_others;

use keystile_protocol::issuer::Issuer;
use keystile_protocol::jwt::{ClaimedOfRefused, Rejected};

use super::*;
use proxy::Addressed;

#[test]
fn one_difference_of_two_addresses_is_named() {
    let registered = "https://app.example:8443/oauth/Callback";
    for (asked, reason) in [
        (
            "http://app.example:8443/oauth/Callback",
            "x_differs_in_scheme",
        ),
        (
            "https://app.exampel:8443/oauth/Callback",
            "x_differs_in_host",
        ),
        (
            "https://app.example:8444/oauth/Callback",
            "x_differs_in_port",
        ),
        ("https://app.example/oauth/Callback", "x_differs_in_port"),
        (
            "https://app.example:8443/oauth/Callbacks",
            "x_differs_in_path",
        ),
        (
            "https://app.example:8443/oauth/Callback/",
            "x_differs_in_slash",
        ),
        (
            "https://app.example:8443/oauth/callback",
            "x_differs_in_case",
        ),
        (
            "https://App.example:8443/oauth/Callback",
            "x_differs_in_case",
        ),
        (
            "https://app.example:8443/oauth/Callback?a=secret",
            "x_differs_in_query",
        ),
        (
            "https://app.example:8443/oauth/Callback#secret",
            "x_differs_in_fragment",
        ),
        (
            "https://ann:secret@app.example:8443/oauth/Callback",
            "x_differs_in_user",
        ),
        ("http://other.example/", "x_otherwise"),
    ] {
        let all = ["https://quite.another/thing", registered];
        let diagnosis = difference::diagnose("x", "x_otherwise", asked, all.into_iter());
        assert_eq!(diagnosis.reason, reason, "{asked}");
        assert!(!diagnosis.found.contains("secret"), "{diagnosis}");
    }
    let names = ["http://127.0.0.1:7/cb"];
    let diagnosis = difference::diagnose("x", "y", "http://localhost:7/cb", names.into_iter());
    assert_eq!(diagnosis.reason, "x_differs_in_loopback_name");
}

#[test]
fn clocks_that_disagree_are_named_with_by_how_much() {
    let claimed = |iat, exp, nbf| ClaimedOfRefused {
        iss: "https://a.example".to_owned(),
        aud: "https://a.example/kb/mcp".to_owned(),
        iat,
        exp,
        nbf,
        client_id: None,
        kid: Some("k1".to_owned()),
    };
    for (claimed, reason, found) in [
        (
            claimed(1_030, 1_630, None),
            "token_from_the_future",
            "30 s from now",
        ),
        (
            claimed(1_000, 1_600, Some(1_007)),
            "token_from_the_future",
            "7 s from now",
        ),
        (claimed(390, 990, None), "token_expired", "10 s ago"),
        (
            claimed(400, 1_000, None),
            "token_expired",
            "0 s ago; its lifetime was 600 s",
        ),
        (
            claimed(900, 90_000, None),
            "token_lives_too_long",
            "89100 s",
        ),
    ] {
        let diagnosis = token::rejected(Rejected::Time, Some(&claimed), "", "", 1_000);
        assert_eq!(diagnosis.reason, reason);
        assert!(diagnosis.found.contains(found), "{diagnosis}");
    }
    let good = claimed(900, 1_100, None);
    let of = |why, issuer: &str, resource: &str| {
        token::rejected(why, Some(&good), issuer, resource, 1_000).reason
    };
    assert_eq!(
        of(Rejected::Issuer, "http://a.example", ""),
        "token_issuer_differs_in_scheme"
    );
    assert_eq!(of(Rejected::Issuer, "http://b.example", ""), "wrong_issuer");
    let slash = "https://a.example/kb/mcp/";
    assert_eq!(
        of(Rejected::Audience, "", slash),
        "token_audience_differs_in_slash"
    );
    assert_eq!(of(Rejected::UnknownKey, "", ""), "unknown_key");
    let strange = ClaimedOfRefused {
        kid: Some(format!("k\u{1b}[2J{}", "x".repeat(200))),
        ..good.clone()
    };
    let whose = token::rejected(
        Rejected::UnknownKey,
        Some(&strange),
        "https://b.example",
        "",
        0,
    );
    for part in ["'k?[2Jxxx", "…'", "'https://a.example'"] {
        assert!(whose.found.contains(part), "{whose}");
    }
    assert!(whose.expected.contains("'https://b.example'"), "{whose}");
    assert!(whose.fix.contains("another installation"), "{whose}");
}

#[test]
fn a_proxy_that_names_another_address_is_seen() {
    let of = |public: &str, host, forwarded_host, forwarded_proto| {
        let public = Issuer::parse(public).unwrap();
        let addressed = Addressed {
            host,
            forwarded_host,
            forwarded_proto,
        };
        proxy::diagnose(&public, &addressed).map(|it| it.reason)
    };
    let secure = "https://mcp.example.com";
    let local = "http://localhost:7717";
    for (public, host, forwarded_host, proto, reason) in [
        (secure, Some("mcp.example.com"), None, None, None),
        (
            secure,
            Some("MCP.example.com:443"),
            None,
            Some("https"),
            None,
        ),
        (
            secure,
            Some("10.0.0.1:7717"),
            Some("mcp.example.com"),
            Some("https"),
            None,
        ),
        (secure, Some("10.0.0.1:7717"), None, None, Some("host")),
        (
            secure,
            Some("mcp.example.com"),
            None,
            Some("http"),
            Some("scheme"),
        ),
        (
            secure,
            Some("mcp.example.com:8443"),
            None,
            None,
            Some("port"),
        ),
        (
            local,
            Some("localhost:7717"),
            Some("mcp.example.com"),
            Some("https"),
            Some("host"),
        ),
        (local, Some("localhost:8080"), None, None, Some("port")),
        (local, Some("[::1]:7717"), None, None, Some("loopback_name")),
        (
            local,
            Some("127.0.0.1:7717"),
            None,
            None,
            Some("loopback_name"),
        ),
        (
            local,
            Some("127.0.0.1.example:7717"),
            None,
            None,
            Some("host"),
        ),
        ("http://[::1]:7717", Some("[::1]:7717"), None, None, None),
    ] {
        let expected = reason.map(|part| format!("public_url_differs_in_{part}"));
        let found = of(public, host, forwarded_host, proto);
        assert_eq!(found.as_deref(), expected.as_deref(), "{public} {host:?}");
    }
}

#[test]
fn a_proxy_that_changes_host_and_says_what_was_asked_for_is_named() {
    let public = Issuer::parse("https://mcp.example.com").unwrap();
    let of = |host, forwarded_host| {
        let addressed = Addressed {
            host: Some(host),
            forwarded_host,
            forwarded_proto: Some("https"),
        };
        proxy::refused(&public, &addressed)
    };
    let changed = of("127.0.0.1:7717", Some("mcp.example.com")).unwrap();
    assert_eq!(changed.reason, "proxy_changes_host");
    assert!(changed.found.contains("127.0.0.1:7717") && changed.fix.contains("proxy_set_header"));
    for forwarded in [None, Some("other.example")] {
        let other = of("other.example", forwarded).unwrap();
        assert_eq!(other.reason, "public_url_differs_in_host");
    }
}

#[test]
fn every_name_has_one_line_of_advice() {
    let mut seen: Vec<&str> = Vec::new();
    for line in advice::all() {
        assert!(
            !line.expected.is_empty() && !line.fix.is_empty(),
            "{}",
            line.reason
        );
        assert_eq!(
            advice::find(line.reason),
            Some(line),
            "{} is behind another",
            line.reason
        );
        seen.push(line.reason);
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
}
