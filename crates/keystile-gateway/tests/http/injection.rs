//! No value of a client or of a server makes a header of its own (CHECKLIST A-128).

use axum::body::Body;
use http::{HeaderValue, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::serve::serve;
use crate::support::{App, Server, TOOL_CALL, json_answer};

/// What an HTTP parser of another make could take for the end of a line, or of the text.
const BREAKS: [&[u8]; 7] = [b"\r\n", b"\n", b"\r", b"\0", b"\r\n ", b"\n\t", b"\x0b"];

/// The headers of a client that go on to the server.
const PASSED: [&str; 9] = [
    "accept-language",
    "user-agent",
    "traceparent",
    "mcp-session-id",
    "mcp-method",
    "mcp-name",
    "mcp-param-region",
    "last-event-id",
    "mcp-protocol-version",
];

#[tokio::test]
async fn what_a_client_sends_in_a_header_ends_no_line_upstream() {
    let app = App::echo().await;
    let address = serve(&app.gateway).await;
    let token = app.token();
    for name in PASSED {
        for broken in BREAKS {
            let mut request = format!(
                "POST /kb/mcp HTTP/1.1\r\nhost: localhost:7717\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{name}: a",
                TOOL_CALL.len()
            )
            .into_bytes();
            request.extend_from_slice(broken);
            request.extend_from_slice(b"x-evil: 1\r\n\r\n");
            request.extend_from_slice(TOOL_CALL.as_bytes());
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&request).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 "), "{name} {broken:?}");
        }
    }
    // A line feed alone ends a line (RFC 9112 §2.2): the header behind it is one of the client's, and not on our list.
    for seen in app.server.seen.lock().iter() {
        assert!(!seen.parts.headers.contains_key("x-evil"), "{seen:?}");
        for (name, value) in &seen.parts.headers {
            let visible = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
            assert!(value.as_bytes().iter().all(visible), "{name}: {value:?}");
            assert!(
                !value.as_bytes().windows(6).any(|text| text == b"x-evil"),
                "{name}: {value:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_client_names_in_a_session_never_reaches_the_server() {
    let app = App::echo().await;
    for id in ["theirs\tx", "th\u{e9}irs", " theirs", "theirs, other"] {
        let mut request = app.call();
        let bound = HeaderValue::from_bytes(app.session(id).as_bytes()).unwrap();
        request.headers_mut().insert("mcp-session-id", bound);
        let answer = app.send(request).await;
        let status = answer.status().as_u16();
        assert!([200, 404, 400].contains(&status), "{id}: {status}");
    }
    for seen in app.server.seen.lock().iter() {
        let id = seen.parts.headers["mcp-session-id"].as_bytes();
        assert!(
            id.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')),
            "{id:?}"
        );
    }
}

/// A server that puts these bytes behind its status line.
async fn upstream(headers: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("works in a test");
    let url = format!(
        "http://{}/mcp",
        listener.local_addr().expect("works in a test")
    );
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("works in a test");
            tokio::spawn(async move {
                let mut head = [0; 8192];
                while stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                    let answer = [
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n",
                        headers,
                        b"content-length: 2\r\n\r\n{}",
                    ];
                    drop(stream.write_all(&answer.concat()).await);
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn what_a_server_sends_in_a_header_makes_no_header_of_ours() {
    for headers in [
        &b"mcp-session-id: a\r b\r\n"[..],
        b"mcp-session-id: a\0b\r\n",
        b"mcp-session-id: a\x80b\r\n",
        b"mcp-session-id: a b\r\n",
        b"mcp-session-id: a\r\n set-cookie: x=1\r\n",
        b"cache-control: a\n set-cookie: x=1\r\n",
        b"content-language: a\nset-cookie: x=1\r\n",
        b"retry-after: 1\r\nset-cookie: x=1\r\n",
        b"www-authenticate: Bearer\r\nset-cookie : x=1\r\n",
    ] {
        let server = Server::start(|_| json_answer("{}")).await;
        let app = App::in_front_of(server, &upstream(headers).await, |upstream| upstream);
        let answer: Response<Body> = app.send(app.call()).await;
        let shown = headers.escape_ascii().to_string();
        assert!(matches!(answer.status().as_u16(), 200 | 502), "{shown}");
        assert!(!answer.headers().contains_key("set-cookie"), "{shown}");
        assert!(
            !answer.headers().contains_key("www-authenticate"),
            "{shown}"
        );
        for (name, value) in answer.headers() {
            assert!(
                value
                    .as_bytes()
                    .iter()
                    .all(|byte| matches!(byte, b'\t' | b' '..=b'~')),
                "{name}"
            );
        }
    }
}
