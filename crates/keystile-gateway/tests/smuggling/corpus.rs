//! Requests that readers of HTTP have disagreed about. Behind each stands a second request that must stay unread.

mod chunks;
mod framing;

use crate::support::TOOL_CALL;

/// One connection's bytes.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// How many requests of it go on: the honest ones.
    pub(crate) forwarded: usize,
}

/// What would be smuggled; it has no token, and its path says what it is.
const INNER: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost:7717\r\n\r\n";

struct Corpus<'a> {
    token: &'a str,
    cases: Vec<Case>,
}

/// All of them, with a token that is good.
pub(crate) fn cases(token: &str) -> Vec<Case> {
    let mut corpus = Corpus {
        token,
        cases: Vec::new(),
    };
    corpus.transfer_codings();
    corpus.lengths();
    corpus.both();
    corpus.chunks();
    corpus.header_lines();
    corpus.request_lines();
    corpus.hops();
    corpus.cases
}

fn chunked() -> String {
    format!("{:x}\r\n{TOOL_CALL}\r\n0\r\n\r\n", TOOL_CALL.len())
}

impl Corpus<'_> {
    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, forwarded: usize) {
        self.cases.push(Case {
            name: name.into(),
            bytes: bytes.into(),
            forwarded,
        });
    }

    /// A POST with these header lines (each with its end) and this behind its head.
    fn post(&self, lines: &str, body: &str) -> String {
        self.with("POST /kb/mcp HTTP/1.1\r\n", lines, body)
    }

    fn with(&self, first: &str, lines: &str, body: &str) -> String {
        format!(
            "{first}Host: localhost:7717\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{lines}\r\n{body}",
            self.token
        )
    }

    /// The length of an honest body.
    fn length() -> String {
        format!("Content-Length: {}\r\n", TOOL_CALL.len())
    }

    fn header_lines(&mut self) {
        for (line, forwarded) in [
            ("X-A: b\r\n", 1),
            ("X-A:\r\n", 1),
            ("X-A: b\r\n c\r\n", 0),
            ("X-A: b\r\n\tc\r\n", 0),
            ("X-A : b\r\n", 0),
            ("X A: b\r\n", 0),
            (": b\r\n", 0),
            ("X-A\r\n", 0),
            ("X-A: b\0c\r\n", 0),
            ("X-A: b\rc\r\n", 0),
            ("X-A: b\r\r\n", 0),
            ("X\0A: b\r\n", 0),
            ("X(A): b\r\n", 0),
            ("X\u{e4}: b\r\n", 0),
            ("X-A: b\u{7f}\r\n", 0),
            ("Host: evil.example\r\n", 0),
            ("Host: localhost:7717\r\n", 0),
            ("HOST : evil.example\r\n", 0),
            ("Content-Type: text/plain\r\n", 0),
            ("Authorization: Bearer x\r\n", 0),
            ("Expect: 100-continue\r\n", 1),
            ("Content-Encoding: gzip\r\n", 0),
        ] {
            let lines = format!("{line}{}", Self::length());
            let bytes = self.post(&lines, &format!("{TOOL_CALL}{INNER}"));
            self.add(format!("header {line:?}"), bytes, forwarded);
        }
        // A line feed alone ends a line (RFC 9112 §2.2); it is the judge's line that is regenerated.
        let lines = self.post(&Self::length(), TOOL_CALL).replace("\r\n", "\n");
        self.add("line feeds alone", format!("{lines}{INNER}"), 1);
        let lines = self.post(&Self::length(), TOOL_CALL).replace("\r\n", "\r");
        self.add("carriage returns alone", format!("{lines}{INNER}"), 0);
        let many = "X-A: b\r\n".repeat(500);
        let bytes = self.post(&format!("{many}{}", Self::length()), TOOL_CALL);
        self.add("500 headers", bytes, 0);
    }

    fn request_lines(&mut self) {
        for (first, forwarded) in [
            ("POST /kb/mcp HTTP/1.1\r\n", 1),
            ("\r\nPOST /kb/mcp HTTP/1.1\r\n", 1),
            ("POST http://localhost:7717/kb/mcp HTTP/1.1\r\n", 1),
            ("POST http://evil.example/kb/mcp HTTP/1.1\r\n", 0),
            ("POST /kb/mcp HTTP/1.0\r\n", 1),
            ("POST /kb/mcp HTTP/0.9\r\n", 0),
            ("POST /kb/mcp HTTP/1.2\r\n", 0),
            ("POST /kb/mcp HTTP/2.0\r\n", 0),
            ("POST /kb/mcp http/1.1\r\n", 0),
            ("POST /kb/mcp HTTP/1.1 \r\n", 0),
            ("POST /kb/mcp HTTP/01.1\r\n", 0),
            ("POST /kb/mcp\r\n", 0),
            ("POST  /kb/mcp HTTP/1.1\r\n", 0),
            ("POST\t/kb/mcp\tHTTP/1.1\r\n", 0),
            (" POST /kb/mcp HTTP/1.1\r\n", 0),
            ("post /kb/mcp HTTP/1.1\r\n", 0),
            ("POST\0 /kb/mcp HTTP/1.1\r\n", 0),
            ("P\u{f6}ST /kb/mcp HTTP/1.1\r\n", 0),
            ("GET /smuggled POST /kb/mcp HTTP/1.1\r\n", 0),
            ("POST /kb/mcp /smuggled HTTP/1.1\r\n", 0),
            ("POST //kb/mcp HTTP/1.1\r\n", 0),
            ("POST /kb/../kb/mcp HTTP/1.1\r\n", 0),
            ("POST /kb\\mcp HTTP/1.1\r\n", 0),
            ("POST /kb%2fmcp HTTP/1.1\r\n", 0),
            ("POST /kb/mcp%20HTTP/1.1%0d%0aX:%20y HTTP/1.1\r\n", 0),
            ("POST /kb/mcp;x=smuggled HTTP/1.1\r\n", 0),
            ("POST /kb/mcp?x=smuggled HTTP/1.1\r\n", 1),
            ("POST /kb/mcp#smuggled HTTP/1.1\r\n", 1),
            ("POST /kb/mcp\u{a0} HTTP/1.1\r\n", 0),
            ("POST * HTTP/1.1\r\n", 0),
            ("CONNECT localhost:7717 HTTP/1.1\r\n", 0),
            ("PRI * HTTP/2.0\r\n", 0),
        ] {
            let bytes = self.with(first, &Self::length(), &format!("{TOOL_CALL}{INNER}"));
            self.add(format!("request line {first:?}"), bytes, forwarded);
        }
        let chunked = self.with(
            "POST /kb/mcp HTTP/1.0\r\n",
            "Transfer-Encoding: chunked\r\n",
            &chunked(),
        );
        self.add("HTTP/1.0, chunked", format!("{chunked}{INNER}"), 0);
        let both = format!(
            "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n{}",
            Self::length()
        );
        let bytes = self.with("POST /kb/mcp HTTP/1.0\r\n", &both, TOOL_CALL);
        self.add(
            "HTTP/1.0, a length and chunked",
            format!("{bytes}{INNER}"),
            0,
        );
        let twice = self.post(&Self::length(), TOOL_CALL);
        self.add("two honest requests", format!("{twice}{twice}"), 2);
    }

    /// What is meant for one hop only, or for a server that takes it seriously.
    fn hops(&mut self) {
        for (lines, forwarded) in [
            ("Connection: close\r\n", 1),
            ("Connection: Content-Length\r\n", 1),
            ("Connection: Host, Content-Type\r\n", 1),
            ("Connection: keep-alive, Transfer-Encoding\r\n", 1),
            ("Keep-Alive: timeout=5\r\n", 1),
            ("Proxy-Connection: keep-alive\r\n", 1),
            ("Trailer: Content-Length\r\n", 1),
            ("X-HTTP-Method-Override: DELETE\r\n", 1),
            (
                "X-Original-URL: /smuggled\r\nX-Rewrite-URL: /smuggled\r\n",
                1,
            ),
            (
                "X-Forwarded-Host: smuggled\r\nForwarded: host=smuggled\r\n",
                1,
            ),
            (
                "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAA\r\n",
                1,
            ),
            ("Upgrade: websocket\r\nConnection: Upgrade\r\n", 0),
            ("Upgrade: TLS/1.3\r\nConnection: Upgrade\r\n", 0),
        ] {
            let lines = format!("{lines}{}", Self::length());
            let bytes = self.post(&lines, &format!("{TOOL_CALL}{INNER}"));
            self.add(format!("hop {lines:?}"), bytes, forwarded);
        }
    }
}
