//! Strings (RFC 8259 §7).

use std::borrow::Cow;

use super::{Fault, StrictJsonError};
use crate::mutation::weakened;

/// A string that has been read and found well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// Its characters; borrowed unless it has escapes.
    #[must_use]
    pub fn decode(self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// What stands between the quotation marks.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.raw
    }
}

/// Reads the string that begins at `at` and leaves `at` behind it.
pub(super) fn read<'a>(text: &'a str, at: &mut usize) -> Result<Text<'a>, StrictJsonError> {
    let bytes = text.as_bytes();
    let fault = |fault, at: usize| Err(StrictJsonError { fault, at });
    if bytes.get(*at) != Some(&b'"') {
        return fault(Fault::Syntax, *at);
    }
    let start = *at + 1;
    let mut here = start;
    let mut escaped = false;
    loop {
        match bytes.get(here) {
            Some(b'"') => break,
            Some(b'\\') => {
                escaped = true;
                here = escape(bytes, here)?;
            }
            Some(0x20..) => here += 1,
            _ => return fault(Fault::Syntax, here),
        }
    }
    *at = here + 1;
    let raw = text
        .get(start..here)
        .expect("quotation marks are character boundaries");
    Ok(Text { raw, escaped })
}

/// Checks the escape that begins at `at`; answers the place behind it.
fn escape(bytes: &[u8], at: usize) -> Result<usize, StrictJsonError> {
    let fault = |fault| Err(StrictJsonError { fault, at });
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let Some(unit) = hex4(bytes, at + 2) else {
                return fault(Fault::Syntax);
            };
            match unit {
                0xd800..=0xdbff => {
                    let low = (bytes.get(at + 6..at + 8) == Some(b"\\u"))
                        .then(|| hex4(bytes, at + 8))
                        .flatten();
                    match low {
                        Some(0xdc00..=0xdfff) => Ok(at + 12),
                        _ if weakened("a_106") => Ok(at + 6),
                        _ => fault(Fault::LoneSurrogate),
                    }
                }
                0xdc00..=0xdfff if weakened("a_106") => Ok(at + 6),
                0xdc00..=0xdfff => fault(Fault::LoneSurrogate),
                _ => Ok(at + 6),
            }
        }
        _ => fault(Fault::Syntax),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 4)?.iter().try_fold(0_u16, |unit, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// Undoes the escapes of a string that [`read`] accepted.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = raw.chars();
    while let Some(char) = rest.next() {
        if char == '\\' {
            let plain = match rest.next() {
                Some('u') => {
                    let hex: String = rest.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&hex, 16).unwrap_or(0xfffd));
                    continue;
                }
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => break,
            };
            flush(&mut units, &mut out);
            out.push(plain);
        } else {
            flush(&mut units, &mut out);
            out.push(char);
        }
    }
    flush(&mut units, &mut out);
    out
}

fn flush(units: &mut Vec<u16>, out: &mut String) {
    if !units.is_empty() {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    }
}
