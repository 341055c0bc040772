//! The codes of OAuth themselves, where nothing more special has a name: what was found says what it was.

use super::{Advice, CLIENT_SIDE, SAME_RESOURCE, SIGN_IN_AGAIN, on};

pub(super) const LINES: &[Advice] = &[
    on(
        "invalid_request",
        "A request has each parameter that its endpoint needs, once, with a value that it may have.",
        CLIENT_SIDE,
    ),
    on(
        "invalid_client",
        "The client names itself, and shows its secret or key in a form that can be read.",
        CLIENT_SIDE,
    ),
    on("invalid_grant", "What is redeemed is good.", SIGN_IN_AGAIN),
    on(
        "unauthorized_client",
        "The client may do what it asks for.",
        "Look at what the client is registered for: keystile client show CLIENT_ID.",
    ),
    on(
        "unsupported_grant_type",
        "grant_type is one of grant_types_supported in the metadata.",
        CLIENT_SIDE,
    ),
    on(
        "unsupported_response_type",
        "response_type is code.",
        CLIENT_SIDE,
    ),
    on(
        "invalid_scope",
        "scope has names with single spaces between them, and of those that were granted.",
        CLIENT_SIDE,
    ),
    on(
        "invalid_target",
        "A request is for one resource, and names it where several are served.",
        SAME_RESOURCE,
    ),
    on(
        "invalid_request_uri",
        "request_uri is one that this server gave out.",
        CLIENT_SIDE,
    ),
    on("access_denied", "The person allows it.", SIGN_IN_AGAIN),
    on(
        "expired_token",
        "What is shown is still good.",
        SIGN_IN_AGAIN,
    ),
    on(
        "login_required",
        "A person confirms each connection.",
        CLIENT_SIDE,
    ),
    on(
        "unsupported_token_type",
        "The token is of a kind that this endpoint knows.",
        CLIENT_SIDE,
    ),
    on(
        "invalid_redirect_uri",
        "A registration has redirect_uris, each one that a sign-in may lead to.",
        CLIENT_SIDE,
    ),
    on(
        "invalid_client_metadata",
        "The members of a registration have the types and values of RFC 7591 section 2 that are served here.",
        CLIENT_SIDE,
    ),
    on("invalid_token", "The token is good.", SIGN_IN_AGAIN),
    on(
        "temporarily_unavailable",
        "This server can do it now.",
        "Wait a little and try again.",
    ),
];
