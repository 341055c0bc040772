//! HTTP servers that stand behind the gate, good and bad, in a thread each.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::thread;

/// A server on loopback that gives this answer to every request; its URL.
pub(crate) fn always(answer: &str) -> String {
    let answer = answer.to_owned();
    serve(move |stream, _, _| {
        let _ = stream.write_all(answer.as_bytes());
    })
}

/// A server that takes requests and never answers; says so of each call on `called`.
pub(crate) fn that_never_answers(called: Sender<()>) -> String {
    serve(move |stream, _, _| {
        let _ = called.send(());
        // Until the gate hangs up.
        let _ = stream.read(&mut [0]);
    })
}

/// A server that answers `initialize` with a session and then keeps every GET open; says so on `opened`.
pub(crate) fn with_open_streams(opened: Sender<()>) -> String {
    serve(move |stream, head, _| {
        if head.starts_with("GET") {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close";
            let event = r#"data: {"jsonrpc":"2.0","method":"notifications/here"}"#;
            let _ = stream.write_all(format!("{head}\r\n\r\n{event}\n\n").as_bytes());
            let _ = opened.send(());
            // Until the gate hangs up.
            let _ = stream.read(&mut [0]);
        } else {
            let media = "application/json\r\nmcp-session-id: x";
            let _ = stream.write_all(ok(media, INITIALIZED).as_bytes());
        }
    })
}

/// The defect of A-164: a body with `command` and `args` is run, as a "test of the connection".
pub(crate) fn that_runs_what_it_is_told() -> String {
    serve(|stream, _, body| {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        if let (Some(command), Some(args)) = (body["command"].as_str(), body["args"].as_array()) {
            let args = args.iter().filter_map(serde_json::Value::as_str);
            let _ = std::process::Command::new(command).args(args).status();
        }
        let _ = stream.write_all(ok("application/json", "{}").as_bytes());
    })
}

/// Nothing listens here.
pub(crate) fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    url(&listener)
}

fn serve(answer: impl Fn(&mut TcpStream, &str, &[u8]) + Send + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = url(&listener);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut stream = stream;
                if let Some((head, body)) = read(&stream) {
                    answer(&mut stream, &head, &body);
                }
            });
        }
    });
    url
}

/// Head and body of one request.
fn read(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn url(listener: &TcpListener) -> String {
    let address = listener.local_addr().expect("it is bound");
    format!("http://{address}/mcp")
}

/// An answer with a body of this type, after which the connection ends.
pub(crate) fn ok(media: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}"#;
