//! Refusals that reach clients which are still sending.

use keystile_testkit::issuer::TestApp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Sends all of a request, over a connection, before it reads anything.
async fn sent_whole(test: &TestApp, head: &str, bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    let routes = test.router();
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut client = TcpStream::connect(address).await.expect("it listens");
    let head = format!(
        "POST {head}\r\nhost: localhost:7717\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.expect("a head");
    let sent = client.write_all(&vec![b'x'; bytes]).await;
    sent.expect("the whole body is taken");
    let mut answer = String::new();
    let read = client.read_to_string(&mut answer).await;
    read.expect("an answer, not a reset");
    server.abort();
    answer
}

#[tokio::test]
async fn a_151_a_body_that_is_too_large_is_told_so_and_not_reset() {
    let test = TestApp::new();
    let form = "content-type: application/x-www-form-urlencoded";
    for (head, status) in [
        (format!("/oauth/token HTTP/1.1\r\n{form}"), "413"),
        (format!("/oauth/revoke HTTP/1.1\r\n{form}"), "413"),
        (
            "/oauth/register HTTP/1.1\r\ncontent-type: application/json".to_owned(),
            "413",
        ),
        // Refused for other reasons, before the body was looked at.
        (
            "/oauth/token HTTP/1.1\r\ncontent-type: text/plain".to_owned(),
            "400",
        ),
        (format!("/oauth/nothing HTTP/1.1\r\n{form}"), "404"),
        (
            format!("/ks/sign-in HTTP/1.1\r\norigin: https://evil.example\r\n{form}"),
            "403",
        ),
    ] {
        let answer = sent_whole(&test, &head, 15 << 20).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head}: {answer}"
        );
    }
}
