//! What an operator, a client or a stranger can get wrong: the real program says what it expected and what to do, with
//! a stable code and DESIGN §2's exit code or status, and leaves neither half-written state nor a process behind.

#[path = "operator/administration.rs"]
mod administration;
#[path = "operator/answers.rs"]
mod answers;
#[path = "operator/client_changes.rs"]
mod client_changes;
#[path = "operator/clients.rs"]
mod clients;
#[path = "operator/command_line.rs"]
mod command_line;
#[path = "operator/data_directory.rs"]
mod data_directory;
#[path = "operator/ending.rs"]
mod ending;
#[path = "operator/fake_server.rs"]
mod fake_server;
#[path = "operator/flow.rs"]
mod flow;
#[path = "operator/full_disk.rs"]
mod full_disk;
#[path = "operator/http.rs"]
mod http;
#[path = "operator/installation.rs"]
mod installation;
#[path = "operator/keys.rs"]
mod keys;
#[path = "operator/keys_under_load.rs"]
mod keys_under_load;
#[path = "operator/listening.rs"]
mod listening;
#[path = "operator/many.rs"]
mod many;
#[path = "operator/output.rs"]
mod output;
#[path = "operator/processes.rs"]
mod processes;
#[path = "operator/program.rs"]
mod program;
#[path = "operator/rebinding.rs"]
mod rebinding;
#[path = "operator/registrations.rs"]
mod registrations;
#[path = "operator/requests.rs"]
mod requests;
#[path = "operator/signing_in.rs"]
mod signing_in;
#[path = "operator/spawning.rs"]
mod spawning;
#[path = "operator/upstream.rs"]
mod upstream;

/// The one account of these tests.
const NAME: &str = "alice";
/// Its password.
const PASSWORD: &str = "kelp-lantern-ostrich-42";
