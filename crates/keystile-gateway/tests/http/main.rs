//! The gateway in front of a real HTTP upstream.

mod abrupt;
mod answers;
mod batches;
mod bodies;
mod bombs;
mod dependencies;
mod endings;
mod forwarding;
mod guard;
mod handles;
#[path = "../shared/http_sse.rs"]
mod http_sse_server;
mod injection;
mod late;
#[path = "../shared/log.rs"]
mod log;
mod messages;
mod metadata;
mod neighbours;
mod old_client;
mod old_clients;
mod operator;
mod raw;
#[path = "../shared/second.rs"]
mod second;
#[path = "../shared/serve.rs"]
mod serve;
mod sessions;
mod streams;
mod support;
mod tokens;
mod tunnels;
mod upstream;
#[path = "../shared/world.rs"]
mod world;
