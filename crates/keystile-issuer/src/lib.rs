//! The authorization server over HTTP: endpoints, sign-in, consent, pages.

pub mod app;
pub mod asked_redirects;
mod client_auth;
mod clients;
mod drain;
mod endpoints;
mod fetched;
mod grants;
pub mod keys;
pub mod limits;
mod pages;
pub mod peer;
pub mod refusal;
pub mod routes;
pub mod sign_in;
mod tokens;
mod traced;
