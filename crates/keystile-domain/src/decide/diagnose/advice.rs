//! What is generally expected, and what to do: one line for each name that log and doctor may show.

/// What goes with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// The stable name, or its beginning when it ends in `*`.
    pub reason: &'static str,
    /// What would have been right.
    pub expected: &'static str,
    /// What to do, for whom.
    pub fix: &'static str,
}

/// What to do about anything else.
pub const ANY_FIX: &str = "Start connecting again from the app. If it fails again in the same way, \
                           the fault is the app's: tell its maker what was expected and found.";

/// The advice for a name; the first that fits.
#[must_use]
pub fn find(reason: &str) -> Option<&'static Advice> {
    TABLE
        .iter()
        .find(|advice| match advice.reason.strip_suffix('*') {
            Some(beginning) => reason.starts_with(beginning),
            None => advice.reason == reason,
        })
}

/// The advice for a name, or for anything.
#[must_use]
pub fn of(reason: &str) -> Advice {
    find(reason).copied().unwrap_or(Advice {
        reason: "",
        expected: "",
        fix: ANY_FIX,
    })
}

const fn on(reason: &'static str, expected: &'static str, fix: &'static str) -> Advice {
    Advice {
        reason,
        expected,
        fix,
    }
}

const S256: &str = "PKCE: code_challenge = BASE64URL(SHA256(code_verifier)), 43 characters without padding (RFC 7636 section 4.2).";
const VERIFIER: &str = "PKCE: code_verifier is the very text whose SHA-256 was the code_challenge: 43 to 128 letters, digits or -._~ (RFC 7636 section 4.1).";
const REDIRECT: &str = "redirect_uri is one that the client registered, byte for byte; only the port may differ, for native clients on loopback.";
const REGISTER_AGAIN: &str = "Remove the connection in the app and add it again, so that it registers anew; or register this address: keystile client add --redirect-uri URI.";
const REQUEST_URI: &str =
    "request_uri is one that this server gave out at /oauth/par (RFC 9126 section 2.2).";
const RESOURCE: &str =
    "resource is the URL of the MCP endpoint as the ready line prints it (RFC 8707 section 2).";
const SAME_RESOURCE: &str = "Give the app exactly the MCP URL that Keystile prints, remove the old connection and sign in again.";
const SIGN_IN_AGAIN: &str = "Connect again from the app: it signs in anew.";
const PUBLIC_URL: &str = "People, proxies and tokens use one address, the public URL; it comes from --public-url and never from a request.";
const PROXY: &str = "Start Keystile with the address that people use as --public-url, and let the proxy pass Host on unchanged.";
const CLIENT_SIDE: &str = "The fault is in the app's code: tell its maker.";

/// The table. Every name that is made anywhere should be here; a test looks.
pub const TABLE: &[Advice] = &[
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
    on(
        "redirect_differs_in_slash",
        REDIRECT,
        "One of the two has a slash at the end: make them the same in the app's settings.",
    ),
    on("redirect_differs_in_*", REDIRECT, REGISTER_AGAIN),
    on("redirect_not_registered", REDIRECT, REGISTER_AGAIN),
    on("redirect_missing", REDIRECT, CLIENT_SIDE),
    on("redirect_malformed", REDIRECT, CLIENT_SIDE),
    on(
        "code_redirect_differs_in_*",
        "redirect_uri of the token request is that of the authorization request, byte for byte.",
        "The app has to send the same redirect_uri twice; tell its maker.",
    ),
    on(
        "code_of_another_redirect_uri",
        "redirect_uri of the token request is that of the authorization request, byte for byte.",
        "The app has to send the same redirect_uri twice; tell its maker.",
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
        "resource of the token request is that of the authorization request.",
        "The app changed its mind about the server: connect each MCP URL by itself.",
    ),
    on(
        "code_resource_differs_in_*",
        "resource of the token request is that of the authorization request.",
        "The app has to send the same resource twice; tell its maker.",
    ),
    on(
        "path_differs_in_*",
        "The MCP endpoint is at exactly one path.",
        SAME_RESOURCE,
    ),
    on(
        "unknown_path",
        "The MCP endpoint is at exactly one path.",
        SAME_RESOURCE,
    ),
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
    // Codes.
    on(
        "code_unknown",
        "A code is one that this installation gave to the app, not longer than a day ago.",
        SIGN_IN_AGAIN,
    ),
    on(
        "code_expired",
        "A code is redeemed within 60 seconds.",
        "Connect again. If it stays: the app is slow to ask for its token, or is stopped on the way (a proxy, a debugger, a sleeping computer).",
    ),
    on(
        "code_reused",
        "A code is used once.",
        "The app, or something between, sent its token request twice, so the connection was ended for safety. Connect again; if nobody did that, somebody else has the code.",
    ),
    on(
        "code_of_another_client",
        "A code is redeemed by the client_id that asked for it.",
        "Two apps, or two registrations of one app, share a callback: remove one, and connect again.",
    ),
    on(
        "grant_revoked",
        "The connection still stands.",
        "It was ended, or its person was disabled (keystile grant list --all says why). Connect again if it should be there.",
    ),
    // Devices.
    on(
        "device_code_unknown",
        "A device code is one that this installation gave to the app, not longer than 20 minutes ago.",
        "Start again on the device.",
    ),
    on(
        "device_code_expired",
        "A person answers within ten minutes, and the device asks until then.",
        "Start again on the device, and enter the code at once.",
    ),
    on(
        "device_code_of_another_client",
        "A device code is redeemed by the client_id that asked for it.",
        CLIENT_SIDE,
    ),
    on(
        "device_code_for_another_resource",
        "resource of the token request is that of the device authorization request.",
        SAME_RESOURCE,
    ),
    on(
        "device_code_used",
        "A device code gives tokens once.",
        "The device asked again after it had its tokens, or the answer was lost on the way: start again on the device if it is not connected.",
    ),
    on(
        "wrong_user_code",
        "A device waits with this code.",
        "Compare the code with the one on the device; it is good for ten minutes. keystile doctor knows the device's own attempt by its reference.",
    ),
    on(
        "too_many_devices",
        "At most 10,000 devices are waiting.",
        "Wait a few minutes. If it stays, somebody floods /oauth/device: look at the log of the proxy.",
    ),
    on(
        "client_grant_type",
        "The client is registered for what it asks.",
        "List the grant type where the client is registered: in its registration or document, or: keystile client add --grant TYPE.",
    ),
    // Refresh tokens.
    on(
        "refresh_token_unknown",
        "A refresh token is one that this installation gave.",
        "Connect again. After the data directory was removed or replaced, every app has to.",
    ),
    on(
        "refresh_token_of_another_client",
        "A refresh token is used by the client_id that got it.",
        "The app registered anew but kept its old token: remove the connection in the app and add it again.",
    ),
    on(
        "refresh_token_for_another_resource",
        "resource is the one that the connection was made for.",
        "Connect each MCP URL by itself.",
    ),
    on(
        "refresh_token_reused",
        "A refresh token that was replaced is not used again later.",
        "Two copies of the app share one token, or somebody else has it; so the connection was ended. Connect again, each copy by itself.",
    ),
    on(
        "grant_expired",
        "A connection is used at least once in 90 days.",
        SIGN_IN_AGAIN,
    ),
    // Clients.
    on(
        "client_sealed_by_another_key",
        "client_id was made by this installation.",
        "The data directory was removed or replaced since the app registered: put it back, or remove the connection in the app and add it again, so that it registers anew.",
    ),
    on(
        "client_id_damaged",
        "client_id comes back unchanged, as registration gave it.",
        "The app, or its settings, cut or changed the client_id: remove the connection in the app and add it again.",
    ),
    on(
        "client_unknown",
        "client_id is registered here.",
        "Register the app: it does so itself when it is connected anew, or: keystile client add. keystile client list shows those that there are.",
    ),
    on(
        "client_disabled",
        "The client is not kept out.",
        "An operator disabled it: keystile client list; let it in with keystile client enable.",
    ),
    on(
        "client_auth_method",
        "The client authenticates in the way that it registered.",
        "Set the app to the method that the description names, or register it anew.",
    ),
    on(
        "client_secret_wrong",
        "The client's secret is right.",
        "Copy the secret anew, or make another: keystile client rotate-secret.",
    ),
    on(
        "client_not_proven",
        "The client proves who it is.",
        "Look at the app's secret or key.",
    ),
    on(
        "client_auth_twice",
        "The client authenticates in one way only.",
        CLIENT_SIDE,
    ),
    on(
        "client_document_unusable",
        "client_id is the URL of a document that can be fetched and is right.",
        "Ask the app's maker; the detail in the log says what is wrong with the document or its host.",
    ),
    on(
        "document_fetch_limit",
        "One network causes few fetches.",
        "Wait a little and try again.",
    ),
    on(
        "registration_off",
        "Clients register themselves only where that is on.",
        "Register the app yourself: keystile client add.",
    ),
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
        "It comes from another server, or from before the data directory was removed: connect again.",
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
        "It was ended: keystile grant list --all says why. Connect again if it should be there.",
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
    // Addresses.
    on(
        "public_url_differs_in_loopback_name",
        PUBLIC_URL,
        "Give the app exactly the MCP URL that Keystile prints: localhost, 127.0.0.1 and [::1] are three addresses to apps, tokens and cookies.",
    ),
    on("public_url_differs_in_*", PUBLIC_URL, PROXY),
    on("wrong_host", PUBLIC_URL, PROXY),
    on("bad_host", "A request names one host.", PROXY),
    on(
        "bad_framing",
        "A body comes with its length or in chunks, not otherwise encoded.",
        PROXY,
    ),
    on(
        "unknown_session",
        "The session is this client's own and has not ended.",
        "Nothing is to be done: the client begins another. If it does so with each call, see whether the server forgets its sessions.",
    ),
    on(
        "foreign_origin",
        "Web pages of this origin may call.",
        "Allow the origin: --origin ORIGIN.",
    ),
    // Pages.
    on(
        "wrong_name_or_password",
        "Name and password are right.",
        "Try again; keystile user list shows the names.",
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
    on(
        "audit_unavailable",
        "The audit trail can be written.",
        "Make room on the disk of the data directory.",
    ),
    on(
        "too_many_requests",
        "Not too much at once.",
        "Wait a little and try again.",
    ),
    on(
        "server_error",
        "Nothing of this server fails.",
        "Look at the disk and at the log line with this reference.",
    ),
];
