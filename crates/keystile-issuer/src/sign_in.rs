//! Sign-in of people with local accounts: passwords, their limits, sessions, and the pages under
//! `/ks/` that need them.

pub mod limits;
pub mod password;

/// The pages under `/ks/` that need a session.
pub(crate) fn routes() -> axum::Router<crate::app::SharedApp> {
    axum::Router::new()
}
