//! What is redeemed: codes, of devices too, and refresh tokens.

use super::{Advice, CLIENT_SIDE, SAME_RESOURCE, SIGN_IN_AGAIN, on};

pub(super) const LINES: &[Advice] = &[
    // Codes.
    on(
        "code_unknown",
        "A code is one that this installation gave to the app, not longer than a day ago.",
        "Connect again from the app. If it stays, the app shows its codes to another Keystile, or another data directory, than the one that it signs in at, or changes them: give it the MCP URL that this one prints.",
    ),
    on(
        "code_damaged",
        "A code comes back as it stood in the redirect, decoded once: ksc_ and 64 letters, digits, - or _.",
        "The app, or something between, changed the code: it has to decode the redirect's query once, encode the form once, and add nothing. Tell its maker.",
    ),
    on(
        "code_not_ours",
        "A code is what stood behind code= in the redirect of this server: it begins with ksc_.",
        "The app sent something else, a code without its beginning, or the code of another authorization server: connect again; if it stays, tell its maker.",
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
        "code_reused_wrongly",
        "A code is used once, by the app that it was made for.",
        "This request changed nothing, and the code is spent: connect again for another. If the app did not send it, somebody else has seen the code: keystile grant revoke GRANT_ID ends the connection.",
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
    on(
        "grant_resource_not_served",
        "A connection is for one MCP URL, and that is served.",
        "The server has another name or public URL now. Give the app the MCP URL that Keystile prints and connect again; or start Keystile under the earlier one.",
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
        "For a client that you added: keystile client update CLIENT_ID --grant TYPE, with one --grant for each type that it may use, those of before too. One that registered itself: remove the connection in the app and add it again; a document has to list the type.",
    ),
    // Refresh tokens.
    on(
        "refresh_token_unknown",
        "A refresh token is one that this installation gave.",
        "Connect again. After the data directory was removed or replaced, or after keystile key rotate-master --forget-old, every app has to.",
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
];
