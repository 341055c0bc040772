//! A client of 2025-11-25: a session with two connections and a stream of its own. Each session counts from 0.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use keystile_bench::mcp;
use keystile_bench::streaming::{Answer, Line};
use serde_json::{Value, json};

use crate::call::Call;
use crate::seat::{Seat, Subscription};

/// A session from its beginning to its end, or to where its client just leaves.
pub(crate) async fn visit(seat: &Seat, steps: u64) -> Result<()> {
    let mut session = Session {
        seat,
        id: String::new(),
        next: AtomicU64::new(0),
    };
    let mut line = seat.dial().await?;
    session.begin(&mut line).await?;
    seat.count(|tally| tally.begun += 1);
    let mut news = session.news(&mut line).await?;
    tokio::try_join!(session.lane(&mut line, Some(&mut news), steps), async {
        session.lane(&mut seat.dial().await?, None, steps).await
    })?;
    if seat.chance.percent(80) {
        let request = session.request(Method::DELETE, None).await?;
        drop(line.send(request).await?);
    }
    Ok(())
}

struct Session<'a> {
    seat: &'a Seat,
    id: String,
    next: AtomicU64,
}

/// What the server says on its own account.
struct News {
    stream: (Line, Answer),
    subscription: Subscription,
}

impl Session<'_> {
    async fn begin(&mut self, line: &mut Line) -> Result<()> {
        let message = self.message("initialize", mcp::introduction(mcp::SESSION));
        let mut answer = self.post(line, &message).await?;
        self.id = answer.header("mcp-session-id").to_owned();
        let initialized = self.seat.message(&mut answer).await?;
        ensure!(
            initialized["id"] == message["id"] && initialized["result"].is_object(),
            "initialize was answered with {initialized}"
        );
        drop(answer);
        let message = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.notify(line, &message).await
    }

    async fn news(&self, line: &mut Line) -> Result<News> {
        let subscription = Subscription::new(&self.seat.word());
        let params = json!({ "uri": subscription.folder });
        let message = self.message("resources/subscribe", params);
        let mut answer = self.post(line, &message).await?;
        let subscribed = self.seat.message(&mut answer).await?;
        ensure!(
            subscribed["id"] == message["id"] && subscribed["result"].is_object(),
            "resources/subscribe was answered with {subscribed}"
        );
        let stream = self.stream().await?;
        Ok(News {
            stream,
            subscription,
        })
    }

    /// The session's own. There is one at a time, and the end of the last one may not have been noticed yet.
    async fn stream(&self) -> Result<(Line, Answer)> {
        loop {
            let mut line = self.seat.dial().await?;
            let request = self.request(Method::GET, None).await?;
            let answer = line.send(request).await?;
            match answer.status {
                StatusCode::OK => return Ok((line, answer)),
                StatusCode::CONFLICT => tokio::time::sleep(Duration::from_millis(5)).await,
                other => anyhow::bail!("the stream was answered with {other}"),
            }
        }
    }

    async fn lane(&self, line: &mut Line, mut news: Option<&mut News>, steps: u64) -> Result<()> {
        let (seat, chance) = (self.seat, &self.seat.chance);
        for _ in 0..steps {
            if seat.ledger.is_over() {
                break;
            }
            match (chance.below(100), &mut news) {
                (0..=7, _) => *line = self.break_off(line).await?,
                (8..=15, _) => self.cancel(line).await?,
                (16, _) => seat.refresh().await?,
                (17, _) => *line = seat.dial().await?,
                (18..=45, Some(news)) => self.announce(line, news).await?,
                (46..=48, Some(news)) => self.reopen(news).await?,
                _ => self.call(line).await?,
            }
        }
        Ok(())
    }

    /// Closes the stream, and opens it again.
    async fn reopen(&self, news: &mut News) -> Result<()> {
        news.stream.0 = self.seat.dial().await?;
        news.stream = self.stream().await?;
        Ok(())
    }

    async fn call(&self, line: &mut Line) -> Result<()> {
        let chance = &self.seat.chance;
        let mut call = self.echo(chance.below(4), chance.below(3));
        let mut answer = self.send(line, &call).await?;
        self.seat.follow(&mut answer, &mut call, usize::MAX).await
    }

    /// Closes the connection in the middle of an answer.
    async fn break_off(&self, line: &mut Line) -> Result<Line> {
        let mut call = self.echo(3, 5);
        let mut answer = self.send(line, &call).await?;
        call.given_up = true;
        let read = self.seat.chance.below(3) as usize;
        self.seat.follow(&mut answer, &mut call, read).await?;
        self.seat.count(|tally| tally.broken += 1);
        self.seat.dial().await
    }

    /// Says that nobody waits any more, on another connection. The answer may come all the same.
    async fn cancel(&self, line: &mut Line) -> Result<()> {
        let mut call = self.echo(3, 5);
        let mut answer = self.send(line, &call).await?;
        call.given_up = true;
        self.seat.follow(&mut answer, &mut call, 1).await?;
        let message = json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": { "requestId": call.id, "reason": "changed my mind" },
        });
        self.notify(&mut self.seat.dial().await?, &message).await?;
        self.seat.count(|tally| tally.cancelled += 1);
        self.seat.follow(&mut answer, &mut call, usize::MAX).await
    }

    async fn announce(&self, line: &mut Line, news: &mut News) -> Result<()> {
        let mut call = Call::announce(self.id(), news.subscription.next());
        let mut answer = self.send(line, &call).await?;
        self.seat.follow(&mut answer, &mut call, usize::MAX).await?;
        while news.subscription.is_owed() {
            let message = self.seat.message(&mut news.stream.1).await?;
            news.subscription.judge(self.seat, &message, None)?;
        }
        Ok(())
    }

    fn id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn echo(&self, steps: u64, pause: u64) -> Call {
        Call::echo(self.id(), self.seat.word(), steps, pause)
    }

    fn message(&self, method: &str, params: Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.id(), "method": method, "params": params })
    }

    async fn send(&self, line: &mut Line, call: &Call) -> Result<Answer> {
        let (id, params) = (call.id, call.params());
        let message =
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        self.post(line, &message).await
    }

    async fn notify(&self, line: &mut Line, message: &Value) -> Result<()> {
        let mut answer = self.post(line, message).await?;
        let refused = answer.event().await?;
        ensure!(
            answer.status == StatusCode::ACCEPTED,
            "a notification was answered with {}: {refused:?}",
            answer.status
        );
        Ok(())
    }

    async fn post(&self, line: &mut Line, message: &Value) -> Result<Answer> {
        let request = self.request(Method::POST, Some(message)).await?;
        line.send(request).await.context("a message is sent")
    }

    async fn request(
        &self,
        method: Method,
        message: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>> {
        mcp::in_session(method, &self.seat.token().await, &self.id, message)
    }
}
