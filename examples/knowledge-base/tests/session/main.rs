//! The server as a client sees it, in both eras.
#![expect(
    clippy::unwrap_used,
    reason = "steps that tests share may panic as tests do"
)]

mod client;
mod documents;
mod eras;
mod notes;
mod queries;
