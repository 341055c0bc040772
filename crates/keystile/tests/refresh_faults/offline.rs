//! Who is told of `offline_access`: clients, by the issuer; no resource server ever needs it.

use crate::flow::initialize;
use crate::http::Request;
use crate::installation::Installation;

#[test]
fn n_as_27_only_the_issuer_speaks_of_offline_access() {
    let installation = Installation::new();
    let gate = installation.serve(&["demo"]);
    let document = |path: &str| {
        let reply = Request::get(path).send(gate.port);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.value()["scopes_supported"].to_string()
    };
    let issuer = document("/.well-known/oauth-authorization-server");
    assert!(issuer.contains("\"offline_access\""), "{issuer}");
    let resource = format!("/.well-known/oauth-protected-resource{}", gate.endpoint());
    for path in [&resource, "/.well-known/oauth-protected-resource"] {
        let scopes = document(path);
        assert!(scopes.contains(":call\""), "{scopes}");
        assert!(!scopes.contains("offline_access"), "{scopes}");
    }
    for token in ["", "wrong"] {
        let request = match token {
            "" => Request::json(&gate.endpoint(), initialize()),
            _ => Request::mcp(&gate.endpoint(), token, initialize()),
        };
        let reply = request.send(gate.port);
        assert_eq!(reply.status, 401, "{reply:?}");
        let challenge = reply.header("www-authenticate");
        assert!(challenge.contains(":call"), "{challenge}");
        assert!(!challenge.contains("offline_access"), "{challenge}");
    }
    gate.stop();
}
