//! Sign-in of people with local accounts: passwords, their limits, sessions, and the pages under
//! `/ks/` that need them.
//!
//! Nothing here takes an address to return to: what comes after is known by the sealed transaction
//! or it is the account page (CHECKLIST A-007).

mod account;
mod consent;
mod decision;
mod device;
mod first_account;
mod own_form;
pub mod password;
mod refusal;
mod session;
mod signing_in;
mod transaction;
mod with_password;

use axum::Router;
use axum::routing::{get, post};

use crate::app::SharedApp;

/// The pages that have a session. Each of them takes a [`session::Visitor`], who was not sent by a page of another origin.
pub(crate) fn routes() -> Router<SharedApp> {
    Router::new()
        .route(
            "/ks/sign-in",
            get(with_password::get).post(with_password::post),
        )
        .route(
            "/ks/setup",
            get(first_account::get).post(first_account::post),
        )
        .route("/ks/consent", get(consent::get).post(consent::post))
        .route("/ks/device", get(device::get).post(device::post))
        .route("/ks/device/answer", post(device::decide))
        .route("/ks/account", get(account::get))
        .route("/ks/account/disconnect", post(account::disconnect))
        .route("/ks/sign-out", post(account::sign_out))
        .route("/ks/signed-out", get(account::signed_out))
}
