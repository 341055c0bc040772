//! PKCE's mistakes, each by its name.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use keystile_protocol::pkce::CodeChallenge;
use sha2::{Digest as _, Sha256};

use crate::decide::diagnose::pkce;
use crate::flow::Mark;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_challenge_that_is_no_hash_is_named_by_its_mistake() {
    let hash = Sha256::digest(VERIFIER);
    // A hash with both characters in it, whichever it is.
    let special = [0xfb, 0xff]
        .into_iter()
        .chain(hash)
        .take(32)
        .collect::<Vec<u8>>();
    for (shown, method, reason) in [
        (None, Some("S256"), "pkce_missing"),
        (Some("x".to_owned()), None, "pkce_method_not_s256"),
        (Some("x".to_owned()), Some("plain"), "pkce_method_not_s256"),
        (
            Some(URL_SAFE.encode(hash)),
            Some("S256"),
            "pkce_challenge_padded",
        ),
        (
            Some(STANDARD.encode(&special)),
            Some("S256"),
            "pkce_challenge_standard_base64",
        ),
        (
            Some(STANDARD_NO_PAD.encode(&special)),
            Some("S256"),
            "pkce_challenge_standard_base64",
        ),
        (
            Some(STANDARD.encode(&special).replace('+', " ")),
            Some("S256"),
            "pkce_challenge_standard_base64",
        ),
        (Some(hex(&hash)), Some("S256"), "pkce_challenge_hex"),
        (
            Some(URL_SAFE_NO_PAD.encode(hex(&hash))),
            Some("S256"),
            "pkce_challenge_base64_of_hex",
        ),
        (
            Some(STANDARD.encode(hex(&hash))),
            Some("S256"),
            "pkce_challenge_base64_of_hex",
        ),
        (
            Some(format!("{VERIFIER}{VERIFIER}")),
            Some("S256"),
            "pkce_plain_sent_as_s256",
        ),
        (
            Some("short".to_owned()),
            Some("S256"),
            "pkce_challenge_malformed",
        ),
    ] {
        let error = CodeChallenge::parse(shown.as_deref(), method).unwrap_err();
        let diagnosis = pkce::challenge(&error, shown.as_deref(), method);
        assert_eq!(diagnosis.reason, reason, "{shown:?}");
        assert!(!diagnosis.expected.is_empty() && !diagnosis.fix.is_empty());
        let secret = shown.unwrap_or_default();
        assert!(secret.len() < 10 || !diagnosis.to_string().contains(&secret));
    }
}

#[test]
fn a_verifier_that_does_not_match_is_named_by_its_mistake() {
    let hash = Sha256::digest(VERIFIER);
    let raw = URL_SAFE_NO_PAD.decode(VERIFIER).unwrap();
    let standard = VERIFIER.replace('-', "+").replace('_', "/");
    let of = |text: &str| Sha256::digest(text).to_vec();
    let (long, plus, odd) = ("a".repeat(172), "+/".repeat(32), "ä".repeat(50));
    for (challenge, verifier, reason) in [
        (raw.clone(), VERIFIER.to_owned(), "pkce_plain_sent_as_s256"),
        (
            of(&format!("{VERIFIER}=")),
            VERIFIER.to_owned(),
            "pkce_verifier_padded",
        ),
        (of(VERIFIER), format!("{VERIFIER}="), "pkce_verifier_padded"),
        (
            of(&standard),
            VERIFIER.to_owned(),
            "pkce_verifier_standard_base64",
        ),
        (
            of(&format!("{standard}=")),
            VERIFIER.to_owned(),
            "pkce_verifier_standard_base64",
        ),
        (
            of(VERIFIER),
            standard.clone(),
            "pkce_verifier_standard_base64",
        ),
        (
            hex(&hash).into_bytes(),
            VERIFIER.to_owned(),
            "pkce_challenge_base64_of_hex",
        ),
        (of(&hex(&hash)), VERIFIER.to_owned(), "pkce_hash_of_hex"),
        (of(&hex(&raw)), VERIFIER.to_owned(), "pkce_hash_of_hex"),
        (
            Sha256::digest(&raw).to_vec(),
            VERIFIER.to_owned(),
            "pkce_hash_of_bytes",
        ),
        (
            Sha256::digest(hash).to_vec(),
            VERIFIER.to_owned(),
            "pkce_hashed_twice",
        ),
        (
            of(&format!("{VERIFIER}\n")),
            VERIFIER.to_owned(),
            "pkce_hash_of_newline",
        ),
        (of("another"), "short".to_owned(), "pkce_verifier_malformed"),
        // The same text twice, which no verifier may be.
        (of(&long), long.clone(), "pkce_verifier_malformed"),
        (of(&plus), plus.clone(), "pkce_verifier_standard_base64"),
        (
            of(&format!("{standard}=")),
            format!("{standard}="),
            "pkce_verifier_standard_base64",
        ),
        (
            of(&format!("{VERIFIER}=")),
            format!("{VERIFIER}="),
            "pkce_verifier_padded",
        ),
        (of(&odd), odd.clone(), "pkce_verifier_malformed"),
        (of("another"), VERIFIER.to_owned(), "code_challenge_not_met"),
    ] {
        let diagnosis = pkce::mismatch(&verifier, Mark::of(&challenge), None);
        assert_eq!(diagnosis.reason, reason);
        assert!(
            !diagnosis.expected.is_empty() && !diagnosis.fix.is_empty(),
            "{reason}"
        );
        assert!(!diagnosis.to_string().contains(&verifier), "{diagnosis}");
    }
    let other = "KS-00000001".parse().unwrap();
    let reused = pkce::mismatch(VERIFIER, Mark::of(&of("another")), Some(&other));
    assert_eq!(reused.reason, "pkce_verifier_of_another_attempt");
    assert!(reused.found.contains("KS-00000001"));
    let nothing_known = pkce::mismatch(VERIFIER, None, None);
    assert_eq!(nothing_known.reason, "code_challenge_not_met");
}
