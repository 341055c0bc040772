//! The transaction that a page belongs to.

use axum::response::Response;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use keystile_domain::transaction::Transaction;
use keystile_protocol::form::Params;
use keystile_protocol::mutation::weakened;

use super::device;
use super::refusal::{PageRefusal, Why};
use crate::app::App;
use crate::pages::consent::Requester;
use crate::pages::sign_in::Asks;
use crate::refusal::see_other;

/// A transaction and the handle that it came with. A handle that opened is base64url.
pub(super) struct Open {
    pub(super) handle: String,
    pub(super) transaction: Transaction,
}

impl Open {
    /// The transaction of `tx=`, if the request names one.
    pub(super) fn find(
        app: &App,
        params: &Params,
        now: Timestamp,
    ) -> Result<Option<Self>, PageRefusal> {
        let Some(handle) = params.one("tx") else {
            return Ok(None);
        };
        let transaction = app
            .secrets
            .open_transaction(handle, now)
            .map_err(Why::Transaction)?;
        Ok(Some(Self {
            handle: handle.to_owned(),
            transaction,
        }))
    }

    /// The reference of the attempt, or a fresh one where nobody waits.
    pub(super) fn reference(open: Option<&Self>, app: &App) -> Reference {
        let known = open.map(|open| open.transaction.reference.clone());
        known.unwrap_or_else(|| Reference::new(&*app.rng))
    }

    /// The transaction of `tx=`, which the page can't do without.
    pub(super) fn require(app: &App, params: &Params, now: Timestamp) -> Result<Self, PageRefusal> {
        Self::find(app, params, now)?.ok_or_else(|| Why::NoTransaction.into())
    }

    /// Back to the sign-in page, with the same transaction.
    pub(super) fn to_sign_in(&self) -> Response {
        see_other(&format!("/ks/sign-in?tx={}", self.handle))
    }

    /// Who asks for what, for the sign-in page.
    pub(super) fn asks(&self) -> Asks {
        let who = requester(&self.transaction).headline();
        Asks {
            who,
            server: self.transaction.server.clone(),
        }
    }
}

/// Where a browser goes after sign-in: on to the decision, to a device's code, or to the account
/// page.
pub(super) fn after_sign_in(open: Option<&Open>, params: &Params) -> Response {
    if let Some(anywhere) = params.one("next").filter(|_| weakened("a_007")) {
        return see_other(anywhere);
    }
    match (open, params.one("device")) {
        (Some(open), _) => see_other(&format!("/ks/consent?tx={}", open.handle)),
        (None, Some(carried)) => device::after_sign_in(carried),
        (None, None) => see_other("/ks/account"),
    }
}

/// Who asks: the host that vouches for the client, else what its redirect leads to.
pub(super) fn requester(transaction: &Transaction) -> Requester {
    match transaction.client_host() {
        Some(host) => Requester::Site(host),
        None => Requester::of_redirect(&transaction.redirect_uri),
    }
}
