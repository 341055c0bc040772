//! Where a client finds out whom to ask for a token.

use axum::body::Body;
use http::StatusCode;
use serde_json::Value;

use crate::support::{App, ORIGIN, TOOL_CALL, anonymous, challenge, text};

#[tokio::test]
async fn n_rs_01_the_metadata_stands_where_rfc9728_wants_it() {
    let app = App::echo().await;
    let path = "/.well-known/oauth-protected-resource/kb/mcp";
    assert!(app.gateway.place(path).is_some());
    let (status, body) = text(
        app.send(anonymous("GET", path).body(Body::empty()).unwrap())
            .await,
    )
    .await;
    let document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(document["resource"], format!("{ORIGIN}/kb/mcp"));
    assert_eq!(
        document["authorization_servers"],
        serde_json::json!([ORIGIN])
    );
    assert_eq!(
        document["scopes_supported"],
        serde_json::json!(["kb:call"]),
        "N-RS-12: nothing else"
    );
    assert!(
        app.gateway
            .place("/.well-known/oauth-protected-resource")
            .is_none(),
        "two resources live here"
    );
    assert!(
        app.gateway
            .place("/.well-known/oauth-protected-resource/other/mcp")
            .is_none()
    );
}

#[tokio::test]
async fn n_rs_02_every_challenge_names_the_metadata_of_its_own_path() {
    let app = App::echo().await;
    for (path, name) in [("/kb/mcp", "kb"), ("/git/mcp", "git")] {
        let wanted = format!(
            "resource_metadata=\"{ORIGIN}/.well-known/oauth-protected-resource/{name}/mcp\""
        );
        let other = app.token_with(|claims| claims.aud = "http://elsewhere/mcp".to_owned());
        let unscoped = app.token_with(|claims| {
            claims.aud = format!("{ORIGIN}{path}");
            claims.scope = String::new();
        });
        for (status, authorization) in [
            (401, None),
            (401, Some(format!("Bearer {other}"))),
            (403, Some(format!("Bearer {unscoped}"))),
            (400, Some("Bearer".to_owned())),
        ] {
            let mut request = anonymous("POST", path);
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let answer = app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await;
            assert_eq!(answer.status(), status);
            assert!(
                challenge(&answer).contains(&wanted),
                "{}",
                challenge(&answer)
            );
            assert!(challenge(&answer).contains(&format!("scope=\"{name}:call\"")));
        }
    }
    assert_eq!(app.server.count(), 0);
}
