//! A run: messages of both sides through a real gateway, and what passes before all readers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt as _;
use keystile_domain::secrets::session_id::SessionOwner;
use keystile_protocol::mcp::Revision;
use parking_lot::Mutex;

use crate::case::Case;
use crate::dice::Dice;
use crate::judging::{Escape, Passed, Readers, Typed};
use crate::spoil::Spoil;
use crate::support::{App, LATER, ORIGIN, PERSON, anonymous};
use crate::typed::Sender;
use crate::upstream::Hostile;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Messages, of clients and of servers, that are put before the gateway.
    pub(crate) executions: usize,
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) requests: Share,
    pub(crate) answers: Share,
    pub(crate) by_spoil: BTreeMap<Spoil, Share>,
    pub(crate) typed: Typed,
    pub(crate) escapes: Vec<Escape>,
    /// Panics, and exchanges without an end.
    pub(crate) broken: Vec<String>,
}

/// How many passed, of how many.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) passed: usize,
    pub(crate) all: usize,
}

impl Share {
    fn count(&mut self, passed: bool) {
        self.all += 1;
        self.passed += usize::from(passed);
    }

    pub(crate) fn percent(self) -> usize {
        100 * self.passed / self.all.max(1)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ({} %)", self.passed, self.all, self.percent())
    }
}

impl Report {
    pub(crate) fn executions(&self) -> usize {
        self.requests.all + self.answers.all
    }
}

/// Until so many messages were put before the gateway, or the first escape was seen.
pub(crate) async fn run(plan: Plan) -> Report {
    let hostile = Arc::new(Mutex::new(Hostile::new()));
    let answering = Arc::clone(&hostile);
    let app = App::new(move |seen| answering.lock().answer(seen)).await;
    let owner = SessionOwner {
        resource: &format!("{ORIGIN}/kb/mcp"),
        person: PERSON,
        client: "client-1",
        revision: Some(Revision::V2025_03_26),
    };
    let session = app.secrets.bind_session_id(owner, "theirs", LATER);
    let (pass, passed) = sync_channel::<Vec<Passed>>(2);
    let judges = thread::spawn(move || {
        let (mut typed, mut escapes) = (Typed::default(), Vec::new());
        let mut readers = Readers::start();
        for all in passed {
            readers.judge(&all, &mut typed, &mut escapes);
            if escapes.len() >= ENOUGH {
                break;
            }
        }
        escapes.truncate(ENOUGH);
        for escape in &mut escapes {
            readers.shorten(escape);
        }
        (typed, escapes)
    });
    let mut run = Run {
        plan,
        authorization: format!("Bearer {}", app.token()),
        app: Arc::new(app),
        session,
        hostile,
        report: Report::default(),
        before: Vec::new(),
        waiting: Vec::new(),
    };
    run.go(&pass).await;
    drop(pass);
    let (typed, escapes) = judges.join().expect("the judges answer");
    Report {
        typed,
        escapes,
        ..run.report
    }
}

struct Run {
    plan: Plan,
    app: Arc<App>,
    authorization: String,
    /// Of 2025-03-26.
    session: String,
    hostile: Arc<Mutex<Hostile>>,
    report: Report,
    /// Bodies to splice.
    before: Vec<Vec<u8>>,
    /// For the judges.
    waiting: Vec<Passed>,
}

impl Run {
    async fn go(&mut self, judges: &SyncSender<Vec<Passed>>) {
        let mut execution = 0;
        while self.report.executions() < self.plan.executions {
            self.exchange(execution).await;
            execution += 1;
            if self.waiting.len() >= AT_ONCE
                && judges.send(std::mem::take(&mut self.waiting)).is_err()
            {
                // They have seen enough.
                return;
            }
            if self.report.broken.len() >= ENOUGH {
                return;
            }
        }
        // Nobody listens any more when they have seen enough.
        drop(judges.send(std::mem::take(&mut self.waiting)));
    }

    /// One request, and its answer if it gets that far.
    async fn exchange(&mut self, execution: u64) {
        let mut dice = Dice::of(self.plan.seed, execution);
        let case = Case::new(&mut dice, &self.before);
        if self.before.len() < 50 {
            self.before.push(case.body.clone());
        } else {
            let at = dice.below(50);
            self.before[at].clone_from(&case.body);
        }
        self.hostile.lock().prepare(dice);
        self.app.audit.events.lock().clear();
        self.app.server.seen.lock().clear();
        let came = self.ask(&case).await.unwrap_or_else(|broken| {
            let text = case.body.escape_ascii();
            self.report
                .broken
                .push(format!("execution {execution}: {broken}: {text}"));
            Vec::new()
        });
        let forwarded = self.app.server.seen.lock().pop();
        self.report.requests.count(forwarded.is_some());
        for spoil in &case.spoils {
            let share = self.report.by_spoil.entry(*spoil).or_default();
            share.count(forwarded.is_some());
        }
        let Some(seen) = forwarded else {
            return;
        };
        let mut decided = std::mem::take(&mut *self.app.audit.events.lock());
        decided.retain(|event| event["outcome"] == "allow");
        self.count_answers(&came);
        self.waiting.push(Passed {
            execution,
            bytes: seen.body.to_vec(),
            sender: Sender::Client,
            decided: Some((decided, seen.parts.headers)),
        });
        self.waiting.extend(came.into_iter().map(|bytes| Passed {
            execution,
            bytes,
            sender: Sender::Server,
            decided: None,
        }));
    }

    fn count_answers(&mut self, came: &[Vec<u8>]) {
        let sent = self.hostile.lock().take();
        for message in sent {
            let plain = |byte: &u8| {
                if matches!(byte, b'\n' | b'\r') {
                    b' '
                } else {
                    *byte
                }
            };
            let plain: Vec<u8> = message.iter().map(plain).collect();
            self.report
                .answers
                .count(came.contains(&plain) || came.contains(&message));
        }
    }

    /// The messages that the client gets.
    async fn ask(&self, case: &Case) -> Result<Vec<Vec<u8>>, String> {
        let mut request = anonymous("POST", "/kb/mcp")
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        if case.is_batch {
            request = request.header("mcp-session-id", &self.session);
        }
        for (name, value) in &case.headers {
            request = request.header(*name, value);
        }
        // What is no header can't be sent.
        let Ok(request) = request.body(Body::from(case.body.clone())) else {
            return Ok(Vec::new());
        };
        let app = Arc::clone(&self.app);
        let exchange = tokio::spawn(async move { messages(app.send(request).await).await });
        match tokio::time::timeout(LIMIT, exchange).await {
            Ok(Ok(came)) => came,
            Ok(Err(error)) => Err(format!("a panic: {error}")),
            Err(_) => Err("no end".to_owned()),
        }
    }
}

async fn messages(response: Response<Body>) -> Result<Vec<Vec<u8>>, String> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    let body = body.to_bytes();
    let media = head
        .headers
        .get("content-type")
        .map(|value| value.as_bytes());
    Ok(match media {
        Some(b"application/json") => vec![body.to_vec()],
        // As the gateway writes events.
        Some(b"text/event-stream") => {
            let lines = body.split(|byte| *byte == b'\n');
            let data = lines.filter_map(|line| line.strip_prefix(b"data: "));
            data.map(<[u8]>::to_vec).collect()
        }
        _ => Vec::new(),
    })
}

const LIMIT: Duration = Duration::from_secs(20);
/// Messages for the judges at once.
const AT_ONCE: usize = 1_000;
/// Escapes after which a run ends.
const ENOUGH: usize = 5;
