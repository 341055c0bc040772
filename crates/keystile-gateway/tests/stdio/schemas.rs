//! What a server says in its tools' schemas, and what its client calls them with, on the way over a bridge to an HTTP
//! server of 2026-07-28: the one place where the gateway reads schemas and makes headers itself.

use std::sync::Arc;
use std::time::Duration;

use axum::{Router, body::Body};
use http::{HeaderMap, HeaderValue, Request, Response};
use keystile_protocol::mcp::headers::decode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::http::Bridged;
use crate::support::{Client, body};

/// A server of 2026-07-28 with these tools, and the headers that its calls came with.
struct Server {
    client: Client,
    calls: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Server {
    async fn with(tools: Value) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&calls);
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (tools, kept) = (tools.clone(), Arc::clone(&kept));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
                let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
                let result = match asked["method"].as_str() {
                    Some("server/discover") => json!({
                        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                        "ttlMs": 0, "cacheScope": "public",
                    }),
                    Some("tools/list") => json!({
                        "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "public",
                    }),
                    Some("tools/call") => {
                        kept.lock().push((parts.headers, asked["params"].clone()));
                        json!({"resultType": "complete", "content": []})
                    }
                    _ => return Response::builder().status(400).body(Body::empty()).unwrap(),
                };
                let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": result});
                let response = Response::builder().header("content-type", "application/json");
                response.body(Body::from(answer.to_string())).unwrap()
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let endpoint = Bridged::to(&url).await;
        let mut client = Client::of(endpoint as _, "ada", "editor");
        client.initialize(json!({})).await;
        Self { client, calls }
    }

    async fn call(&self, name: &str, arguments: &Value) -> Value {
        let params = json!({"name": name, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        body(self.client.legacy(call).await).await
    }
}

#[tokio::test]
async fn a_128_what_can_not_stand_in_a_header_is_encoded_for_the_server() {
    let values = [
        "plain",
        "a\r\nx-evil: 1",
        "a\nx-evil: 1",
        "a\rx-evil: 1",
        "a\0b",
        "\u{7f}",
        "\u{85}x-evil: 1",
        "n\u{e4}me",
        "\u{65e5}\u{672c}",
        "\u{1f600}",
        " padded ",
        "\ttab",
        "",
        "=?base64?eA==?=",
        "=?base64?",
    ];
    let tool = |name: &&str| {
        json!({"name": name, "inputSchema": {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "evil": {"type": "string", "x-mcp-header": "a\r\nx-evil"},
            "n\u{e4}me": {"type": "string", "x-mcp-header": "n\u{e4}me"},
        }}})
    };
    let server = Server::with(values.iter().map(tool).collect()).await;
    for name in values {
        for value in values {
            let arguments = json!({"region": value, "evil": value, "n\u{e4}me": value});
            let answer = server.call(name, &arguments).await;
            assert!(answer["result"].is_object(), "{name:?} {value:?}: {answer}");
            let (headers, params) = server.calls.lock().pop().expect("it was called");
            assert_eq!(
                (&params["name"], &params["arguments"]),
                (&json!(name), &arguments)
            );
            let decoded = |header: &str| {
                let mut all = headers.get_all(header).iter();
                let only = all
                    .next()
                    .unwrap_or_else(|| panic!("no {header} for {name:?} {value:?}"));
                assert!(all.next().is_none(), "{header}");
                decode(only.to_str().expect("visible ASCII"))
                    .expect("well encoded")
                    .into_owned()
            };
            assert_eq!(decoded("mcp-name"), name);
            assert_eq!(decoded("mcp-param-region"), value);
            let ours = headers
                .keys()
                .filter(|name| name.as_str().contains("evil"))
                .count();
            assert_eq!(ours, 0, "{headers:?}");
        }
    }
}

/// Somebody who counts who comes.
async fn canary() -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let visits = Arc::new(Mutex::new(0));
    let count = Arc::clone(&visits);
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
            *count.lock() += 1;
        }
    });
    (authority, visits)
}

/// Every keyword of a schema that names another document.
fn referring(to: &str) -> Value {
    json!({
        "$schema": to, "$id": to, "$ref": to, "$dynamicRef": to, "$recursiveRef": to, "type": "object",
        "properties": {
            "region": {"$ref": to, "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"er": {"allOf": [{"$ref": to}], "x-mcp-header": "Deeper"}}},
        },
        "additionalProperties": {"$ref": to}, "$defs": {"a": {"$ref": to}}, "items": {"$ref": to},
    })
}

#[tokio::test]
async fn n_rs_20_no_reference_in_a_schema_is_followed() {
    let (authority, visits) = canary().await;
    for to in [
        format!("http://{authority}/schema.json"),
        format!("https://{authority}/schema.json#/$defs/a"),
        format!("//{authority}/schema.json"),
        "#/$defs/a".to_owned(),
    ] {
        let tool =
            json!({"name": "t", "inputSchema": referring(&to), "outputSchema": referring(&to)});
        let server = Server::with(json!([tool])).await;
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let listed = body(server.client.legacy(list).await).await;
        assert_eq!(
            listed["result"]["tools"][0]["inputSchema"],
            referring(&to),
            "as it came"
        );
        let answer = server
            .call("t", &json!({"region": "eu", "deep": {"er": "x"}}))
            .await;
        assert!(answer["result"].is_object(), "{answer}");
        let (headers, _) = server.calls.lock().pop().expect("it was called");
        assert_eq!(headers["mcp-param-region"], "eu");
    }
    assert_eq!(*visits.lock(), 0);
}

#[tokio::test]
async fn a_062_no_address_in_a_schema_is_visited() {
    let (authority, visits) = canary().await;
    let visited = format!("http://{authority}/latest/meta-data/");
    let files = ["/etc/passwd", "/proc/self/environ"].map(|path| format!("file://{path}"));
    let far = [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "ftp://127.0.0.1/x",
    ];
    for to in files
        .into_iter()
        .chain(far.map(str::to_owned))
        .chain([visited])
    {
        let tool = json!({
            "name": "t", "inputSchema": referring(&to), "outputSchema": referring(&to),
            "icons": [{"src": to}], "_meta": {"openapi": to}, "annotations": {"title": to},
        });
        let server = Server::with(json!([tool])).await;
        let begun = Instant::now();
        let answer = server.call("t", &json!({"region": to})).await;
        // What is far away would be waited for.
        assert!(begun.elapsed() < BUDGET, "{to}: {:?}", begun.elapsed());
        assert_eq!(
            answer["result"],
            json!({"content": []}),
            "nothing of it comes back"
        );
        let (headers, params) = server.calls.lock().pop().expect("it was called");
        assert_eq!(
            (&headers["mcp-param-region"], &params["arguments"]["region"]),
            (&HeaderValue::from_str(&to).unwrap(), &json!(to))
        );
    }
    assert_eq!(*visits.lock(), 0);
}

/// Depth and width that cost a reader who expands what refers to itself more than there is.
fn bomb(levels: usize, width: usize) -> Value {
    let level = |at: usize| {
        let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
        (
            format!("d{at}"),
            json!({"anyOf": [next, next], "properties": {"a": next, "b": next}}),
        )
    };
    let defs: serde_json::Map<_, _> = (0..levels).map(level).collect();
    let wide: Vec<_> = (0..width).map(|at| json!({"const": at})).collect();
    json!({"type": "object", "$ref": "#/$defs/d0", "$defs": defs, "anyOf": wide,
        "properties": {"region": {"type": "string", "anyOf": wide, "x-mcp-header": "Region"}}})
}

#[tokio::test]
async fn n_rs_20_a_schema_that_explodes_costs_what_its_bytes_cost() {
    let schema = bomb(1_000, 4_000);
    let server =
        Server::with(json!([{"name": "t", "inputSchema": schema, "outputSchema": schema}])).await;
    // The first call has the gateway read the list.
    let begun = Instant::now();
    let answer = server.call("t", &json!({"region": "eu"})).await;
    assert!(begun.elapsed() < BUDGET, "{:?}", begun.elapsed());
    assert!(answer["result"].is_object(), "{answer}");
    let (headers, _) = server.calls.lock().pop().expect("it was called");
    assert_eq!(headers["mcp-param-region"], "eu");
}

/// Twin: one that does what the gateway does not.
#[tokio::test]
async fn a_reader_that_follows_references_would_be_noticed() {
    let (authority, visits) = canary().await;
    let schema = referring(&format!("http://{authority}/schema.json"));
    let to = schema["$ref"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap();
    drop(
        TcpStream::connect(to.split_once('/').unwrap().0)
            .await
            .unwrap(),
    );
    while *visits.lock() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Twin: one that puts in place of a reference what it refers to.
#[test]
fn a_reader_that_expands_a_schema_would_be_noticed() {
    fn expanded(schema: &Value, root: &Value, until: Instant) -> bool {
        let named = schema["$ref"]
            .as_str()
            .and_then(|to| to.strip_prefix("#/$defs/"));
        let parts = schema["anyOf"].as_array().into_iter().flatten();
        Instant::now() < until
            && named.is_none_or(|name| expanded(&root["$defs"][name], root, until))
            && parts.into_iter().all(|part| expanded(part, root, until))
    }
    let schema = bomb(40, 2);
    assert!(!expanded(
        &schema,
        &schema,
        Instant::now() + Duration::from_secs(1)
    ));
}

/// Without optimisation and on a busy machine it takes a second.
const BUDGET: Duration = Duration::from_secs(10);
