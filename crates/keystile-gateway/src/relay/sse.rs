//! Server-sent events, as the HTML standard reads them ("Interpreting an event stream"; CHECKLIST A-111).

/// Collects the data of events from chunks.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    /// Bytes of the line that has no end yet.
    line: Vec<u8>,
    /// The last byte was `\r`: a `\n` right after it belongs to it.
    after_cr: bool,
    /// The data lines of the event that has no end yet.
    data: Option<Vec<u8>>,
    /// Other events than `message` carry nothing for MCP.
    foreign: bool,
    begun: bool,
}

/// One event is longer than the cap.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl EventReader {
    /// The data of the events that end in this chunk.
    pub(crate) fn push(&mut self, chunk: &[u8], cap: usize) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for byte in chunk {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => {
                    self.after_cr = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.end_line(&line));
                }
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, Vec::len) > cap {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if !self.begun => rest,
            _ => line,
        };
        self.begun = true;
        if line.is_empty() {
            let foreign = std::mem::take(&mut self.foreign);
            return self.data.take().filter(|data| !foreign && !data.is_empty());
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                none => *none = Some(value.to_vec()),
            },
            b"event" => self.foreign = !value.is_empty() && value != b"message",
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&str]) -> Vec<String> {
        let mut reader = EventReader::default();
        let events = chunks
            .iter()
            .flat_map(|chunk| reader.push(chunk.as_bytes(), 99).unwrap());
        events
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
    fn a_long_event_is_refused() {
        let mut reader = EventReader::default();
        assert_eq!(reader.push(&[b'x'; 100], 99), Err(TooLong));
    }
}
