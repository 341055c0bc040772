//! An MCP server that says every word back, in either era and over either transport, with as many calls at once as come.
//!
//! `echo` reports progress with the call's word in it and answers with the word. `announce` tells whoever subscribed to
//! `word://SECRET/` that a resource below has changed.

pub mod http;
pub mod stdio;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// Where messages go.
pub type Out = UnboundedSender<String>;

/// Which eras it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eras {
    /// Up to 2025-11-25.
    Sessions,
    /// From 2026-07-28.
    Stateless,
    /// Both.
    Both,
}

impl Eras {
    /// As [`FromStr`] reads it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sessions => "2025",
            Self::Stateless => "2026",
            Self::Both => "both",
        }
    }
}

impl FromStr for Eras {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Sessions, Self::Stateless, Self::Both];
        match all.into_iter().find(|eras| eras.word() == text) {
            Some(eras) => Ok(eras),
            None => bail!("{text} is no era"),
        }
    }
}

/// What all its transports share.
pub struct Server {
    eras: Eras,
    /// By the URI that they asked for.
    subscribers: Mutex<HashMap<String, Subscriber>>,
}

#[derive(Clone)]
struct Subscriber {
    out: Out,
    /// Of the `subscriptions/listen`; none before 2026-07-28.
    id: Option<Value>,
}

impl Server {
    /// Nobody has subscribed to anything yet.
    #[must_use]
    pub fn new(eras: Eras) -> Arc<Self> {
        let subscribers = Mutex::default();
        Arc::new(Self { eras, subscribers })
    }

    /// Answers a request on `out`; what is not about it goes to `news`. Subscriptions end with this.
    async fn answer(&self, request: &Value, out: &Out, news: &Out) {
        let (id, params) = (&request["id"], &request["params"]);
        let method = request["method"].as_str().unwrap_or_default();
        let stateless = is_stateless(request);
        if !self.speaks(method, stateless) {
            let supported = json!({ "supported": ["2026-07-28"], "requested": "?" });
            let code = if stateless { -32601 } else { -32022 };
            say(out, &error(id, code, &supported));
            return;
        }
        let result = match method {
            "initialize" => json!({
                "protocolVersion": params["protocolVersion"], "capabilities": capabilities(),
                "serverInfo": { "name": "words", "version": "1" },
            }),
            "server/discover" => json!({
                "supportedVersions": ["2026-07-28"], "capabilities": capabilities(), "ttlMs": 0,
                "cacheScope": "public",
            }),
            "ping" => json!({}),
            "tools/list" => json!({
                "tools": [
                    { "name": "echo", "inputSchema": { "type": "object" } },
                    { "name": "announce", "inputSchema": { "type": "object" } },
                ],
                "ttlMs": 0, "cacheScope": "public",
            }),
            "tools/call" => self.call(params, out).await,
            "resources/subscribe" => {
                self.subscribe(&params["uri"], news, None);
                json!({})
            }
            "resources/unsubscribe" => {
                self.forget(&params["uri"]);
                json!({})
            }
            "subscriptions/listen" => return self.listen(id, &params["notifications"], out).await,
            _ => {
                say(out, &error(id, -32601, &Value::Null));
                return;
            }
        };
        say(out, &answer(id, result, stateless));
    }

    fn speaks(&self, method: &str, stateless: bool) -> bool {
        match self.eras {
            Eras::Both => true,
            Eras::Sessions => !stateless,
            Eras::Stateless => stateless && method != "initialize",
        }
    }

    async fn call(&self, params: &Value, out: &Out) -> Value {
        let arguments = &params["arguments"];
        if params["name"] == "announce" {
            self.announce(&arguments["word"]);
        }
        let pause = Duration::from_millis(arguments["pause"].as_u64().unwrap_or_default());
        let token = &params["_meta"]["progressToken"];
        for step in 1..=arguments["steps"].as_u64().unwrap_or_default() {
            let params = json!({
                "progressToken": token, "progress": step, "message": arguments["word"],
            });
            say(out, &notification("notifications/progress", &params));
            tokio::time::sleep(pause).await;
        }
        json!({ "content": [{ "type": "text", "text": arguments["word"] }] })
    }

    /// Tells who subscribed to the folder of this URI.
    fn announce(&self, uri: &Value) {
        let text = uri.as_str().unwrap_or_default();
        let folder = text.rfind('/').map_or("", |end| &text[..=end]);
        let subscriber = self.subscribers().get(folder).cloned();
        if let Some(Subscriber { out, id }) = subscriber {
            let mut params = json!({ "uri": uri });
            if let Some(id) = id {
                params["_meta"] = tag(&id);
            }
            say(&out, &notification(UPDATED, &params));
        }
    }

    /// Never ends by itself.
    async fn listen(&self, id: &Value, filter: &Value, out: &Out) {
        let uris = filter["resourceSubscriptions"].as_array();
        let uris: Vec<_> = uris.into_iter().flatten().cloned().collect();
        for uri in &uris {
            self.subscribe(uri, out, Some(id.clone()));
        }
        let _listening = Listening { server: self, uris };
        let params = json!({ "_meta": tag(id), "notifications": filter });
        say(out, &notification(ACKNOWLEDGED, &params));
        std::future::pending().await
    }

    fn subscribe(&self, uri: &Value, out: &Out, id: Option<Value>) {
        let uri = uri.as_str().unwrap_or_default().to_owned();
        let out = out.clone();
        self.subscribers().insert(uri, Subscriber { out, id });
    }

    fn forget(&self, uri: &Value) {
        let uri = uri.as_str().unwrap_or_default();
        self.subscribers().remove(uri);
    }

    fn subscribers(&self) -> std::sync::MutexGuard<'_, HashMap<String, Subscriber>> {
        let subscribers = self.subscribers.lock();
        subscribers.unwrap_or_else(PoisonError::into_inner)
    }
}

struct Listening<'a> {
    server: &'a Server,
    uris: Vec<Value>,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        for uri in &self.uris {
            self.server.forget(uri);
        }
    }
}

/// Whether a message says which revision it is of, as those of 2026-07-28 do.
fn is_stateless(message: &Value) -> bool {
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].is_string()
}

fn capabilities() -> Value {
    json!({ "tools": {}, "resources": { "subscribe": true } })
}

fn tag(id: &Value) -> Value {
    json!({ "io.modelcontextprotocol/subscriptionId": id })
}

fn answer(id: &Value, mut result: Value, stateless: bool) -> Value {
    if stateless {
        result["resultType"] = json!("complete");
    }
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn error(id: &Value, code: i32, data: &Value) -> Value {
    let error = json!({ "code": code, "message": "no", "data": data });
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

fn notification(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

fn say(out: &Out, message: &Value) {
    // Who does not listen any more need not be told.
    drop(out.send(message.to_string()));
}

/// That a resource has changed.
pub const UPDATED: &str = "notifications/resources/updated";
/// The first message of a subscription.
pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const CANCELLED: &str = "notifications/cancelled";
