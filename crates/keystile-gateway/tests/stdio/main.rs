//! stdio servers behind HTTP, with real child processes.

mod bridges;
mod failures;
mod http;
mod sessions;
mod stateless;
mod support;
