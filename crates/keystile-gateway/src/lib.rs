//! The reverse proxy in front of MCP servers: HTTP upstreams, stdio children, and the bridge between the eras.

mod addressed;
mod admit;
mod allowance;
mod connections;
mod drain;
mod ending;
mod era;
mod forward;
mod gateway;
mod guard;
mod handles;
mod inspect;
mod refusal;
pub mod relay;
mod route;
mod sse;
pub mod stdio;
mod upstream;

pub use addressed::addressed;
pub use admit::Permit;
pub use ending::{Ending, Phase};
pub use forward::{HttpUpstream, UpstreamUrlError};
pub use gateway::{Gateway, Settings};
pub use guard::{AllowedOrigin, Guard};
pub use refusal::{Code, Refusal};
pub use route::{Door, Place, Route};
pub use upstream::Upstream;
