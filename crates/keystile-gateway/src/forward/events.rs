//! An upstream's events, read and written anew: only what may reach the client does (CHECKLIST R10, A-111, N-TR-14).

use std::sync::Arc;

use keystile_protocol::mutation::weakened;

use super::awaited::{Awaited, Verdict};
use super::session::EventIds;
use super::{MAX_MESSAGE, most};
use crate::handles::Handles;
use crate::relay::{Failure, Strange};
use crate::sse::{Event, EventReader};

/// The events of one answer.
pub(super) struct Events {
    reader: EventReader,
    awaited: Awaited,
    /// None for 2026-07-28, whose streams can't be resumed.
    ids: Option<EventIds>,
    /// Only of 2026-07-28.
    handles: Option<Handles>,
    /// Who sends them.
    strange: Arc<Strange>,
    /// An event had an id to go on behind.
    resumable: bool,
    /// Bytes since something last passed.
    unheard: usize,
}

impl Events {
    pub(super) fn new(
        awaited: Awaited,
        ids: Option<EventIds>,
        handles: Option<Handles>,
        strange: Arc<Strange>,
    ) -> Self {
        Self {
            reader: EventReader::default(),
            awaited,
            ids,
            handles,
            strange,
            resumable: false,
            unheard: 0,
        }
    }

    /// Whether the stream lives as long as the token.
    pub(super) fn last_with_the_token(&self) -> bool {
        self.awaited.lasts_with_the_token()
    }

    /// Adds to `out` what passes of a chunk: whole events, or nothing yet.
    ///
    /// # Errors
    /// What ends the stream: an event that can't be read, one over [`MAX_MESSAGE`], and as much again of what never
    /// passes, which would keep us busy for nobody.
    pub(super) fn take(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        self.unheard += chunk.len();
        let cap = most(MAX_MESSAGE);
        loop {
            let event = self.reader.next(&mut chunk, cap).map_err(|_| {
                let failure = Failure::TooLong(cap);
                self.strange.fail(b"", &failure);
                failure
            })?;
            let Some(event) = event else { break };
            self.pass(event, out)?;
        }
        if !out.is_empty() {
            self.unheard = 0;
        } else if self.unheard > most(2 * MAX_MESSAGE) {
            let why = "far too much of what no client gets";
            self.strange.fail(b"", &why);
            return Err(Failure::TooLong(2 * MAX_MESSAGE));
        }
        Ok(())
    }

    fn pass(&mut self, event: Event, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Event {
            name,
            data,
            id,
            retry,
        } = event;
        // Only `message` carries MCP.
        let mut data = data.filter(|_| name.is_none());
        if let Some(data) = data.as_mut().filter(|data| !data.is_empty()) {
            match self.awaited.read(data) {
                Ok(Verdict::Answers) => self.strange.fit(),
                Ok(Verdict::AnswersAs(named)) => {
                    self.strange.fit();
                    *data = named.into_bytes();
                }
                Ok(Verdict::Belongs) => {}
                Ok(Verdict::Dropped(why)) => {
                    self.strange.tell(data, &why);
                    return Ok(());
                }
                Err(_) if weakened("a_111") => {}
                Err(error) => {
                    self.strange.fail(data, &error);
                    return Err(Failure::NotMcp);
                }
            }
        }
        let at = out.len();
        let primes = data.as_ref().is_some_and(Vec::is_empty);
        if let Some(data) = data.filter(|data| !data.is_empty()) {
            write(self.sealed(data), out);
        }
        match &self.ids {
            Some(ids) => {
                if let Some(id) = id.and_then(|id| ids.bind(&id)) {
                    self.resumable = true;
                    out.extend_from_slice(format!("id: {id}\n").as_bytes());
                }
                if let Some(retry) = retry {
                    out.extend_from_slice(format!("retry: {retry}\n").as_bytes());
                }
                // MCP 2025-11-25, streamable HTTP: an id to go on behind, with an empty data field.
                if primes && out.len() > at {
                    out.extend_from_slice(b"data:\n");
                }
            }
            None if weakened("n_tr_14") => out.extend_from_slice(b"id: 1\n"),
            None => {}
        }
        if out.len() > at {
            out.push(b'\n');
        }
        Ok(())
    }

    /// The message with what its server hands out sealed.
    fn sealed(&self, message: Vec<u8>) -> Vec<u8> {
        let text = std::str::from_utf8(&message).ok();
        let sealed = text.and_then(|text| self.handles.as_ref()?.seal(text));
        sealed.map_or(message, String::into_bytes)
    }

    /// Whether the stream may end here: every answer came, or comes to who goes on behind an event that had an id
    /// (MCP 2025-11-25, "Resumability and Redelivery").
    pub(super) fn owes_nothing(&self) -> bool {
        self.resumable || self.unanswered().is_empty()
    }

    /// Nothing more comes, though an answer is owed.
    pub(super) fn broke_off(&self) {
        self.strange.unfit(&"it hung up before it answered");
    }

    /// For the client of calls that get no answer: the ids of its requests, as JSON text.
    pub(super) fn unanswered(&self) -> &[Box<str>] {
        self.awaited.unanswered()
    }
}

/// One data line. JSON has no line break within a string; one between two tokens becomes a space.
fn write(mut data: Vec<u8>, out: &mut Vec<u8>) {
    for byte in data.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = b' ';
    }
    if out.is_empty() {
        // A large message is not copied.
        *out = data;
        out.splice(0..0, *FIELD);
    } else {
        out.extend_from_slice(FIELD);
        out.extend_from_slice(&data);
    }
    out.push(b'\n');
}

/// An event of our own.
pub(super) fn write_own(text: String, out: &mut Vec<u8>) {
    write(text.into_bytes(), out);
    out.push(b'\n');
}

const FIELD: &[u8; 6] = b"data: ";
