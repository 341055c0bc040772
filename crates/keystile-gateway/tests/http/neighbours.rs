//! Who shares the gateway with a server that bombs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use http::{Method, Request};
use tokio::sync::mpsc;

use crate::answers::list;
use crate::bombs::bomb;
use crate::second::within_a_second;
use crate::support::{App, Seen, TOOL_CALL, anonymous, empty_result, event_stream, text};

/// A request of somebody else, to either server.
fn of_another(app: &App, method: &str, server: &str, body: &'static str) -> Request<Body> {
    let token = app.token_with(|claims| {
        claims.sub = "0198c0de-7f3a-7bcd-8e21-5a1f0c9d2b99".to_owned();
        claims.aud = claims.aud.replace("kb", server);
        claims.scope = claims.scope.replace("kb", server);
    });
    let request = anonymous(method, &format!("/{server}/mcp"));
    let request = request.header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json");
    request.body(Body::from(body)).expect("works in a test")
}

#[tokio::test]
async fn a_162_others_are_served_in_time_while_a_server_bombs() {
    let sent = Arc::new(AtomicUsize::new(0));
    let pieces = Arc::clone(&sent);
    let (sender, mut feeds) = mpsc::unbounded_channel();
    let app = App::new(move |seen: &Seen| {
        if seen.parts.method == Method::GET {
            let (feed, response) = event_stream();
            sender.send(feed).expect("works in a test");
            return response;
        }
        match seen.body.windows(10).any(|it| it == b"tools/list") {
            true => bomb("text/event-stream", "data: [\n", "data: [\n", &pieces),
            false => empty_result(seen),
        }
    })
    .await;
    let mut streams = Vec::new();
    for server in ["kb", "git"] {
        let stream = app.send(of_another(&app, "GET", server, "")).await;
        let feed = feeds.recv().await.expect("works in a test");
        streams.push((stream.into_body().into_data_stream(), feed));
    }
    let bombed = join_all((0..4).map(|_| async { text(app.send(list(&app)).await).await.1 }));
    let others = async {
        while sent.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for server in ["kb", "git"].repeat(8) {
            let call = app.send(of_another(&app, "POST", server, TOOL_CALL));
            assert_eq!(within_a_second(call).await.status(), 200, "{server}");
        }
        for (stream, feed) in &mut streams {
            feed.send(SAYS).await.expect("works in a test");
            let heard = within_a_second(stream.next()).await;
            assert_eq!(heard.expect("it is open").expect("works in a test"), SAYS);
        }
    };
    let (answers, ()) = tokio::join!(bombed, others);
    for answer in answers {
        assert!(
            answer.contains("upstream_message_too_long"),
            "{answer:.200}"
        );
    }
}

const SAYS: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
