//! stdio servers behind HTTP, with real child processes.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod bridges;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod http;
#[cfg(test)]
mod http_answers;
#[cfg(test)]
mod http_sse;
#[cfg(test)]
#[path = "../shared/http_sse.rs"]
mod http_sse_server;
#[cfg(test)]
#[path = "../shared/log.rs"]
mod log;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod scripted_http;
#[cfg(test)]
mod scripted_sse;
#[cfg(test)]
#[path = "../shared/second.rs"]
mod second;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod stateless;
#[cfg(test)]
mod support;
#[cfg(test)]
#[path = "../shared/world.rs"]
mod world;
