//! What passes in both directions, and what never does.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{App, Server, TOOL_CALL, json_answer, refusal, text};

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
        .header("last-event-id", "4");
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

#[tokio::test]
async fn the_upstreams_sign_in_and_redirects_are_never_relayed_as_ours() {
    for (status, code) in [
        (401, "upstream_refused_us"),
        (403, "upstream_refused_us"),
        (407, "upstream_refused_us"),
        (302, "upstream_redirects"),
        (307, "upstream_redirects"),
        (308, "upstream_redirects"),
        (500, "upstream_failed"),
        (418, "upstream_failed"),
    ] {
        let app = App::new(move |_| {
            Response::builder()
                .status(status)
                .header("www-authenticate", "Bearer realm=\"inner\"")
                .header("location", "http://127.0.0.1:1/")
                .header("set-cookie", "a=b")
                .header("content-type", "text/html")
                .body(Body::from("<h1>inner secret</h1>"))
                .unwrap()
        })
        .await;
        let answer = app.send(app.call()).await;
        for name in ["www-authenticate", "location", "set-cookie"] {
            assert!(!answer.headers().contains_key(name), "{name}");
        }
        let (got, body) = text(answer).await;
        assert_eq!(got, 502, "{status}");
        assert!(
            body.contains(code) && !body.contains("inner secret") && body.contains("\"id\":7"),
            "{body}"
        );
        assert_eq!(app.server.count(), 1, "and it is not followed");
    }
}

#[tokio::test]
async fn the_statuses_that_mcp_gives_a_meaning_are_relayed() {
    for (status, media, body) in [
        (
            404,
            "application/json",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#,
        ),
        (
            400,
            "application/json; charset=utf-8",
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"x"}}"#,
        ),
        (
            500,
            "application/json",
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"x"}}"#,
        ),
        (202, "text/plain", ""),
        (405, "text/html", ""),
    ] {
        let app = App::new(move |_| {
            Response::builder()
                .status(status)
                .header("content-type", media)
                .header("mcp-session-id", "s9")
                .body(Body::from(body))
                .unwrap()
        })
        .await;
        let answer = app.send(app.call()).await;
        assert_eq!(answer.headers()["mcp-session-id"], app.session("s9"));
        assert_eq!(
            text(answer).await,
            (StatusCode::from_u16(status).unwrap(), body.to_owned())
        );
    }
}

#[tokio::test]
async fn only_where_there_was_a_session_does_a_404_say_that_it_is_gone() {
    for media in ["text/html", "text/plain; charset=utf-8"] {
        let app = App::new(move |_| {
            Response::builder()
                .status(404)
                .header("content-type", media)
                .body(Body::from("<h1>nginx"))
                .unwrap()
        })
        .await;
        assert_eq!(
            refusal(app.send(app.call()).await).await,
            (502, -32603, "upstream_not_mcp".to_owned())
        );
        for method in ["POST", "GET", "DELETE"] {
            let request = app
                .builder(method)
                .header("content-type", "application/json")
                .header("mcp-session-id", app.session("s1"))
                .body(Body::from(TOOL_CALL))
                .unwrap();
            assert_eq!(
                text(app.send(request).await).await,
                (StatusCode::NOT_FOUND, String::new()),
                "{method}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_mcp_server_is_said_to_be_none() {
    let app = App::new(|_| {
        Response::builder()
            .header("content-type", "text/html")
            .body(Body::from("<h1>Welcome"))
            .unwrap()
    })
    .await;
    assert_eq!(
        refusal(app.send(app.call()).await).await,
        (502, -32603, "upstream_not_mcp".to_owned())
    );
}

#[tokio::test]
async fn a_dead_upstream_is_a_502_that_says_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    let (status, body) = text(app.send(app.call()).await).await;
    assert_eq!(status, 502);
    assert!(
        body.contains("upstream_unreachable") && body.contains("see whether it runs"),
        "{body}"
    );
    assert!(
        !body.contains(&address.to_string()),
        "where it is is not the client's business: {body}"
    );
}

#[tokio::test]
async fn an_upstream_that_hangs_up_is_a_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
            drop(stream);
        }
    });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    assert_eq!(
        refusal(app.send(app.call()).await).await,
        (502, -32603, "upstream_unreachable".to_owned())
    );
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_a_504() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let held = tokio::spawn(async move { listener.accept().await.unwrap() });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream.with_call_limit(Duration::from_millis(50))
    });
    assert_eq!(
        refusal(app.send(app.call()).await).await,
        (504, -32603, "upstream_timeout".to_owned())
    );
    drop(held);
}

#[test]
fn an_upstream_is_an_http_url_with_a_host() {
    for url in [
        "",
        "/mcp",
        "127.0.0.1:3000",
        "ftp://h/x",
        "http://",
        "http://u:p@h/mcp",
        "unix:/x",
        "localhost:3000/mcp",
    ] {
        assert!(
            keystile_gateway::HttpUpstream::new(url, None).is_err(),
            "{url}"
        );
    }
}

#[tokio::test]
async fn calls_in_turn_share_one_connection() {
    let app = App::echo().await;
    for _ in 0..5 {
        assert_eq!(text(app.send(app.call()).await).await.0, 200);
    }
    assert_eq!(app.server.connections.load(Ordering::SeqCst), 1);
    let (first, second) = tokio::join!(app.send(app.call()), app.send(app.call()));
    assert_eq!(
        (text(first).await.0, text(second).await.0),
        (StatusCode::OK, StatusCode::OK)
    );
    assert_eq!(app.server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_kept_connection_that_the_upstream_closed_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (closed, mut closings) = tokio::sync::mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 * 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(length > 0);
            let answer =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    for _ in 0..3 {
        assert_eq!(
            text(app.send(app.call()).await).await,
            (StatusCode::OK, "{}".to_owned())
        );
        closings.recv().await.unwrap();
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_never_a_short_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut vec![0; 64 * 1024]).await.unwrap() > 0);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"jsonrpc\"";
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let server = Server::start(|_| json_answer("{}")).await;
    let app = App::in_front_of(server, &format!("http://{address}/mcp"), |upstream| {
        upstream
    });
    assert!(
        app.send(app.call())
            .await
            .into_body()
            .collect()
            .await
            .is_err()
    );
}
