//! Every silent failure has a name: a real client provokes it against the real program, and the answer, the log and
//! `keystile doctor` name it with what to do.

#[path = "doctor/addresses.rs"]
mod addresses;
#[path = "doctor/clients.rs"]
mod clients;
#[path = "doctor/clocks.rs"]
mod clocks;
#[path = "doctor/codes.rs"]
mod codes;
#[path = "operator/fake_server.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod fake_server;
#[path = "operator/flow.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod flow;
#[path = "doctor/gateway.rs"]
mod gateway;
#[path = "operator/http.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod http;
#[path = "operator/installation.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod installation;
#[path = "doctor/kept.rs"]
mod kept;
#[path = "doctor/logged.rs"]
mod logged;
#[path = "doctor/pkce.rs"]
mod pkce;
#[path = "operator/program.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod program;
#[path = "doctor/redirects.rs"]
mod redirects;
#[path = "doctor/sample.rs"]
mod sample;
#[path = "doctor/scene.rs"]
mod scene;

/// The one account of these tests.
const NAME: &str = "alice";
/// Its password.
const PASSWORD: &str = "kelp-lantern-ostrich-42";
