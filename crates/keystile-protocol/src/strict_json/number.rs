//! Numbers (RFC 8259 §6). Their lexemes are never rewritten.

use super::{Fault, StrictJsonError};
use crate::mutation::weakened;

/// Reads the number that begins at `at` and leaves `at` behind it.
pub(super) fn read(text: &str, at: &mut usize) -> Result<(), StrictJsonError> {
    let bytes = text.as_bytes();
    let start = *at;
    let fault = |fault, at: usize| Err(StrictJsonError { fault, at });
    let mut here = start + usize::from(bytes.get(start) == Some(&b'-'));
    let whole = here;
    here = digits(bytes, here);
    let leading_zero = bytes.get(whole) == Some(&b'0') && here > whole + 1;
    if here == whole || leading_zero {
        return fault(Fault::Syntax, here);
    }
    let mut may_be_infinite = here - whole > SURELY_FINITE_DIGITS;
    if bytes.get(here) == Some(&b'.') {
        let fraction = here + 1;
        here = digits(bytes, fraction);
        if here == fraction {
            return fault(Fault::Syntax, here);
        }
    }
    if matches!(bytes.get(here), Some(b'e' | b'E')) {
        here += 1 + usize::from(matches!(bytes.get(here + 1), Some(b'+' | b'-')));
        let exponent = here;
        here = digits(bytes, exponent);
        if here == exponent {
            return fault(Fault::Syntax, here);
        }
        may_be_infinite = true;
    }
    *at = here;
    let lexeme = text.get(start..here).unwrap_or_default();
    let infinite = may_be_infinite && !lexeme.parse().is_ok_and(f64::is_finite);
    if infinite && !weakened("a_106") {
        return fault(Fault::NumberTooLarge, start);
    }
    Ok(())
}

fn digits(bytes: &[u8], from: usize) -> usize {
    let tail = bytes.get(from..).unwrap_or_default();
    from + tail.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The largest f64 has 309 digits.
const SURELY_FINITE_DIGITS: usize = 300;
