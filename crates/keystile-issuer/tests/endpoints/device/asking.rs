//! `POST /oauth/device`: who may ask for a code, and for what.

use super::*;

#[tokio::test]
async fn a_client_for_devices_only_registers_without_a_redirect() {
    let test = TestApp::new();
    let ask = |body: Value| post_json(&test, "/oauth/register", body);
    let devices = serde_json::json!({
        "client_name": "Terminal",
        "token_endpoint_auth_method": "none",
        "grant_types": [GRANT, "refresh_token"],
    });
    let reply = ask(devices.clone()).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let registered = json(&reply);
    assert_eq!(registered["response_types"], serde_json::json!([]));
    let kinds = serde_json::json!(["refresh_token", GRANT]);
    assert_eq!(registered["grant_types"], kinds);
    let id = registered["client_id"].as_str().expect("an id");
    let begun = begin(&test, &[("client_id", Some(id))]).await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    for grants in [
        serde_json::json!(["refresh_token"]),
        serde_json::json!([GRANT, "authorization_code"]),
    ] {
        let mut other = devices.clone();
        other["grant_types"] = grants;
        assert_eq!(ask(other).await.status, 400, "a browser needs a way back");
    }
}

#[tokio::test]
async fn resource_and_scope_count_as_at_the_authorization_endpoint() {
    let mut waiting = Waiting::at(two_servers()).await;
    for (change, error) in [
        (("resource", None), "invalid_target"),
        (
            ("resource", Some("https://evil.example/mcp")),
            "invalid_target",
        ),
        (("scope", Some("unknown")), "invalid_scope"),
    ] {
        let reply = begin(&waiting.test, &[change]).await;
        assert_eq!(refused(&reply), (400, error.to_owned()), "{change:?}");
    }
    waiting.answer("allow").await;
    let other = waiting.poll(&[("resource", Some(OTHER_RESOURCE))]).await;
    assert_eq!(refused(&other), (400, "invalid_target".to_owned()));
    let same = waiting.poll(&[("resource", Some(RESOURCE))]).await;
    assert_eq!(same.status, 200, "nothing was spent: {}", same.body);
}

#[tokio::test]
async fn rfc_8628_only_a_client_that_says_so_is_used_on_devices() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let plain = test.register("Plain", &[LOOPBACK]).await;
    let reason = (400, "unauthorized_client".to_owned());
    for client in ["notes", &plain, crate::CLAUDE] {
        let reply = begin(&test, &[("client_id", Some(client))]).await;
        assert_eq!(refused(&reply), reason, "{client}");
    }
    let metadata = serde_json::json!({
        "redirect_uris": [LOOPBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", GRANT],
    });
    let registered = json(&post_json(&test, "/oauth/register", metadata).await);
    assert!(
        registered["grant_types"].to_string().contains(GRANT),
        "{registered}"
    );
    let own = registered["client_id"].as_str().expect("an id");
    let reply = begin(&test, &[("client_id", Some(own))]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let code = json(&reply)["device_code"]
        .as_str()
        .expect("a code")
        .to_owned();
    let form = [
        ("grant_type", GRANT),
        ("device_code", &code),
        ("client_id", own),
    ];
    let reply = post_form(&test, "/oauth/token", changed(&form, &[])).await;
    assert_eq!(refused(&reply).1, "authorization_pending");
}

#[tokio::test]
async fn a_flood_of_devices_is_bounded_for_each_network() {
    let test = TestApp::new();
    add_client(&test, CLIENT).await;
    let ask = async |last: u8| {
        let request = Request::post("/oauth/device")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(Peer(Ipv4Addr::new(203, 0, 113, last).into()))
            .body(Body::from(format!("client_id={CLIENT}")));
        send(&test, request.expect("a legal request")).await
    };
    for _ in 0..100 {
        ask(7).await;
    }
    assert_eq!(test.store.device_request_count(), 30);
    assert_eq!(
        refused(&ask(7).await),
        (429, "temporarily_unavailable".to_owned())
    );
    assert_eq!(ask(8).await.status, 200);
    test.clock.advance(Duration::from_secs(1201));
    assert_eq!(ask(8).await.status, 200);
    assert_eq!(
        test.store.device_request_count(),
        1,
        "ended ones are forgotten"
    );
}

#[tokio::test]
async fn a_refused_request_of_a_device_says_whose_it_was() {
    let test = TestApp::new();
    test.add_client("notes", "Notes", &[LOOPBACK]).await;
    let reply = begin(&test, &[("client_id", Some("notes"))]).await;
    assert_eq!(refused(&reply), (400, "unauthorized_client".to_owned()));
    let attempt = crate::attempt(&test, &reply);
    assert_eq!(attempt.client.as_deref(), Some("Notes (notes)"));
    assert_eq!(attempt.resource.as_deref(), Some(RESOURCE));
}
