//! Lines of a pipe, with a cap on their length.

use keystile_domain::shown::is_obeyed;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// One line without its line break, or the end.
pub(crate) enum Line {
    Text(Vec<u8>),
    /// Longer than the cap. What was read of it; the rest is still in the pipe.
    TooLong(Vec<u8>),
    End,
}

/// Reads up to the next `\n`. Cancelling loses what was read so far.
pub(crate) async fn next_line(
    pipe: &mut (impl AsyncBufRead + Unpin),
    cap: usize,
) -> std::io::Result<Line> {
    let mut line = Vec::new();
    loop {
        let chunk = pipe.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(if line.is_empty() {
                Line::End
            } else {
                Line::Text(line)
            });
        }
        let stop = chunk.iter().position(|byte| *byte == b'\n');
        let taken = stop.unwrap_or(chunk.len());
        if line.len() + taken > cap {
            let used = cap - line.len();
            line.extend_from_slice(&chunk[..used]);
            pipe.consume(used);
            return Ok(Line::TooLong(line));
        }
        line.extend_from_slice(&chunk[..taken]);
        let used = taken + usize::from(stop.is_some());
        pipe.consume(used);
        if stop.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Line::Text(line));
        }
    }
}

/// `bytes` as one line that a terminal and a log reader can stand (CHECKLIST A-167): control characters, line
/// separators and text direction marks are escaped, and no more than `cap` characters are kept.
pub(crate) fn printable(bytes: &[u8], cap: usize) -> String {
    // A line may have megabytes, a character has at most four bytes.
    let beginning = bytes.get(..4 * cap + 1).unwrap_or(bytes);
    let text = String::from_utf8_lossy(beginning);
    let mut out = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == cap {
            out.push('…');
            break;
        }
        if is_obeyed(char) {
            out.extend(char.escape_unicode());
        } else {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8], cap: usize) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match next_line(&mut bytes, cap).await.unwrap() {
                Line::Text(line) => lines.push(String::from_utf8(line).unwrap()),
                Line::TooLong(line) => {
                    lines.push(format!("!{}", String::from_utf8(line).unwrap()));
                    return lines;
                }
                Line::End => return lines,
            }
        }
    }

    #[tokio::test]
    async fn lines_end_at_a_line_feed_and_the_last_may_lack_it() {
        assert_eq!(read(b"a\r\n\nb\xc3\xa4", 9).await, ["a", "", "bä"]);
        assert_eq!(read(b"123\n", 3).await, ["123"]);
        assert_eq!(read(b"1234\n", 3).await, ["!123"]);
    }

    #[tokio::test]
    async fn what_is_longer_than_a_line_goes_on_where_it_stopped() {
        let mut pipe = tokio::io::BufReader::with_capacity(4, &b"123456789\n"[..]);
        for part in ["123456", "789"] {
            let (Line::Text(line) | Line::TooLong(line)) = next_line(&mut pipe, 6).await.unwrap()
            else {
                panic!("it goes on");
            };
            assert_eq!(line, part.as_bytes());
        }
    }

    #[test]
    fn what_a_child_prints_is_harmless_in_a_log() {
        assert_eq!(
            printable(b"\x1b[2Jhi\xff\r", 99),
            "\\u{1b}[2Jhi\u{fffd}\\u{d}"
        );
        assert_eq!(printable("a\u{202e}b".as_bytes(), 99), "a\\u{202e}b");
        assert_eq!(printable(b"abcdef", 3), "abc…");
        assert_eq!(printable("🦀🦀🦀🦀".as_bytes(), 3), "🦀🦀🦀…");
        assert_eq!(printable("🦀🦀🦀".as_bytes(), 3), "🦀🦀🦀");
    }
}
