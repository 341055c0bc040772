//! One open stream, and what is heard on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use http::{Method, StatusCode};
use keystile_bench::mcp;
use keystile_bench::streaming::{Answer, Line, Part};
use keystile_bench::upstream::{ACKNOWLEDGED, UPDATED};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::gate::Person;

/// The ways in which a stream comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GET of a 2025-11-25 session.
    Get,
    /// `subscriptions/listen` of 2026-07-28.
    Listen,
}

/// Where a stream is to be opened: a session that has begun and subscribed, or nothing.
pub(crate) struct Ground {
    kind: Kind,
    session: String,
    folder: String,
}

/// Read until it ends.
pub(crate) struct Stream {
    pub(crate) person: usize,
    folder: String,
    heard: Arc<Heard>,
    closed: watch::Receiver<Option<Instant>>,
    reading: JoinHandle<()>,
}

#[derive(Default)]
struct Heard {
    comments: AtomicU64,
    events: AtomicU64,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Ground {
    /// Everything but the stream.
    pub(crate) async fn new(
        person: &Person,
        line: &mut Line,
        kind: Kind,
        number: usize,
    ) -> Result<Self> {
        let folder = format!("word://{kind:?}-{}-{number}/", person.name);
        let mut session = String::new();
        if kind == Kind::Get {
            let params = mcp::introduction(mcp::SESSION);
            let answer = sessions(person, line, "", "initialize", params).await?;
            answer.header("mcp-session-id").clone_into(&mut session);
            read(answer).await?;
            let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            let ready = mcp::in_session(Method::POST, &person.token, &session, Some(&ready))?;
            drop(line.send(ready).await?.event().await?);
            let params = json!({ "uri": folder });
            let method = "resources/subscribe";
            read(sessions(person, line, &session, method, params).await?).await?;
        }
        Ok(Self {
            kind,
            session,
            folder,
        })
    }

    pub(crate) async fn open(&self, person: &Person) -> Result<Stream> {
        let mut line = person.dial().await?;
        let request = match self.kind {
            Kind::Get => mcp::in_session(Method::GET, &person.token, &self.session, None)?,
            Kind::Listen => {
                let filter = json!({ "resourceSubscriptions": [self.folder] });
                let params = json!({ "notifications": filter });
                mcp::stateless(&person.token, 0, ("subscriptions/listen", None), params)?
            }
        };
        let mut answer = line.send(request).await?;
        let status = answer.status;
        ensure!(
            status == StatusCode::OK,
            "a stream was answered with {status}"
        );
        if self.kind == Kind::Listen {
            let first = answer.event().await?.context("it begins")?;
            ensure!(
                first.data.contains(ACKNOWLEDGED),
                "it begins with {first:?}"
            );
        }
        let heard = Arc::<Heard>::default();
        let (close, closed) = watch::channel(None);
        let reading = tokio::spawn(listen(line, answer, Arc::clone(&heard), close));
        Ok(Stream {
            person: person.number,
            folder: self.folder.clone(),
            heard,
            closed,
            reading,
        })
    }
}

impl Stream {
    /// Has the server say something on it: what it knows of the subscription is everybody's, whoever asks.
    pub(crate) async fn speak(&self, person: &Person, line: &mut Line) -> Result<()> {
        let arguments = json!({ "word": format!("{}1", self.folder) });
        let params = json!({ "name": "announce", "arguments": arguments });
        let method = ("tools/call", Some("announce"));
        let request = mcp::stateless(&person.token, 1, method, params)?;
        read(line.send(request).await?).await
    }

    pub(crate) fn comments(&self) -> u64 {
        self.heard.comments.load(Ordering::Relaxed)
    }

    pub(crate) fn events(&self) -> u64 {
        self.heard.events.load(Ordering::Relaxed)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed.borrow().is_none()
    }

    /// When it was closed by the other side.
    pub(crate) async fn closed(&self) -> Result<Instant> {
        let mut closed = self.closed.clone();
        let at = closed.wait_for(Option::is_some).await?;
        at.context("it was waited for")
    }
}

/// A request in a session, and its answer.
async fn sessions(
    person: &Person,
    line: &mut Line,
    session: &str,
    method: &str,
    params: Value,
) -> Result<Answer> {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = mcp::in_session(Method::POST, &person.token, session, Some(&message))?;
    line.send(request).await
}

/// The answer is a good one.
async fn read(mut answer: Answer) -> Result<()> {
    let event = answer.event().await?.context("there is an answer")?;
    let message: Value = serde_json::from_str(&event.data)?;
    ensure!(message["result"].is_object(), "the answer is {message}");
    while answer.event().await?.is_some() {}
    Ok(())
}

async fn listen(
    line: Line,
    mut answer: Answer,
    heard: Arc<Heard>,
    close: watch::Sender<Option<Instant>>,
) {
    // However it ends.
    while let Ok(Some(part)) = answer.next().await {
        match part {
            Part::Comment => heard.comments.fetch_add(1, Ordering::Relaxed),
            Part::Event(event) if event.data.contains(UPDATED) => {
                heard.events.fetch_add(1, Ordering::Relaxed)
            }
            Part::Event(_) => 0,
        };
    }
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    close.send_replace(Some(Instant::now()));
    drop(line);
}
