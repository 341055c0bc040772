//! What passes in both directions, and what never does.

use axum::body::Body;

use crate::support::{App, Server, TOOL_CALL, json_answer};

#[tokio::test]
async fn a_121_only_listed_headers_pass_in_any_spelling() {
    let app = App::echo().await;
    let mut request = app
        .builder("POST")
        .header("content-type", "application/json");
    let strays = [
        "X_Forwarded_User",
        "x_forwarded_user",
        "X-Forwarded-User",
        "X-FORWARDED-USER",
        "x-forwarded_user",
        "remote_user",
        "Remote-User",
        "X-Remote-User",
        "x-auth-request-user",
        "x-keystile-user",
        "Mcp_Session_Id",
        "mcp_protocol_version",
        "mcp-param-_x",
        "mcp_param-x",
        "proxy",
        "http_proxy",
        "x-mcp-session-id",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "proxy-connection",
        "expect",
        "range",
        "if-none-match",
        "origin-trial",
    ];
    for name in strays {
        request = request.header(name, "1");
    }
    let request = request
        .header("mcp-session-id", app.session("s1"))
        .header("mcp-param-region", "eu")
        .header("last-event-id", app.event("s1", "4"));
    assert_eq!(
        app.send(request.body(Body::from(TOOL_CALL)).unwrap())
            .await
            .status(),
        200
    );
    let headers = app.server.last().parts.headers;
    for name in strays {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(headers["mcp-session-id"], "s1");
    assert_eq!(headers["mcp-param-region"], "eu");
    assert_eq!(headers["last-event-id"], "4");
    assert_eq!(headers["host"], app.server.address.to_string());
    assert_eq!(headers["content-length"], TOOL_CALL.len().to_string());
}

#[tokio::test]
async fn a_126_nominated_headers_end_at_this_hop() {
    let app = App::echo().await;
    let request = app
        .builder("POST")
        .header("content-type", "application/json")
        .header("mcp-session-id", app.session("s"));
    let request = request
        .header("connection", "Keep-Alive, MCP-Session-Id")
        .header("connection", "TE, host");
    assert_eq!(
        app.send(request.body(Body::from(TOOL_CALL)).unwrap())
            .await
            .status(),
        200
    );
    let headers = app.server.last().parts.headers;
    assert!(!headers.contains_key("mcp-session-id"));
    assert!(!headers.contains_key("connection") && !headers.contains_key("te"));
    assert_eq!(headers.get_all("host").iter().count(), 1);
}

#[tokio::test]
async fn a_129_no_credential_of_the_client_is_passed_on() {
    let app = App::echo().await;
    let names = [
        "cookie",
        "x-api-key",
        "proxy-authorization",
        "x-upstream-authorization",
        "api-key",
        "x-auth-token",
        "x-amz-security-token",
        "authentication",
    ];
    let mut request = app
        .builder("POST")
        .header("content-type", "application/json");
    for name in names {
        request = request.header(name, "planted");
    }
    assert_eq!(
        app.send(request.body(Body::from(TOOL_CALL)).unwrap())
            .await
            .status(),
        200
    );
    let headers = app.server.last().parts.headers;
    assert!(!format!("{headers:?}").contains("planted"));
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_130_a_request_never_picks_its_upstream() {
    let app = App::echo().await;
    let decoy = Server::start(|_| json_answer("{}")).await;
    let address = decoy.address.to_string();
    for name in [
        "x-forwarded-host",
        "x-upstream",
        "x-target",
        "forwarded",
        "x-original-host",
    ] {
        let request = app
            .builder("POST")
            .header("content-type", "application/json")
            .header(name, &*address);
        app.send(request.body(Body::from(TOOL_CALL)).unwrap()).await;
    }
    let absolute = app.call();
    let (mut parts, body) = absolute.into_parts();
    parts.uri = format!("http://{address}/kb/mcp").parse().unwrap();
    assert_eq!(
        app.send(http::Request::from_parts(parts, body))
            .await
            .status(),
        421
    );
    let (mut parts, body) = app.call().into_parts();
    parts.uri = format!("/kb/mcp?url=http://{address}/&upstream={address}")
        .parse()
        .unwrap();
    assert_eq!(
        app.send(http::Request::from_parts(parts, body))
            .await
            .status(),
        200
    );
    assert_eq!(
        app.server.last().parts.uri,
        "/upstream/mcp",
        "the client's query is not the upstream's"
    );
    assert_eq!(
        decoy.connections.load(std::sync::atomic::Ordering::SeqCst),
        0
    );
    assert_eq!(app.server.count(), 6);
}
