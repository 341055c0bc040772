use std::sync::LazyLock;

use jsonwebtoken as foreign;
use serde_json::Value;

use super::super::{Expectations, KeySet, Rejected, UnverifiedJwt, VerifiedClaims};
use super::*;

const NOW: u64 = 1_800_000_000;

/// One of each algorithm. An RSA key takes a while, so all tests of a process share them.
static KEYS: LazyLock<[SigningKey; 3]> =
    LazyLock::new(|| Algorithm::ALL.map(|algorithm| SigningKey::generate(algorithm).unwrap()));

fn claims() -> AccessTokenClaims {
    AccessTokenClaims {
        iss: "https://auth.example".into(),
        sub: "p".into(),
        aud: "https://auth.example/kb/mcp".into(),
        client_id: "c".into(),
        scope: "kb:call".into(),
        iat: NOW,
        exp: NOW + 600,
        nbf: None,
        jti: "j".into(),
        sid: Some("g".into()),
    }
}

fn jwks(keys: &[SigningKey]) -> Vec<u8> {
    let keys = keys.iter().map(|key| key.public_jwk().clone()).collect();
    serde_json::to_vec(&Jwks::new(keys)).unwrap()
}

fn verify(token: &str, keys: &KeySet) -> Result<VerifiedClaims, Rejected> {
    let expected = Expectations {
        issuer: "https://auth.example",
        resource: "https://auth.example/kb/mcp",
        now: NOW,
        skew: 0,
    };
    UnverifiedJwt::parse(token)?.verify(keys, &expected)
}

#[test]
fn each_algorithm_signs_what_the_published_set_verifies() {
    let all = KeySet::from_jwks(&jwks(&*KEYS)).unwrap();
    for key in &*KEYS {
        let token = key.sign(&claims()).unwrap();
        assert_eq!(*verify(&token, &all).unwrap(), claims());
        let mut alone = KeySet::new();
        alone.insert(key.kid(), key.verification_key()).unwrap();
        assert_eq!(*verify(&token, &alone).unwrap(), claims());
        // The same token, as if another key had signed it.
        for other in KEYS.iter().filter(|other| other.kid() != key.kid()) {
            let (_, rest) = token.split_once('.').unwrap();
            let forged = format!("{}{rest}", other.header);
            assert!(verify(&forged, &all).is_err(), "{:?}", other.algorithm());
        }
    }
}

#[test]
fn a_key_of_each_algorithm_survives_its_pkcs8_form() {
    for key in &*KEYS {
        let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());
        assert_eq!(again.algorithm(), key.algorithm());
        assert_eq!(key.kid().len(), 43);
    }
}

/// The crate `jsonwebtoken` reads the set and checks the tokens by its own rules.
#[test]
fn a_foreign_verifier_takes_the_tokens_of_each_algorithm() {
    let set: foreign::jwk::JwkSet = serde_json::from_slice(&jwks(&*KEYS)).unwrap();
    for (key, algorithm) in KEYS.iter().zip([
        foreign::Algorithm::ES256,
        foreign::Algorithm::EdDSA,
        foreign::Algorithm::RS256,
    ]) {
        let token = key.sign(&claims()).unwrap();
        let header = foreign::decode_header(&token).unwrap();
        assert_eq!(
            (header.alg, header.typ.as_deref()),
            (algorithm, Some("at+jwt"))
        );
        let jwk = set.find(&header.kid.unwrap()).expect("it is published");
        let mut rules = foreign::Validation::new(algorithm);
        rules.validate_exp = false;
        rules.set_audience(&["https://auth.example/kb/mcp"]);
        rules.set_issuer(&["https://auth.example"]);
        let verifying = foreign::DecodingKey::from_jwk(jwk).unwrap();
        let read = foreign::decode::<Value>(&token, &verifying, &rules).unwrap();
        assert_eq!(read.claims["sid"], "g");
        let (signed, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode([1; 64]));
        assert!(foreign::decode::<Value>(&forged, &verifying, &rules).is_err());
    }
}

/// RFC 7638 §3.1 (RSA) and RFC 8037 appendix A.3 (Ed25519).
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let rsa = Numbers::Rsa {
        e: "AQAB".into(),
        kty: "RSA",
        n: concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc",
            "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR",
            "0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTW",
            "hAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        )
        .into(),
    };
    assert_eq!(
        rsa.thumbprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let ed25519 = Numbers::Curve {
        crv: "Ed25519",
        kty: "OKP",
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
        y: None,
    };
    assert_eq!(
        ed25519.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn a_081_edge_signatures_of_ed25519_and_rsa_are_refused() {
    let keys = KeySet::from_jwks(&jwks(&*KEYS)).unwrap();
    let [_, eddsa, rs256] = &*KEYS;
    let parts = |key: &SigningKey| {
        let token = key.sign(&claims()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        (
            signed.to_owned(),
            URL_SAFE_NO_PAD.decode(signature).unwrap(),
        )
    };
    let refused = |signed: &str, signature: &[u8], what: &str| {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(
            verify(&token, &keys).err(),
            Some(Rejected::Signature),
            "{what}"
        );
    };

    let (signed, signature) = parts(eddsa);
    let (r, s) = signature.split_at(32);
    // s + L is the same scalar in another spelling (RFC 8032 §5.1.7 wants 0 <= s < L).
    let malleable = added(s, &ORDER_OF_ED25519);
    refused(&signed, &[r, &malleable].concat(), "s beyond the order");
    refused(&signed, &[r, &ORDER_OF_ED25519].concat(), "s is the order");
    refused(&signed, &[r, &[0; 32]].concat(), "s is zero");
    refused(&signed, &[&[0; 32], s].concat(), "r is zero");
    refused(&signed, &[&IDENTITY, &[0; 32][..]].concat(), "the identity");
    refused(&signed, &signature[..63], "short");
    refused(&signed, &[&signature[..], &[0]].concat(), "long");

    let (signed, signature) = parts(rs256);
    assert_eq!(signature.len(), RSA_BITS / 8);
    refused(&signed, &signature[1..], "short");
    refused(&signed, &[&[0], &signature[..]].concat(), "a leading zero");
    refused(&signed, &[&signature[..], &[0]].concat(), "long");
    refused(&signed, &[0; RSA_BITS / 8], "zero");
    refused(&signed, &[0xff; RSA_BITS / 8], "beyond the modulus");
    let one = [&[0; RSA_BITS / 8 - 1][..], &[1]].concat();
    refused(&signed, &one, "one");
}

/// Little-endian, without a last carry: both are below 2^253.
fn added(one: &[u8], other: &[u8; 32]) -> Vec<u8> {
    let mut carry = 0;
    let pairs = one.iter().zip(other);
    let sums = pairs.map(|(one, other)| {
        let sum = u16::from(*one) + u16::from(*other) + carry;
        carry = sum >> 8;
        sum.to_le_bytes()[0]
    });
    sums.collect()
}

/// RFC 8032 §5.1: 2^252 + 27742317777372353535851937790883648493, little-endian.
const ORDER_OF_ED25519: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The neutral point of the curve.
const IDENTITY: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};
