//! One strict, single-pass reading of JSON text (CHECKLIST R1).
//!
//! Two parsers that disagree about a document are a hole: what one decided on, the other does not
//! do. So everything on which JSON parsers are known to differ is refused here, before anything is
//! decided: duplicate members (compared after unescaping), invalid UTF-8, lone surrogates, numbers
//! that are infinite as an f64, control characters in member names, more than [`MAX_DEPTH`] levels,
//! more than [`MAX_MEMBERS`] members in one object, and anything behind the value (RFC 8259 §4, §6,
//! §8.2; I-JSON, RFC 7493 §2). The same reading serves MCP messages, JOSE headers and claims, and
//! registration bodies.

mod fault;
mod number;
mod text;

use std::borrow::Cow;
use std::collections::HashSet;

pub use fault::{Fault, StrictJsonError};
pub use text::Text;

use crate::mutation::weakened;

/// Levels of arrays and objects; a document at this depth is accepted.
pub const MAX_DEPTH: usize = 64;

/// Members in one object (CHECKLIST A-155).
pub const MAX_MEMBERS: usize = 4096;

/// Checks a whole document and says nothing about its meaning.
///
/// After this `serde_json` reads the same tree as every other conforming parser.
///
/// # Errors
/// The first thing that makes the document unfit, and the byte where it stands.
///
/// ```
/// use keystile_protocol::strict_json::{self, Fault};
///
/// assert!(strict_json::check(br#"{"a":1,"b":[true,null]}"#).is_ok());
/// let error = strict_json::check(br#"{"a":1,"\u0061":2}"#).unwrap_err();
/// assert_eq!(error.fault, Fault::DuplicateMember);
/// ```
pub fn check(bytes: &[u8]) -> Result<(), StrictJsonError> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.value(1)?;
    scanner.end()
}

/// Checks a whole document, then reads it into `T`.
///
/// # Errors
/// As [`check`]; a document that is good JSON but no `T` is [`Fault::Shape`].
pub fn from_slice<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StrictJsonError> {
    check(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| StrictJsonError {
        fault: Fault::Shape,
        at: error.column(),
    })
}

/// Checks a document that must be an object and shows the name of each of its members.
///
/// # Errors
/// As [`check`]; anything but an object is [`Fault::Syntax`].
pub fn check_members(bytes: &[u8], mut each: impl FnMut(&str)) -> Result<(), StrictJsonError> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.members(1, |scanner, name| {
        each(name);
        scanner.value(2).map(drop)
    })?;
    scanner.end()
}

/// Would a parser that ignores case take `name` for one of `known`, though it is none of them
/// (CHECKLIST A-103)? Unicode folds U+017F to `s` and U+212A to `k`, and some parsers follow it.
#[must_use]
pub fn differs_only_by_case(name: &str, known: &[&str]) -> bool {
    let fold = |char| match char {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => char::to_ascii_lowercase(&other),
    };
    let same = |known: &&str| *known != name && known.chars().map(fold).eq(name.chars().map(fold));
    known.iter().any(same)
}

/// A part of the document, as byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl Span {
    /// The part of `text` that this span names; empty if it lies outside.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it spans nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// What kind of value stands in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the six kinds of RFC 8259 §3")]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A value that has been read: its kind and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// Its kind.
    pub kind: Kind,
    /// Its bytes, without the white space around it.
    pub span: Span,
}

/// The reader. It moves forward only; each byte is looked at once after UTF-8 validation.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Names of the members of all objects that are open, innermost last.
    open: Vec<Cow<'a, str>>,
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte of a document.
    ///
    /// # Errors
    /// [`Fault::InvalidUtf8`]; a byte order mark is [`Fault::Syntax`] (RFC 8259 §8.1).
    pub fn new(bytes: &'a [u8]) -> Result<Self, StrictJsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| StrictJsonError {
            fault: Fault::InvalidUtf8,
            at: error.valid_up_to(),
        })?;
        Ok(Self {
            text,
            at: 0,
            open: Vec::with_capacity(16),
        })
    }

    /// The whole document.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Reads any value. `depth` is 1 for the document itself.
    ///
    /// # Errors
    /// The first fault inside it.
    pub fn value(&mut self, depth: usize) -> Result<Value, StrictJsonError> {
        let start = self.skip_space();
        let kind = match self.peek() {
            Some(b'{') => {
                self.members(depth, |scanner, _| scanner.value(depth + 1).map(drop))?;
                Kind::Object
            }
            Some(b'[') => {
                self.elements(depth, |scanner| scanner.value(depth + 1).map(drop))?;
                Kind::Array
            }
            Some(b'"') => {
                self.string()?;
                Kind::String
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            Some(b't') => self.word("true", Kind::Bool)?,
            Some(b'f') => self.word("false", Kind::Bool)?,
            Some(b'n') => self.word("null", Kind::Null)?,
            _ => return Err(self.fault(Fault::Syntax)),
        };
        Ok(Value {
            kind,
            span: Span {
                start,
                end: self.at,
            },
        })
    }

    /// Reads an object; `member` is called behind each colon and must read exactly one value.
    ///
    /// # Errors
    /// The first fault inside it, or what `member` returns.
    pub fn members<F>(&mut self, depth: usize, mut member: F) -> Result<Span, StrictJsonError>
    where
        F: FnMut(&mut Self, &str) -> Result<(), StrictJsonError>,
    {
        self.deep(depth)?;
        let start = self.skip_space();
        self.byte(b'{')?;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Span {
                start,
                end: self.at,
            });
        }
        let base = self.open.len();
        let mut index: Option<HashSet<Cow<'a, str>>> = None;
        loop {
            self.skip_space();
            let name = self.name(base, &mut index)?;
            self.skip_space();
            self.byte(b':')?;
            self.skip_space();
            member(self, &name)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.fault(Fault::Syntax)),
            }
        }
        self.at += 1;
        self.open.truncate(base);
        Ok(Span {
            start,
            end: self.at,
        })
    }

    /// Reads an array; `element` is called for each of its values and must read exactly that.
    ///
    /// # Errors
    /// The first fault inside it, or what `element` returns.
    pub fn elements<F>(&mut self, depth: usize, mut element: F) -> Result<Span, StrictJsonError>
    where
        F: FnMut(&mut Self) -> Result<(), StrictJsonError>,
    {
        self.deep(depth)?;
        let start = self.skip_space();
        self.byte(b'[')?;
        self.skip_space();
        if self.peek() != Some(b']') {
            loop {
                self.skip_space();
                element(self)?;
                self.skip_space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => break,
                    _ => return Err(self.fault(Fault::Syntax)),
                }
            }
        }
        self.at += 1;
        Ok(Span {
            start,
            end: self.at,
        })
    }

    /// Reads a string.
    ///
    /// # Errors
    /// [`Fault::Syntax`] or [`Fault::LoneSurrogate`].
    pub fn string(&mut self) -> Result<Text<'a>, StrictJsonError> {
        text::read(self.text, &mut self.at)
    }

    /// Nothing but white space may follow.
    ///
    /// # Errors
    /// [`Fault::TrailingData`].
    pub fn end(&mut self) -> Result<(), StrictJsonError> {
        self.skip_space();
        if self.at == self.text.len() || weakened("a_106") {
            Ok(())
        } else {
            Err(self.fault(Fault::TrailingData))
        }
    }

    /// The next byte that is not white space, without reading it.
    pub fn next_byte(&mut self) -> Option<u8> {
        self.skip_space();
        self.peek()
    }

    /// Where the next value begins.
    pub(crate) fn next_at(&mut self) -> usize {
        self.skip_space()
    }

    /// What has been read from there on.
    pub(crate) fn since(&self, start: usize) -> Span {
        Span {
            start,
            end: self.at,
        }
    }

    /// A fault at the place that has been reached.
    #[must_use]
    pub fn fault(&self, fault: Fault) -> StrictJsonError {
        StrictJsonError { fault, at: self.at }
    }

    fn name(
        &mut self,
        base: usize,
        index: &mut Option<HashSet<Cow<'a, str>>>,
    ) -> Result<Cow<'a, str>, StrictJsonError> {
        let start = self.at;
        let fault = |fault| Err(StrictJsonError { fault, at: start });
        let name = self.string()?.decode();
        if name.chars().any(char::is_control) && !weakened("a_105") {
            return fault(Fault::ControlInMember);
        }
        let known = self.open.get(base..).unwrap_or_default();
        if known.len() >= MAX_MEMBERS && !weakened("a_155") {
            return fault(Fault::TooManyMembers);
        }
        let duplicate = match index {
            Some(index) => !index.insert(name.clone()),
            None => known.contains(&name),
        };
        if duplicate && !weakened("a_102") {
            return fault(Fault::DuplicateMember);
        }
        if index.is_none() && known.len() >= LINEAR {
            *index = Some(known.iter().cloned().chain([name.clone()]).collect());
        }
        self.open.push(name.clone());
        Ok(name)
    }

    fn number(&mut self) -> Result<(), StrictJsonError> {
        number::read(self.text, &mut self.at)
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind, StrictJsonError> {
        if self.text.as_bytes().get(self.at..self.at + word.len()) != Some(word.as_bytes()) {
            return Err(self.fault(Fault::Syntax));
        }
        self.at += word.len();
        Ok(kind)
    }

    fn deep(&self, depth: usize) -> Result<(), StrictJsonError> {
        if depth > MAX_DEPTH && !weakened("a_154") {
            Err(self.fault(Fault::TooDeep))
        } else {
            Ok(())
        }
    }

    fn byte(&mut self, wanted: u8) -> Result<(), StrictJsonError> {
        if self.peek() != Some(wanted) {
            return Err(self.fault(Fault::Syntax));
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) -> usize {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.at
    }
}

/// Up to here comparing with each earlier name is cheaper than hashing.
const LINEAR: usize = 24;

#[cfg(test)]
mod tests;
