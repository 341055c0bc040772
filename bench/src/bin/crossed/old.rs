//! A client of 2024-11-05: everything comes on one stream, several calls at once among it.

use anyhow::{Context as _, Result, ensure};
use http::{Method, StatusCode};
use keystile_bench::mcp;
use keystile_bench::streaming::{Answer, Line};
use serde_json::{Value, json};

use crate::call::Call;
use crate::ledger::Wrong;
use crate::seat::{Gone, Seat, Subscription};

const REVISION: &str = "2024-11-05";
const PATH: &str = "/bench/mcp/sse";

/// A stream from its beginning to its end, in the middle of an answer perhaps.
pub(crate) async fn visit(seat: &Seat, steps: u64) -> Result<()> {
    let mut stream = seat.dial().await?;
    let request = mcp::request((Method::GET, PATH), &seat.token().await, &[], None)?;
    let mut answer = stream.send(request).await?;
    let first = seat
        .event(&mut answer)
        .await?
        .context("it has an endpoint")?;
    ensure!(first.kind == "endpoint", "it begins with {first:?}");
    let mut session = Session {
        seat,
        answer,
        posts_to: first.data,
        line: seat.dial().await?,
        next: 0,
        flight: Vec::new(),
        subscription: Subscription::new(&seat.word()),
    };
    session.begin().await?;
    seat.count(|tally| tally.begun += 1);
    for _ in 0..steps {
        if seat.ledger.is_over() {
            break;
        }
        match seat.chance.below(100) {
            0..=75 => session.calls().await?,
            76..=95 => session.announce().await?,
            96..=97 => seat.refresh().await?,
            _ => return session.break_off().await,
        }
    }
    Ok(())
}

struct Session<'a> {
    seat: &'a Seat,
    answer: Answer,
    posts_to: String,
    line: Line,
    next: u64,
    /// What is called, and what was given up: of that something may still come.
    flight: Vec<Call>,
    subscription: Subscription,
}

impl Session<'_> {
    async fn begin(&mut self) -> Result<()> {
        self.ask("initialize", mcp::introduction(REVISION)).await?;
        self.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await?;
        let params = json!({ "uri": self.subscription.folder });
        self.ask("resources/subscribe", params).await
    }

    /// One request and its answer, while there is nothing else.
    async fn ask(&mut self, method: &str, params: Value) -> Result<()> {
        let id = self.id();
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        let answer = self.seat.message(&mut self.answer).await?;
        ensure!(
            answer["id"] == id && answer["result"].is_object(),
            "{method} was answered with {answer}"
        );
        Ok(())
    }

    /// Several at once, of which one may be cancelled.
    async fn calls(&mut self) -> Result<()> {
        let chance = &self.seat.chance;
        let (count, cancels) = (1 + chance.below(3), chance.percent(10));
        for _ in 0..count {
            let (steps, pause) = (chance.below(4), chance.below(3));
            let call = Call::echo(self.id(), self.seat.word(), steps, pause);
            self.send(call).await?;
        }
        if cancels {
            let mut call = Call::echo(self.id(), self.seat.word(), 3, 5);
            call.given_up = true;
            let params = json!({ "requestId": call.id, "reason": "changed my mind" });
            self.send(call).await?;
            let message = json!({
                "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params,
            });
            self.post(&message).await?;
            self.seat.count(|tally| tally.cancelled += 1);
        }
        self.read().await
    }

    async fn announce(&mut self) -> Result<()> {
        let uri = self.subscription.next();
        let call = Call::announce(self.id(), uri);
        self.send(call).await?;
        self.read().await
    }

    /// Leaves while calls are on their way.
    async fn break_off(mut self) -> Result<()> {
        for _ in 0..2 {
            let call = Call::echo(self.id(), self.seat.word(), 3, 5);
            self.send(call).await?;
        }
        for _ in 0..self.seat.chance.below(4) {
            self.hear().await?;
        }
        self.seat.count(|tally| tally.broken += 1);
        Ok(())
    }

    /// Until all that must come has come.
    async fn read(&mut self) -> Result<()> {
        let waits = |call: &Call| !call.answered && !call.given_up;
        while self.flight.iter().any(waits) || self.subscription.is_owed() {
            self.hear().await?;
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<()> {
        let message = self.seat.message(&mut self.answer).await?;
        let named = self
            .flight
            .iter_mut()
            .find(|call| call.is_named_by(&message));
        if let Some(call) = named {
            self.seat.judge(call, &message);
        } else if message["method"] == "notifications/progress" || !message["id"].is_null() {
            let what = format!("has no such call, and got {message}");
            self.seat.blame(Wrong::Stray, &what);
        } else {
            self.subscription.judge(self.seat, &message, None)?;
        }
        Ok(())
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    async fn send(&mut self, call: Call) -> Result<()> {
        let (id, params) = (call.id, call.params());
        self.flight.push(call);
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
            .await
    }

    async fn post(&mut self, message: &Value) -> Result<()> {
        let token = self.seat.token().await;
        let request = mcp::request((Method::POST, &self.posts_to), &token, &[], Some(message))?;
        let mut answer = self.line.send(request).await?;
        let refused = answer.event().await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(()),
            StatusCode::NOT_FOUND => Err(Gone.into()),
            other => anyhow::bail!("a message was answered with {other}: {refused:?}"),
        }
    }
}
