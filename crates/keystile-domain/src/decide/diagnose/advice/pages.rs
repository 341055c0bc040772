//! Pages that people see.

use super::{Advice, CLIENT_SIDE, SIGN_IN_AGAIN, on};

pub(super) const LINES: &[Advice] = &[
    // Pages.
    on(
        "wrong_name_or_password",
        "Name and password are right.",
        "Try again; keystile user list shows the names.",
    ),
    on(
        "user_disabled",
        "The person may sign in.",
        "An operator disabled them (keystile user list shows it). If they should come in again: keystile user enable NAME",
    ),
    on(
        "wrong_setup_code",
        "The set-up code is the latest one.",
        "Make another: keystile user setup-link.",
    ),
    on(
        "person_said_no",
        "The person allows it.",
        "Connect again, and press Allow.",
    ),
    on(
        "sign_in_expired",
        "Sign-in and decision are finished within ten minutes.",
        SIGN_IN_AGAIN,
    ),
    on(
        "damaged_link",
        "The address of the page is whole, and made by this installation.",
        "Connect again from the app. If the data directory was replaced meanwhile, that is why.",
    ),
    on(
        "stale_form",
        "The form belongs to the session that it was opened in.",
        "Reload the page and decide again.",
    ),
    on(
        "cross_site_form",
        "The form was sent by a page of this server.",
        "Open the page anew from the app; a proxy in front has to pass Host and Origin on unchanged.",
    ),
    on(
        "state_too_long",
        "state fits into what is carried through sign-in.",
        CLIENT_SIDE,
    ),
    on(
        "no_request",
        "An app waits for this decision.",
        "Start connecting from the app; the page by itself decides nothing.",
    ),
    on(
        "already_set_up",
        "There is no account yet.",
        "Sign in at /ks/sign-in. For another person: keystile user add NAME --password-stdin.",
    ),
    on(
        "unusable_name",
        "A name has 1 to 64 visible characters, without quotation marks.",
        "Choose another name.",
    ),
    on(
        "unusable_password",
        "A password has at least 10 characters and at most 1024 bytes.",
        "Choose another password.",
    ),
    on(
        "busy",
        "Few people sign in at once.",
        "Wait a few seconds and try again. If it stays, somebody floods the sign-in page: look at the log of the proxy.",
    ),
    on(
        "not_found",
        "The address is one of this server's.",
        "See the connected apps at /ks/account, or start connecting from the app again.",
    ),
];
