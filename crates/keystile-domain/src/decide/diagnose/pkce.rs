//! PKCE that does not match, and the mistake that it looks like (RFC 7636 §4.2).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keystile_protocol::pkce::ChallengeError;
use sha2::{Digest as _, Sha256};

use super::Diagnosis;
use crate::flow::Mark;
use crate::secrets::reference::Reference;

/// What is wrong with the challenge of an authorization request.
#[must_use]
pub fn challenge(error: &ChallengeError, shown: Option<&str>, method: Option<&str>) -> Diagnosis {
    let length = shown.unwrap_or_default().chars().count();
    match error {
        ChallengeError::Missing => Diagnosis::named("pkce_missing", "There was no code_challenge."),
        ChallengeError::Method => Diagnosis::named(
            "pkce_method_not_s256",
            match method {
                None => "There was no code_challenge_method, which means plain.",
                Some("plain") => "code_challenge_method was plain.",
                Some(_) => "code_challenge_method was another word.",
            },
        ),
        ChallengeError::Form => {
            let (reason, what) = form(shown.unwrap_or_default());
            Diagnosis::named(reason, format!("It had {length} characters: {what}."))
        }
    }
}

/// What a challenge that is no hash in base64url looks like.
fn form(text: &str) -> (&'static str, &'static str) {
    let bare = text.trim_end_matches('=');
    let hash_of = |text: &str| URL_SAFE_NO_PAD.decode(text).is_ok_and(|it| it.len() == 32);
    let is_hex = |text: &[u8]| text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit);
    // A `+` that was not encoded comes as a space.
    let url_safe = bare.replace(['+', ' '], "-").replace('/', "_");
    if bare != text && hash_of(bare) {
        return ("pkce_challenge_padded", "a hash with its padding kept");
    }
    if url_safe != bare && hash_of(&url_safe) {
        return (
            "pkce_challenge_standard_base64",
            "a hash in the standard alphabet of base64, with + and /",
        );
    }
    if is_hex(text.as_bytes()) {
        return ("pkce_challenge_hex", "a hash in hexadecimal digits");
    }
    if URL_SAFE_NO_PAD.decode(bare).is_ok_and(|it| is_hex(&it)) {
        return (
            "pkce_challenge_base64_of_hex",
            "the base64 of the hexadecimal digits of a hash",
        );
    }
    if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
        return (
            "pkce_plain_sent_as_s256",
            "no hash; it looks like the verifier itself, sent with method S256",
        );
    }
    (
        "pkce_challenge_malformed",
        "nothing that SHA-256 and base64url make",
    )
}

/// What a verifier that does not hash to the challenge looks like. `challenge` is that of the code's
/// attempt, `reused` another attempt that began with this verifier's challenge.
#[must_use]
pub fn mismatch(verifier: &str, challenge: Option<Mark>, reused: Option<&Reference>) -> Diagnosis {
    let asked = |bytes: &[u8]| challenge.is_some() && Mark::of(bytes) == challenge;
    let hashed = |text: &str| asked(&Sha256::digest(text));
    let bare = verifier.trim_end_matches('=');
    let standard = bare.replace('-', "+").replace('_', "/");
    let url_safe = bare.replace('+', "-").replace('/', "_");
    let padded = |text: &str| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let raw = URL_SAFE_NO_PAD
        .decode(bare)
        .or_else(|_| STANDARD_NO_PAD.decode(bare))
        .unwrap_or_default();
    let hash = Sha256::digest(verifier);
    let named = |reason: &'static str, found: &str| Diagnosis::named(reason, found);
    // The base64url of plain bytes: a verifier of 43 characters is a legal challenge.
    if asked(&URL_SAFE_NO_PAD.decode(bare).unwrap_or_default()) {
        return named(
            "pkce_plain_sent_as_s256",
            "The code_challenge was the code_verifier itself.",
        );
    }
    if hashed(verifier) {
        return malformed(verifier);
    }
    if hashed(bare) || hashed(&padded(bare)) {
        return named(
            "pkce_verifier_padded",
            "The code_challenge is the hash of this code_verifier with its padding changed.",
        );
    }
    if [&standard, &url_safe]
        .into_iter()
        .any(|text| hashed(text) || hashed(&padded(text)))
    {
        return named(
            "pkce_verifier_standard_base64",
            "The code_challenge is the hash of this code_verifier in the other alphabet of base64.",
        );
    }
    if asked(hex(&hash).as_bytes()) {
        return named(
            "pkce_challenge_base64_of_hex",
            "The code_challenge is the base64 of the hexadecimal digits of the hash.",
        );
    }
    if hashed(&hex(&hash)) || hashed(&hex(verifier.as_bytes())) || hashed(&hex(&raw)) {
        return named(
            "pkce_hash_of_hex",
            "The code_challenge is the hash of hexadecimal digits, not of the code_verifier's text.",
        );
    }
    if asked(&Sha256::digest(&raw)) {
        return named(
            "pkce_hash_of_bytes",
            "The code_challenge is the hash of the bytes that the code_verifier encodes, not of its text.",
        );
    }
    if asked(&Sha256::digest(hash)) {
        return named(
            "pkce_hashed_twice",
            "The code_challenge is the hash of the hash.",
        );
    }
    if ["\n", "\r\n"]
        .into_iter()
        .any(|end| hashed(&format!("{verifier}{end}")))
    {
        return named(
            "pkce_hash_of_newline",
            "The code_challenge is the hash of the code_verifier and a line end.",
        );
    }
    if let Some(reused) = reused {
        return named(
            "pkce_verifier_of_another_attempt",
            &format!("This code_verifier belongs to the attempt {reused}."),
        );
    }
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return malformed(verifier);
    }
    named(
        "code_challenge_not_met",
        "No usual mistake of encoding explains it: the two were made from different texts.",
    )
}

/// What no verifier may be (RFC 7636 §4.1), whatever was hashed.
fn malformed(verifier: &str) -> Diagnosis {
    let count = verifier.chars().count();
    if !(43..=128).contains(&count) {
        let found = format!("code_verifier had {count} characters; it needs 43 to 128.");
        return Diagnosis::named("pkce_verifier_malformed", found);
    }
    let forbidden = |char: &char| !u8::try_from(*char).is_ok_and(unreserved);
    let mut others: Vec<char> = verifier.chars().filter(forbidden).collect();
    others.sort_unstable();
    others.dedup();
    let (reason, which) = match others.as_slice() {
        ['='] => ("pkce_verifier_padded", "an = at its end".to_owned()),
        all if all.iter().all(|char| "+/= ".contains(*char)) => (
            "pkce_verifier_standard_base64",
            "characters of the standard alphabet of base64: +, / or =".to_owned(),
        ),
        all => (
            "pkce_verifier_malformed",
            format!("{} characters that are not allowed", all.len()),
        ),
    };
    Diagnosis::named(reason, format!("code_verifier had {which}."))
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
