//! One client of one person at one server: where it connects, what it may show, what it has got.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use http::StatusCode;
use keystile_bench::chance::Chance;
use keystile_bench::connection::Connection;
use keystile_bench::keystile::{Client, Program};
use keystile_bench::lane::Tokens;
use keystile_bench::mcp;
use keystile_bench::streaming::{Answer, Event, Line};
use keystile_bench::upstream::UPDATED;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::call::{Call, Found};
use crate::ledger::{Ledger, Tally, Wrong};

/// A server that is guarded.
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// The same three for everybody.
    pub(crate) clients: Vec<Client>,
    /// Visitors at a time.
    pub(crate) places: Semaphore,
}

pub(crate) struct Seat {
    pub(crate) gate: Arc<Gate>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) chance: Chance,
    pub(crate) number: u64,
    client: usize,
    from: Ipv4Addr,
    tokens: tokio::sync::Mutex<Tokens>,
    tally: std::sync::Mutex<Tally>,
    words: AtomicU64,
}

/// The server behind the gate knows the session no longer.
#[derive(Debug, thiserror::Error)]
#[error("the session is gone")]
pub(crate) struct Gone;

impl Seat {
    pub(crate) fn new(
        gate: Arc<Gate>,
        ledger: Arc<Ledger>,
        (number, client): (u64, usize),
        from: Ipv4Addr,
        tokens: Tokens,
        seed: u64,
    ) -> Self {
        Self {
            gate,
            ledger,
            chance: Chance::new(seed ^ (number << 32)),
            number,
            client,
            from,
            tokens: tokio::sync::Mutex::new(tokens),
            tally: std::sync::Mutex::default(),
            words: AtomicU64::new(0),
        }
    }

    /// Which of its person's.
    pub(crate) const fn client(&self) -> usize {
        self.client
    }

    /// A word that nobody else has, and nobody guesses.
    pub(crate) fn word(&self) -> String {
        let count = self.words.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{count:x}-{:x}", self.number, self.chance.any())
    }

    pub(crate) async fn dial(&self) -> Result<Line> {
        let program = &self.gate.program;
        Line::open(program.address, self.from, &program.host).await
    }

    /// Of the moment.
    pub(crate) async fn token(&self) -> String {
        self.tokens.lock().await.access.clone()
    }

    /// The tokens after these.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let program = &self.gate.program;
        let mut tokens = self.tokens.lock().await;
        let mut connection = Connection::open(program.address, self.from, &program.host).await?;
        let client = &self.gate.clients[self.client];
        *tokens = client.refreshed(&mut connection, &tokens.refresh).await?;
        self.count(|tally| tally.refreshed += 1);
        Ok(())
    }

    pub(crate) fn count(&self, what: impl FnOnce(&mut Tally)) {
        what(&mut self.tally.lock().expect("nobody panics with it"));
    }

    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().expect("nobody panics with it")
    }

    pub(crate) fn blame(&self, wrong: Wrong, what: &str) {
        let (gate, number) = (self.gate.name, self.number);
        let what = format!("seat {number} at {gate}: {what}");
        self.ledger.blame(wrong, what);
    }

    /// Counts a message for this call, or says that it is a stray.
    pub(crate) fn judge(&self, call: &mut Call, message: &Value) {
        match call.take(message) {
            Some(Found::Progress) => self.delivered(|tally| tally.progress += 1),
            Some(Found::Answer) => self.delivered(|tally| tally.answers += 1),
            Some(Found::End) => {}
            None => {
                let (id, word) = (call.id, &call.word);
                let what = format!("waits as {id} for {word}, and got {message}");
                let refused = message["error"].is_object() && message["id"] == id;
                let wrong = if refused {
                    Wrong::Refused
                } else {
                    Wrong::Stray
                };
                self.blame(wrong, &what);
                // What it is answered with instead is not waited for.
                call.given_up = true;
            }
        }
    }

    pub(crate) fn delivered(&self, what: impl FnOnce(&mut Tally)) {
        self.count(what);
        self.ledger.count();
    }

    /// Reads what comes for a call: to its end, or so many messages.
    pub(crate) async fn follow(
        &self,
        answer: &mut Answer,
        call: &mut Call,
        most: usize,
    ) -> Result<()> {
        if answer.status == StatusCode::NOT_FOUND {
            return Err(Gone.into());
        }
        for _ in 0..most {
            let event = match self.event(answer).await {
                // Who closes a call may be hung up on.
                Err(_) if call.given_up => None,
                event => event?,
            };
            let Some(event) = event else {
                if !call.answered && !call.given_up {
                    let (id, word, status) = (call.id, &call.word, answer.status);
                    let what = format!("waits as {id} for {word}, and {status} is over");
                    self.blame(Wrong::Missing, &what);
                }
                break;
            };
            self.judge(call, &serde_json::from_str(&event.data)?);
        }
        Ok(())
    }

    /// The next event, which comes in time.
    pub(crate) async fn event(&self, answer: &mut Answer) -> Result<Option<Event>> {
        let event = timeout(PATIENCE, answer.event()).await;
        event.context("nothing comes")?
    }

    /// The next message, which there is.
    pub(crate) async fn message(&self, answer: &mut Answer) -> Result<Value> {
        if answer.status == StatusCode::NOT_FOUND {
            return Err(Gone.into());
        }
        let event = self.event(answer).await?;
        let event = event.with_context(|| format!("{} is over", answer.status))?;
        Ok(serde_json::from_str(&event.data)?)
    }
}

/// What a client has subscribed to: everything below a folder that nobody else knows.
pub(crate) struct Subscription {
    pub(crate) folder: String,
    announced: u64,
    heard: u64,
}

impl Subscription {
    pub(crate) fn new(secret: &str) -> Self {
        Self {
            folder: format!("word://{secret}/"),
            announced: 0,
            heard: 0,
        }
    }

    /// The next resource to be announced.
    pub(crate) fn next(&mut self) -> String {
        self.announced += 1;
        format!("{}{}", self.folder, self.announced)
    }

    /// What is still to be heard.
    pub(crate) const fn is_owed(&self) -> bool {
        self.heard < self.announced
    }

    /// Counts a message of the stream, or says that it is a stray. `id` is that of a `subscriptions/listen`.
    pub(crate) fn judge(&mut self, seat: &Seat, message: &Value, id: Option<u64>) -> Result<()> {
        let tag = mcp::subscription(message);
        let expected = format!("{}{}", self.folder, self.heard + 1);
        let own = message["method"] == UPDATED && message["params"]["uri"] == *expected;
        let tagged = id.map_or(tag.is_null(), |id| *tag == id);
        if own && tagged && self.is_owed() {
            self.heard += 1;
            seat.delivered(|tally| tally.events += 1);
            return Ok(());
        }
        let what = format!("listens as {id:?} for {expected}, and got {message}");
        seat.blame(Wrong::Stray, &what);
        Err(anyhow!("a stray on the stream"))
    }
}

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
