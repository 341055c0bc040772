//! Tokens at the gateway, messages of MCP, and the servers behind it.

use super::{Advice, CLIENT_SIDE, SIGN_IN_AGAIN, on};

pub(super) const LINES: &[Advice] = &[
    // Tokens at the gateway.
    on(
        "token_from_the_future",
        "A token's time has come.",
        "Set the clocks: whoever signed this token is ahead of this server. timedatectl shows whether a clock is synchronised.",
    ),
    on(
        "token_expired",
        "A token has not expired.",
        "A good app refreshes by itself. If it expired just now or moments after it was made, the clocks disagree: set them.",
    ),
    on(
        "token_lives_too_long",
        "A token lives an hour at most.",
        "Lower the lifetime of access tokens where they are made.",
    ),
    on(
        "expired",
        "A token is neither expired nor from the future.",
        "Connect again; if it stays, compare the clocks.",
    ),
    on(
        "token_issuer_differs_in_*",
        "iss is this server's public URL.",
        "The public URL was another when this token was made: keep --public-url the same, and connect again.",
    ),
    on(
        "wrong_issuer",
        "iss is this server's public URL.",
        "The token is another server's, or the public URL was another when it was made: keep --public-url the same, and connect again.",
    ),
    on(
        "token_audience_differs_in_*",
        "aud is this MCP endpoint.",
        "The token was made for an earlier or other address of this endpoint: connect again at the URL that Keystile prints.",
    ),
    on(
        "wrong_audience",
        "aud is this MCP endpoint.",
        "The token was made for another server: connect this URL by itself.",
    ),
    on(
        "unknown_key",
        "The token is signed with a key of this installation.",
        "It comes from another installation of Keystile, or another server, when iss is not this issuer: give the app the MCP URL of the one that it signed in to. Else the data directory was removed or replaced since: connect again.",
    ),
    on(
        "bad_signature",
        "The token's signature is good.",
        "It was changed, or made by somebody else: connect again.",
    ),
    on(
        "bad_claims",
        "The token's claims are those of an access token.",
        SIGN_IN_AGAIN,
    ),
    on(
        "not_an_access_token",
        "The token is an access token (at+jwt).",
        "The app sends another token, an ID token for example: tell its maker.",
    ),
    on(
        "malformed_token",
        "Authorization: Bearer with the access token as it came.",
        "The app cut or changed the token: connect again.",
    ),
    on(
        "too_long_token",
        "A token has 8 KiB at most.",
        SIGN_IN_AGAIN,
    ),
    on(
        "malformed_credentials",
        "Authorization: Bearer, once, and no token in the address.",
        CLIENT_SIDE,
    ),
    on(
        "no_grant",
        "The token belongs to a connection.",
        SIGN_IN_AGAIN,
    ),
    on(
        "revoked",
        "The connection still stands.",
        "It was ended, or its person or client was disabled: keystile grant list --all says why. Connect again if it should be there.",
    ),
    on(
        "revocations_unknown",
        "It is known what was revoked.",
        "The database does not answer: look at the disk and the log.",
    ),
    on(
        "insufficient_scope",
        "The token has the scope that the call needs.",
        "Connect again and allow the scope that the answer names.",
    ),
    on(
        "gateway_ending",
        "Keystile runs on until the call is answered, or 10 seconds after it was told to end.",
        "Somebody ended Keystile while the call ran. The server may have done what it was asked: look before you try again.",
    ),
    // MCP messages.
    on(
        "unknown_session",
        "The session is this client's own and has not ended.",
        "Nothing is to be done: the client begins another. If it does so with each call, see whether the server forgets its sessions.",
    ),
    on(
        "unknown_event",
        "A stream goes on behind an event that this client got in the same session.",
        "Nothing is to be done if the client opens another stream. If it does not, restart it.",
    ),
    on(
        "not_a_message",
        "A body is one JSON-RPC message of MCP, in the form that its revision says.",
        CLIENT_SIDE,
    ),
    on(
        "header_mismatch",
        "The MCP headers say what the body says, and MCP-Protocol-Version is a revision that is served.",
        CLIENT_SIDE,
    ),
    on("unknown_method", "The method is one of MCP.", CLIENT_SIDE),
    on(
        "unsupported_version",
        "The revision of MCP is one that is served; the answer names them.",
        "Update the app, or Keystile: keystile --version.",
    ),
    on(
        "not_acceptable",
        "Accept takes application/json or text/event-stream.",
        CLIENT_SIDE,
    ),
    on(
        "unsupported_media_type",
        "Content-Type is application/json, in UTF-8 and not compressed.",
        CLIENT_SIDE,
    ),
    on(
        "no_session_named",
        "A client of 2025 begins with initialize and names its session from then on.",
        "Nothing is to be done if the client begins another session. If it does not, tell its maker.",
    ),
    on(
        "second_stream",
        "A session has one stream (GET) at a time.",
        "Nothing is to be done: the first stream goes on. If the client waits, restart it.",
    ),
    on("second_initialize", "A session begins once.", CLIENT_SIDE),
    on(
        "id_in_flight",
        "A call has an id that no other running call of its session has.",
        CLIENT_SIDE,
    ),
    on(
        "not_asked",
        "An answer is one to a question of the server.",
        "Nothing is to be done: the server asked no more, or the session is over.",
    ),
    on(
        "unknown_request_state",
        "requestState comes back as the server gave it, in time and from the same person.",
        "Begin the call anew. If it stays, the app changes what it was given: tell its maker.",
    ),
    on(
        "unknown_task",
        "A task is asked for by the person and the client that began it, under the id that they were given.",
        "Nothing is to be done if it is somebody else's, or from before the key was replaced. Otherwise the app changes what it was given: tell its maker.",
    ),
    on(
        "not_bridged",
        "A client and a server of different eras get what both have.",
        "docs/compatibility.md lists what does not survive the bridge. A client or a server of the other's era gets it.",
    ),
    on(
        "invalid_params",
        "A request says what it wants as its revision demands.",
        CLIENT_SIDE,
    ),
    on(
        "call_lost",
        "A call ends with an answer.",
        "This is a fault of Keystile: look at the log line with this reference, and report it.",
    ),
    // Upstreams.
    on(
        "upstream_unreachable",
        "The MCP server answers.",
        "Start the server behind the gate, and look at its address.",
    ),
    on(
        "upstream_timeout",
        "The MCP server answers in time.",
        "Look at the server behind the gate.",
    ),
    on(
        "upstream_*",
        "The MCP server answers as one.",
        "Look at the server behind the gate, and at the log.",
    ),
];
