use keystile_protocol::issuer::Issuer;

use super::*;

fn judge(body: &str) -> Result<Registrable, ErrorCode> {
    let table = ResourceTable::new(
        &Issuer::parse("http://localhost:7717").unwrap(),
        &["kb".to_owned()],
    );
    let metadata = ClientMetadata::registration(body.as_bytes()).unwrap();
    let policy = RegistrationPolicy::default();
    let asked = register(metadata, &policy, &table).map_err(|error| error.code)?;
    admit(&asked, &policy, &Leave::Places(BTreeSet::new())).map_err(|error| error.code)?;
    Ok(asked)
}

#[test]
fn what_cursor_sends_in_one_registration_is_accepted() {
    let cursor = r#"{"client_name":"Cursor","token_endpoint_auth_method":"none","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"]}"#;
    let fine = judge(cursor).unwrap();
    assert_eq!(fine.auth_method, TokenEndpointAuthMethod::None);
    assert_eq!(
        fine.metadata.scope.as_deref(),
        Some("kb:call offline_access")
    );
    assert!(
        fine.metadata
            .grant_types
            .contains(&"refresh_token".to_owned())
    );
}

#[test]
fn an_unknown_https_redirect_or_scheme_needs_the_operator() {
    for uri in [
        "https://evil.example/cb",
        "evil://cb",
        "https://chatgpt.com/connector/oauth/a/b",
        "https://chatgpt.com/connector/oauth/",
        "https://claude.ai.evil.example/api/mcp/auth_callback",
    ] {
        let body = format!(r#"{{"token_endpoint_auth_method":"none","redirect_uris":["{uri}"]}}"#);
        assert_eq!(
            judge(&body).unwrap_err(),
            ErrorCode::InvalidRedirectUri,
            "{uri}"
        );
    }
    let chatgpt = r#"{"token_endpoint_auth_method":"none","redirect_uris":["https://chatgpt.com/connector/oauth/Ab_1-2"]}"#;
    assert!(judge(chatgpt).is_ok());
}

#[test]
fn a_web_client_has_no_loopback_redirect() {
    let with = |kind: &str| {
        judge(&format!(
            r#"{{"application_type":"{kind}","token_endpoint_auth_method":"none","redirect_uris":["http://127.0.0.1:1/cb"]}}"#
        ))
    };
    assert_eq!(with("web").unwrap_err(), ErrorCode::InvalidRedirectUri);
    assert!(with("native").is_ok());
}

#[test]
fn the_same_client_in_another_order_is_the_same() {
    let a = judge(
        r#"{"token_endpoint_auth_method":"none","redirect_uris":["http://127.0.0.1:1/cb","http://localhost:1/cb"]}"#,
    );
    let b = judge(
        r#"{"redirect_uris":["http://localhost:1/cb","http://127.0.0.1:1/cb","http://localhost:1/cb"],"token_endpoint_auth_method":"none"}"#,
    );
    assert_eq!(a.unwrap(), b.unwrap());
}
