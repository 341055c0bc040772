//! A proxy in front that is reached at another address than the public URL.

use super::http::Request;
use super::scene::Scene;

#[test]
fn a_host_that_is_not_ours_is_named_with_the_public_url_to_set() {
    let scene = Scene::new();
    let metadata = "/.well-known/oauth-authorization-server";
    let paths = [scene.gate.endpoint(), metadata.to_owned()];
    for path in paths {
        let reply = Request::get(&path)
            .header("host", "mcp.example.com")
            .send(scene.gate.port);
        assert_eq!(reply.status, 421);
        assert!(
            reply.body.contains(&scene.gate.text("issuer")),
            "{}",
            reply.body
        );
        scene.named(
            &reply.body,
            "public_url_differs_in_host",
            "--public-url http://mcp.example.com",
        );
    }
    let port = Request::get(metadata)
        .header("host", "localhost:1")
        .send(scene.gate.port);
    scene.named(&port.body, "public_url_differs_in_port", "--public-url");
    scene.gate.stop();
}

#[test]
fn a_proxy_that_rewrites_the_host_is_noticed_though_nothing_is_refused() {
    let scene = Scene::new();
    let proxied = Request::get("/.well-known/oauth-authorization-server")
        .header("x-forwarded-host", "mcp.example.com")
        .header("x-forwarded-proto", "https");
    let reply = proxied.send(scene.gate.port);
    assert_eq!(reply.status, 200);
    let issuer = format!("\"issuer\":\"{}\"", scene.gate.text("issuer"));
    assert!(
        reply.body.contains(&issuer),
        "no header changes it: {}",
        reply.body
    );
    // A second one says nothing new.
    proxied.send(scene.gate.port);
    let line = scene
        .gate
        .program
        .stderr
        .find("a proxy in front")
        .expect("it is said");
    let listed = scene.installation.answer(&["doctor"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let reference = super::scene::reference(&line);
    let reason = "public_url_differs_in_host";
    scene.reference_named(&reference, reason, "--public-url https://mcp.example.com");
    scene.reference_named(&reference, reason, "somebody made it up");
    scene.gate.stop();
}
