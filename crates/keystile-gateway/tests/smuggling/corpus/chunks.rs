//! Where a chunk ends.

use super::{Corpus, INNER};
use crate::support::TOOL_CALL;

impl Corpus<'_> {
    pub(super) fn chunks(&mut self) {
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
}
