//! Requests that readers of HTTP have disagreed about. Behind each stands a second request that must stay unread.

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

    fn transfer_codings(&mut self) {
        for (line, forwarded) in [
            ("Transfer-Encoding: chunked\r\n", 1),
            ("transfer-encoding:chunked\r\n", 1),
            ("TRANSFER-ENCODING: CHUNKED\r\n", 1),
            ("Transfer-Encoding: \tchunked \t\r\n", 1),
            ("Transfer-Encoding: xchunked\r\n", 0),
            ("Transfer-Encoding: chunkedx\r\n", 0),
            ("Transfer-Encoding: \"chunked\"\r\n", 0),
            ("Transfer-Encoding: 'chunked'\r\n", 0),
            ("Transfer-Encoding: chunked;q=1\r\n", 0),
            ("Transfer-Encoding: chunked,\r\n", 0),
            ("Transfer-Encoding: ,chunked\r\n", 0),
            ("Transfer-Encoding: chunked, chunked\r\n", 0),
            ("Transfer-Encoding: identity\r\n", 0),
            ("Transfer-Encoding: identity, chunked\r\n", 0),
            ("Transfer-Encoding: chunked, identity\r\n", 0),
            ("Transfer-Encoding: gzip, chunked\r\n", 0),
            ("Transfer-Encoding: chunked, gzip\r\n", 0),
            ("Transfer-Encoding: deflate\r\n", 0),
            ("Transfer-Encoding: cow\r\n", 0),
            ("Transfer-Encoding:\r\n", 0),
            ("Transfer-Encoding: chu nked\r\n", 0),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                0,
            ),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                0,
            ),
            (
                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                0,
            ),
            (
                "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n",
                0,
            ),
            (
                "Transfer-Encoding: cow\r\nTransfer-encoding: chunked\r\n",
                0,
            ),
            ("Transfer-Encoding:\r\n chunked\r\n", 0),
            ("Transfer-Encoding: chunked\r\n \r\n", 0),
            ("Transfer-Encoding : chunked\r\n", 0),
            ("Transfer-Encoding\t: chunked\r\n", 0),
            (" Transfer-Encoding: chunked\r\n", 0),
            ("X: y\r\n\tTransfer-Encoding: chunked\r\n", 0),
            ("Transfer-Encoding: \x0bchunked\r\n", 0),
            ("Transfer-Encoding: chunked\x0b\r\n", 0),
            ("Transfer-Encoding: \0chunked\r\n", 0),
            ("Transfer-Encoding: chunked\0\r\n", 0),
            ("Transfer-Encoding: chunked\r\r\n", 0),
            ("Transfer-Encoding: \u{a0}chunked\r\n", 0),
            ("Transfer-Encoding: ch\u{17f}unked\r\n", 0),
            ("Transfer_Encoding: chunked\r\n", 0),
            ("X-Transfer-Encoding: chunked\r\n", 0),
            ("TE: chunked\r\n", 0),
        ] {
            let bytes = self.post(line, &format!("{}{INNER}", chunked()));
            self.add(format!("{line:?}"), bytes, forwarded);
        }
    }

    fn lengths(&mut self) {
        let right = TOOL_CALL.len();
        let of = |value: &str| {
            format!(
                "Content-Length: {}\r\n",
                value.replace('N', &right.to_string())
            )
        };
        for (value, forwarded) in [
            ("N", 1),
            ("0N", 1),
            ("  N  ", 1),
            ("+N", 0),
            ("-N", 0),
            ("-1", 0),
            ("N.0", 0),
            ("N,N", 0),
            ("N, N", 0),
            ("N,0", 0),
            ("0,N", 0),
            ("0", 0),
            ("0xN", 0),
            ("0x55", 0),
            ("Nx", 0),
            ("N N", 0),
            ("N;", 0),
            ("\"N\"", 0),
            ("", 0),
            ("1e2", 0),
            ("N\u{a0}", 0),
            ("\u{661}", 0),
            ("N\0", 0),
            ("\x0bN", 0),
            ("18446744073709551615", 0),
            ("18446744073709551616", 0),
            ("18446744073709551701", 0),
            ("99999999999999999999999999", 0),
            ("4194305", 0),
        ] {
            let bytes = self.post(&of(value), &format!("{TOOL_CALL}{INNER}"));
            self.add(format!("Content-Length {value:?}"), bytes, forwarded);
        }
        for (name, lines, forwarded) in [
            ("twice the same", format!("{0}{0}", of("N")), 1),
            (
                "twice, the second longer",
                format!("{}{}", of("N"), of("9N")),
                0,
            ),
            (
                "twice, the second none",
                format!("{}{}", of("N"), of("0")),
                0,
            ),
            (
                "twice, the first none",
                format!("{}{}", of("0"), of("N")),
                0,
            ),
            (
                "twice, the second folded",
                format!("{}X: y\r\n {}", of("N"), of("0")),
                0,
            ),
            ("folded", format!("Content-Length:\r\n {right}\r\n"), 0),
            (
                "space before the colon",
                format!("Content-Length : {right}\r\n"),
                0,
            ),
            (
                "with an underscore",
                format!("Content_Length: {right}\r\n"),
                0,
            ),
            ("none at all", String::new(), 0),
            (
                "one byte short",
                format!("Content-Length: {}\r\n", right - 1),
                0,
            ),
        ] {
            let bytes = self.post(&lines, &format!("{TOOL_CALL}{INNER}"));
            self.add(format!("Content-Length {name}"), bytes, forwarded);
        }
    }

    /// RFC 9112 §6.1: the coding counts, and the connection ends.
    fn both(&mut self) {
        let (whole, zero) = (format!("{}{INNER}", chunked()), "0\r\n\r\n");
        let all = whole.len();
        for (name, lines, body, forwarded) in [
            (
                "length of all, then coding",
                format!("Content-Length: {all}\r\nTransfer-Encoding: chunked\r\n"),
                &*whole,
                1,
            ),
            (
                "coding, then length of all",
                format!("Transfer-Encoding: chunked\r\nContent-Length: {all}\r\n"),
                &whole,
                1,
            ),
            (
                "length of a part",
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".to_owned(),
                &whole,
                1,
            ),
            (
                "no length",
                "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n".to_owned(),
                &whole,
                1,
            ),
            (
                "a bad length",
                "Content-Length: x\r\nTransfer-Encoding: chunked\r\n".to_owned(),
                &whole,
                0,
            ),
            (
                "two lengths",
                "Content-Length: 3\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
                    .to_owned(),
                &whole,
                0,
            ),
            (
                "an unknown coding",
                format!(
                    "Content-Length: {}\r\nTransfer-Encoding: cow\r\n",
                    TOOL_CALL.len()
                ),
                TOOL_CALL,
                0,
            ),
            (
                "no coding",
                format!(
                    "Content-Length: {}\r\nTransfer-Encoding: identity\r\n",
                    TOOL_CALL.len()
                ),
                TOOL_CALL,
                0,
            ),
            (
                "an empty coding",
                format!(
                    "Content-Length: {}\r\nTransfer-Encoding:\r\n",
                    TOOL_CALL.len()
                ),
                TOOL_CALL,
                0,
            ),
            (
                "a misspelt coding",
                format!(
                    "Content-Length: {}\r\nTransfer-Encoding : chunked\r\n",
                    TOOL_CALL.len()
                ),
                TOOL_CALL,
                0,
            ),
            (
                "an empty chunk and a length",
                format!(
                    "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
                    zero.len() + INNER.len()
                ),
                zero,
                0,
            ),
        ] {
            let bytes = self.post(&lines, &format!("{body}{INNER}"));
            self.add(format!("both: {name}"), bytes, forwarded);
        }
    }

    fn chunks(&mut self) {
        let size = format!("{:x}", TOOL_CALL.len());
        for (name, head, end, forwarded) in [
            ("plain", format!("{size}\r\n"), "\r\n0\r\n\r\n", 1),
            (
                "upper case",
                format!("{}\r\n", size.to_uppercase()),
                "\r\n0\r\n\r\n",
                1,
            ),
            (
                "leading zeros",
                format!("0000{size}\r\n"),
                "\r\n0000\r\n\r\n",
                1,
            ),
            (
                "an extension",
                format!("{size};a=b\r\n"),
                "\r\n0\r\n\r\n",
                1,
            ),
            (
                "a quoted extension",
                format!("{size};a=\"b;c\"\r\n"),
                "\r\n0\r\n\r\n",
                1,
            ),
            (
                "an extension with a line feed",
                format!("{size};a\nb\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "an extension with a carriage return",
                format!("{size};a\rb\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a trailer",
                format!("{size}\r\n"),
                "\r\n0\r\nX-Evil: 1\r\n\r\n",
                1,
            ),
            (
                "a trailer that frames",
                format!("{size}\r\n"),
                "\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                1,
            ),
            (
                "a trailer that authorizes",
                format!("{size}\r\n"),
                "\r\n0\r\nAuthorization: Bearer x\r\nHost: evil\r\n\r\n",
                1,
            ),
            (
                "a size with a sign",
                format!("+{size}\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a negative size",
                format!("-{size}\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a size with 0x",
                format!("0x{size}\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a size with an underscore",
                format!("{}_{}\r\n", &size[..1], &size[1..]),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a space before the size",
                format!(" {size}\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            ("no size", "\r\n".to_owned(), "\r\n0\r\n\r\n", 0),
            (
                "an extension without a size",
                ";a=b\r\n".to_owned(),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a size that wraps around",
                format!("100000000000000{size}\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a size of 2^64 and more",
                format!("fffffffffffffffff{size}\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a size that is too small",
                "1\r\n".to_owned(),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a size that is too large",
                "fff\r\n".to_owned(),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a line feed behind the size",
                format!("{size}\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a carriage return behind the size",
                format!("{size}\r"),
                "\r\n0\r\n\r\n",
                0,
            ),
            ("no end of the chunk", format!("{size}\r\n"), "0\r\n\r\n", 0),
            (
                "a line feed behind the chunk",
                format!("{size}\r\n"),
                "\n0\r\n\r\n",
                0,
            ),
            (
                "other bytes behind the chunk",
                format!("{size}\r\n"),
                "XX0\r\n\r\n",
                0,
            ),
            (
                "a line feed behind the last chunk",
                format!("{size}\r\n"),
                "\r\n0\n\r\n",
                0,
            ),
            ("no last chunk", format!("{size}\r\n"), "\r\n", 0),
            (
                "a NUL in the size",
                format!("{size}\0\r\n"),
                "\r\n0\r\n\r\n",
                0,
            ),
            (
                "a size in other digits",
                "\u{665}\u{665}\r\n".to_owned(),
                "\r\n0\r\n\r\n",
                0,
            ),
        ] {
            let body = format!("{head}{TOOL_CALL}{end}{INNER}");
            let bytes = self.post("Transfer-Encoding: chunked\r\n", &body);
            self.add(format!("chunk: {name}"), bytes, forwarded);
        }
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
