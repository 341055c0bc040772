//! stdio servers behind HTTP: children of the operator's command line.
//!
//! Children are keyed (person, client) and, for 2025-era clients, the session (DESIGN §5). No request ever has a say in
//! what is started (CHECKLIST R12, A-164).

mod config;
mod lines;
mod process;
mod stderr;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, request::Parts};

pub use config::{INHERITED, StdioConfig};
pub(crate) use lines::printable;

use crate::relay::{Caller, Failure, Limits, Ports, Relay, Strange};

/// The children of one stdio server.
pub struct Pool {
    strange: Arc<Strange>,
    relay: Relay,
}

impl Pool {
    /// A pool without children; they are started when they are needed. Must be called in a tokio runtime.
    #[must_use]
    pub fn new(config: StdioConfig, ports: Ports) -> Self {
        let limits = Limits {
            idle: config.idle,
            start_limit: config.start_limit,
            first_answer: config.first_answer,
            call: config.call_limit,
            max: config.max_children,
            max_per_person: config.max_children_per_person,
        };
        let name = config.name.clone();
        let spawn = process::Spawn::new(config);
        Self {
            strange: spawn.strange(),
            relay: Relay::new(name, Box::new(spawn), ports, limits),
        }
    }

    pub(crate) fn is_unhealthy(&self) -> bool {
        self.strange.is_unhealthy()
    }

    pub(crate) fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Answers a request to the MCP endpoint: POST, GET or DELETE.
    pub async fn handle(&self, caller: &Caller, parts: &Parts, body: Bytes) -> Response<Body> {
        self.relay.handle(caller, parts, body).await
    }

    /// Starts the server to see that the command works and which eras it speaks, and keeps a child at hand that the
    /// first client need not wait for.
    ///
    /// # Errors
    /// The reason why no client could be served.
    pub async fn probe(&self) -> Result<(), Failure> {
        let works = async {
            self.relay.probe().await?;
            self.relay.start_spare().await
        };
        // Whoever asked says why.
        works.await.inspect_err(|_| {
            self.strange.silently_unfit();
        })
    }

    /// Ends every child, what it started too, and waits for it.
    pub async fn shutdown(&self) {
        self.relay.shutdown().await;
    }
}
