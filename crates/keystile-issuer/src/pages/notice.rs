//! Pages that say one thing: account made, already answered, signed out.

use askama::Template;

use super::Page;
use super::form_action::FormAction;

/// Where a person may go next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
}

/// A page that says one thing.
#[derive(Debug, Template)]
#[template(path = "notice.html")]
pub(crate) struct Notice {
    pub(crate) headline: &'static str,
    pub(crate) text: &'static str,
    pub(crate) next: Option<Next>,
}

impl Notice {
    /// The page.
    pub(crate) fn page(&self) -> Page {
        Page::new(self, FormAction::Nowhere)
    }
}

/// A transaction is answered once.
pub(crate) const ALREADY_ANSWERED: Notice = Notice {
    headline: "You have already answered this",
    text: "Each request is answered once, and nothing was changed now. If the app is still waiting, \
           start connecting from the app again.",
    next: Some(TO_ACCOUNT),
};

/// The session ended.
pub(crate) const SIGNED_OUT: Notice = Notice {
    headline: "You are signed out",
    text: "This browser can no longer decide for you. Apps that you connected stay connected.",
    next: Some(Next {
        href: "/ks/sign-in",
        label: "Sign in again",
    }),
};

const TO_ACCOUNT: Next = Next {
    href: "/ks/account",
    label: "See your connected apps",
};
