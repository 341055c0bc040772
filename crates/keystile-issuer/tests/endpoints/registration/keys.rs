//! Clients that register with a key of their own: `private_key_jwt` and a `jwks_uri`.

use keystile_domain::secrets::Secrets;
use keystile_fetch::{ClientDocuments, ClientHosts, ClientKeys, FetchOptions, Fetcher};
use keystile_testkit::assertion::ClientKey;
use keystile_testkit::hostile::{Answer, Hostile, json_reply};
use keystile_testkit::issuer::{CHALLENGE, VERIFIER};

use super::*;
use crate::connecting::{Connecting, text};
use crate::fetching::{beside, fetching};
use crate::knocking::Knocker;
use crate::{LOOPBACK as CALLBACK, RESOURCE, told};

fn keyed(jwks_uri: &str) -> Value {
    json!({
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": jwks_uri,
    })
}

async fn registered(test: &TestApp, jwks_uri: &str) -> Value {
    let reply = post_json(test, REGISTER, keyed(jwks_uri)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    read(&reply)
}

/// A token request that only fails because nobody has this refresh token.
async fn knock(test: &TestApp, client: &Knocker) -> Reply {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "ksr_none"),
    ];
    client.ask(test, "/oauth/token", &form).await
}

fn unauthenticated(reply: &Reply) {
    assert_eq!(refused(reply), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn n_as_32_a_registration_with_a_key_signs_with_each_request() {
    let (host, key) = (Hostile::start().await, ClientKey::es256("1"));
    host.answer("/jwks", Answer::Raw(json_reply("", &key.jwks())));
    let mut connecting = Connecting::at(fetching(beside(&host))).await;
    let answer = registered(&connecting.test, &host.url("/jwks")).await;
    assert_eq!(answer["token_endpoint_auth_method"], "private_key_jwt");
    assert_eq!(answer["jwks_uri"], host.url("/jwks"));
    assert_eq!(answer.get("client_secret"), None);
    assert_eq!(host.hits("/jwks"), 0, "nothing is asked before it signs");
    connecting.client = text(&answer, "client_id").to_owned();

    let id = connecting.client.clone();
    let signed = Knocker::Key(id.clone(), key);
    let derived = connecting.test.app.secrets.client_secret(&id);
    let others = [
        Knocker::Public(id.clone()),
        Knocker::Basic(id.clone(), derived.clone()),
        Knocker::Post(id.clone(), derived),
        Knocker::Key(id, ClientKey::es256("1")),
    ];
    let code = connecting.code(&[]).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let push = [
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
    ];
    let test = &connecting.test;
    for other in &others {
        unauthenticated(&other.ask(test, "/oauth/token", &redeem).await);
        unauthenticated(&other.ask(test, "/oauth/par", &push).await);
    }
    let tokens = read(&signed.ask(test, "/oauth/token", &redeem).await);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    for other in &others {
        unauthenticated(&other.ask(test, "/oauth/token", &refresh).await);
        let form = [("token", text(&tokens, "refresh_token"))];
        unauthenticated(&other.ask(test, "/oauth/revoke", &form).await);
    }
    let reply = signed.ask(test, "/oauth/token", &refresh).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply = signed.ask(test, "/oauth/par", &push).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

#[tokio::test]
async fn a_055_no_registration_makes_this_server_ask_inside_its_network() {
    let host = Hostile::start().await;
    let test = fetching(FetchOptions {
        danger_allow: Vec::new(),
        ..beside(&host)
    });
    let port = url::Url::parse(&host.url("/")).expect("a URL");
    let port = port.port().expect("a port");
    let mut inside = vec![
        host.url("/jwks"),
        format!("https://localhost:{port}/jwks"),
        format!("https://127.0.0.1:{port}/jwks"),
        format!("https://[::1]:{port}/jwks"),
        format!("https://[::ffff:127.0.0.1]:{port}/jwks"),
        format!("https://0.0.0.0:{port}/jwks"),
        format!("https://2130706433:{port}/jwks"),
        "https://169.254.169.254/jwks".to_owned(),
        "https://[fd00::1]/jwks".to_owned(),
    ];
    inside.extend((1..=11).map(|last| format!("https://10.0.0.{last}/jwks")));
    for uri in &inside {
        let answer = registered(&test, uri).await;
        let client = Knocker::Key(text(&answer, "client_id").to_owned(), ClientKey::es256("1"));
        let reply = knock(&test, &client).await;
        unauthenticated(&reply);
        let told = told(&test, &reply);
        assert_eq!(told.reason, "client_keys_address_not_public", "{uri}");
    }
    assert_eq!((inside.len(), host.connections().await), (20, 0));
    let plain = post_json(&test, REGISTER, keyed("http://client.example/jwks")).await;
    assert_eq!(refused(&plain), (400, "invalid_client_metadata".to_owned()));
}

#[tokio::test]
async fn n_as_13_keys_of_a_registration_are_asked_of_hosts_that_documents_may_be_at() {
    let (host, key) = (Hostile::start().await, ClientKey::es256("1"));
    host.answer("/jwks", Answer::Raw(json_reply("", &key.jwks())));
    let with = |hosts: ClientHosts| {
        TestApp::new().with(|app| {
            let fetcher = Fetcher::new(beside(&host)).expect("a fetcher");
            app.documents = ClientDocuments::fetching_from(fetcher.clone(), hosts);
            app.client_keys = ClientKeys::fetching(fetcher);
        })
    };
    let listed = |name: &str| ClientHosts {
        trusted: vec![name.parse().expect("a host")],
        no_other: true,
    };
    let uri = host.url("/jwks");
    let strict = with(listed("apps.example"));
    let reply = post_json(&strict, REGISTER, keyed(&uri)).await;
    assert_eq!(refused(&reply), (400, "invalid_client_metadata".to_owned()));
    for way in ["--trust-client-host client.example", "--jwks FILE"] {
        assert!(reply.body.contains(way), "{}", reply.body);
    }
    let air_gapped = post_json(&TestApp::new(), REGISTER, keyed(&uri)).await;
    assert_eq!(
        refused(&air_gapped),
        (400, "invalid_client_metadata".to_owned())
    );
    assert!(!air_gapped.body.contains("--trust"), "{}", air_gapped.body);

    // It registered while its host was listed, and signs when it is no more.
    let place = host.url("");
    let place = place.trim_start_matches("https://");
    let before = with(listed(place));
    let client = registered(&before, &uri).await;
    let client = Knocker::Key(text(&client, "client_id").to_owned(), key);
    let reply = knock(&before, &client).await;
    assert_eq!(refused(&reply), (400, "invalid_grant".to_owned()));
    let secrets: std::sync::Arc<Secrets> = before.app.secrets.clone();
    let after = strict.with(|app| app.secrets = secrets);
    let reply = knock(&after, &client).await;
    unauthenticated(&reply);
    let told = told(&after, &reply);
    assert_eq!(told.reason, "client_host_not_listed", "{told}");
    assert!(told.fix.contains(place), "{told}");
    assert_eq!(host.hits("/jwks"), 1);
}

#[tokio::test]
async fn a_registration_that_can_do_without_a_key_it_can_not_show_gets_what_it_can() {
    let test = TestApp::new();
    let key = ClientKey::es256("1");
    let mut body = json!({
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": key.jwks(),
    });
    let reply = post_json(&test, REGISTER, &body).await;
    assert_eq!(refused(&reply), (400, "invalid_client_metadata".to_owned()));
    assert!(reply.body.contains("needs a jwks_uri"), "{}", reply.body);
    body["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt", "none"]);
    let reply = read(&post_json(&test, REGISTER, &body).await);
    assert_eq!(reply["token_endpoint_auth_method"], "none");
    assert_eq!(reply.get("jwks"), None);
    // Nor with an address that is out of reach.
    body["jwks_uri"] = json!("https://keys.example/jwks");
    body["jwks"].take();
    let reply = read(&post_json(&test, REGISTER, &body).await);
    assert_eq!(reply["token_endpoint_auth_method"], "none");
    assert_eq!(reply.get("jwks_uri"), None);
}
