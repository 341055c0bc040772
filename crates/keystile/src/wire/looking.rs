//! The first look at a stdio server: one that can't work is said before anybody is told to connect.

use std::sync::Arc;
use std::time::Duration;

use keystile_gateway::stdio::Pool;
use keystile_gateway::{Ending, Phase, relay};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::wire::ending::Signals;

/// How long a start waits for the server. What is downloaded first (`npx`, `uvx`) takes longer, and is
/// reported when it is there.
const MOMENT: Duration = Duration::from_secs(3);

/// A conversation with the server that nobody asked for but us.
pub(super) struct Look {
    server: String,
    shows: JoinHandle<Result<(), relay::Failure>>,
}

/// What a moment has shown.
pub(super) enum Seen {
    /// It works.
    Works,
    /// It has said nothing yet.
    Nothing(Look),
    /// The operator wants no more of it.
    Interrupted,
}

impl Look {
    /// Starts the server; everything else goes on meanwhile.
    pub(super) fn begin(server: &str, pool: Arc<Pool>) -> Self {
        Self {
            server: server.to_owned(),
            shows: tokio::spawn(async move { pool.probe().await }),
        }
    }

    /// Waits a moment for what it shows.
    ///
    /// # Errors
    /// The code of the gateway's failure: the server can't work.
    pub(super) async fn for_a_moment(mut self, signals: &mut Signals) -> Result<Seen, Failure> {
        tokio::select! {
            seen = &mut self.shows => match outcome(seen) {
                Ok(()) => Ok(Seen::Works),
                Err(failure) => Err(Failure::failed(
                    failure.code(),
                    format!("the stdio server does not work: {failure}"),
                    failure.advice_for_stdio(),
                )),
            },
            () = tokio::time::sleep(MOMENT) => {
                let server = &*self.server;
                tracing::warn!(server, "the stdio server has not answered yet; its first calls may have to wait");
                Ok(Seen::Nothing(self))
            }
            () = signals.next() => Ok(Seen::Interrupted),
        }
    }

    /// Says how it went, once that is known.
    pub(super) async fn wait_to_its_end(mut self, ending: Ending) {
        let server = &*self.server;
        tokio::select! {
            seen = &mut self.shows => match outcome(seen) {
                Ok(()) => tracing::info!(server, "the stdio server answers now"),
                Err(failure) => tracing::error!(
                    server,
                    upstream.code = failure.code(),
                    "the stdio server does not work: {failure}; help: {}",
                    failure.advice_for_stdio()
                ),
            },
            () = ending.reached(Phase::Draining) => {}
        }
    }
}

fn outcome(
    joined: Result<Result<(), relay::Failure>, tokio::task::JoinError>,
) -> Result<(), relay::Failure> {
    // A panic was reported when it happened, and nobody cancels it.
    joined.unwrap_or(Err(relay::Failure::Closed))
}
