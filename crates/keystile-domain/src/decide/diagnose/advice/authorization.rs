//! Authorization requests: PKCE, redirects, resources, and requests that were pushed.

use super::{Advice, CLIENT_SIDE, SAME_RESOURCE, on};

pub(super) const LINES: &[Advice] = &[
    // PKCE.
    on(
        "pkce_missing",
        S256,
        "Update the app, or tell its maker: every client has to use PKCE with S256.",
    ),
    on(
        "pkce_method_not_s256",
        "code_challenge_method is S256.",
        "The app has to hash the verifier and send code_challenge_method=S256; plain is refused.",
    ),
    on(
        "pkce_challenge_padded",
        S256,
        "The app has to take the = off the end of code_challenge.",
    ),
    on(
        "pkce_challenge_standard_base64",
        S256,
        "The app has to use base64url for code_challenge: - and _ in place of + and /, no =.",
    ),
    on(
        "pkce_challenge_hex",
        S256,
        "The app has to send the base64url of the hash's 32 bytes as code_challenge, not hexadecimal digits.",
    ),
    on(
        "pkce_challenge_base64_of_hex",
        S256,
        "The app has to encode the hash's 32 bytes, not their hexadecimal digits.",
    ),
    on("pkce_challenge_malformed", S256, CLIENT_SIDE),
    on(
        "pkce_plain_sent_as_s256",
        S256,
        "The app says S256 and sends the verifier itself as code_challenge: it has to hash it first.",
    ),
    on(
        "pkce_verifier_padded",
        VERIFIER,
        "The app has to take the = off once, before it hashes code_verifier, and send the same text.",
    ),
    on(
        "pkce_verifier_standard_base64",
        VERIFIER,
        "The app has to hash and send the same text of code_verifier: base64url, with - and _.",
    ),
    on(
        "pkce_hash_of_hex",
        VERIFIER,
        "The app has to hash the code_verifier's own characters, not hexadecimal digits of something.",
    ),
    on(
        "pkce_hash_of_bytes",
        VERIFIER,
        "The app has to hash the code_verifier's own characters, without decoding them first.",
    ),
    on(
        "pkce_hashed_twice",
        VERIFIER,
        "The app has to hash code_verifier once.",
    ),
    on(
        "pkce_hash_of_newline",
        VERIFIER,
        "The app has to hash code_verifier without the line end.",
    ),
    on(
        "pkce_verifier_of_another_attempt",
        VERIFIER,
        "The app has to keep one code_verifier for each attempt (by state); close other windows of it and connect once.",
    ),
    on("pkce_verifier_missing", VERIFIER, CLIENT_SIDE),
    on("pkce_verifier_malformed", VERIFIER, CLIENT_SIDE),
    on(
        "code_challenge_not_met",
        VERIFIER,
        "The app mixes attempts up, or keeps no code_verifier through the redirect: connect again, once; if it stays, tell its maker.",
    ),
    // Redirects.
    on("redirect_differs_in_*", REDIRECT, ADD_REDIRECT),
    on("redirect_not_registered", REDIRECT, ADD_REDIRECT),
    on("redirect_missing", REDIRECT, CLIENT_SIDE),
    on("redirect_malformed", REDIRECT, CLIENT_SIDE),
    on(
        "code_redirect_differs_in_*",
        SAME_REDIRECT,
        SEND_REDIRECT_TWICE,
    ),
    on(
        "code_of_another_redirect_uri",
        SAME_REDIRECT,
        SEND_REDIRECT_TWICE,
    ),
    // Resources.
    on(
        "resource_differs_in_slash",
        RESOURCE,
        "Take the slashes at the end off the MCP URL in the app.",
    ),
    on("resource_differs_in_*", RESOURCE, SAME_RESOURCE),
    on("resource_not_served", RESOURCE, SAME_RESOURCE),
    on(
        "code_for_another_resource",
        SAME_TARGET,
        "The app changed its mind about the server: connect each MCP URL by itself.",
    ),
    on(
        "code_resource_differs_in_*",
        SAME_TARGET,
        "The app has to send the same resource twice; tell its maker.",
    ),
    on("path_differs_in_*", ONE_PATH, SAME_RESOURCE),
    on("unknown_path", ONE_PATH, SAME_RESOURCE),
    // Pushed requests.
    on(
        "request_uri_not_ours",
        REQUEST_URI,
        "The app has to push its request here and send the request_uri that it gets; requests that stand elsewhere are not fetched.",
    ),
    on(
        "request_uri_damaged",
        REQUEST_URI,
        "The app, or something between, cut or changed the request_uri; or the data directory was removed or replaced since it was pushed. Connect again.",
    ),
    on(
        "request_uri_expired",
        "The browser comes within 90 seconds of the push.",
        "Connect again from the app; an address that it opened before is over. If it stays, the app pushes long before it opens the browser: tell its maker.",
    ),
    on(
        "request_uri_of_another_client",
        "client_id beside a request_uri is the one that pushed it.",
        "The app mixes two of its registrations up: remove the connection in the app and add it again.",
    ),
    on(
        "push_required",
        "The client pushes its request, as it registered (require_pushed_authorization_requests).",
        "Update the app, or register it without that; for one that you added: without --require-pushed-requests.",
    ),
    on(
        "request_object",
        "The parameters stand in the request itself.",
        CLIENT_SIDE,
    ),
    on(
        "prompt_none",
        "A person confirms each connection with a click.",
        "The app has to send no prompt=none; it keeps its refresh token for later.",
    ),
    on(
        "scope_unknown",
        "scope names at least one scope that exists here.",
        "Let the app ask for no scope at all, or for those that the metadata of the MCP endpoint lists (scopes_supported).",
    ),
];

const S256: &str = "PKCE: code_challenge = BASE64URL(SHA256(code_verifier)), 43 characters without padding (RFC 7636 section 4.2).";
const VERIFIER: &str = "PKCE: code_verifier is the very text whose SHA-256 was the code_challenge: 43 to 128 letters, digits or -._~ (RFC 7636 section 4.1).";
const REDIRECT: &str = "redirect_uri is one that the client registered, byte for byte; only the port may differ, for native clients on loopback.";
const ADD_REDIRECT: &str = "An app that registered itself: remove the connection in it and add it again. One with a document: its maker has to mend the document. One that you added: keystile client update CLIENT_ID --add-redirect-uri URI";
const SAME_REDIRECT: &str =
    "redirect_uri of the token request is that of the authorization request, byte for byte.";
const SEND_REDIRECT_TWICE: &str =
    "The app has to send the same redirect_uri twice; tell its maker.";
const SAME_TARGET: &str = "resource of the token request is that of the authorization request.";
const ONE_PATH: &str = "The MCP endpoint is at exactly one path.";
const REQUEST_URI: &str =
    "request_uri is one that this server gave out at /oauth/par (RFC 9126 section 2.2).";
const RESOURCE: &str =
    "resource is the URL of the MCP endpoint as the ready line prints it (RFC 8707 section 2).";
