//! A client that acts for itself (OAuth 2.1 §4.2).

use keystile_domain::ids::PersonId;
use keystile_domain::ports::{Clients, ServiceGrants};
use keystile_domain::records::GrantType;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;
use keystile_testkit::assertion::ClientKey;
use keystile_testkit::issuer::TestApp;
use url::form_urlencoded::Serializer;

use crate::connecting::claims;
use crate::knocking::{JWT_BEARER, Knocker, record};
use crate::{CLAUDE, OTHER_RESOURCE, RESOURCE, changed, json, post_form, refused, two_servers};

#[tokio::test]
async fn n_cc_01_only_a_client_that_proves_itself_gets_a_token_of_its_own() {
    let test = TestApp::new();
    let ask = |form: Vec<(&'static str, String)>| {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .extend_pairs(form)
            .finish();
        post_form(&test, "/oauth/token", form)
    };
    for client in [
        Knocker::basic(&test, "basic").await,
        Knocker::post(&test, "post").await,
        Knocker::key(&test, "key").await,
    ] {
        let reply = client.own_token(&test).await;
        assert_eq!(reply.status, 200, "{}: {}", client.id(), reply.body);
        let none = ask(vec![("client_id", client.id().to_owned())]).await;
        assert_eq!(refused(&none), (401, "invalid_client".to_owned()));
        let wrong = ask(vec![
            ("client_id", client.id().to_owned()),
            ("client_secret", "ksx_wrong".to_owned()),
        ]);
        assert_eq!(refused(&wrong.await), (401, "invalid_client".to_owned()));
    }
    let nobody = ask(vec![]).await;
    assert_eq!(refused(&nobody), (401, "invalid_client".to_owned()));
    let key = ClientKey::es256("1");
    let both = ask(vec![
        ("client_id", "post".to_owned()),
        ("client_secret", "ksx_post".to_owned()),
        ("client_assertion_type", JWT_BEARER.to_owned()),
        (
            "client_assertion",
            key.assertion("post", "http://localhost:7717", 0, "1"),
        ),
    ]);
    assert_eq!(refused(&both.await), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn n_cc_03_clients_that_nobody_added_get_no_token_of_their_own() {
    let test = TestApp::new();
    let denied = (400, "unauthorized_client".to_owned());
    let form =
        |more: &[(&str, Option<&str>)]| changed(&[("grant_type", "client_credentials")], more);
    for method in ["none", "client_secret_post"] {
        let body = serde_json::json!({
            "redirect_uris": ["http://127.0.0.1:1/cb"],
            "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "client_credentials"],
        });
        let client = json(&crate::post_json(&test, "/oauth/register", body).await);
        let fields = [
            ("client_id", client["client_id"].as_str()),
            ("client_secret", client["client_secret"].as_str()),
        ];
        let reply = post_form(&test, "/oauth/token", form(&fields)).await;
        assert_eq!(refused(&reply), denied, "{method}");
    }
    let reply = post_form(&test, "/oauth/token", form(&[("client_id", Some(CLAUDE))])).await;
    assert_eq!(refused(&reply), denied, "of a document");
    let public = Knocker::public(&test, "public").await;
    assert_eq!(refused(&public.own_token(&test).await), denied, "public");
    let mut only_people = record(&test, "people", TokenEndpointAuthMethod::ClientSecretPost);
    only_people.grant_types = [GrantType::AuthorizationCode].into_iter().collect();
    test.add(only_people, Some("ksx_people")).await;
    let reply = Knocker::Post("people".to_owned(), "ksx_people".to_owned());
    assert_eq!(
        refused(&reply.own_token(&test).await),
        denied,
        "not its grant"
    );
}

#[tokio::test]
async fn n_cc_04_its_token_is_nobodys_and_cannot_be_refreshed() {
    let test = TestApp::new().with_person().await;
    let alice = keystile_domain::ports::People::list(&*test.store)
        .await
        .expect("memory")
        .remove(0)
        .id
        .to_string();
    // Its id is that of a person.
    let client = Knocker::post(&test, &alice).await;
    let reply = client.own_token(&test).await;
    let tokens = json(&reply);
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(tokens.get("refresh_token"), None);
    assert_eq!(tokens["scope"], "knowledge-base:call");
    let claims = claims(&tokens);
    let subject = claims["sub"].as_str().expect("sub");
    assert_eq!(subject, format!("client:{alice}"));
    assert!(subject.parse::<PersonId>().is_err());
    assert_eq!(
        (&claims["aud"], &claims["client_id"]),
        (&RESOURCE.into(), &alice.into())
    );
    let offline = [
        ("grant_type", "client_credentials"),
        ("scope", "offline_access"),
    ];
    let reply = client.ask(&test, "/oauth/token", &offline).await;
    assert_eq!(refused(&reply), (400, "invalid_scope".to_owned()));
}

#[tokio::test]
async fn a_client_has_one_grant_for_each_resource_and_it_can_be_ended() {
    let test = two_servers();
    let client = Knocker::basic(&test, "job").await;
    let ask = async |resource: &str| {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        client.ask(&test, "/oauth/token", &form).await
    };
    let sid = async |resource: &str| {
        claims(&json(&ask(resource).await))["sid"]
            .as_str()
            .expect("sid")
            .to_owned()
    };
    let (one, again) = (sid(RESOURCE).await, sid(RESOURCE).await);
    assert_eq!(one, again);
    let reply = client.own_token(&test).await;
    assert_eq!(
        refused(&reply),
        (400, "invalid_target".to_owned()),
        "which one?"
    );
    assert_eq!(
        refused(&ask(OTHER_RESOURCE).await),
        (400, "invalid_scope".to_owned())
    );
    assert_eq!(
        refused(&ask("https://evil.example/").await).1,
        "invalid_target"
    );
    let listed = ServiceGrants::list(&*test.store, Some("job"), false).await;
    assert_eq!(listed.expect("memory").len(), 1);
    let id = one.parse().expect("an id");
    let now = keystile_domain::ports::Clock::now(&*test.clock);
    assert!(
        ServiceGrants::revoke(&*test.store, id, "by_operator", now)
            .await
            .expect("memory")
    );
    assert_ne!(
        sid(RESOURCE).await,
        one,
        "a new one, which can be ended again"
    );
    assert!(
        Clients::disable(&*test.store, "job", now)
            .await
            .expect("memory")
    );
    assert_eq!(
        refused(&ask(RESOURCE).await),
        (401, "invalid_client".to_owned())
    );
}
