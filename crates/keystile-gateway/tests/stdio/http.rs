//! The same bridges in front of HTTP upstreams.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use keystile_gateway::{
    HttpUpstream, Phase,
    relay::{Caller, Ports},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{App, Client, Endpoint, Events, body, messages, told, world};

/// An HTTP server that speaks one era only: the fixture behind a pool, and a guard in front of it.
struct Upstream {
    endpoint: Arc<Bridged>,
    /// How often it was asked `server/discover`.
    discoveries: Arc<AtomicUsize>,
    /// Its own process does not end meanwhile.
    _end: watch::Sender<Phase>,
}

pub(crate) struct Bridged {
    pub(crate) upstream: HttpUpstream,
    pub(crate) ports: Ports,
}

impl Bridged {
    /// To the server at this URL, whose eras are known.
    pub(crate) async fn to(url: &str) -> Arc<Self> {
        let (_, ports) = world();
        let upstream = HttpUpstream::new("kb", url, None).unwrap();
        upstream.bridge(&ports).learn().await;
        Arc::new(Self { upstream, ports })
    }
}

#[async_trait]
impl Endpoint for Bridged {
    async fn handle(&self, caller: &Caller, parts: &Parts, body: Bytes) -> Response<Body> {
        self.upstream
            .bridge(&self.ports)
            .handle(caller, parts, body)
            .await
    }
}

impl Upstream {
    async fn start(era: &'static str) -> Self {
        let app = App::of(&[era]);
        let caller = app.client("gateway", "gateway").caller;
        let discoveries = Arc::new(AtomicUsize::new(0));
        let (pool, count, end) = (app.pool, Arc::clone(&discoveries), app.end);
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (pool, caller, count) = (Arc::clone(&pool), caller.clone(), Arc::clone(&count));
            async move {
                let (parts, body) = request.into_parts();
                let method = parts.headers.get("mcp-method");
                let discovers = method.is_some_and(|method| method == "server/discover");
                count.fetch_add(usize::from(discovers), Ordering::SeqCst);
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let version = parts.headers.get("mcp-protocol-version");
                let is_stateless = version.is_some_and(|version| version == "2026-07-28");
                if is_stateless != (era == "stateless") {
                    let error = json!({"jsonrpc": "2.0", "id": null,
                        "error": {"code": -32000, "message": "Bad Request: Server not initialized"}});
                    return refuse(&error);
                }
                // What 2026-07-28 demands of a server that annotates its tools.
                let call: Value = serde_json::from_slice(&body).unwrap_or_default();
                let region = call["params"]["arguments"]["region"].as_str();
                let mirrored = parts.headers.get("mcp-param-region").map(|value| value.as_bytes());
                if is_stateless && region.map(str::as_bytes) != mirrored {
                    let error = json!({"jsonrpc": "2.0", "id": call["id"],
                        "error": {"code": -32020, "message": "Mcp-Param-Region is missing"}});
                    return refuse(&error);
                }
                pool.handle(&caller, &parts, body).await
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            endpoint: Bridged::to(&url).await,
            discoveries,
            _end: end,
        }
    }

    fn client(&self) -> Client {
        Client::of(Arc::clone(&self.endpoint) as _, "ada", "editor")
    }
}

#[tokio::test]
async fn a_stateless_client_uses_a_legacy_http_server() {
    let upstream = Upstream::start("legacy").await;
    let mut client = upstream.client();
    let discovered = body(
        client
            .stateless(json!(1), "server/discover", json!({}))
            .await,
    )
    .await;
    assert_eq!(
        discovered["result"]["supportedVersions"],
        json!(["2026-07-28"])
    );
    let list = body(client.stateless(json!(1), "tools/list", json!({})).await).await;
    assert_eq!(list["result"]["cacheScope"], "private");
    let params = json!({"name": "progress", "_meta": {"progressToken": "mine"}});
    let all = messages(client.stateless(json!(1), "tools/call", params).await).await;
    assert_eq!(all[0]["params"]["progressToken"], "mine");
    assert_eq!(all.len(), 3, "{all:?}");

    client.elicits = true;
    let mut ask = json!({"name": "ask", "arguments": {}});
    let asked =
        body(client.stateless(json!(1), "tools/call", ask.clone()).await).await["result"].clone();
    ask["requestState"] = asked["requestState"].clone();
    ask["inputResponses"] = json!({"ask": {"action": "accept", "content": {"name": "Ada"}}});
    let answer = body(client.stateless(json!(2), "tools/call", ask).await).await;
    assert_eq!(told(&answer)["answered"]["content"]["name"], "Ada");
}

#[tokio::test]
async fn changes_of_a_legacy_http_server_reach_a_subscription() {
    let upstream = Upstream::start("legacy").await;
    let client = upstream.client();
    let filter = json!({"notifications": {"toolsListChanged": true}});
    let mut stream = Events::of(
        client
            .stateless(json!(8), "subscriptions/listen", filter)
            .await,
    );
    stream.next().await.unwrap();
    client.tool("change").await;
    assert_eq!(
        stream.next().await.unwrap()["method"],
        "notifications/tools/list_changed"
    );
}

#[tokio::test]
async fn a_legacy_client_uses_a_stateless_http_server() {
    let upstream = Upstream::start("stateless").await;
    let mut client = upstream.client();
    let result = client.initialize(json!({"elicitation": {}})).await;
    assert_eq!(result["serverInfo"]["name"], "fixture");
    let meta = client.tool("params").await["_meta"].clone();
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "test");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": {}}});
    let mut stream = Events::of(client.legacy(call).await);
    let asked = stream.next().await.unwrap();
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {"n": "Ada"}}});
    client.legacy(answer).await;
    assert_eq!(
        told(&stream.next().await.unwrap())["name"]["content"]["n"],
        "Ada"
    );
    client.tool("change").await;
    let mut stream = Events::of(client.stream().await);
    let next = stream.next().await.unwrap();
    assert!(next["method"].as_str().unwrap().ends_with("list_changed"));
}

#[tokio::test]
async fn a_closed_stream_cancels_the_call_at_a_stateless_http_server() {
    let upstream = Upstream::start("stateless").await;
    let mut client = upstream.client();
    client.initialize(json!({})).await;
    let mut call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hold"}});
    call["params"]["_meta"] = json!({"progressToken": 1});
    let mut stream = Events::of(client.legacy(call).await);
    stream.next().await.unwrap();
    assert_eq!(client.tool("held").await, 1);
    drop(stream);
    crate::second::within_a_second(async {
        while client.tool("held").await != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_is_down_is_said_to_be() {
    let (_, ports) = world();
    let upstream = HttpUpstream::new("kb", "http://127.0.0.1:9/mcp", None).unwrap();
    let client = Client::of(Arc::new(Bridged { upstream, ports }), "ada", "editor");
    let response = client.stateless(json!(1), "tools/list", json!({})).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let error: Value = body(response).await["error"].clone();
    assert_eq!(error["data"]["code"], "upstream_unreachable");
}

#[tokio::test]
async fn the_eras_of_an_upstream_are_asked_once() {
    let upstream = Upstream::start("legacy").await;
    let client = upstream.client();
    assert!(client.tool("pid").await.is_u64());
    assert!(client.tool("pid").await.is_u64());
    assert_eq!(upstream.discoveries.load(Ordering::SeqCst), 1);
}

fn refuse(error: &Value) -> Response<Body> {
    Response::builder()
        .status(StatusCode::BAD_REQUEST)
        .header("content-type", "application/json")
        .body(Body::from(error.to_string()))
        .unwrap()
}

#[tokio::test]
async fn parameters_that_the_server_wants_in_headers_are_mirrored() {
    let upstream = Upstream::start("stateless").await;
    let mut client = upstream.client();
    client.initialize(json!({})).await;
    // Without the client having listed any tools.
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "params", "arguments": {"region": "us-west1"}}});
    let answer = body(client.legacy(call).await).await;
    assert_eq!(told(&answer)["arguments"]["region"], "us-west1");
}

/// Something else at the address, such as a proxy before its server is deployed, says nothing about the server.
#[tokio::test]
async fn what_answers_in_place_of_a_server_does_not_tell_its_era() {
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let app = App::of(&["stateless"]);
    let caller = app.client("gateway", "gateway").caller;
    let (pool, deployed) = (app.pool, Arc::new(AtomicUsize::new(0)));
    let is_there = Arc::clone(&deployed);
    let router = Router::new().fallback(move |request: Request<Body>| {
        let (pool, caller, asked) = (Arc::clone(&pool), caller.clone(), asked.clone());
        let is_there = is_there.load(Ordering::SeqCst) > 0;
        async move {
            let (parts, body) = request.into_parts();
            if !is_there {
                asked.send(()).unwrap();
                let mut response = Response::new(Body::from("no such page"));
                *response.status_mut() = StatusCode::NOT_FOUND;
                return response;
            }
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            pool.handle(&caller, &parts, body).await
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let (_, ports) = world();
    let endpoint = Bridged {
        upstream: HttpUpstream::new("kb", &url, None).unwrap(),
        ports,
    };
    let deploying = async {
        // It is asked for its era, and then for a handshake.
        asking.recv().await.unwrap();
        asking.recv().await.unwrap();
        deployed.store(1, Ordering::SeqCst);
    };
    tokio::join!(endpoint.upstream.bridge(&endpoint.ports).learn(), deploying);
    let mut client = Client::of(Arc::new(endpoint), "ada", "editor");
    client.initialize(json!({})).await;
    assert!(client.tool("pid").await.is_u64());
}
