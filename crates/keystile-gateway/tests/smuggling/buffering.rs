//! A proxy that buffers, in front of the gateway (CHECKLIST N-TR-16).

use std::time::Duration;

use axum::body::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::proxy::Nginx;
use crate::serve::serve;
use crate::support::{App, event_stream};

/// nginx holds 8 pages of an answer back unless it is told not to: nothing else in its configuration is changed than
/// what every such proxy has, the address behind it and the name that was asked for.
const DEFAULT: &str = "location / { proxy_pass http://behind; proxy_set_header Host $http_host; }";

/// Notifications, and what is told apart by.
const EVENTS: [(&str, &str); 3] = [
    (
        "tools/list_changed",
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n",
    ),
    (
        "prompts/list_changed",
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\"}\n\n",
    ),
    (
        "resources/list_changed",
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/list_changed\"}\n\n",
    ),
];

#[tokio::test]
async fn n_tr_16_events_come_through_a_proxy_that_buffers_when_they_are_sent() {
    let (sender, response) = event_stream();
    let once = parking_lot::Mutex::new(Some(response));
    let app = App::new(move |_| {
        once.lock()
            .take()
            .unwrap_or_else(|| axum::response::Response::new(Body::empty()))
    })
    .await;
    let nginx = Nginx::start(serve(&app.gateway).await, DEFAULT);
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).await.unwrap();
    let request = format!(
        "GET /kb/mcp HTTP/1.1\r\nhost: localhost:7717\r\nauthorization: Bearer {}\r\naccept: text/event-stream\r\n\r\n",
        app.token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    for (name, event) in EVENTS {
        sender.send(event).await.unwrap();
        let arrives = async {
            while !String::from_utf8_lossy(&told).contains(name) {
                assert_ne!(stream.read_buf(&mut told).await.unwrap(), 0, "{told:?}");
            }
        };
        let limit = Duration::from_secs(5);
        tokio::time::timeout(limit, arrives)
            .await
            .unwrap_or_else(|_| panic!("held back: {name}"));
    }
}
