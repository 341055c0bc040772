//! PKCE from the authorization request to the token (OAuth 2.1 §4.1.1, §4.1.3, §7.5.2).

use std::time::Duration;

use keystile_domain::ids::{GrantId, TransactionId};
use keystile_domain::ports::{Clock as _, Grants as _};
use keystile_domain::records::{Approval, Approved};
use keystile_domain::secrets::code::FreshSecret;
use keystile_domain::secrets::digest::Digest;
use keystile_protocol::pkce::CodeChallenge;
use keystile_testkit::issuer::{CHALLENGE, VERIFIER};

use crate::connecting::Connecting;
use crate::{LOOPBACK, RESOURCE, json, refused, sent_back};

/// Challenge, method and verifier: each there or not, right or not.
fn combinations() -> Vec<(
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
)> {
    let mut all = Vec::new();
    for challenge in [Some(CHALLENGE), None] {
        for method in [Some("S256"), Some("plain"), None] {
            for verifier in [Some(VERIFIER), None] {
                all.push((challenge, method, verifier));
            }
        }
    }
    all
}

#[tokio::test]
async fn n_as_20_of_twelve_combinations_one_gets_a_token() {
    let mut connecting = Connecting::new().await;
    let mut tokens = 0;
    for (challenge, method, verifier) in combinations() {
        let what = format!("{challenge:?} {method:?} {verifier:?}");
        let changes = [
            ("code_challenge", challenge),
            ("code_challenge_method", method),
        ];
        if (challenge, method) != (Some(CHALLENGE), Some("S256")) {
            let reply = connecting.begin(&changes).await;
            assert_eq!(sent_back(&reply, LOOPBACK), "invalid_request", "{what}");
            continue;
        }
        let code = connecting.code(&changes).await;
        let reply = connecting
            .redeem(&code, &[("code_verifier", verifier)])
            .await;
        match verifier {
            None => assert_eq!(
                refused(&reply),
                (400, "invalid_request".to_owned()),
                "{what}"
            ),
            Some(_) => {
                assert_eq!(reply.status, 200, "{what} {}", reply.body);
                tokens += 1;
            }
        }
    }
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn a_wrong_verifier_spends_nothing() {
    let mut connecting = Connecting::new().await;
    let code = connecting.code(&[]).await;
    let (other, shifted) = ("v".repeat(43), format!("{VERIFIER}A"));
    for wrong in [
        other.as_str(),
        &shifted,
        CHALLENGE,
        &VERIFIER[1..],
        "short",
        " ",
    ] {
        let reply = connecting
            .redeem(&code, &[("code_verifier", Some(wrong))])
            .await;
        assert_eq!(
            refused(&reply),
            (400, "invalid_grant".to_owned()),
            "{wrong}"
        );
    }
    assert_eq!(connecting.redeem(&code, &[]).await.status, 200);
}

/// A code whose row says that this is the challenge, as a migration or an attacker could write it.
async fn forged(connecting: &Connecting, challenge: [u8; 32]) -> String {
    let (app, now) = (&connecting.test.app, connecting.test.clock.now());
    let person = app
        .people
        .find_by_name("alice")
        .await
        .expect("memory")
        .expect("alice");
    let grant = GrantId::new(now, &*app.rng);
    let code = FreshSecret::authorization_code(grant, &*app.rng);
    let approval = Approval {
        transaction: TransactionId::new(now, &*app.rng),
        grant,
        person: person.id,
        client_id: connecting.client.clone(),
        client_name: "forged".to_owned(),
        client_proves: false,
        resource: RESOURCE.to_owned(),
        scopes: "knowledge-base:call".parse().expect("a scope"),
        code: code.digest,
        redirect_uri: LOOPBACK.to_owned(),
        challenge: CodeChallenge::from_bytes(challenge),
        created_at: now,
        code_expires_at: now.plus(Duration::from_secs(60)),
        grant_expires_at: now.plus(Duration::from_secs(3600)),
    };
    let approved = connecting
        .test
        .store
        .approve(approval)
        .await
        .expect("memory");
    assert_eq!(approved, Approved::First);
    code.text
}

#[tokio::test]
async fn a_015_pkce_can_not_be_skipped_whatever_the_stored_grant_says() {
    let connecting = Connecting::new().await;
    // "No challenge", as those write it who think of it as optional: nothing, the hash of nothing,
    // and the verifier itself.
    let nothing = *Digest::of("").as_bytes();
    let plain: [u8; 32] = VERIFIER.as_bytes()[..32].try_into().expect("32 bytes");
    let mut bodies = Vec::new();
    for challenge in [[0; 32], nothing, plain] {
        let code = forged(&connecting, challenge).await;
        for verifier in [None, Some(""), Some(VERIFIER), Some(CHALLENGE)] {
            let reply = connecting
                .redeem(&code, &[("code_verifier", verifier)])
                .await;
            assert_eq!(
                reply.status, 400,
                "{challenge:?} {verifier:?} {}",
                reply.body
            );
            assert!(json(&reply).get("access_token").is_none());
            bodies.push(refused(&reply).1);
        }
    }
    bodies.dedup();
    assert_eq!(bodies[..2], ["invalid_request", "invalid_grant"]);
    assert_eq!(bodies.len(), 6);
    let active = connecting
        .grants()
        .await
        .iter()
        .filter(|grant| grant.last_used_at.is_some())
        .count();
    assert_eq!(active, 0, "no forged grant was ever used");
}
