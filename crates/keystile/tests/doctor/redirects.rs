//! Redirects, resources and paths that differ in one thing.

use serde_json::json;

use super::flow::{Browser, REDIRECT, VERIFIER, code};
use super::http::Request;
use super::scene::Scene;

#[test]
fn a_redirect_that_differs_in_one_thing_is_named_by_it() {
    let scene = Scene::new();
    let registered = "https://app.example:8443/oauth/Callback";
    let id = "app-with-one-callback";
    scene.installation.answer(&[
        "client",
        "add",
        "--name",
        "App",
        "--client-id",
        id,
        "--redirect-uri",
        registered,
    ]);
    let client = scene.client();
    for (asked, part, fix) in [
        (
            "https://app.exampel:8443/oauth/Callback",
            "host",
            "client update app-with-one-callback --add-redirect-uri",
        ),
        (
            "https://app.example:8444/oauth/Callback",
            "port",
            "client update app-with-one-callback --add-redirect-uri",
        ),
        (
            "https://app.example:8443/oauth/Callbak",
            "path",
            "client update app-with-one-callback --add-redirect-uri",
        ),
        (
            "https://app.example:8443/oauth/Callback/",
            "slash",
            "client update app-with-one-callback --add-redirect-uri",
        ),
        (
            "https://app.example:8443/oauth/callback",
            "case",
            "client update app-with-one-callback --add-redirect-uri",
        ),
        (
            "https://app.example:8443/oauth/Callback?secret=x",
            "query",
            "client update app-with-one-callback --add-redirect-uri",
        ),
    ] {
        let path = client.authorize_with(&[("client_id", id), ("redirect_uri", asked)]);
        let page = Browser::new(scene.gate.port).open(&path);
        assert_eq!(page.status, 400);
        assert_eq!(page.header("location"), "", "nothing redirects there");
        let text = keystile_testkit::reading::text(&page.body).replace('\n', " ");
        assert!(text.contains("differ only"), "{text}");
        let reason = format!("redirect_differs_in_{part}");
        let said = scene.named(&page.body, &reason, fix);
        assert!(!said.to_string().contains("secret="), "{said}");
    }
    for (asked, reason) in [
        (
            "http://localhost/callback",
            "redirect_differs_in_loopback_name",
        ),
        (
            "http://127.0.0.1:4711/callback/",
            "redirect_differs_in_slash",
        ),
    ] {
        let path = client.authorize_with(&[("redirect_uri", asked)]);
        let page = Browser::new(scene.gate.port).open(&path);
        scene.named(&page.body, reason, "");
    }
    scene.gate.stop();
}

#[test]
fn a_redirect_that_differs_in_two_things_is_named_with_both() {
    let scene = Scene::new();
    let registered = "https://app.example:8443/oauth/callback";
    let id = "app-with-one-callback";
    let add = ["client", "add", "--name", "App", "--client-id", id];
    let add = [&add[..], &["--redirect-uri", registered]].concat();
    scene.installation.answer(&add);
    let client = scene.client();
    for (asked, reason, both) in [
        (
            "https://app.example/oauth/callback/",
            "redirect_not_registered",
            "in 2 things: in the port; in slashes at the end.",
        ),
        (
            "https://app.example:8443/oauth/cb?secret=x",
            "redirect_not_registered",
            "in 2 things: in the path; behind the question mark.",
        ),
        // Nobody can register it, and that is not all.
        (
            "http://app.example:8443/oauth/callback/",
            "redirect_malformed",
            "in 2 things: in the scheme; in slashes at the end.",
        ),
    ] {
        let path = client.authorize_with(&[("client_id", id), ("redirect_uri", asked)]);
        let page = Browser::new(scene.gate.port).open(&path);
        let said = scene.named(&page.body, reason, "");
        let refused = &said["steps"][0]["refused"];
        let found = refused["found"].as_str().unwrap_or_default();
        assert!(found.ends_with(both), "{found}");
        let came = asked.split('?').next().unwrap_or_default();
        assert!(
            found.contains(came) && found.contains(registered),
            "{found}"
        );
    }
    scene.gate.stop();
}

#[test]
fn another_redirect_or_resource_at_the_token_endpoint_is_named() {
    let scene = Scene::new();
    let client = scene.client();
    let redirect = scene.consented(&client, &[]);
    let ask = |redirect_uri: &str, resource: &str| {
        client.ask(&[
            ("grant_type", "authorization_code"),
            ("code", &code(&redirect)),
            ("redirect_uri", redirect_uri),
            ("resource", resource),
            ("code_verifier", VERIFIER),
        ])
    };
    let slash = ask(&format!("{REDIRECT}/"), &scene.resource());
    scene.told(
        &slash,
        "code_redirect_differs_in_slash",
        "the same redirect_uri twice",
    );
    let other = ask("http://localhost/else", &scene.resource());
    scene.told(&other, "code_of_another_redirect_uri", "");
    let resource = ask(REDIRECT, &format!("{}//", scene.resource()));
    scene.told(&resource, "resource_differs_in_slash", "Take the slashes");
    assert_eq!(
        ask(REDIRECT, &scene.resource()).status,
        200,
        "nothing was spent"
    );
    scene.gate.stop();
}

#[test]
fn a_wrong_resource_is_named_by_how_it_differs() {
    let scene = Scene::new();
    let client = scene.client();
    let right = scene.resource();
    for (asked, reason, fix) in [
        (
            format!("{right}//"),
            "resource_differs_in_slash",
            "Take the slashes",
        ),
        (
            right.replace("notes", "Notes"),
            "resource_differs_in_case",
            "exactly the MCP URL",
        ),
        (
            right.replace("/mcp", "/sse"),
            "resource_differs_in_path",
            "exactly the MCP URL",
        ),
        (
            right.replace("localhost", "127.0.0.1"),
            "resource_differs_in_loopback_name",
            "exactly the MCP URL",
        ),
        (
            right.replace("http:", "https:"),
            "resource_differs_in_scheme",
            "exactly the MCP URL",
        ),
        (
            "https://mcp.other.example/x".to_owned(),
            "resource_not_served",
            "exactly the MCP URL",
        ),
    ] {
        let reply =
            Browser::new(scene.gate.port).open(&client.authorize_with(&[("resource", &asked)]));
        assert!(
            reply.header("location").contains("error=invalid_target"),
            "{reply:?}"
        );
        if reason == "resource_not_served" {
            scene.named(reply.header("location"), reason, fix);
        } else {
            scene.told(&reply, reason, fix);
        }
    }
    scene.gate.stop();
}

#[test]
fn a_path_that_is_almost_right_is_named_with_the_right_one() {
    let scene = Scene::new();
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for (path, reason) in [
        ("/notes/mcp//", "path_differs_in_slash"),
        ("/notes/MCP", "path_differs_in_case"),
        ("/notes/sse", "path_differs_in_path"),
    ] {
        let reply = Request::mcp(path, "x", &message).send(scene.gate.port);
        assert_eq!(reply.status, 404, "{reply:?}");
        assert!(reply.body.contains(&scene.resource()), "{}", reply.body);
        scene.named(&reply.body, reason, "exactly the MCP URL");
    }
    scene.gate.stop();
}
