//! Which key signed, and whose word that is.

use super::*;

#[test]
fn a_071_unsigned_tokens_are_refused() {
    let bench = Bench::new();
    let good = bench.token(&claims());
    let (_, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.rsplit_once('.').unwrap();
    for alg in [
        "none", "NONE", "nOnE", "None", "", "ES256K", "es256", "HS256", "ES384", "PS256", "RS256",
    ] {
        let mut header = bench.header();
        header["alg"] = json!(alg);
        let header = encode(header.to_string().as_bytes());
        for signature in [signature, "", "AA"] {
            assert!(
                bench
                    .verify(&format!("{header}.{body}.{signature}"))
                    .is_err(),
                "{alg}"
            );
        }
    }
    let header = encode(bench.header().to_string().as_bytes());
    for signature in [
        String::new(),
        "AA".into(),
        encode(&[0; 64]),
        encode(&[0xff; 64]),
    ] {
        assert!(
            bench
                .verify(&format!("{header}.{body}.{signature}"))
                .is_err()
        );
    }
    assert!(bench.verify(&format!("{header}.{body}")).is_err());
}

#[test]
fn a_072_a_public_key_is_no_shared_secret() {
    let bench = Bench::new();
    let signed = format!(
        "{}.{}",
        encode(br#"{"typ":"at+jwt","alg":"HS256"}"#),
        encode(claims().to_string().as_bytes())
    );
    let jwk = serde_json::to_vec(bench.key.public_jwk()).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &jwk);
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    assert!(
        bench
            .verify(&format!("{signed}.{}", encode(tag.as_ref())))
            .is_err()
    );
    // A key of another family under the wanted kid is not used either.
    let ed = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&ed);
    let mut keys = KeySet::new();
    keys.insert(
        bench.key.kid(),
        VerificationKey::ed25519(public.as_ref()).unwrap(),
    )
    .unwrap();
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": bench.key.kid()}).to_string();
    let signed = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims().to_string().as_bytes())
    );
    let token = format!("{signed}.{}", encode(ed.sign(signed.as_bytes()).as_ref()));
    let expected = Expectations {
        issuer: ISSUER,
        resource: RESOURCE,
        now: NOW,
        skew: 0,
    };
    assert!(
        UnverifiedJwt::parse(&token)
            .unwrap()
            .verify(&keys, &expected)
            .is_err()
    );
}

#[test]
fn a_073_a_key_in_the_header_is_not_believed() {
    let (bench, attacker) = (Bench::new(), Bench::new());
    let jwk = serde_json::to_value(attacker.key.public_jwk()).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("x")),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/x")),
    ] {
        let mut header = bench.header();
        header[name] = value;
        assert!(
            bench
                .verify(&attacker.signed(&header.to_string(), &claims().to_string()))
                .is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_075_a_kid_is_only_a_name() {
    let bench = Bench::new();
    for kid in [
        json!("../../dev/null"),
        json!("' OR 1=1"),
        json!("k".repeat(129)),
        json!("\0"),
        json!("\u{202e}"),
        json!(1),
        json!(["a"]),
        json!(null),
        json!({}),
        json!(""),
    ] {
        let mut header = bench.header();
        header["kid"] = kid.clone();
        assert!(
            bench
                .verify(&bench.signed(&header.to_string(), &claims().to_string()))
                .is_err(),
            "{kid}"
        );
    }
    let mut keys = KeySet::new();
    let long = "k".repeat(129);
    keys.insert(&long, bench.key.verification_key()).unwrap();
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": long}).to_string();
    assert!(
        UnverifiedJwt::parse(&bench.signed(&header, "{}")).is_err(),
        "even if such a key existed"
    );
}

#[test]
fn a_081_edge_signatures_and_weak_keys_are_refused() {
    let bench = Bench::new();
    let good = bench.token(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let with_r = |r: [u8; 32]| [&r[..], &signature[32..]].concat();
    let with_s = |s: [u8; 32]| [&signature[..32], &s[..]].concat();
    for bad in [
        with_r([0; 32]),
        with_s([0; 32]),
        with_r(order),
        with_s(order),
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        vec![0; 64],
    ] {
        assert!(bench.verify(&format!("{signed}.{}", encode(&bad))).is_err());
    }
    // The last character of 64 bytes in base64url has unused bits: only one spelling is taken.
    assert!(bench.verify(&format!("{good}=")).is_err());
    let modulus = |bytes: usize| vec![0xff; bytes];
    for (n, e) in [
        (modulus(255), vec![1, 0, 1]),
        (modulus(128), vec![1, 0, 1]),
        (modulus(256), vec![1]),
        (modulus(256), vec![2]),
        (modulus(256), vec![]),
        (modulus(1025), vec![1, 0, 1]),
    ] {
        assert_eq!(
            VerificationKey::rs256(&n, &e).unwrap_err(),
            KeySetError::Unusable
        );
    }
    assert!(
        VerificationKey::es256(&[4; 65]).is_err(),
        "no point of the curve"
    );
}

#[test]
fn a_key_set_with_private_or_doubled_keys_is_refused() {
    let jwk = serde_json::to_value(Bench::new().key.public_jwk()).unwrap();
    let set = |keys: Vec<Value>| KeySet::from_jwks(json!({"keys": keys}).to_string().as_bytes());
    let mut private = jwk.clone();
    private["d"] = json!("AA");
    assert_eq!(set(vec![private]).unwrap_err(), KeySetError::Private);
    assert_eq!(
        set(vec![jwk.clone(), jwk.clone()]).unwrap_err(),
        KeySetError::DuplicateKid
    );
    assert_eq!(set(vec![]).unwrap_err(), KeySetError::Count);
    let mut other = jwk.clone();
    other["use"] = json!("enc");
    assert_eq!(set(vec![other]).unwrap_err(), KeySetError::Count);
    assert!(set(vec![json!({"kty": "oct"}), jwk]).is_ok());
    assert_eq!(
        KeySet::from_jwks(br#"{"keys":[],"keys":[]}"#).unwrap_err(),
        KeySetError::Malformed
    );
}

#[test]
fn a_key_survives_its_pkcs8_form() {
    let key = SigningKey::generate_es256().unwrap();
    let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(again.public_jwk(), key.public_jwk());
    assert_eq!(key.kid().len(), 43);
    assert!(SigningKey::from_pkcs8(b"nonsense").is_err());
}

/// RFC 8037 appendix A.4, with the key of A.1: the signature alone.
#[test]
fn verifies_the_example_of_rfc8037_appendix_a_4() {
    let x = URL_SAFE_NO_PAD
        .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
        .unwrap();
    let key = VerificationKey::ed25519(&x).unwrap();
    let signature = URL_SAFE_NO_PAD
        .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
        .unwrap();
    assert!(key.verify(
        b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        &signature
    ));
}
