//! The one way out: every request to an address that somebody else chose (CHECKLIST R7).
//!
//! [`Fetcher`] asks for one document over https. It resolves the name itself, refuses the name if
//! any of its addresses is not on the public internet, connects to the addresses it has judged and to no
//! others, follows no redirect, uses no proxy, accepts no content coding, and is bounded in bytes,
//! time and concurrency. [`ClientDocuments`] keeps Client ID Metadata Documents by HTTP's caching
//! rules, and knows the documents of well-known clients without asking anybody.

pub mod address;
mod allow;
mod client_documents;
mod client_keys;
mod error;
mod fetcher;
mod flights;
mod gate;
mod resolve;
mod tls;

pub use allow::{Allow, AllowError};
pub use client_documents::{
    ClientDocuments, ClientHosts, Document, LookupError, MAX_DOCUMENT_BYTES, MAX_FRESH_MS, Source,
    Tier, TrustedHost, TrustedHostError,
};
pub use client_keys::{ClientKeys, KeysError};
pub use error::{FetchError, SetupError};
pub use fetcher::{FetchOptions, Fetched, Fetcher, Get, Limits};
pub use resolve::{Resolve, SystemResolver};
pub use tls::client_config;
