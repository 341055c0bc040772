//! Text that somebody else chose, made fit to be shown.

use std::time::Duration;

pub(crate) use keystile_domain::shown::name;

/// A URI with everything but visible ASCII percent-encoded: what stands there is what is sent.
pub(crate) fn uri(text: &str) -> String {
    use std::fmt::Write;
    let mut shown = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            shown.push(char::from(byte));
        } else {
            write!(shown, "%{byte:02X}").expect("writing to a String");
        }
    }
    shown
}

/// A while, rounded up to what a person waits for.
pub(crate) fn wait(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000).max(1);
    match seconds {
        1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        91..TWO_DAYS => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} days", seconds.div_ceil(TWO_DAYS / 2)),
    }
}

const TWO_DAYS: u128 = 2 * 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_shows_what_is_sent() {
        assert_eq!(
            uri("https://a.example/cb?x=\u{202e}y z"),
            "https://a.example/cb?x=%E2%80%AEy%20z"
        );
    }
}
