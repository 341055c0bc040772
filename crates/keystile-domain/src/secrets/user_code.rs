//! User codes: what a person carries from one device to another by hand (RFC 8628 §6.1).

use std::fmt;

use crate::ports::Rng;
use crate::secrets::digest::Digest;

/// Twenty letters (RFC 8628 §6.1): no vowels, so that no word appears, and none that is mistaken for
/// another or for a digit.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

const LENGTH: usize = 8;

/// A user code: eight letters, shown as `WDJB-MJHT`, typed in any case, with or without the hyphen.
///
/// Guessing (RFC 8628 §5.1): 20⁸ = 2.56 × 10¹⁰ codes, 34.6 bits. A code is looked up only for
/// somebody who is signed in, and wrong ones are counted for the account and for the network: 10 at
/// once and one each 30 s. In the 600 s that a code lives, that is 30 tries. With ten devices
/// waiting, an account hits one with a chance of 30 × 10 / 2.56 × 10¹⁰ = 1.2 × 10⁻⁸; with as many
/// as are ever kept (10,000), 1.2 × 10⁻⁵. What a hit gives is no token: it connects the stranger's
/// device to the guesser's own account.
///
/// The store keeps a plain digest. Whoever reads the database could find the code by trying all of
/// them, and learn what the row beside it says anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl UserCode {
    /// A fresh one, each letter equally likely.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        let mut code = [0; LENGTH];
        let mut filled = 0;
        while filled < LENGTH {
            let mut bytes = [0; 16];
            rng.fill(&mut bytes);
            // 240 = 12 × 20: bytes above it would favour the first letters.
            for byte in bytes.into_iter().filter(|byte| *byte < 240) {
                if let Some(letter) = code.get_mut(filled) {
                    *letter = ALPHABET[usize::from(byte % 20)];
                    filled += 1;
                }
            }
        }
        Self(code)
    }

    /// As a person typed it: case, spaces and hyphens do not matter. `None` for what can't be one.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let mut code = [0; LENGTH];
        let mut letters = typed
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'));
        for place in &mut code {
            let letter = letters.next()?.to_ascii_uppercase();
            *place = u8::try_from(letter)
                .ok()
                .filter(|it| ALPHABET.contains(it))?;
        }
        letters.next().is_none().then_some(Self(code))
    }

    /// What the store keeps.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_string())
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::str::from_utf8(&self.0).expect("letters");
        let (first, second) = text.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Counting(std::sync::Mutex<Cell<u8>>);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let cell = self.0.lock().unwrap();
            for byte in bytes {
                cell.set(cell.get().wrapping_add(41));
                *byte = cell.get();
            }
        }
    }

    #[test]
    fn a_code_is_typed_in_any_case_with_or_without_its_hyphen() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        for typed in [
            "wdjbmjht",
            " WdJb mJhT ",
            "w-d-j-b-m-j-h-t",
            "WDJB\u{2013}MJHT",
        ] {
            assert_eq!(UserCode::parse(typed), Some(code), "{typed}");
        }
        assert_eq!(code.to_string(), "WDJB-MJHT");
    }

    #[test]
    fn what_can_be_no_code_is_none() {
        for typed in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTT",
            "WDJB-MJHA",
            "WDJB-MJH0",
            "WDJB-MJH\u{df}",
        ] {
            assert_eq!(UserCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_fresh_code_is_eight_letters_and_another_each_time() {
        let rng = Counting(std::sync::Mutex::new(Cell::new(3)));
        let mut seen = std::collections::HashSet::new();
        let mut letters = std::collections::BTreeSet::new();
        for _ in 0..64 {
            let code = UserCode::new(&rng).to_string();
            assert_eq!(code.len(), 9);
            assert_eq!(
                UserCode::parse(&code).map(|it| it.to_string()),
                Some(code.clone())
            );
            letters.extend(code.bytes());
            seen.insert(code);
        }
        assert!(seen.len() > 1);
        assert_eq!(letters.len(), 21, "each letter, and the hyphen");
    }
}
