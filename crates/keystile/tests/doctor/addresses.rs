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

#[test]
fn another_mistake_of_a_proxy_is_said_beside_the_first_one() {
    let scene = Scene::new();
    let ask = |headers: &[(&str, &str)]| {
        let request = Request::get("/.well-known/oauth-authorization-server");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        assert_eq!(request.send(scene.gate.port).status, 200);
    };
    for _ in 0..3 {
        ask(&[("x-forwarded-host", "mcp.example.com")]);
        ask(&[("x-forwarded-host", "other.example.com")]);
        ask(&[("x-forwarded-proto", "https")]);
        ask(&[("x-forwarded-host", "localhost:1")]);
    }
    let listed = scene.installation.answer(&["doctor"]);
    let mut reasons: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|attempt| attempt["reason"].as_str().unwrap_or_default())
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "public_url_differs_in_host",
            "public_url_differs_in_host",
            "public_url_differs_in_port",
            "public_url_differs_in_scheme",
        ],
        "each once: {listed}"
    );
    for (reason, said) in [
        ("public_url_differs_in_host", "http://mcp.example.com"),
        ("public_url_differs_in_host", "http://other.example.com"),
        ("public_url_differs_in_scheme", "https://localhost"),
        ("public_url_differs_in_port", "http://localhost:1"),
    ] {
        let own = format!("--public-url {said}");
        let line = scene.gate.program.stderr.find_line(&["WARN", &own]);
        let line = line.unwrap_or_else(|| panic!("{own} is said"));
        let (_, from) = line.split_once("reference=\"").expect("it has one");
        scene.reference_named(&from[..11], reason, &own);
    }
    scene.gate.stop();
}
