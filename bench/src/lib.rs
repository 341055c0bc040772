//! What the load benches share: the released program and its peers, each on a core of its own, and
//! the load that takes turns at them.

pub mod chance;
pub mod connection;
pub mod keystile;
pub mod lane;
pub mod mcp;
pub mod oidc_provider;
pub mod process;
pub mod rounds;
pub mod streaming;
pub mod upstream;
