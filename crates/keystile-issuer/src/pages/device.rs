//! The pages of `/ks/device`: a code from another device, and the decision about it (RFC 8628 §3.3).

use askama::Template;

use super::consent::{Lasts, Power, Requester, Warning};
use super::form_action::FormAction;
use super::notice::{Next, Notice};
use super::{Form, Page, Problem};

/// The form for the code.
#[derive(Debug, Template)]
#[template(path = "device.html")]
pub(crate) struct EnterCode<'a> {
    /// Bound to the session.
    pub(crate) csrf: &'a str,
    /// From the link, or what was typed before.
    pub(crate) user_code: &'a str,
    /// Who is signed in.
    pub(crate) person: &'a str,
    /// What was wrong with it.
    pub(crate) problem: Option<Problem>,
}

impl Form for EnterCode<'_> {
    fn problem(&mut self) -> &mut Option<Problem> {
        &mut self.problem
    }
}

/// The decision about a device. No redirect proves anything here, so the page vouches for nobody and
/// always warns (RFC 8628 §5.4).
#[derive(Debug, Template)]
#[template(path = "device_consent.html")]
pub(crate) struct DeviceConsent<'a> {
    /// The request's id.
    pub(crate) request: &'a str,
    /// Bound to session and request.
    pub(crate) csrf: &'a str,
    /// The code, to be compared (RFC 8628 §3.3.1).
    pub(crate) user_code: &'a str,
    /// Who asks, as far as a device can say.
    pub(crate) requester: Requester,
    /// What it calls itself, cleaned.
    pub(crate) name: Option<String>,
    /// Whether an operator wrote that name: then it is not a claim.
    pub(crate) name_by_operator: bool,
    /// What to know besides.
    pub(crate) warnings: Vec<Warning>,
    /// Name of the server.
    pub(crate) server: &'a str,
    /// Its canonical resource.
    pub(crate) resource: &'a str,
    /// What is asked for.
    pub(crate) powers: Vec<Power>,
    /// What a person may allow instead.
    pub(crate) less: Vec<Power>,
    /// Until when.
    pub(crate) lasts: Lasts,
    /// Who is signed in.
    pub(crate) person: &'a str,
    /// `KS-…`
    pub(crate) reference: &'a str,
}

impl DeviceConsent<'_> {
    /// The page; its form stays here.
    pub(crate) fn page(&self) -> Page {
        Page::new(self, FormAction::Ours)
    }
}

impl Problem {
    /// After a code that no device waits with.
    pub(crate) fn wrong_user_code() -> Self {
        Self {
            code: "wrong_user_code",
            what: "No device waits with this code.",
            to_do:
                "Compare it with the code on the device: eight letters, good for ten minutes. If \
                    the device shows a new one, type that."
                    .into(),
            reference: None,
        }
    }

    /// After too many codes.
    pub(crate) fn too_many_codes(wait: std::time::Duration) -> Self {
        let to_do = format!(
            "Wait {} and try again. The limit keeps codes from being guessed.",
            super::shown::wait(wait)
        );
        Self {
            code: crate::limits::TOO_MANY,
            what: "Too many wrong codes.",
            to_do: to_do.into(),
            reference: None,
        }
    }
}

/// The device gets its tokens with its next poll.
pub(crate) const CONNECTED: Notice = Notice {
    headline: "Your device is connected",
    text: "Go back to it: it goes on by itself within a few seconds. You can close this page.",
    next: Some(TO_ACCOUNT),
};

/// The device hears `access_denied`.
pub(crate) const NOT_CONNECTED: Notice = Notice {
    headline: "The device is not connected",
    text: "You said no, and the device is told so. If you did not start this yourself, somebody else \
           wanted access to your account, and got none.",
    next: Some(TO_ACCOUNT),
};

/// Answered before, or after its time.
pub(crate) const TOO_LATE: Notice = Notice {
    headline: "This code is over",
    text: "It was answered already, or it was older than ten minutes. Nothing was changed now. If \
           the device still waits, start again there.",
    next: Some(TO_ACCOUNT),
};

const TO_ACCOUNT: Next = Next {
    href: "/ks/account",
    label: "See your connected apps",
};
