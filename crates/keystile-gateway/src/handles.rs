//! What a server of 2026-07-28 hands out for a client to bring back: `requestState` and the ids of tasks. A client gets
//! them sealed for itself, and what it brings is opened before the server sees it (CHECKLIST N-RS-17, N-RS-18, A-120).

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use keystile_domain::secrets::session_id::SessionOwner;
use keystile_protocol::mcp::method::{self, NamedBy};
use keystile_protocol::mcp::{Envelope, RpcError, headers};

use crate::admit::Permit;
use crate::era::json::{Node, quoted};
use crate::era::message::{Kind, Message};
use crate::era::subscriptions::{ACKNOWLEDGED, LISTEN, TASK_CHANGED, TASK_IDS};
use crate::era::{meta, retry};
use crate::refusal::{Code, Refusal};
use crate::relay::{Caller, Ports};

/// The handles of one request and its answer.
pub(crate) struct Handles {
    whose: Whose,
    ports: Arc<Ports>,
    /// As the server gets it.
    request: Bytes,
    tasks: Vec<Task>,
}

/// Who asks.
pub(crate) enum Whose {
    Permit(Permit),
    Caller(Caller),
}

/// A task that the client named.
struct Task {
    shown: String,
    theirs: String,
}

impl Handles {
    /// Opens what a request brings back.
    ///
    /// # Errors
    /// For a `requestState` that this caller did not get for this request, or whose time is over, and for a task that is
    /// not this caller's: one of somebody else is as unknown as none.
    pub(crate) fn open(
        whose: Whose,
        ports: Arc<Ports>,
        message: &Envelope<'_>,
        body: Bytes,
    ) -> Result<Self, Refusal> {
        let mut handles = Self {
            whose,
            ports,
            request: body,
            tasks: Vec::new(),
        };
        let params = message.params();
        let mut edits = Vec::new();
        if let Some(span) = params.request_state {
            let state = handles.open_state(message.slice(span)).ok_or_else(|| {
                let sentence =
                    "This requestState is unknown, has expired, or belongs to another request.";
                Refusal::new(Code::UnknownRequestState, sentence)
            })?;
            edits.push((span.start..span.end, quoted(&state)));
        }
        if let (Some(shown), Some(span)) = (&params.task_id, params.task_id_span) {
            let theirs = handles
                .open_task(shown)
                .ok_or_else(|| no_such_task(message))?;
            edits.push((span.start..span.end, quoted(&theirs)));
        }
        if message.method() == Some(LISTEN)
            && let Some(list) =
                Message::of(message.text())
                    .root
                    .path(["params", "notifications", TASK_IDS])
        {
            let shown = list.elements().filter_map(Node::string);
            // A server says nothing of a task that it does not know.
            let theirs = shown.filter_map(|shown| handles.open_task(&shown));
            let theirs: Vec<_> = theirs.map(|theirs| quoted(&theirs)).collect();
            edits.push((list.range(), format!("[{}]", theirs.join(","))));
        }
        if !edits.is_empty() {
            handles.request = edited(message.text(), edits).into();
        }
        Ok(handles)
    }

    /// The request as the server gets it.
    pub(crate) fn request(&self) -> &Bytes {
        &self.request
    }

    /// `Mcp-Name` of a request about a task (SEP-2663, "Streamable HTTP: Routing Headers").
    pub(crate) fn name(&self, message: &Envelope<'_>) -> Option<HeaderValue> {
        let named = message.params().task_id.as_deref()?;
        let task = self.tasks.iter().find(|task| task.shown == named)?;
        HeaderValue::from_str(&headers::encode(&task.theirs)).ok()
    }

    /// A message of the server with its handles sealed; `None` if it has none.
    ///
    /// One whose member names are spelled with escapes is not looked for: what is not sealed is not taken back.
    pub(crate) fn seal(&self, text: &str) -> Option<String> {
        if !text.contains("requestState") && !text.contains("taskId") {
            return None;
        }
        let message = Message::of(text);
        let mut edits = Vec::new();
        match message.kind()? {
            Kind::Response { .. } => {
                let result = message.result()?;
                if let Some(state) = result.member("requestState") {
                    edits.push((state.range(), quoted(&self.seal_state(&state.string()?))));
                }
                if let Some(id) = result
                    .member("taskId")
                    .filter(|_| self.is_about_a_task(result))
                {
                    edits.push((id.range(), quoted(&self.seal_task(&id.string()?))));
                }
            }
            Kind::Notification { method } if method == TASK_CHANGED => {
                let id = message.params()?.member("taskId")?;
                edits.push((id.range(), quoted(&self.seal_task(&id.string()?))));
            }
            Kind::Notification { method } if method == ACKNOWLEDGED => {
                let list = message.root.path(["params", "notifications", TASK_IDS])?;
                let ids = list.elements().filter_map(Node::string);
                let ids: Vec<_> = ids.map(|id| quoted(&self.seal_task(&id))).collect();
                edits.push((list.range(), format!("[{}]", ids.join(","))));
            }
            _ => {}
        }
        (!edits.is_empty()).then(|| edited(text, edits))
    }

    /// `tools/call` answers with a task that it says is one; whatever a request about a task answers is about it.
    fn is_about_a_task(&self, result: Node<'_>) -> bool {
        let kind = result.member("resultType").and_then(Node::string);
        kind.as_deref() == Some("task") || !self.tasks.is_empty()
    }

    fn open_state(&self, lexeme: &str) -> Option<String> {
        let shown = Node::root(lexeme).string()?;
        let (owner, now) = (self.owner(), self.ports.clock.now());
        self.ports
            .secrets
            .open_request_state(owner, &original(&self.request), &shown, now)
    }

    fn seal_state(&self, state: &str) -> String {
        let until = self.ports.clock.now().plus(STATE_LASTS);
        let (owner, original) = (self.owner(), original(&self.request));
        let rng = &*self.ports.rng;
        self.ports
            .secrets
            .seal_request_state(owner, &original, state, until, rng)
    }

    fn open_task(&mut self, shown: &str) -> Option<String> {
        let theirs = self.ports.secrets.open_task_id(self.owner(), shown)?;
        self.tasks.push(Task {
            shown: shown.to_owned(),
            theirs: theirs.clone(),
        });
        Some(theirs)
    }

    /// The client knows a task as what it named it, also if it got that under an earlier master key.
    fn seal_task(&self, id: &str) -> String {
        let named = self.tasks.iter().find(|task| task.theirs == id);
        named.map_or_else(
            || self.ports.secrets.seal_task_id(self.owner(), id),
            |task| task.shown.clone(),
        )
    }

    fn owner(&self) -> SessionOwner<'_> {
        let (resource, person, client) = match &self.whose {
            Whose::Permit(permit) => (permit.resource(), permit.person(), permit.client()),
            Whose::Caller(caller) => (&*caller.resource, &*caller.person, &*caller.client),
        };
        SessionOwner {
            resource,
            person,
            client,
            revision: None,
        }
    }
}

/// SEP-2663, "Protocol Errors".
fn no_such_task(message: &Envelope<'_>) -> Refusal {
    if message.method().and_then(method::named_by) != Some(NamedBy::TaskId) {
        return Refusal::new(Code::UnknownMethod, "Method not found");
    }
    let declared = Message::of(message.text()).meta(meta::CLIENT_CAPABILITIES);
    let declared = declared.and_then(|node| node.path(["extensions", TASKS]));
    if declared.is_some() {
        return Refusal::new(Code::UnknownTask, "There is no such task.");
    }
    let sentence = "The client did not declare the tasks extension.";
    let error = RpcError::new(RpcError::MISSING_CAPABILITY, sentence);
    let needed = format!(r#"{{"requiredCapabilities":{{"extensions":{{"{TASKS}":{{}}}}}}}}"#);
    Refusal::rpc(Code::UnknownTask, error.with_data(needed))
}

/// What a retry repeats of a request.
fn original(request: &[u8]) -> String {
    let text = std::str::from_utf8(request).unwrap_or_default();
    let root = Node::root(text);
    let method = root.member("method").and_then(Node::string);
    retry::original(&method.unwrap_or_default(), root.member("params")).to_string()
}

/// A text with some parts replaced; they don't overlap.
fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    let mut text = text.to_owned();
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, with) in edits {
        text.replace_range(range, &with);
    }
    text
}

/// The extension's name.
const TASKS: &str = "io.modelcontextprotocol/tasks";
/// As long as a call waits at a bridge. Servers may set their `requestState` a shorter time.
const STATE_LASTS: Duration = Duration::from_secs(600);
