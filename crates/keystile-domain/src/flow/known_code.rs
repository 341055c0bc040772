//! What is known of a code that somebody shows: of the attempt that it was made in, for the explanation only.

use super::{Mark, Stage, Step};
use crate::secrets::digest::Digest;
use crate::secrets::reference::Reference;

/// What is known of a code that somebody shows.
#[derive(Debug, Clone)]
pub struct KnownCode {
    /// Of the attempt that it was made in.
    pub reference: Reference,
    /// The app that it was made for.
    pub client: Option<String>,
    /// Its id.
    pub(super) client_id: Option<Mark>,
    /// What the verifier had to hash to.
    pub challenge: Option<Mark>,
    /// Where the code was sent, without the query.
    pub(super) redirect_uri: Option<String>,
    /// What stood behind that, if anything did.
    pub(super) redirect_query: Option<Mark>,
    /// What the code was made for.
    pub resource: Option<String>,
    /// The app got its tokens for it.
    pub is_spent: bool,
}

impl KnownCode {
    /// Whether it was made for another client than this one.
    #[must_use]
    pub fn is_of_another(&self, client_id: &str) -> bool {
        self.client_id.is_some_and(|own| own != mark(client_id))
    }

    /// Where the code was sent, to be compared with what was `asked` for: a query is not kept, and only recognised.
    #[must_use]
    pub fn redirect_uri(&self, asked: &str) -> Option<String> {
        let kept = self.redirect_uri.as_deref()?;
        let query = match self.redirect_query {
            None => "",
            known if known == query_mark(asked) => query(asked),
            Some(_) => "?…",
        };
        Some(format!("{kept}{query}"))
    }
}

/// To know this text again.
pub(super) fn mark(text: &str) -> Mark {
    Digest::of(text).into()
}

/// To know again what stands behind the path of a URI; `None` where nothing does.
pub(super) fn query_mark(uri: &str) -> Option<Mark> {
    let query = query(uri);
    (!query.is_empty()).then(|| mark(query))
}

/// Whether the app got its tokens in this step.
pub(super) fn gave_tokens(step: &Step) -> bool {
    step.stage == Stage::Token && step.refused.is_none()
}

/// What stands behind the path of a URI.
fn query(uri: &str) -> &str {
    uri.find(['?', '#']).map_or("", |at| &uri[at..])
}
