//! Where a body ends: codings, lengths, both.

use super::{Corpus, INNER, chunked};
use crate::support::TOOL_CALL;

impl Corpus<'_> {
    pub(super) fn transfer_codings(&mut self) {
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

    pub(super) fn lengths(&mut self) {
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
    pub(super) fn both(&mut self) {
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
}
