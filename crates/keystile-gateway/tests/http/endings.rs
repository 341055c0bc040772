//! A call that gets no answer gets a last word that says why: nobody waits for what does not come.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt as _;
use http::{Request, Response};
use keystile_gateway::{HttpUpstream, Phase};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::answers::{data, list, saying};
use crate::log::Log;
use crate::support::{App, Server, empty_result, event_stream, events, refusal, text};

const SAYS: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/note\"}\n\n";
const LIMIT: Duration = Duration::from_secs(600);

/// The word of the error for this id (JSON text) that ends a stream.
fn last_word(stream: &str, id: &str) -> String {
    let last = stream.rsplit("data: ").next().unwrap_or_default();
    let last: Value = serde_json::from_str(last).expect("an error");
    assert_eq!(last["id"].to_string(), id, "{stream}");
    let data = &last["error"]["data"];
    assert!(data["reference"].is_string(), "{stream}");
    data["code"].as_str().expect("a word").to_owned()
}

/// To its end, which has to come.
async fn rest(body: &mut BodyDataStream) -> String {
    let mut all = String::new();
    while let Some(chunk) = body.next().await {
        all.push_str(std::str::from_utf8(&chunk.expect("works in a test")).expect("text"));
    }
    all
}

/// A server whose answers to both eras are streams that break off behind this.
async fn breaking(said: &'static str) -> App {
    saying(move || {
        // What came before is on its way when it breaks.
        let broken = async {
            tokio::task::yield_now().await;
            Err(std::io::Error::other("the cable"))
        };
        let begun = futures_util::stream::iter([Ok(said)]);
        let broken = futures_util::stream::once(broken);
        events(Body::from_stream(begun.chain(broken)))
    })
    .await
}

#[tokio::test]
async fn a_118_a_call_ends_at_its_own_limit_and_says_so() {
    let (sender, mut feeds) = mpsc::unbounded_channel();
    let app = App::new(move |_| {
        let (feed, response) = event_stream();
        sender.send(feed).expect("works in a test");
        response
    })
    .await;
    for request in [app.call(), list(&app)] {
        let mut body = app.send(request).await.into_body().into_data_stream();
        let feed = feeds.recv().await.expect("it came");
        feed.send(SAYS).await.expect("it is read");
        assert!(body.next().await.is_some());
        let begun = Instant::now();
        tokio::time::pause();
        let said = rest(&mut body).await;
        let lasted = begun.elapsed();
        tokio::time::resume();
        assert_eq!(last_word(&said, "7"), "upstream_timeout");
        let second = Duration::from_secs(1);
        assert!(
            lasted < LIMIT + second && lasted > LIMIT - 60 * second,
            "{lasted:?}"
        );
        feed.closed().await;
    }
    // What lives as long as the token has no such limit.
    let listening = app.builder("GET").body(Body::empty()).expect("a request");
    let mut listening = app.send(listening).await.into_body().into_data_stream();
    let _feed = feeds.recv().await;
    tokio::time::pause();
    let over = tokio::time::timeout(2 * LIMIT, rest(&mut listening)).await;
    assert!(over.is_err(), "{over:?}");
}

#[tokio::test]
async fn a_118_a_busy_stream_does_not_outrun_the_limit_of_its_call() {
    let server = Server::start(|_| {
        let flood = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(SAYS));
        events(Body::from_stream(flood))
    })
    .await;
    let url = format!("http://{}/mcp", server.address);
    let tune = |upstream: HttpUpstream| upstream.with_call_limit(Duration::from_millis(50));
    let app = App::in_front_of(server, &url, tune);
    let mut body = app.send(app.call()).await.into_body().into_data_stream();
    let ended = async {
        let mut last = String::new();
        while let Some(chunk) = body.next().await {
            last = String::from_utf8(chunk.expect("whole").to_vec()).expect("text");
        }
        last
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), ended);
    let last = ended.await.expect("an end");
    assert_eq!(last_word(&last, "7"), "upstream_timeout");
}

#[tokio::test]
async fn a_118_the_last_word_says_that_the_grant_was_revoked() {
    let (sender, mut feeds) = mpsc::unbounded_channel();
    let app = Arc::new(
        App::new(move |_| {
            let (feed, response) = event_stream();
            sender.send(feed).expect("works in a test");
            response
        })
        .await,
    );
    let mut open = Vec::new();
    for request in [app.call(), list(&app)] {
        open.push(app.send(request).await.into_body().into_data_stream());
    }
    // An id to go on behind is of no use to who may not.
    let feed = feeds.recv().await.expect("it came");
    feed.send("id: 1\ndata:\n\n").await.expect("it is read");
    assert!(open[0].next().await.is_some());
    app.revoke();
    for body in &mut open {
        let said = rest(body).await;
        assert_eq!(last_word(&said, "7"), "grant_revoked");
        assert!(said.contains("was revoked. Sign in again."), "{said}");
    }
}

#[tokio::test]
async fn streams_end_before_the_process_and_calls_with_it() {
    let (sender, mut feeds) = mpsc::unbounded_channel();
    let app = App::new(move |_| {
        let (feed, response) = event_stream();
        sender.send(feed).expect("works in a test");
        response
    })
    .await;
    let listening = app.builder("GET").body(Body::empty()).expect("a request");
    let mut listening = app.send(listening).await.into_body().into_data_stream();
    let mut calls = Vec::new();
    for request in [app.call(), list(&app)] {
        calls.push(app.send(request).await.into_body().into_data_stream());
    }
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(feeds.recv().await.expect("it came"));
    }
    app.end.send_replace(Phase::Draining);
    assert_eq!(rest(&mut listening).await, "");
    open[0].closed().await;
    // Calls have time.
    for (feed, call) in open[1..].iter().zip(&mut calls) {
        feed.send(SAYS).await.expect("it is read");
        assert!(call.next().await.is_some());
    }
    app.end.send_replace(Phase::Ending);
    for call in &mut calls {
        let said = rest(call).await;
        assert_eq!(last_word(&said, "7"), "gateway_ending");
    }
    for feed in open {
        feed.closed().await;
    }
}

#[tokio::test]
async fn a_call_whose_answer_has_not_begun_is_told_of_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}/mcp", silent.local_addr().expect("it is bound"));
    let server = Server::start(empty_result).await;
    let app = Arc::new(App::in_front_of(server, &url, |upstream| upstream));
    let (called, end) = (Arc::clone(&app), app.end.clone());
    let call = tokio::spawn(async move { called.send(called.call()).await });
    let _waits = silent.accept().await.expect("it comes");
    end.send_replace(Phase::Ending);
    let response = call.await.expect("no panic");
    assert_eq!(response.headers()["retry-after"], "10");
    let (status, _, word) = refusal(response).await;
    assert_eq!((status, &*word), (503, "gateway_ending"));
}

#[tokio::test]
async fn n_tr_05_a_stream_that_ends_without_the_answer_says_so() {
    for app in [
        breaking(SAYS).await,
        saying(|| events(SAYS)).await,
        saying(|| events("data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n")).await,
    ] {
        for request in [app.call(), list(&app)] {
            let (log, _guard) = Log::listen();
            let (_, said) = text(app.send(request).await).await;
            assert_eq!(last_word(&said, "7"), "upstream_unreachable");
            assert!(said.contains("hung up"), "{said}");
            let log = log.text();
            assert!(log.contains("kb: its stream"), "{log}");
        }
    }
}

#[tokio::test]
async fn who_can_go_on_behind_an_event_hears_no_last_word() {
    let said = "id: 1\ndata:\n\n";
    let ends = saying(move || events(said)).await;
    let primed = format!("id: {}\ndata:\n\n", ends.event("", "1"));
    assert_eq!(text(ends.send(ends.call()).await).await.1, primed);
    // 2026-07-28 has no ids.
    let (_, of_2026) = text(ends.send(list(&ends)).await).await;
    assert_eq!(last_word(&of_2026, "7"), "upstream_unreachable");

    let (breaks, cut) = mpsc::channel(1);
    let feed = Arc::new(Mutex::new(Some(cut)));
    let app = saying(move || {
        let cut = feed.lock().take().expect("one call");
        let broken = futures_util::stream::unfold(cut, |mut cut: mpsc::Receiver<()>| async {
            cut.recv().await;
            Some((Err(std::io::Error::other("the cable")), cut))
        });
        let begun = futures_util::stream::iter([Ok(said)]);
        events(Body::from_stream(begun.chain(broken)))
    })
    .await;
    let mut body = app.send(app.call()).await.into_body().into_data_stream();
    assert!(body.next().await.expect("the event").is_ok());
    breaks.send(()).await.expect("it waits");
    assert!(body.next().await.expect("how it ended").is_err());
}

#[tokio::test]
async fn an_answered_stream_ends_as_it_did() {
    let answer = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}";
    let app = saying(move || events(data(answer))).await;
    for request in [app.call(), list(&app)] {
        assert_eq!(text(app.send(request).await).await.1, data(answer));
    }
}

#[tokio::test]
async fn n_tr_05_a_request_that_is_only_accepted_is_a_failure() {
    for (status, media) in [
        (202, ""),
        (202, "application/json"),
        (204, ""),
        (200, ""),
        (205, ""),
    ] {
        let app = saying(move || {
            let answer = Response::builder().status(status);
            let answer = match media {
                "" => answer.header("content-length", "0"),
                media => answer.header("content-type", media),
            };
            answer.body(Body::empty()).expect("works in a test")
        })
        .await;
        for request in [app.call(), list(&app)] {
            let (log, _guard) = Log::listen();
            let refused = refusal(app.send(request).await).await;
            let wanted = (502, -32603, "upstream_not_mcp".to_owned());
            assert_eq!(refused, wanted, "{status} {media}");
            assert!(log.text().contains(&format!("said {status}")));
        }
        // What needs no answer gets none.
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let noted = app.send(app.post(note)).await;
        assert_eq!(noted.status(), 202, "{status}");
    }
}

/// A server of 2024-11-05 that wants its messages posted elsewhere.
async fn elsewhere() -> Arc<App> {
    let app = App::new(|seen| match seen.parts.method == http::Method::GET {
        true => events("event: endpoint\ndata: http://127.0.0.1:1/m\n\n"),
        false => Response::builder()
            .status(405)
            .body(Body::empty())
            .expect("works in a test"),
    });
    Arc::new(app.await)
}

#[tokio::test]
async fn a_139_who_calls_a_server_with_a_foreign_endpoint_is_told() {
    let (log, _guard) = Log::listen();
    let app = elsewhere().await;
    let gateway = Arc::clone(&app.gateway);
    let learning = tokio::spawn(async move { gateway.learn_eras().await });
    let told = async {
        let requests: [fn(&App) -> Request<Body>; 2] = [App::call, list];
        for request in requests {
            loop {
                let (status, code, word) = refusal(app.send(request(&app)).await).await;
                assert_eq!((status, code), (502, -32603), "{word}");
                if word == "upstream_foreign_endpoint" {
                    break;
                }
                assert_eq!(word, "upstream_not_mcp", "before it is known");
                tokio::task::yield_now().await;
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told);
    told.await.expect("it is found out");
    learning.abort();
    let log = log.text();
    assert!(log.contains("upstream_foreign_endpoint"), "{log}");
    assert!(log.contains("http://127.0.0.1:1/m"), "{log}");
}

#[tokio::test]
async fn a_post_that_is_not_allowed_is_a_failure_of_the_upstream() {
    let app = elsewhere().await;
    let in_session = app
        .builder("POST")
        .header("content-type", "application/json")
        .header("mcp-session-id", app.session("s1"))
        .body(Body::from(crate::support::TOOL_CALL));
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let requests = [app.call(), list(&app), app.post(note)];
    for request in requests.into_iter().chain(in_session) {
        let refused = refusal(app.send(request).await).await;
        assert_eq!(refused, (502, -32603, "upstream_not_mcp".to_owned()));
    }
    let end = app.builder("DELETE").body(Body::empty()).expect("one");
    assert_eq!(app.send(end).await.status(), 405, "no session to end");
}

#[tokio::test]
async fn who_is_too_busy_says_for_how_long() {
    for (status, media, after, told) in [
        (429, "text/html", "17", Some("17")),
        (429, "application/json", "17", Some("17")),
        (503, "text/plain", "5", Some("5")),
        (503, "text/plain", "Wed, 21 Oct 2026 07:28:00 GMT", None),
    ] {
        let app = App::new(move |_| {
            Response::builder()
                .status(status)
                .header("content-type", media)
                .header("retry-after", after)
                .body(Body::from("inner secret"))
                .expect("works in a test")
        })
        .await;
        let answer = app.send(app.call()).await;
        let after = answer.headers().get("retry-after").cloned();
        assert_eq!(
            after
                .as_ref()
                .map(|after| after.to_str().expect("works in a test")),
            told
        );
        let wanted = (status, -32603, "upstream_failed".to_owned());
        assert_eq!(refusal(answer).await, wanted);
    }
}

#[tokio::test]
async fn who_answers_with_no_mcp_is_unhealthy_and_one_request_s_fault_is_nobodys() {
    for (status, media, body, unhealthy) in [
        (422, "application/json", r#"{"detail":"x"}"#, false),
        (429, "text/plain", "", false),
        (401, "text/plain", "", true),
        (302, "text/plain", "", true),
        (200, "text/html", "<h1>", true),
        (500, "text/plain", "", true),
        (405, "text/plain", "", true),
    ] {
        let app = App::new(move |_| {
            let answer = Response::builder().status(status);
            let answer = answer.header("content-type", media);
            answer.body(Body::from(body)).expect("works in a test")
        })
        .await;
        text(app.send(app.call()).await).await;
        assert_eq!(!app.gateway.unhealthy().is_empty(), unhealthy, "{status}");
    }
}
