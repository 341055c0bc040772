//! A client of 2026-07-28: two connections, which count their requests from 0 each.

use anyhow::{Result, ensure};
use keystile_bench::mcp;
use keystile_bench::streaming::{Answer, Line};
use keystile_bench::upstream::ACKNOWLEDGED;
use serde_json::{Value, json};

use crate::call::Call;
use crate::seat::{Seat, Subscription};

/// Both connections, for a while.
pub(crate) async fn visit(seat: &Seat, steps: u64) -> Result<()> {
    tokio::try_join!(one(seat, steps), one(seat, steps))?;
    Ok(())
}

async fn one(seat: &Seat, steps: u64) -> Result<()> {
    let mut lane = Lane {
        seat,
        line: seat.dial().await?,
        next: 0,
        listener: None,
    };
    seat.count(|tally| tally.begun += 1);
    for _ in 0..steps {
        if seat.ledger.is_over() {
            break;
        }
        lane.step().await?;
    }
    Ok(())
}

struct Lane<'a> {
    seat: &'a Seat,
    line: Line,
    next: u64,
    listener: Option<Listener>,
}

/// An open `subscriptions/listen` on a connection of its own.
struct Listener {
    id: u64,
    answer: Answer,
    subscription: Subscription,
    _line: Line,
}

impl Lane<'_> {
    async fn step(&mut self) -> Result<()> {
        let (seat, chance) = (self.seat, &self.seat.chance);
        match chance.below(100) {
            0..=71 => self.call().await,
            72..=79 => self.break_off().await,
            80..=95 => self.announce().await,
            96..=97 => {
                self.listener = None;
                Ok(())
            }
            98 => seat.refresh().await,
            _ => self.reconnect().await,
        }
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    async fn call(&mut self) -> Result<()> {
        let (steps, pause) = (self.seat.chance.below(4), self.seat.chance.below(3));
        let mut call = Call::echo(self.id(), self.seat.word(), steps, pause);
        let mut answer = self.send(&call).await?;
        self.seat.follow(&mut answer, &mut call, usize::MAX).await
    }

    /// Closes the connection in the middle of an answer, which cancels the call.
    async fn break_off(&mut self) -> Result<()> {
        let mut call = Call::echo(self.id(), self.seat.word(), 3, 5);
        let mut answer = self.send(&call).await?;
        call.given_up = true;
        let read = self.seat.chance.below(3) as usize;
        self.seat.follow(&mut answer, &mut call, read).await?;
        self.seat.count(|tally| tally.broken += 1);
        self.reconnect().await
    }

    /// A client that begins anew counts from 0 again, while the server may still work on its last call.
    async fn reconnect(&mut self) -> Result<()> {
        self.line = self.seat.dial().await?;
        self.next = 0;
        self.seat.count(|tally| tally.begun += 1);
        Ok(())
    }

    async fn announce(&mut self) -> Result<()> {
        let mut listener = match self.listener.take() {
            Some(listener) => listener,
            None => self.listen().await?,
        };
        let mut call = Call::announce(self.id(), listener.subscription.next());
        let mut answer = self.send(&call).await?;
        self.seat.follow(&mut answer, &mut call, usize::MAX).await?;
        while listener.subscription.is_owed() {
            let message = self.seat.message(&mut listener.answer).await?;
            let id = Some(listener.id);
            listener.subscription.judge(self.seat, &message, id)?;
        }
        self.listener = Some(listener);
        Ok(())
    }

    async fn listen(&mut self) -> Result<Listener> {
        let (id, subscription) = (self.id(), Subscription::new(&self.seat.word()));
        let filter = json!({ "resourceSubscriptions": [subscription.folder] });
        let method = "subscriptions/listen";
        let params = json!({ "notifications": filter });
        let mut line = self.seat.dial().await?;
        let mut answer = post(self.seat, &mut line, id, (method, None), params).await?;
        let first = self.seat.message(&mut answer).await?;
        ensure!(
            first["method"] == ACKNOWLEDGED && *mcp::subscription(&first) == id,
            "a subscription as {id} begins with {first}"
        );
        Ok(Listener {
            id,
            answer,
            subscription,
            _line: line,
        })
    }

    async fn send(&mut self, call: &Call) -> Result<Answer> {
        let method = ("tools/call", Some(call.tool()));
        post(self.seat, &mut self.line, call.id, method, call.params()).await
    }
}

async fn post(
    seat: &Seat,
    line: &mut Line,
    id: u64,
    method: (&str, Option<&str>),
    params: Value,
) -> Result<Answer> {
    let request = mcp::stateless(&seat.token().await, id, method, params)?;
    line.send(request).await
}
