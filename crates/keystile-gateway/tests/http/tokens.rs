//! Whose token is good for what.

use http::Response;
use serde_json::Value;

use crate::support::{
    App, GRANT, NOW, ORIGIN, TOOL_CALL, anonymous, challenge, json_answer, refusal, text,
};
use axum::body::Body;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_good_token_reaches_the_upstream_and_the_audit_trail() {
    let app = App::new(|_| json_answer(r#"{"jsonrpc":"2.0","id":7,"result":{"x":1.0}}"#)).await;
    let (status, body) = text(app.send(app.call()).await).await;
    assert_eq!(
        (status.as_u16(), &*body),
        (200, r#"{"jsonrpc":"2.0","id":7,"result":{"x":1.0}}"#)
    );
    let seen = app.server.last();
    assert_eq!(seen.body, TOOL_CALL, "its own bytes");
    assert_eq!(seen.parts.uri, "/upstream/mcp");
    let events = app.audit.events.lock();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["outcome"], "allow");
    assert_eq!(events[0]["method"], "tools/call");
    assert_eq!(events[0]["name"], "read");
    assert_eq!(events[0]["client"], "client-1");
    assert_eq!(events[0]["resource"], format!("{ORIGIN}/kb/mcp"));
}

#[tokio::test]
async fn n_rs_03_missing_and_bad_tokens_are_401_and_malformed_ones_400() {
    let app = App::echo().await;
    let send = |authorization: Option<String>| {
        let mut request = anonymous("POST", "/kb/mcp").header("content-type", "application/json");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        app.send(request.body(Body::from(TOOL_CALL)).unwrap())
    };
    let bare = send(None).await;
    assert_eq!(bare.status(), 401);
    assert!(
        !challenge(&bare).contains("error="),
        "no credentials, no error (RFC 6750 §3)"
    );
    let (_, body) = text(bare).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"], "missing_token", "the body may have one");
    let expired = app.token_with(|claims| (claims.iat, claims.exp) = (NOW - 600, NOW));
    let early = app.token_with(|claims| claims.iat = NOW + 1);
    for token in [&*expired, &*early, "abc", "a.b.c", "ksr_x"] {
        let answer = send(Some(format!("Bearer {token}"))).await;
        assert_eq!(answer.status(), 401, "{token}");
        assert!(challenge(&answer).contains("error=\"invalid_token\""));
        assert!(
            challenge(&answer).contains("(KS-"),
            "each refusal has a reference"
        );
    }
    for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer \"x\""] {
        let answer = send(Some(value.to_owned())).await;
        assert_eq!(answer.status(), 400, "{value}");
        assert!(challenge(&answer).contains("error=\"invalid_request\""));
    }
    assert_eq!(
        send(Some(format!("Basic {}", app.token()))).await.status(),
        401
    );
    // The end of a token that is remembered is looked at again.
    assert_eq!(app.send(app.call()).await.status(), 200);
    let remembered = format!("Bearer {}", app.token_with(|claims| claims.exp = NOW + 1));
    assert_eq!(send(Some(remembered.clone())).await.status(), 200);
    app.clock.0.fetch_add(1000, Ordering::SeqCst);
    assert_eq!(send(Some(remembered)).await.status(), 401);
}

#[tokio::test]
async fn n_rs_05_a_token_without_the_scope_is_told_which() {
    let app = App::echo().await;
    for scope in ["", "git:call", "kb:cal", "kb:call2", "offline_access"] {
        let token = app.token_with(|claims| claims.scope = scope.to_owned());
        let request =
            anonymous("POST", "/kb/mcp").header("authorization", format!("Bearer {token}"));
        let answer = app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await;
        assert_eq!(answer.status(), 403, "{scope}");
        assert!(challenge(&answer).contains("error=\"insufficient_scope\""));
        assert!(challenge(&answer).contains("scope=\"kb:call\""));
        assert!(!challenge(&answer).contains("offline_access"));
    }
    assert_eq!(app.server.count(), 0);
}

/// The narrower scope opens what only looks, the wider one that too, and nobody gets past it with a
/// method that no rule names.
#[tokio::test]
async fn n_rs_07_a_token_for_reading_sees_everything_and_calls_nothing() {
    let app = App::echo().await;
    let send = async |scope: &str, message: &str| {
        let token = app.token_with(|claims| claims.scope = scope.to_owned());
        let request = anonymous("POST", "/kb/mcp")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        let request = request.body(Body::from(message.to_owned())).unwrap();
        app.send(request).await
    };
    let looks = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let does = r#"{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{"taskId":"t"}}"#;
    let tells = r#"{"jsonrpc":"2.0","method":"notifications/vendor/reset"}"#;
    for (message, status) in [(looks, 200), (TOOL_CALL, 200), (does, 200), (tells, 202)] {
        let answer = send("kb:call", message).await;
        assert_eq!(answer.status(), status, "{message}");
    }
    assert_eq!(send("kb:read", looks).await.status(), 200);
    let reached = app.server.count();
    for message in [TOOL_CALL, does, tells] {
        for scope in ["kb:read", "kb:read git:call"] {
            let answer = send(scope, message).await;
            assert_eq!(answer.status(), 403, "{message}");
            assert!(challenge(&answer).contains("error=\"insufficient_scope\""));
            assert!(challenge(&answer).contains("scope=\"kb:call\""));
        }
    }
    assert_eq!(
        app.server.count(),
        reached,
        "the server heard of none of it"
    );
    let events = app.audit.events.lock();
    let denied = events.last().unwrap();
    assert_eq!(denied["reason"], "insufficient_scope");
}

#[tokio::test]
async fn n_rs_08_a_token_is_good_for_one_resource_of_one_issuer() {
    let app = App::echo().await;
    let stranger = App::echo().await;
    let good = app.claims();
    let tokens = [
        app.token_with(|claims| claims.aud = format!("{ORIGIN}/git/mcp")),
        app.token_with(|claims| claims.aud = format!("{ORIGIN}/kb/mcp/")),
        app.token_with(|claims| claims.aud = ORIGIN.to_owned()),
        app.token_with(|claims| claims.aud = String::new()),
        app.token_with(|claims| claims.iss = "http://localhost:7718".to_owned()),
        app.token_with(|claims| claims.iss = format!("{ORIGIN}/")),
        app.token_with(|claims| claims.sid = None),
        app.token_with(|claims| claims.sid = Some("nonsense".to_owned())),
        app.token_with(|claims| claims.exp = claims.iat + 3601),
        stranger.key.sign(&good).unwrap(),
    ];
    for token in &tokens {
        let request =
            anonymous("POST", "/kb/mcp").header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json");
        assert_eq!(
            app.send(request.body(Body::from(TOOL_CALL)).unwrap())
                .await
                .status(),
            401
        );
    }
    // A token that was good here is remembered, and is still none for the sibling.
    assert_eq!(app.send(app.call()).await.status(), 200);
    let request =
        anonymous("POST", "/git/mcp").header("authorization", format!("Bearer {}", app.token()));
    assert_eq!(
        app.send(request.body(Body::from(TOOL_CALL)).unwrap())
            .await
            .status(),
        401
    );
    assert_eq!(app.server.count(), 1);
}

#[tokio::test]
async fn n_rs_09_the_clients_token_never_reaches_the_upstream() {
    let app = App::echo().await;
    for method in ["POST", "GET", "DELETE"] {
        let body = if method == "POST" {
            Body::from(TOOL_CALL)
        } else {
            Body::empty()
        };
        let request = app
            .builder(method)
            .header("content-type", "application/json");
        let request = request
            .header("connection", "authorization")
            .header("x-token", app.token());
        let answer = app.send(request.body(body).unwrap()).await;
        assert!(answer.status().is_success());
    }
    assert_eq!(app.server.count(), 3);
    for seen in app.server.seen.lock().iter() {
        let all = format!(
            "{:?}{:?}{:?}",
            seen.parts.headers, seen.parts.uri, seen.body
        );
        assert!(!all.contains("eyJ"), "{all}");
    }
}

#[tokio::test]
async fn n_rs_10_a_token_only_counts_in_one_authorization_header() {
    let app = App::echo().await;
    let token = app.token();
    for (uri, status) in [
        (format!("/kb/mcp?access_token={token}"), 400),
        (format!("/kb/mcp?a=b&access%5Ftoken={token}"), 400),
    ] {
        let post = |with: bool| {
            let mut request = anonymous("POST", &uri).header("content-type", "application/json");
            if with {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            request.body(Body::from(TOOL_CALL)).unwrap()
        };
        assert_eq!(app.send(post(false)).await.status(), status);
        assert_eq!(app.send(post(true)).await.status(), status);
    }
    let twice = app
        .builder("POST")
        .header("authorization", format!("Bearer {token}"));
    assert_eq!(
        app.send(twice.body(Body::from(TOOL_CALL)).unwrap())
            .await
            .status(),
        400
    );
    let cookie = anonymous("POST", "/kb/mcp").header("cookie", format!("access_token={token}"));
    assert_eq!(
        app.send(cookie.body(Body::from(TOOL_CALL)).unwrap())
            .await
            .status(),
        401
    );
    let form =
        anonymous("POST", "/kb/mcp").header("content-type", "application/x-www-form-urlencoded");
    let form = form
        .body(Body::from(format!("access_token={token}")))
        .unwrap();
    assert_eq!(app.send(form).await.status(), 401);
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn n_rs_11_every_method_needs_a_token_session_or_not() {
    let app = App::echo().await;
    for method in ["POST", "GET", "DELETE"] {
        for session in [None, Some("abc")] {
            let mut request =
                anonymous(method, "/kb/mcp").header("content-type", "application/json");
            if let Some(session) = session {
                request = request.header("mcp-session-id", session);
            }
            let body = if method == "POST" {
                Body::from(TOOL_CALL)
            } else {
                Body::empty()
            };
            assert_eq!(
                app.send(request.body(body).unwrap()).await.status(),
                401,
                "{method}"
            );
        }
    }
    for method in ["PUT", "PATCH", "TRACE", "HEAD", "CONNECT"] {
        let request = app.builder(method).body(Body::empty()).unwrap();
        assert_eq!(app.send(request).await.status(), 405, "{method}");
    }
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn revoked_means_now_even_for_a_remembered_token() {
    let app = App::echo().await;
    assert_eq!(app.send(app.call()).await.status(), 200);
    app.revoke();
    let answer = app.send(app.call()).await;
    assert_eq!(answer.status(), 401);
    assert!(challenge(&answer).contains("invalid_token"));
    assert_eq!(app.server.count(), 1);
    let events = app.audit.events.lock();
    assert_eq!(events[1]["reason"], "revoked");
    assert_eq!(events[1]["grant"], GRANT);
}

#[tokio::test]
async fn not_knowing_whether_it_was_revoked_is_a_denial() {
    let app = App::echo().await;
    app.revocations.stale.store(true, Ordering::SeqCst);
    let (status, _, word) = refusal(app.send(app.call()).await).await;
    assert_eq!((status, &*word), (503, "revocations_unknown"));
    assert_eq!(app.server.count(), 0);
}

#[tokio::test]
async fn a_150_what_cannot_be_recorded_is_not_done() {
    let app = App::echo().await;
    app.audit.full.store(true, Ordering::SeqCst);
    let (status, _, word) = refusal(app.send(app.call()).await).await;
    assert_eq!((status, &*word), (503, "audit_unavailable"));
    assert_eq!(app.server.count(), 0);
    let bad = anonymous("POST", "/kb/mcp").header("authorization", "Bearer a.b.c");
    let answer: Response<Body> = app.send(bad.body(Body::from(TOOL_CALL)).unwrap()).await;
    assert_eq!(answer.status(), 401, "a denial stays one");
}

/// CHECKLIST A-078 at the edge: whatever is wrong with a token, the answer is the same.
#[tokio::test]
async fn all_bad_tokens_get_the_same_answer() {
    let app = App::echo().await;
    let stranger = App::echo().await;
    let mut expired = app.claims();
    (expired.iat, expired.exp) = (NOW - 700, NOW - 100);
    let mut answers = Vec::new();
    for token in [
        app.key.sign(&expired).unwrap(),
        stranger.key.sign(&expired).unwrap(),
        stranger.key.sign(&app.claims()).unwrap(),
        app.token_with(|claims| claims.aud = "x".to_owned()),
        "nonsense".to_owned(),
    ] {
        let request =
            anonymous("POST", "/kb/mcp").header("authorization", format!("Bearer {token}"));
        let answer = app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await;
        let header = challenge(&answer).to_owned();
        let (status, body) = text(answer).await;
        let at = |text: &str| text.find("(KS-").map_or(text.len(), |at| at);
        answers.push((
            status,
            header[..at(&header)].to_owned(),
            body[..at(&body)].to_owned(),
        ));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn the_log_says_why_a_token_was_refused_and_never_which() {
    let (log, _listening) = crate::log::Log::listen();
    let app = App::echo().await;
    let stranger = App::echo().await;
    let revoked = app.token();
    app.revoke();
    for (token, reason) in [
        (
            app.token_with(|claims| (claims.iat, claims.exp) = (NOW - 700, NOW - 100)),
            "expired",
        ),
        (
            app.token_with(|claims| claims.aud = "x".to_owned()),
            "wrong_audience",
        ),
        (
            app.token_with(|claims| claims.iss = "x".to_owned()),
            "wrong_issuer",
        ),
        (stranger.token(), "unknown_key"),
        ("nonsense".to_owned(), "malformed_token"),
        (revoked, "revoked"),
    ] {
        let request =
            anonymous("POST", "/kb/mcp").header("authorization", format!("Bearer {token}"));
        let answer = app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await;
        let header = challenge(&answer);
        let (_, reference) = header.split_once("(KS-").unwrap();
        let (reference, _) = reference.split_once(')').unwrap();
        let log = log.text();
        let line = log
            .lines()
            .find(|line| line.contains(&format!("reference=\"KS-{reference}\"")))
            .unwrap_or_else(|| panic!("{reference} in {log}"));
        assert!(
            line.contains(&format!("refused a token: {reason}")) && line.contains("INFO"),
            "{line}"
        );
        assert_eq!(app.audit.events.lock().last().unwrap()["reason"], reason);
        assert!(!log.contains(&token), "{log}");
    }
}
