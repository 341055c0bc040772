//! Sessions of an HTTP upstream that knows only one caller, the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::body::Body;
use futures_util::StreamExt as _;
use http::{Method, Request, Response};
use keystile_gateway::Upstream;
use keystile_gateway::stdio::{Pool, StdioConfig};
use keystile_protocol::jwt::AccessTokenClaims;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::support::{
    App, NOW, Server, TOOL_CALL, anonymous, empty_result, event_stream, json_answer, refusal,
};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const BOB: &str = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b99";
const OTHER_GRANT: &str = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b98";

/// A server with one session, `s1`, that it forgets when it is ended.
async fn with_sessions() -> App {
    let ended = Arc::new(Mutex::new(false));
    App::new(move |seen| {
        let begins = seen.body.windows(12).any(|part| part == b"\"initialize\"");
        let named = seen.parts.headers.get("mcp-session-id");
        let known = named.is_some_and(|id| id == "s1") && !*ended.lock();
        if !begins && !known {
            let gone = Response::builder().status(404);
            return gone.body(Body::empty()).expect("works in a test");
        }
        if seen.parts.method == Method::DELETE {
            *ended.lock() = true;
        }
        let mut answer = empty_result(seen);
        let id = http::HeaderValue::from_static("s1");
        answer.headers_mut().insert("mcp-session-id", id);
        answer
    })
    .await
}

fn begin(app: &App) -> Request<Body> {
    app.post(INITIALIZE)
}

async fn begun(app: &App) -> String {
    let answer = app.send(begin(app)).await;
    assert_eq!(answer.status(), 200);
    let id = answer.headers()["mcp-session-id"].to_str();
    id.expect("visible ASCII").to_owned()
}

/// A request in a session, by whoever the claims say.
fn within(
    app: &App,
    method: &str,
    path: &str,
    session: &str,
    change: impl FnOnce(&mut AccessTokenClaims),
) -> Request<Body> {
    let token = app.token_with(|claims| {
        claims.aud = format!("http://localhost:7717{path}");
        change(claims);
    });
    let body = match method {
        "POST" => Body::from(TOOL_CALL),
        _ => Body::empty(),
    };
    anonymous(method, path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("mcp-session-id", session)
        .body(body)
        .expect("works in a test")
}

fn last_event(app: &App) -> Value {
    let events = app.audit.events.lock();
    events.last().expect("something is recorded").clone()
}

#[tokio::test]
async fn n_rs_16_a_session_ends_after_thirty_days() {
    const DAYS: i64 = 30 * 24 * 3600 * 1000;
    let app = with_sessions().await;
    let session = begun(&app).await;
    let begun = app.clock.0.load(Ordering::SeqCst);
    for (passed, status) in [(DAYS - 1000, 200), (DAYS, 404)] {
        app.clock.0.store(begun + passed, Ordering::SeqCst);
        let call = within(&app, "POST", "/kb/mcp", &session, |claims| {
            claims.iat = u64::try_from((begun + passed) / 1000).unwrap();
            claims.exp = claims.iat + 600;
        });
        assert_eq!(app.send(call).await.status(), status, "{passed}");
    }
    assert_eq!(last_event(&app)["reason"], "unknown_session");
}

/// The ids of a session are one server's; whatever two sessions ask has nothing to do with one another.
#[tokio::test]
async fn a_158_an_id_in_flight_is_not_taken_twice_in_a_session() {
    let (sender, mut feeds) = mpsc::unbounded_channel();
    let sessions = AtomicU16::new(1);
    let app = App::new(move |seen| {
        let (feed, mut answer) = event_stream();
        if seen.body.windows(12).any(|part| part == b"\"initialize\"") {
            answer = empty_result(seen);
            let id = sessions.fetch_add(1, Ordering::SeqCst).into();
            answer.headers_mut().insert("mcp-session-id", id);
        } else {
            sender.send(feed).expect("works in a test");
        }
        answer
    })
    .await;
    let call = |session: &str, id: &str| {
        let mut call = within(&app, "POST", "/kb/mcp", session, |_| {});
        *call.body_mut() = Body::from(TOOL_CALL.replace("\"id\":7", &format!("\"id\":{id}")));
        app.send(call)
    };
    let (session, other) = (begun(&app).await, begun(&app).await);
    let mut first = call(&session, "7").await.into_body().into_data_stream();
    let feed = feeds.recv().await.unwrap();
    let asked = app.server.count();
    for id in ["7", "\"7\""] {
        let word = refusal(call(&session, id).await).await;
        assert_eq!(word, (400, -32600, "id_in_flight".to_owned()), "{id}");
    }
    assert_eq!(app.server.count(), asked, "the server heard nothing of it");
    for (session, id) in [(&session, "8"), (&other, "7")] {
        assert_eq!(call(session, id).await.status(), 200, "{id}");
    }
    feed.send("data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n")
        .await
        .unwrap();
    let answered = first.next().await.unwrap().unwrap();
    assert!(answered.starts_with(b"data: "));
    // Answered, though its stream is still open.
    assert_eq!(call(&session, "7").await.status(), 200);
    // Nobody waits for it any more.
    let gone = call(&session, "9").await;
    drop(gone);
    assert_eq!(call(&session, "9").await.status(), 200);
}

#[tokio::test]
async fn n_rs_16_a_session_is_good_for_its_person_client_and_server_only() {
    let app = with_sessions().await;
    let session = begun(&app).await;
    assert_ne!(session, "s1", "the upstream's own id is not handed out");
    let unknown = (404, -32600, "unknown_session".to_owned());
    let before = app.server.count();
    for method in ["POST", "GET", "DELETE"] {
        let bob = within(&app, method, "/kb/mcp", &session, |claims| {
            claims.sub = BOB.to_owned();
            claims.sid = Some(OTHER_GRANT.to_owned());
        });
        assert_eq!(refusal(app.send(bob).await).await, unknown, "{method}");
        let event = last_event(&app);
        assert_eq!(event["outcome"], "deny");
        assert_eq!(event["reason"], "unknown_session");
        assert_eq!(event["person"], BOB);
        let other = within(&app, method, "/kb/mcp", &session, |claims| {
            claims.client_id = "client-2".to_owned();
        });
        assert_eq!(refusal(app.send(other).await).await, unknown, "{method}");
        let elsewhere = within(&app, method, "/git/mcp", &session, |claims| {
            claims.scope = "git:call".to_owned();
        });
        assert_eq!(
            refusal(app.send(elsewhere).await).await,
            unknown,
            "{method}"
        );
        for made_up in ["s1", ".s1", "", "AAAAAAAAAAAAAAAAAAAAAA.s1", "x.y"] {
            let guess = within(&app, method, "/kb/mcp", made_up, |_| {});
            assert_eq!(refusal(app.send(guess).await).await, unknown, "{made_up:?}");
        }
    }
    assert_eq!(app.server.count(), before, "nothing of it arrived");
    let own = within(&app, "POST", "/kb/mcp", &session, |_| {});
    let answer = app.send(own).await;
    assert_eq!(answer.status(), 200, "and it is alive");
    assert_eq!(answer.headers()["mcp-session-id"], session, "the same id");
    assert_eq!(app.server.last().parts.headers["mcp-session-id"], "s1");
    let end = within(&app, "DELETE", "/kb/mcp", &session, |_| {});
    assert_eq!(app.send(end).await.status(), 202);
    let after = within(&app, "POST", "/kb/mcp", &session, |_| {});
    assert_eq!(app.send(after).await.status(), 404);
}

#[tokio::test]
async fn a_115_a_session_of_an_http_server_outlives_token_grant_and_restart() {
    let app = with_sessions().await;
    let session = begun(&app).await;
    app.clock.0.fetch_add(300_000, Ordering::SeqCst);
    let refreshed = within(&app, "POST", "/kb/mcp", &session, |claims| {
        (claims.iat, claims.exp) = (NOW + 300, NOW + 900);
        claims.jti = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b47".to_owned();
    });
    assert_eq!(app.send(refreshed).await.status(), 200);
    app.revoke();
    let again = within(&app, "POST", "/kb/mcp", &session, |claims| {
        claims.sid = Some(OTHER_GRANT.to_owned());
    });
    assert_eq!(app.send(again).await.status(), 200, "connected anew");

    let restarted = with_sessions().await;
    let later = within(&restarted, "POST", "/kb/mcp", &session, |_| {});
    assert_eq!(restarted.send(later).await.status(), 200);
}

#[tokio::test]
async fn a_stateless_request_is_in_no_session_whatever_it_names() {
    let app = App::echo().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let request = app
        .builder("POST")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/list")
        .header("mcp-session-id", "s1");
    let answer = app.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let seen = app.server.last().parts.headers;
    assert!(!seen.contains_key("mcp-session-id"));
}

#[tokio::test]
async fn an_upstream_s_id_that_is_none_is_not_handed_on() {
    let ids = [
        vec!["a b".to_owned()],
        vec![String::new()],
        vec!["x".repeat(1025)],
        vec!["a".to_owned(), "b".to_owned()],
    ];
    for ids in ids {
        let said = ids.clone();
        let app = App::new(move |_| {
            let mut answer = json_answer(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
            for id in &said {
                let id = http::HeaderValue::from_str(id).expect("works in a test");
                answer.headers_mut().append("mcp-session-id", id);
            }
            answer
        })
        .await;
        let refused = refusal(app.send(begin(&app)).await).await;
        assert_eq!(
            refused,
            (502, -32603, "upstream_not_mcp".to_owned()),
            "{ids:?}"
        );
    }
}

#[tokio::test]
async fn two_session_ids_are_refused() {
    let app = with_sessions().await;
    let session = begun(&app).await;
    for method in ["POST", "GET", "DELETE"] {
        for second in ["s2", &session] {
            let mut request = within(&app, method, "/kb/mcp", &session, |_| {});
            let second = http::HeaderValue::from_str(second).unwrap();
            request.headers_mut().append("mcp-session-id", second);
            let refused = refusal(app.send(request).await).await;
            assert_eq!((refused.0, refused.1), (400, -32020), "{method}");
        }
    }
    assert_eq!(app.server.count(), 1);
}

#[tokio::test]
async fn what_a_child_is_not_asked_is_on_record_as_denied() {
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::with(server, |ports| {
        let config = StdioConfig::new("kb", vec!["/no/such/command".into()], Vec::new());
        Upstream::Stdio(Arc::new(Pool::new(config, ports.clone())))
    });
    let unknown = (404, -32600, "unknown_session".to_owned());
    for method in ["POST", "GET", "DELETE"] {
        let lost = within(&app, method, "/kb/mcp", "bG9uZyBnb25l", |_| {});
        assert_eq!(refusal(app.send(lost).await).await, unknown, "{method}");
        let event = last_event(&app);
        assert_eq!(
            (&event["outcome"], &event["reason"]),
            (&"deny".into(), &"unknown_session".into()),
            "{method}"
        );
        assert!(event["reference"].is_string());
    }
    let events = app.audit.events.lock();
    assert!(
        events.iter().all(|event| event["outcome"] == "deny"),
        "{events:?}"
    );
}
