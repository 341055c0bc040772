//! Clients and people that an operator keeps out.

use keystile_domain::ports::{Clients, Clock as _, People};

use crate::connecting::{Connecting, text};
use crate::knocking::Knocker;
use crate::{CLAUDE, CLAUDE_CALLBACK, LOOPBACK, authorize_url, get, json, own_page, refused};

#[tokio::test]
async fn a_025_a_disabled_client_of_any_kind_gets_nothing_at_any_step() {
    let denied = (401, "invalid_client".to_owned());
    for kind in ["added", "registered", "document"] {
        let mut connecting = Connecting::new().await;
        let mut redirect = vec![];
        match kind {
            "added" => {
                let client = Knocker::public(&connecting.test, "added").await;
                connecting.client = client.id().to_owned();
            }
            "document" => {
                connecting.client = CLAUDE.to_owned();
                redirect = vec![("redirect_uri", Some(CLAUDE_CALLBACK))];
            }
            _ => {}
        }
        let code = connecting.code(&redirect).await;
        let tokens = json(&connecting.redeem(&code, &redirect).await);
        let unused = connecting.code(&redirect).await;
        let store = connecting.test.store.clone();
        let now = connecting.test.clock.now();
        assert!(
            Clients::disable(&*store, &connecting.client, now)
                .await
                .expect("memory"),
            "{kind}"
        );
        let page = get(
            &connecting.test,
            &authorize_url(&connecting.client, &redirect),
        )
        .await;
        own_page(&page, kind);
        assert!(page.text().contains("disabled"), "{}", page.text());
        assert!(
            page.text().contains("This app is kept out"),
            "{}",
            page.text()
        );
        assert!(!page.text().contains("not known here"), "{}", page.text());
        assert_eq!(
            refused(&connecting.redeem(&unused, &redirect).await),
            denied,
            "{kind}"
        );
        let refresh = text(&tokens, "refresh_token");
        assert_eq!(
            refused(&connecting.refresh(refresh, &[]).await),
            denied,
            "{kind}"
        );
        let form = [("token", refresh), ("client_id", &connecting.client)];
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let reply = crate::post_form(&connecting.test, "/oauth/revoke", form).await;
        assert_eq!(refused(&reply), denied, "{kind}");
        assert!(
            Clients::enable(&*store, &connecting.client)
                .await
                .expect("memory")
        );
        let again = connecting.refresh(refresh, &[]).await;
        assert_eq!(again.status, 200, "{kind}: what people gave is still there");
    }
}

#[tokio::test]
async fn a_025_a_disabled_person_is_out_at_every_step() {
    let mut connecting = Connecting::new().await;
    let tokens = connecting.tokens().await;
    let unused = connecting.code(&[]).await;
    let store = connecting.test.store.clone();
    let alice = People::list(&*store).await.expect("memory").remove(0).id;
    let now = connecting.test.clock.now();
    let ended = People::disable(&*store, alice, now).await.expect("memory");
    assert_eq!(ended, Some(2));
    let gone = (400, "invalid_grant".to_owned());
    let refresh = text(&tokens, "refresh_token");
    assert_eq!(refused(&connecting.refresh(refresh, &[]).await), gone);
    assert_eq!(refused(&connecting.redeem(&unused, &[]).await), gone);
    let page = connecting.begin(&[]).await;
    assert_eq!(page.status, 303);
    assert_eq!(store.session_count(), 0);
    assert!(People::enable(&*store, alice).await.expect("memory"));
    assert_eq!(
        refused(&connecting.refresh(refresh, &[]).await),
        gone,
        "it ended for good"
    );
}

#[tokio::test]
async fn the_operator_is_told_which_app_was_refused() {
    let test = keystile_testkit::issuer::TestApp::new().with_person().await;
    let registered = test.register("Notes Desktop", &[LOOPBACK]).await;
    test.add_client("added", "Added", &[LOOPBACK]).await;
    for (client, name) in [
        (registered.as_str(), "Notes Desktop"),
        ("added", "Added (added)"),
    ] {
        for change in [
            ("code_challenge", None),
            ("resource", Some("https://other.example/mcp")),
            ("scope", Some("no:such")),
            ("redirect_uri", Some("http://127.0.0.1:1/other?secret=1")),
        ] {
            let reply = get(&test, &authorize_url(client, &[change])).await;
            let attempt = crate::attempt(&test, &reply);
            assert_eq!(attempt.client.as_deref(), Some(name), "{change:?}");
            let redirect = attempt.redirect_uri.expect("it is kept");
            assert!(redirect.starts_with("http://127.0.0.1:"), "{redirect}");
            assert!(!redirect.contains("secret"), "{redirect}");
            assert!(attempt.resource.is_some(), "{change:?}");
        }
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "ksr_nothing"),
            ("client_id", client),
        ];
        for changes in [&[][..], &[("client_secret", Some("wrong"))]] {
            let reply = crate::post_form(&test, "/oauth/token", crate::changed(&form, changes));
            let attempt = crate::attempt(&test, &reply.await);
            assert_eq!(attempt.client.as_deref(), Some(name), "{changes:?}");
        }
    }
    // Nobody is named by what a stranger makes up.
    let reply = get(&test, &authorize_url("nobody", &[])).await;
    assert_eq!(crate::attempt(&test, &reply).client, None);
}
