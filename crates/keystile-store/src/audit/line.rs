//! One line of the trail and its place in the chain.

use std::io::{self, Write as _};

use keystile_domain::audit::Event;
use keystile_domain::shown::is_obeyed;
use keystile_domain::time::Timestamp;
use serde::Serialize;
use serde_json::ser::Formatter;
use sha2::{Digest as _, Sha256};

/// The hash of a line as the next one names it: lower-case hexadecimal.
pub(super) type LineHash = [u8; 64];

/// What the first line of a trail has in `prev`.
pub(super) const GENESIS: LineHash = [b'0'; 64];

/// Something that the trail says about itself.
#[derive(Debug, Clone)]
pub(super) struct Note {
    /// A stable word.
    pub(super) word: &'static str,
    /// How many bytes were moved aside.
    pub(super) bytes: u64,
    /// To which file.
    pub(super) kept_in: String,
}

/// Where the chain stands, and the line that would come next.
pub(super) struct Chain {
    /// Sequence number of the next line.
    next: u64,
    /// Hash of the line before it.
    previous: LineHash,
    buffer: Vec<u8>,
}

impl Chain {
    pub(super) fn new(next: u64, previous: LineHash) -> Self {
        Self {
            next,
            previous,
            buffer: Vec::with_capacity(1_024),
        }
    }

    /// Prepares an event. Texts of a line that would be very long are cut: a caller may have sent
    /// megabytes where a tool's name belongs.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        self.begin("event");
        self.members(event);
        if self.buffer.len() > LONGEST {
            self.begin("event");
            self.members(&shortened(event));
        }
        self.end();
    }

    /// Prepares the first line of a segment.
    pub(super) fn segment(&mut self, at: Timestamp, number: u64) {
        #[derive(Serialize)]
        struct Segment {
            at: Timestamp,
            format: u32,
            number: u64,
        }
        self.begin("segment");
        self.members(&Segment {
            at,
            format: FORMAT,
            number,
        });
        self.end();
    }

    /// Prepares a note.
    pub(super) fn note(&mut self, at: Timestamp, note: &Note) {
        #[derive(Serialize)]
        struct Line<'a> {
            at: Timestamp,
            note: &'a str,
            bytes: u64,
            kept_in: &'a str,
        }
        self.begin("note");
        let Note {
            word,
            bytes,
            kept_in,
        } = note;
        self.members(&Line {
            at,
            note: word,
            bytes: *bytes,
            kept_in,
        });
        self.end();
    }

    /// The bytes to be written.
    pub(super) fn prepared(&self) -> &[u8] {
        &self.buffer
    }

    /// The line is in the file: the chain goes on from it. Returns its sequence number.
    pub(super) fn accept(&mut self) -> u64 {
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        self.previous = hash(line);
        let sequence = self.next;
        self.next += 1;
        sequence
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.next
    }

    fn begin(&mut self, kind: &str) {
        self.buffer.clear();
        let previous = std::str::from_utf8(&self.previous).unwrap_or_default();
        write!(
            self.buffer,
            r#"{{"seq":{},"prev":"{previous}","kind":"{kind}""#,
            self.next
        )
        .expect("a Vec takes all bytes");
    }

    /// Appends the members of a struct: its opening brace becomes our comma.
    fn members<T: Serialize>(&mut self, value: &T) {
        let brace = self.buffer.len();
        let mut serializer = serde_json::Serializer::with_formatter(&mut self.buffer, Printable);
        value
            .serialize(&mut serializer)
            .expect("strings and numbers become JSON");
        if let Some(byte) = self.buffer.get_mut(brace) {
            *byte = b',';
        }
    }

    fn end(&mut self) {
        self.buffer.push(b'\n');
    }
}

/// The hash of a line without its line feed.
pub(super) fn hash(line: &[u8]) -> LineHash {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest: [u8; 32] = Sha256::digest(line).into();
    let mut text = GENESIS;
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]);
    }
    text
}

fn shortened<'a>(event: &Event<'a>) -> Event<'a> {
    let cut = |text: Option<&'a str>| {
        text.map(|text| {
            text.get(..text.floor_char_boundary(LONGEST_TEXT))
                .unwrap_or_default()
        })
    };
    Event {
        person: cut(event.person),
        client: cut(event.client),
        grant: cut(event.grant),
        resource: cut(event.resource),
        method: cut(event.method),
        name: cut(event.name),
        reference: cut(event.reference),
        reason: cut(event.reason),
        peer: cut(event.peer),
        ..*event
    }
}

/// JSON that a terminal or log viewer can't be fooled by: what JSON need not escape but some
/// program obeys (DEL, C1 controls, invisible and direction-changing characters) is escaped too.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Without an early end, so that many bytes are looked at together: nearly all are plain.
        if fragment
            .bytes()
            .fold(true, |plain, byte| plain & (byte < 0x7f))
        {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        for (at, char) in fragment.char_indices().filter(|(_, char)| is_obeyed(*char)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            write!(writer, "\\u{:04x}", u32::from(char))?;
            plain = at + char.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

const FORMAT: u32 = 1;
const LONGEST: usize = 16 * 1024;
const LONGEST_TEXT: usize = 1_024;
