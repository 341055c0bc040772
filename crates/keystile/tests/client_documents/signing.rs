//! A client whose document names `private_key_jwt` only.

use std::time::{SystemTime, UNIX_EPOCH};

use keystile_testkit::assertion::ClientKey;
use keystile_testkit::hostile::{Answer, Hostile, json_reply};
use serde_json::json;

use crate::gate::Gate;
use crate::person::{allow, ask, authorize, browser, code, reach_consent, redeem};
use crate::published::{CALLBACK, id, native, open_gate};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_only_signs_is_let_in_and_stays_in_by_its_key() {
    let (host, key) = (Hostile::start().await, ClientKey::es256("1"));
    host.answer("/jwks", Answer::Raw(json_reply("", &key.jwks())));
    let mut document = native(&host, "/signing.json");
    document["token_endpoint_auth_method"] = json!("private_key_jwt");
    document["jwks_uri"] = json!(id(&host, "/jwks"));
    host.serve("/signing.json", "", &document);
    let gate = open_gate(&host, &[]).with_account();
    let client = id(&host, "/signing.json");
    let mut person = browser(&gate);
    let consent = reach_consent(&mut person, &authorize(&client, CALLBACK)).await;
    let code = code(&allow(&mut person, &consent).await);
    let (status, refused) = redeem(&gate, &client, CALLBACK, &code).await;
    assert_eq!((status, &refused["error"]), (401, &json!("invalid_client")));
    let signed = async |jti: &str, fields: &[(&str, &str)]| {
        let assertion = key.assertion(&client, issuer(&gate), now(), jti);
        let proof = [
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
        ];
        let (status, tokens) = ask(&gate, &[fields, &proof].concat()).await;
        assert_eq!(status, 200, "{tokens}");
        tokens["refresh_token"].as_str().expect("one").to_owned()
    };
    let redeemed = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", CALLBACK),
        ("code", &code),
        ("code_verifier", keystile_testkit::issuer::VERIFIER),
    ];
    let token = signed("1", &redeemed).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &token)];
    let unsigned = [&refresh[..], &[("client_id", client.as_str())]].concat();
    let (status, refused) = ask(&gate, &unsigned).await;
    assert_eq!((status, &refused["error"]), (401, &json!("invalid_client")));
    let next = signed("2", &refresh).await;
    assert_ne!(next, token);
    assert_eq!(host.hits("/jwks"), 1, "keys are kept");
    gate.stop();
}

fn issuer(gate: &Gate) -> &str {
    gate.said("issuer")
}

fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test has this clock"
    )]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("for a while yet")
}
