use super::*;

fn refused(text: &str) -> RedirectError {
    match RedirectUri::parse(text) {
        Err(error) => error,
        Ok(uri) => panic!("{text:?} was accepted as {:?}", uri.kind()),
    }
}

#[test]
fn what_real_clients_register_is_accepted() {
    for text in [
        "http://127.0.0.1:33418/",
        "http://127.0.0.1/callback",
        "http://localhost:8787/callback",
        "http://[::1]:5000/cb",
        "http://127.0.0.1:6276/oauth/callback",
        "https://claude.ai/api/mcp/auth_callback",
        "https://chatgpt.com/connector/oauth/abc_1-2",
        "https://vscode.dev/redirect",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "com.example.app:/oauth2redirect",
        "https://example.com:8443/cb?tenant=1",
    ] {
        RedirectUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn n_as_17_only_https_loopback_and_private_use_schemes() {
    for text in [
        "http://evil.example/cb",
        "http://192.168.1.10/cb",
        "http://10.0.0.1:8080/",
        "http://localhost.evil/cb",
        "http://0.0.0.0/cb",
        "http://[::]/cb",
        "http://[::2]/cb",
    ] {
        assert_eq!(refused(text), RedirectError::PlainHttp, "{text}");
    }
    assert_eq!(refused("/callback"), RedirectError::Malformed);
    assert_eq!(refused(""), RedirectError::Length);
}

#[test]
fn n_as_18_a_redirect_is_the_registered_bytes() {
    let registered = RedirectUri::parse("https://app.example/cb").unwrap();
    for text in [
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example/cbevil",
        "https://app.example:444/cb",
        "https://app.example.evil/cb",
        "https://app.example/CB",
        "https://sub.app.example/cb",
    ] {
        let came = RedirectUri::parse(text).unwrap();
        assert!(!registered.accepts(&came, true), "{text}");
    }
    assert!(registered.accepts(&registered, false));
}

#[test]
fn only_the_loopback_port_may_differ_and_only_for_clients_that_may() {
    let registered = RedirectUri::parse("http://127.0.0.1/callback").unwrap();
    let came = |text: &str| RedirectUri::parse(text).unwrap();
    assert!(registered.accepts(&came("http://127.0.0.1:40123/callback"), true));
    assert!(!registered.accepts(&came("http://127.0.0.1:40123/callback"), false));
    assert!(!registered.accepts(&came("http://127.0.0.1:40123/other"), true));
    assert!(!registered.accepts(&came("http://localhost:40123/callback"), true));
    assert!(!registered.accepts(&came("http://[::1]:40123/callback"), true));
    let web = RedirectUri::parse("https://app.example/cb").unwrap();
    assert!(!web.accepts(&came("https://app.example:444/cb"), true));
}

#[test]
fn a_002_userinfo_is_refused_in_every_form() {
    for text in [
        "https://good@evil.example/cb",
        "https://a@b@good.example/cb",
        "https://good.example%40evil.example/cb",
        "https://user:pass@good.example/",
        "http://localhost@evil.example/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "https://@good.example/cb",
        "https://good.example:443@evil.example/",
    ] {
        refused(text);
    }
}

#[test]
fn a_003_dot_segments_are_refused_in_every_spelling() {
    for path in [
        "/..",
        "/../x",
        "/a/../b",
        "/a/./b",
        "/.",
        "/a/.",
        "/a/..",
        "/..;/b",
        "/a/..;x=1/b",
        "/%2e%2e/b",
        "/%2E%2E/b",
        "/.%2e/b",
        "/%2e./b",
        "/%2e/b",
        "/a/%2E/b",
        "/a%2f..%2fb",
        "/a%2F%2e%2e%2Fb",
        "/a/..%2fb",
        "/a%5c..%5cb",
        "/a/%2e%2e;/b",
        "/a/..%00/b",
        "/a/..%3b/b",
        "/..%2f",
        "/%2e%2e%2f",
        "/a//../b",
        "/a/.;/b",
        "/a/..%5cb",
        "/a/%2e%2E/b",
        "/a/.%2E/b",
        "/x/..",
    ] {
        assert_eq!(
            refused(&format!("https://app.example{path}")),
            RedirectError::DotSegments,
            "{path}"
        );
    }
    RedirectUri::parse("https://app.example/a.b/..c/.well-known").unwrap();
}

#[test]
fn a_004_a_loopback_entry_is_no_pattern() {
    for text in [
        "http://localhost.evil/cb",
        "http://localhost.evil.example:80/cb",
        "http://127.0.0.1.evil/cb",
        "http://localhostevil/cb",
        "http://127.0.0.1.nip.io/cb",
        "http://localhost-evil.example/",
    ] {
        assert_eq!(refused(text), RedirectError::PlainHttp, "{text}");
    }
}

#[test]
fn a_005_loopback_look_alikes_are_refused() {
    for text in [
        "http://127.1/cb",
        "http://0x7f.1/cb",
        "http://2130706433/cb",
        "http://0177.0.0.1/cb",
        "http://127.0.0.01/cb",
        "http://127.0.0.1./cb",
        "http://localhost./cb",
        "http://LOCALHOST/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "http://[::ffff:127.0.0.1]/cb",
        "http://[::0001]/cb",
        "http://%6cocalhost/cb",
        "http://127.0.0.1:080/cb",
    ] {
        refused(text);
    }
}

#[test]
fn a_006_scheme_tricks_are_refused() {
    let mut payloads: Vec<String> = Vec::new();
    for scheme in NEVER {
        payloads.extend([
            format!("{scheme}:x"),
            format!("{scheme}://x/y"),
            scheme.to_uppercase() + ":x",
        ]);
    }
    payloads.extend(
        [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "\tjavascript:alert(1)",
            "java\nscript:alert(1)",
            " javascript:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,x",
            "DATA:x",
            "vbscript:x",
            "https:evil.example",
            "https:/evil.example",
            "https:\\\\evil.example",
            "HTTPS://evil.example/",
            "Http://localhost/",
            "//evil.example/cb",
            "http:localhost",
            "1abc:x",
            "a_b:x",
            ":x",
            "x:",
            "https://",
            "https:///cb",
            "http://:80/",
            "https://ex\u{e4}mple.com/",
            "https://a b/",
        ]
        .map(str::to_owned),
    );
    assert!(payloads.len() >= 60);
    for text in payloads {
        refused(&text);
    }
}

#[test]
fn no_host_is_a_pattern() {
    for text in ["https://*.desk.example/cb", "https://*/cb", "http://*/cb"] {
        assert_eq!(refused(text), RedirectError::Malformed, "{text}");
    }
}

#[test]
fn a_fragment_a_backslash_or_a_control_is_refused() {
    for text in [
        "https://a.example/cb#x",
        "https://a.example/cb#",
        "https://a.example\\@b/",
        "https://a.example/\r\nx",
        "https://a.example/\u{0}",
    ] {
        refused(text);
    }
}

#[test]
fn a_query_that_names_part_of_the_answer_is_refused() {
    for name in [
        "code",
        "state",
        "iss",
        "error",
        "error_description",
        "error_uri",
        "%69ss",
    ] {
        for text in [
            format!("https://a.example/cb?{name}=theirs"),
            format!("https://a.example/cb?a=1&{name}"),
            format!("http://127.0.0.1:1/cb?{name}=theirs&a=1"),
            format!("cursor://x/cb?{name}="),
        ] {
            assert_eq!(refused(&text), RedirectError::AnswerParameter, "{text}");
        }
    }
    for fine in [
        "https://a.example/iss=/cb",
        "https://a.example/cb?issuer=1&x=iss&State=1",
    ] {
        RedirectUri::parse(fine).unwrap_or_else(|error| panic!("{fine}: {error}"));
    }
}

#[test]
fn params_are_added_and_the_registered_bytes_stay() {
    let uri = RedirectUri::parse("https://a.example/cb?t=1").unwrap();
    assert_eq!(
        uri.with_params(&[("code", "a b&c"), ("iss", "http://localhost:7717")]),
        "https://a.example/cb?t=1&code=a+b%26c&iss=http%3A%2F%2Flocalhost%3A7717"
    );
    let bare = RedirectUri::parse("cursor://x/cb").unwrap();
    assert_eq!(bare.with_params(&[("code", "1")]), "cursor://x/cb?code=1");
}
