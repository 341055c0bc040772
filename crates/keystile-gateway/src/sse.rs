//! Server-sent events, as the HTML standard reads them ("Interpreting an event stream"; CHECKLIST A-111).

use std::borrow::Cow;

/// Collects events from chunks.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    /// Bytes of the line that has no end yet.
    line: Vec<u8>,
    /// The last byte was `\r`: a `\n` right after it belongs to it.
    after_cr: bool,
    /// The event that has no end yet.
    event: Event,
    begun: bool,
}

/// What one event says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// `None` is `message`.
    pub(crate) name: Option<Vec<u8>>,
    /// Its lines, with a line feed between two. An event that only brings an id has an empty one.
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) id: Option<Vec<u8>>,
    /// Milliseconds.
    pub(crate) retry: Option<u64>,
}

/// One event is longer than the cap.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Event {
    /// The MCP message in it; other events than `message` carry none.
    pub(crate) fn into_message(self) -> Option<Vec<u8>> {
        let data = self.data.filter(|data| !data.is_empty());
        data.filter(|_| self.name.is_none())
    }

    fn len(&self) -> usize {
        let parts = [&self.name, &self.data, &self.id];
        parts.into_iter().flatten().map(Vec::len).sum()
    }
}

impl EventReader {
    /// The next event that ends in `chunk`, of which only what is behind it stays.
    pub(crate) fn next(&mut self, chunk: &mut &[u8], cap: usize) -> Result<Option<Event>, TooLong> {
        loop {
            if std::mem::take(&mut self.after_cr) {
                *chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
            }
            let end = chunk.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (part, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
            if self.line.len() + part.len() + self.event.len() > cap {
                return Err(TooLong);
            }
            let Some((ending, rest)) = rest.split_first() else {
                self.line.extend_from_slice(part);
                *chunk = rest;
                return Ok(None);
            };
            self.after_cr = *ending == b'\r';
            *chunk = rest;
            let ended = if self.line.is_empty() {
                self.end_line(Cow::Borrowed(part))
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                self.end_line(Cow::Owned(line))
            };
            if ended && self.event != Event::default() {
                return Ok(Some(std::mem::take(&mut self.event)));
            }
        }
    }

    /// Whether it ends the event.
    fn end_line(&mut self, line: Cow<'_, [u8]>) -> bool {
        let mark = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(_) if !self.begun => 3,
            _ => 0,
        };
        self.begun = true;
        let text = line.get(mark..).unwrap_or_default();
        if text.is_empty() {
            return true;
        }
        let colon = text.iter().position(|byte| *byte == b':');
        let (field, value) = text.split_at(colon.unwrap_or(text.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let event = &mut self.event;
        match field {
            b"data" => match &mut event.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                none => *none = Some(tail(value.len(), line)),
            },
            b"event" => {
                let named = !value.is_empty() && value != b"message";
                event.name = named.then(|| value.to_vec());
            }
            b"id" if !value.contains(&0) => {
                event.id = Some(value.to_vec()).filter(|id| !id.is_empty());
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                event.retry = std::str::from_utf8(value)
                    .ok()
                    .and_then(|it| it.parse().ok());
            }
            _ => {}
        }
        false
    }
}

/// The last bytes of a line. A long one is not copied: it has been collected already.
fn tail(length: usize, line: Cow<'_, [u8]>) -> Vec<u8> {
    let head = line.len() - length;
    match line {
        Cow::Borrowed(line) => line.get(head..).unwrap_or_default().to_vec(),
        Cow::Owned(mut line) => {
            line.drain(..head);
            line
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&str]) -> Vec<Event> {
        let mut reader = EventReader::default();
        let mut events = Vec::new();
        for chunk in chunks {
            let mut rest = chunk.as_bytes();
            while let Some(event) = reader.next(&mut rest, 99).unwrap() {
                events.push(event);
            }
            assert!(rest.is_empty());
        }
        events
    }

    fn read(chunks: &[&str]) -> Vec<String> {
        let messages = events(chunks).into_iter().filter_map(Event::into_message);
        messages
            .map(|data| String::from_utf8(data).unwrap())
            .collect()
    }

    #[test]
    fn events_are_read_whatever_ends_their_lines() {
        for stream in [
            "event: message\ndata: {\"a\":1}\n\n",
            "\u{feff}data:{\"a\":1}\r\n\r\n",
            ": hello\rid: 1\rdata: {\"a\":1}\r\r",
            "data: {\"a\":1}\n\ndata: cut off",
        ] {
            assert_eq!(read(&[stream]), ["{\"a\":1}"], "{stream:?}");
            let bytes: Vec<_> = stream.split_inclusive(|_| true).collect();
            assert_eq!(read(&bytes), ["{\"a\":1}"], "{stream:?} byte by byte");
        }
    }

    #[test]
    fn data_of_several_lines_is_one_event() {
        assert_eq!(read(&["data: [1,\ndata: 2]\n\n"]), ["[1,\n2]"]);
        assert_eq!(read(&["data\ndata: 1\nda", "ta: 2\n\n"]), ["\n1\n2"]);
    }

    #[test]
    fn what_is_no_message_carries_nothing() {
        assert!(
            read(&[
                "event: endpoint\ndata: /x\n\n",
                "event: ping\n\n",
                "data\n\n",
                ":\n\n"
            ])
            .is_empty()
        );
    }

    #[test]
    fn name_id_and_retry_are_told() {
        let stream =
            "event: endpoint\ndata: /x\nid: 7\nretry: 20\n\nid: 8\nretry: -1\ndata:\n\nid:\n\n";
        let endpoint = Event {
            name: Some(b"endpoint".into()),
            data: Some(b"/x".into()),
            id: Some(b"7".into()),
            retry: Some(20),
        };
        let primer = Event {
            id: Some(b"8".into()),
            data: Some(Vec::new()),
            ..Event::default()
        };
        assert_eq!(events(&[stream]), [endpoint, primer]);
    }

    #[test]
    fn a_long_event_is_refused_however_it_is_cut() {
        for stream in [
            "x".repeat(100),
            format!("data: {}\n\n", "x".repeat(100)),
            "data: x\n".repeat(60),
            format!("id: {}\ndata: {}\n\n", "x".repeat(60), "x".repeat(60)),
        ] {
            let whole = EventReader::default().next(&mut stream.as_bytes(), 99);
            assert_eq!(whole, Err(TooLong), "{stream}");
            let mut reader = EventReader::default();
            let mut bytes = stream.as_bytes().chunks(1);
            let refused = bytes.any(|mut byte| reader.next(&mut byte, 99).is_err());
            assert!(refused, "{stream} byte by byte");
        }
    }
}
