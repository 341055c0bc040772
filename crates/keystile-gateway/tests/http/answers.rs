//! What a hostile upstream may say to a client of its own era, and what of it arrives.

use axum::body::Body;
use http::{Request, Response};

use crate::log::Log;
use crate::support::{App, anonymous, events, json_answer, refusal, text};

const ASKS: &str = r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}"#;
const SAYS: &str = r#"{"jsonrpc":"2.0","method":"notifications/note","params":{}}"#;
pub(crate) const ANSWER: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"x":1.0}}"#;
const FOREIGN: &str = r#"{"jsonrpc":"2.0","id":8,"result":{"secret":1}}"#;

/// A request of a 2026-07-28 client, with the id 7.
fn stateless(app: &App, method: &str, params: &str) -> Request<Body> {
    stateless_with(app, method, "", params)
}

/// With more in its `_meta`.
fn stateless_with(app: &App, method: &str, meta: &str, params: &str) -> Request<Body> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}{meta}}}{params}}}}}"#
    );
    let request = app
        .builder("POST")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    request.body(Body::from(body)).expect("works in a test")
}

pub(crate) fn list(app: &App) -> Request<Body> {
    stateless(app, "tools/list", "")
}

/// An upstream that always says this.
pub(crate) async fn saying(said: impl Fn() -> Response<Body> + Send + Sync + 'static) -> App {
    App::new(move |_| said()).await
}

pub(crate) fn data(message: &str) -> String {
    format!("data: {message}\n\n")
}

#[tokio::test]
async fn n_tr_14_a_server_of_2026_07_28_asks_nothing_and_no_stream_of_it_goes_on() {
    let (log, _guard) = Log::listen();
    let said = format!(
        "id: 1\nretry: 5\ndata:\n\nid: 2\n{}id: 3\n{}id: 4\nevent: ping\n{}id: 5\n{}",
        data(ASKS),
        data(SAYS),
        data(SAYS),
        data(ANSWER)
    );
    let app = saying(move || events(said.clone())).await;
    let answered = text(app.send(list(&app)).await).await.1;
    assert_eq!(answered, data(SAYS) + &data(ANSWER));
    let log = log.text();
    assert!(
        log.contains("server=kb") && log.contains("sampling/createMessage"),
        "{log}"
    );
}

#[tokio::test]
async fn a_server_of_2025_may_ask_and_its_streams_have_ids() {
    let said = format!(
        "id: e1\nretry: 5\ndata:\n\nid: e2\n{}{}",
        data(ASKS),
        data(ANSWER)
    );
    let app = saying(move || events(said.clone())).await;
    let answered = text(app.send(app.call()).await).await.1;
    let id = |id| app.event("", id);
    let (first, second) = (id("e1"), id("e2"));
    let (asks, answer) = (data(ASKS), data(ANSWER));
    let asks = asks.trim_end();
    assert_eq!(
        answered,
        format!("id: {first}\nretry: 5\ndata:\n\n{asks}\nid: {second}\n\n{answer}")
    );
}

#[tokio::test]
async fn n_tr_15_a_subscription_of_an_http_server_gets_what_it_asked_for() {
    let changed = |what: &str, id: &str| {
        data(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/{what}","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"uri":"f:///b"}}}}"#
        ))
    };
    let acknowledged = changed("subscriptions/acknowledged", "7");
    let (tools, updated) = (
        changed("tools/list_changed", "7"),
        changed("resources/updated", "7"),
    );
    let over = data(ANSWER);
    let said = [
        &tools,
        &acknowledged,
        &changed("prompts/list_changed", "7"),
        &changed("tools/list_changed", "8"),
        &data(SAYS),
        &data(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#),
        &tools,
        &updated,
        &updated.replace("f:///b", "f:///c"),
        &over,
    ];
    let said = said.map(String::as_str).concat();
    let app = saying(move || events(said.clone())).await;
    let asked = r#","notifications":{"toolsListChanged":true,"resourceSubscriptions":["f:///b"]}"#;
    let answered = app
        .send(stateless(&app, "subscriptions/listen", asked))
        .await;
    let passed = [acknowledged, tools, updated, over].concat();
    assert_eq!(text(answered).await.1, passed);
}

#[tokio::test]
async fn a_113_beside_an_answer_comes_what_its_request_asked_for() {
    let told = |what: &str, params: &str| {
        data(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/{what}","params":{{{params}}}}}"#
        ))
    };
    let progress = |token: &str| {
        told(
            "progress",
            &format!(r#""progressToken":{token},"progress":1"#),
        )
    };
    let logged = |level: &str| told("message", &format!(r#""level":"{level}","data":1"#));
    let own = [progress("\"p\""), progress(r#""\u0070""#)].concat();
    let foreign = [progress("\"q\""), progress("0"), told("progress", "")].concat();
    let loud = [logged("warning"), logged("emergency")].concat();
    let quiet = [logged("info"), logged("Warning"), told("message", "")].concat();
    let changes = [
        told("tools/list_changed", ""),
        told("resources/updated", r#""uri":"kb://1""#),
        told("tasks", r#""taskId":"t""#),
        told("subscriptions/acknowledged", ""),
    ]
    .concat();
    let answer = data(ANSWER);
    let all = [&own, &foreign, &loud, &quiet, &changes, &answer].map(String::as_str);
    let said = all.concat();
    let app = saying(move || events(said.clone())).await;
    let asks = |meta: &str| stateless_with(&app, "tools/list", meta, "");
    let both = r#","progressToken":"p","io.modelcontextprotocol/logLevel":"warning""#;
    let answered = text(app.send(asks(both)).await).await.1;
    assert_eq!(answered, [&*own, &loud, &answer].concat());
    let neither = text(app.send(asks("")).await).await.1;
    assert_eq!(neither, answer);

    // Of the earlier revisions the level and the changes are the session's; the tokens are the request's as well.
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","_meta":{"progressToken":"p"}}}"#;
    let answered = text(app.send(app.post(call)).await).await.1;
    assert_eq!(answered, [&*own, &loud, &quiet, &changes, &answer].concat());
}

#[tokio::test]
async fn n_tr_17_a_stateless_client_of_an_http_server_only_posts() {
    let app = App::echo().await;
    for method in ["GET", "DELETE"] {
        let request = app
            .builder(method)
            .header("mcp-protocol-version", "2026-07-28");
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "POST");
    }
    assert_eq!(app.server.count(), 0);
    let mut request = list(&app);
    for id in ["4".to_owned(), app.event("", "4")] {
        let id = id.parse().expect("visible ASCII");
        request.headers_mut().append("last-event-id", id);
    }
    assert_eq!(app.send(request).await.status(), 200);
    assert!(
        !app.server
            .last()
            .parts
            .headers
            .contains_key("last-event-id")
    );
}

#[tokio::test]
async fn n_tr_17_an_answer_of_2026_07_28_names_no_session() {
    let app = saying(|| {
        let mut answer = json_answer(ANSWER);
        let id = http::HeaderValue::from_static("s1");
        answer.headers_mut().insert("mcp-session-id", id);
        answer
    })
    .await;
    let answer = app.send(list(&app)).await;
    assert!(!answer.headers().contains_key("mcp-session-id"));
    assert_eq!(text(answer).await.1, ANSWER);
    let of_2025 = app.send(app.call()).await;
    assert!(of_2025.headers().contains_key("mcp-session-id"));
}

#[tokio::test]
async fn an_error_that_names_no_request_is_that_of_the_only_one() {
    let error = |id: &str| format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":1,"message":"x"}}}}"#);
    for (id, named) in [
        (r#""id":null,"#, error(r#""id":7,"#)),
        ("", error("").replace("}}", r#"},"id":7}"#)),
    ] {
        for stream in [true, false] {
            let error = error(id);
            let app = saying(move || match stream {
                true => events(data(&error)),
                false => json_answer(&error),
            })
            .await;
            let wanted = match stream {
                true => data(&named),
                false => named.clone(),
            };
            for request in [app.call(), list(&app)] {
                assert_eq!(text(app.send(request).await).await.1, wanted);
            }
        }
    }
}

#[tokio::test]
async fn a_113_what_only_clients_say_reaches_no_client() {
    let (log, _guard) = Log::listen();
    let notes = [
        "notifications/initialized",
        "notifications/roots/list_changed",
        "tools/list",
    ];
    let notes = notes.map(|method| data(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)));
    let said = notes.concat() + &data(SAYS) + &data(ANSWER);
    let app = saying(move || events(said.clone())).await;
    for request in [app.call(), list(&app)] {
        let answered = text(app.send(request).await).await.1;
        assert_eq!(answered, data(SAYS) + &data(ANSWER));
    }
    let stream = app.builder("GET").body(Body::empty()).expect("a request");
    assert_eq!(text(app.send(stream).await).await.1, data(SAYS));
    assert!(log.text().contains("no server sends"), "{}", log.text());
}

#[tokio::test]
async fn a_114_a_stream_goes_on_for_whom_it_began_and_in_its_session_only() {
    let app = App::echo().await;
    let resume = |event: &str, session: Option<&str>, person: Option<&str>| {
        let token = app.token_with(|claims| {
            claims.sub = person.unwrap_or(&claims.sub).to_owned();
        });
        let request = anonymous("GET", "/kb/mcp")
            .header("authorization", format!("Bearer {token}"))
            .header("last-event-id", event);
        let session = session.map(|session| app.session(session));
        let request = session.iter().fold(request, |request, session| {
            request.header("mcp-session-id", session)
        });
        request.body(Body::empty()).expect("works in a test")
    };
    let within = app.event("s1", "e1");
    let outside = app.event("", "e1");
    for (event, session) in [(&within, Some("s1")), (&outside, None)] {
        assert_eq!(app.send(resume(event, session, None)).await.status(), 200);
        assert_eq!(app.server.last().parts.headers["last-event-id"], "e1");
    }
    let reached = app.server.count();
    let unknown = (400, -32600, "unknown_event".to_owned());
    let bob = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b99";
    let foreign = [
        resume(&within, Some("s2"), None),
        resume(&within, None, None),
        resume(&outside, Some("s1"), None),
        resume(&outside, None, Some(bob)),
        resume("e1", None, None),
        resume("", None, None),
    ];
    for request in foreign {
        assert_eq!(refusal(app.send(request).await).await, unknown);
    }
    let mut two = resume(&outside, None, None);
    let second = outside.parse().expect("visible ASCII");
    two.headers_mut().append("last-event-id", second);
    assert_eq!(refusal(app.send(two).await).await, unknown);
    assert_eq!(app.server.count(), reached, "nothing of it arrived");
}

#[tokio::test]
async fn an_answer_comes_on_the_stream_that_goes_on() {
    let said = format!("id: 0\nretry: 3000\ndata:\n\nid: 1/7\n{}", data(ANSWER));
    let app = saying(move || events(said.clone())).await;
    let event = |id| app.event("s1", id);
    let request = app
        .builder("GET")
        .header("mcp-session-id", app.session("s1"))
        .header("last-event-id", event("0/7"));
    let went_on = app.send(request.body(Body::empty()).unwrap()).await;
    let (first, second) = (event("0"), event("1/7"));
    let answer = ANSWER.trim_end();
    assert_eq!(
        text(went_on).await.1,
        format!("id: {first}\nretry: 3000\ndata:\n\ndata: {answer}\nid: {second}\n\n")
    );
}

#[tokio::test]
async fn a_113_an_answer_to_another_request_reaches_nobody() {
    let (log, _guard) = Log::listen();
    let said = data(FOREIGN) + &data(ANSWER);
    let app = saying(move || events(said.clone())).await;
    for request in [app.call(), list(&app)] {
        assert_eq!(text(app.send(request).await).await.1, data(ANSWER));
    }
    let app = saying(|| json_answer(FOREIGN)).await;
    for request in [app.call(), list(&app)] {
        let refused = refusal(app.send(request).await).await;
        assert_eq!(refused, (502, -32603, "upstream_not_mcp".to_owned()));
    }
    let log = log.text();
    assert!(
        log.contains("server=kb") && log.contains("no request that waits"),
        "{log}"
    );
}

#[tokio::test]
async fn a_111_what_cannot_be_read_ends_the_stream_and_nothing_raw_passes() {
    for bad in [
        "hello",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"leak\":1}",
        r#"{"jsonrpc":"2.0","id":7,"id":8,"result":{"leak":1}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"leak":1},"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"leak":1e999}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"leak":"\ud800"}}"#,
        r#"[{"jsonrpc":"2.0","id":7,"result":{"leak":1}}]"#,
        r#"{"jsonrpc":"2.0","method":"notifications/leak","params":[]}"#,
        "{\"jsonrpc\":\"2.0\",\ndata: \"id\":7,\"result\":{\"leak\":\"\ndata: \"}}",
    ] {
        let said = data(SAYS) + &data(bad) + &data(ANSWER);
        for ending in ["\n", "\r\n", "\r"] {
            let said = said.replace('\n', ending);
            let app = saying(move || events(said.clone())).await;
            for request in [app.call(), list(&app)] {
                let (log, _guard) = Log::listen();
                let answered = text(app.send(request).await).await.1;
                let rest = answered
                    .strip_prefix(&data(SAYS))
                    .expect("what came before");
                assert!(
                    rest.starts_with(r#"data: {"jsonrpc":"2.0","id":7,"error":"#),
                    "{rest}"
                );
                assert!(
                    rest.contains("upstream_not_mcp") && !rest.contains("leak"),
                    "{rest}"
                );
                assert!(
                    rest.ends_with("}\n\n") && rest.matches('\n').count() == 2,
                    "{rest}"
                );
                assert!(log.text().contains("server=kb"), "{}", log.text());
            }
        }
    }
}

#[tokio::test]
async fn a_compressed_answer_that_nobody_asked_for_is_refused() {
    for media in ["application/json", "text/event-stream"] {
        let app = saying(move || {
            let answer = Response::builder().header("content-type", media);
            let answer = answer.header("content-encoding", "gzip");
            answer.body(Body::from("\u{1f}")).expect("works in a test")
        })
        .await;
        let refused = refusal(app.send(list(&app)).await).await;
        assert_eq!(
            refused,
            (502, -32603, "upstream_not_mcp".to_owned()),
            "{media}"
        );
    }
}
