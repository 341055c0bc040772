//! Decisions: facts and a request in, what to do out. Pure.

pub mod authorize;
pub mod client_credentials;
pub mod consent;
pub mod device;
pub mod diagnose;
pub mod redeem;
pub mod refresh;
pub mod register;
pub mod signing_keys;
