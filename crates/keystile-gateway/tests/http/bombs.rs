//! Upstreams that send far too much (CHECKLIST A-162).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Response;

use crate::answers::{ANSWER, data, list, saying};
use crate::log::Log;
use crate::support::{App, Seen, empty_result, events, json_answer, text};

/// 100 MB of `piece` behind `head`, as fast as it is read; `sent` counts the pieces.
pub(crate) fn bomb(
    media: &str,
    head: &'static str,
    piece: &'static str,
    sent: &Arc<AtomicUsize>,
) -> Response<Body> {
    let piece = Bytes::from(piece.repeat(64 * 1024 / piece.len()));
    let sent = Arc::clone(sent);
    let pieces = stream::repeat(piece)
        .take(100_000_000 / (64 * 1024))
        .map(move |piece| {
            sent.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(piece)
        });
    let head = stream::iter([Ok(Bytes::from_static(head.as_bytes()))]);
    let answer = Response::builder().header("content-type", media);
    answer
        .body(Body::from_stream(head.chain(pieces)))
        .expect("works in a test")
}

/// The most memory that this process ever had, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number of KiB")
}

#[tokio::test]
async fn a_162_a_bomb_is_contained_and_named_and_other_servers_go_on() {
    let json = "application/json";
    let sse = "text/event-stream";
    // Kept: a gateway that ends here makes a task of the fixture's panic, and printing that takes memory, too.
    let mut apps = Vec::new();
    for (media, head, piece) in [
        (
            json,
            r#"{"jsonrpc":"2.0","id":7,"result":{"tools":["#,
            r#"{"name":"a","inputSchema":{}},"#,
        ),
        (json, "", "                "),
        (
            sse,
            r#"data: {"jsonrpc":"2.0","id":7,"result":{"tools":["#,
            r#"{"name":"a","inputSchema":{}},"#,
        ),
        (sse, "data: [\n", "data: [\n"),
        (sse, "", ": nothing\n\n"),
        (sse, "", "event: ping\ndata: {}\n\n"),
        (sse, "id: ", "x"),
    ] {
        let sent = Arc::new(AtomicUsize::new(0));
        let pieces = Arc::clone(&sent);
        let app = App::new(move |seen: &Seen| {
            match seen.body.windows(10).any(|it| it == b"tools/list") {
                true => bomb(media, head, piece, &pieces),
                false => empty_result(seen),
            }
        })
        .await;
        let (log, _guard) = Log::listen();
        let before = peak();
        let (_, answered) = text(app.send(list(&app)).await).await;
        let grown = peak() - before;
        assert!(
            answered.contains("upstream_message_too_long"),
            "{head} {piece}: {answered:.200}"
        );
        assert!(
            sent.load(Ordering::SeqCst) < 1000,
            "not read to its end: {head} {piece}"
        );
        assert!(grown < 16 * 1024, "{grown} KiB: {head} {piece}");
        assert!(log.text().contains("server=kb"), "{}", log.text());
        let (status, _) = text(app.send(app.call()).await).await;
        assert_eq!(status, 200, "and the server is still served");
        apps.push(app);
    }
}

#[tokio::test]
async fn a_162_an_unhealthy_server_is_marked_until_it_answers() {
    let app = App::new(
        |seen: &Seen| match seen.body.windows(10).any(|it| it == b"tools/list") {
            true => json_answer("no MCP"),
            false => empty_result(seen),
        },
    )
    .await;
    let (log, _guard) = Log::listen();
    assert!(app.gateway.unhealthy().is_empty());
    for _ in 0..3 {
        text(app.send(list(&app)).await).await;
        assert_eq!(app.gateway.unhealthy(), ["kb"], "and no other server");
    }
    assert_eq!(log.text().matches("ERROR").count(), 1, "{}", log.text());
    assert_eq!(text(app.send(app.call()).await).await.0, 200);
    assert!(log.text().contains("healthy again"), "{}", log.text());
    assert!(app.gateway.unhealthy().is_empty());
}

#[tokio::test]
async fn a_162_a_schema_of_hundreds_of_levels_is_refused() {
    let schema = format!("{}{{}}{}", r#"{"anyOf":["#.repeat(200), "]}".repeat(200));
    let answer = ANSWER.replace("1.0", &schema);
    for said in [data(&answer), answer] {
        let stream = said.starts_with("data");
        let app = saying(move || match stream {
            true => events(said.clone()),
            false => json_answer(&said),
        })
        .await;
        let (_, answered) = text(app.send(list(&app)).await).await;
        assert!(answered.contains("upstream_not_mcp"), "{answered:.200}");
    }
}
