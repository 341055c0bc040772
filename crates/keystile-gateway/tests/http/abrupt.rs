//! Connections that end anywhere, and requests with anything in them (CHECKLIST A-157).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::serve::serve;
use crate::support::{App, TOOL_CALL, json_answer};

/// Connections, half of them behind a spoiled request. What `cargo xtask fuzz --check` asks for is more.
const FEW: usize = 4_000;

fn count() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test run itself is told by its environment"
    )]
    let text = std::env::var("KEYSTILE_ABRUPT_CLOSES").ok();
    text.map_or(FEW, |text| text.parse().expect("it is a number"))
}

fn request(token: &str) -> Vec<u8> {
    let head = format!(
        "POST /kb/mcp HTTP/1.1\r\nhost: localhost:7717\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nauthorization: Bearer {token}\r\n\r\n",
        TOOL_CALL.len()
    );
    [head.as_bytes(), TOOL_CALL.as_bytes()].concat()
}

/// A connection that is reset in the middle of this, whoever reads it.
async fn cut_off(address: SocketAddr, bytes: &[u8]) {
    // One that is not taken any more shows in the end.
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return;
    };
    drop(stream.write_all(bytes).await);
    drop(stream.set_zero_linger());
}

/// Whether a whole request is still answered.
async fn answers(address: SocketAddr, request: &[u8]) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request).await.ok()?;
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.ok()?;
        (&begin == b"HTTP/1.1 200").then_some(())
    };
    let limit = Duration::from_secs(20);
    let answered = tokio::time::timeout(limit, exchange).await;
    matches!(answered, Ok(Some(())))
}

/// Ends a connection behind each byte in turn, and sends each with another byte in its place.
async fn survives(address: SocketAddr, request: &[u8], count: usize) -> bool {
    for turn in 0..count / 2 {
        let at = turn % request.len();
        cut_off(address, &request[..at]).await;
        let mut spoiled = request.to_vec();
        spoiled[at] ^= u8::try_from(1 + turn / request.len() % 255).expect("below 256");
        cut_off(address, &spoiled).await;
        if turn % 500 == 0 && !answers(address, request).await {
            return false;
        }
    }
    answers(address, request).await
}

fn descriptors() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("Linux");
    open.count()
}

#[tokio::test]
async fn a_157_who_hangs_up_or_sends_anything_hurts_nobody_else() {
    let app = App::echo().await;
    let address = serve(&app.gateway).await;
    let request = request(&app.token());
    assert!(answers(address, &request).await);
    let before = descriptors();
    assert!(survives(address, &request, count()).await);
    // What was cut off is given up; each turn of the loop lets some of it end.
    while descriptors() > before + 8 {
        assert!(answers(address, &request).await);
    }
    assert!(app.server.count() > 0);
}

#[tokio::test]
async fn a_server_that_ends_with_one_of_its_connections_would_be_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(async |_| Ok::<_, Infallible>(json_answer("{}")));
            let mut http = hyper::server::conn::http1::Builder::new();
            let http = http.half_close(false);
            let served = http.serve_connection(TokioIo::new(stream), service).await;
            if served.is_err() {
                return;
            }
        }
    });
    assert!(!survives(address, &request("x"), 1_000).await);
}
