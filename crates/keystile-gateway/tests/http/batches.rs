//! Several messages at once, which 2025-03-26 has and no other revision (CHECKLIST A-101).

use axum::body::Body;
use http::{Request, Response};
use keystile_domain::secrets::session_id::SessionOwner;
use keystile_protocol::mcp::Revision;
use serde_json::{Value, json};

use crate::support::{
    App, LATER, ORIGIN, PERSON, TOOL_CALL, challenge, empty_result, json_answer, refusal, text,
};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// The client's id of a session that was begun with 2025-03-26.
fn session(app: &App) -> String {
    let owner = SessionOwner {
        resource: &format!("{ORIGIN}/kb/mcp"),
        person: PERSON,
        client: "client-1",
        revision: Some(Revision::V2025_03_26),
    };
    app.secrets.bind_session_id(owner, "theirs", LATER)
}

fn batch(app: &App, token: &str, body: impl Into<Body>) -> Request<Body> {
    crate::support::anonymous("POST", "/kb/mcp")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("mcp-session-id", session(app))
        .body(body.into())
        .expect("works in a test")
}

fn listings(count: usize) -> Vec<String> {
    let of = |id: usize| LIST.replace(":1,", &format!(":{},", id + 100));
    (0..count).map(of).collect()
}

/// What the trail says of each message, the oldest first.
fn trail(app: &App) -> Vec<(String, String, String)> {
    let events = app.audit.events.lock();
    let word = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let line = |event: &Value| {
        (
            word(event, "outcome"),
            word(event, "method"),
            word(event, "reason"),
        )
    };
    events.iter().map(line).collect()
}

#[tokio::test]
async fn a_101_one_message_that_is_denied_denies_its_batch_wherever_it_stands() {
    let app = App::echo().await;
    let reader = app.token_with(|claims| claims.scope = "kb:read".to_owned());
    for place in 0..5 {
        let mut messages = listings(4);
        messages.insert(place, TOOL_CALL.to_owned());
        let body = format!("[{}]", messages.join(","));
        let response = app.send(batch(&app, &reader, body)).await;
        assert_eq!(response.status(), 403, "{place}");
        let challenge = challenge(&response).to_owned();
        let named = format!("Message {} of the batch", place + 1);
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
        assert!(challenge.contains(&named), "{challenge}");
        let trail = std::mem::take(&mut *app.audit.events.lock());
        assert_eq!(trail.len(), 5, "each is on record");
        assert!(trail.iter().all(|event| event["outcome"] == "deny"));
        let of_call = trail.iter().find(|event| event["method"] == "tools/call");
        let of_call = of_call.unwrap();
        assert_eq!(
            (&of_call["reason"], &of_call["name"]),
            (&json!("insufficient_scope"), &json!("read"))
        );
    }
    assert_eq!(app.server.count(), 0);
    let listed = batch(&app, &reader, format!("[{}]", listings(4).join(",")));
    assert_eq!(app.send(listed).await.status(), 200, "all of it is allowed");
}

#[tokio::test]
async fn a_batch_is_forwarded_as_its_own_bytes_and_on_record_message_by_message() {
    let answers = r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":7,"result":{}}]"#;
    let app = App::new(move |_| json_answer(answers)).await;
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let body = format!(" [ {LIST} ,{initialized},\n{TOOL_CALL}] ");
    let (status, told) = text(app.send(batch(&app, &app.token(), body.clone())).await).await;
    assert_eq!((status.as_u16(), &*told), (200, answers));
    let seen = app.server.last();
    assert_eq!(seen.body, body);
    assert_eq!(seen.parts.headers["mcp-session-id"], "theirs");
    let wanted = ["tools/list", "notifications/initialized", "tools/call"]
        .map(|method| ("allow".to_owned(), method.to_owned(), String::new()));
    assert_eq!(trail(&app), wanted);
}

#[tokio::test]
async fn a_101_only_a_session_of_2025_03_26_has_batches() {
    let app = App::echo().await;
    let body = format!("[{TOOL_CALL}]");
    let with = |headers: &[(&str, &str)]| {
        let request = app
            .builder("POST")
            .header("content-type", "application/json");
        let add = |request: http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        let request = headers.iter().fold(request, add);
        request.body(Body::from(body.clone())).unwrap()
    };
    let (of_0326, other) = (session(&app), app.session("theirs"));
    for headers in [
        &[][..],
        &[("mcp-protocol-version", "2025-03-26")],
        &[("mcp-session-id", &other)],
        &[
            ("mcp-session-id", &other),
            ("mcp-protocol-version", "2025-03-26"),
        ],
        &[
            ("mcp-session-id", &of_0326),
            ("mcp-protocol-version", "2024-11-05"),
        ],
        &[
            ("mcp-session-id", &of_0326),
            ("mcp-protocol-version", "2025-06-18"),
        ],
        &[
            ("mcp-session-id", &of_0326),
            ("mcp-protocol-version", "2025-11-25"),
        ],
        &[
            ("mcp-session-id", &of_0326),
            ("mcp-protocol-version", "2026-07-28"),
        ],
        &[("mcp-session-id", &of_0326), ("mcp-method", "tools/call")],
        &[("mcp-session-id", &of_0326), ("mcp-param-region", "eu")],
    ] {
        let (status, _, _) = refusal(app.send(with(headers)).await).await;
        assert_eq!(status, 400, "{headers:?}");
    }
    assert_eq!(app.server.count(), 0);
    let explicit = [
        ("mcp-session-id", &*of_0326),
        ("mcp-protocol-version", "2025-03-26"),
    ];
    assert_eq!(app.send(with(&explicit)).await.status(), 200);
}

#[tokio::test]
async fn a_session_that_begins_with_2025_03_26_has_batches_and_another_has_none() {
    let app = App::new(|seen| {
        let mut answer = empty_result(seen);
        answer
            .headers_mut()
            .insert("mcp-session-id", "theirs".parse().unwrap());
        answer
    })
    .await;
    for (revision, status) in [
        ("2025-03-26", 200),
        ("2025-06-18", 400),
        ("2025-11-25", 400),
    ] {
        let begin = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"{revision}"}}}}"#
        );
        let begun: Response<Body> = app.send(app.post(begin)).await;
        let id = begun.headers()["mcp-session-id"].clone();
        let several = |body: String| {
            let mut request = app.post(body);
            request.headers_mut().insert("mcp-session-id", id.clone());
            request
        };
        let answer = app.send(several(format!("[{LIST},{TOOL_CALL}]"))).await;
        assert_eq!(answer.status(), status, "{revision}");
        let answer = app.send(several(TOOL_CALL.to_owned())).await;
        assert_eq!(answer.status(), 200, "one by one in any session");
        assert_eq!(
            answer.headers()["mcp-session-id"],
            id,
            "it stays the same one"
        );
    }
}

#[tokio::test]
async fn a_batch_that_is_none_of_2025_03_26_never_reaches_the_upstream() {
    let app = App::echo().await;
    let modern = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    for body in [
        "[]".to_owned(),
        format!("[[{TOOL_CALL}]]"),
        format!("[{LIST},[{TOOL_CALL}]]"),
        format!("[{LIST},{LIST}]"),
        format!(r#"[{LIST},{{"jsonrpc":"2.0","id":2,"method":"initialize"}}]"#),
        format!(r#"[{LIST},{{"jsonrpc":"2.0","id":2,"method":"tools/Call"}}]"#),
        format!(r#"[{LIST},{{"jsonrpc":"2.0","id":2,"result":{{}}}}]"#),
        format!(
            r#"[{LIST},{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"a","name":"b"}}}}]"#
        ),
        format!("[{LIST},{modern}]"),
        format!("[{LIST}]{TOOL_CALL}"),
        format!("[{}]", listings(65).join(",")),
        format!("[{}]", listings(10_000).join(",")),
    ] {
        let (status, text) = text(app.send(batch(&app, &app.token(), body.clone())).await).await;
        assert_eq!(status, 400, "{}: {text}", &body[..body.len().min(200)]);
    }
    assert_eq!(app.server.count(), 0);
    assert!(trail(&app).iter().all(|(outcome, ..)| outcome == "deny"));
}
