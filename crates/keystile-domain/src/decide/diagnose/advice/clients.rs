//! Clients: who they are, how they prove it, how they register.

use super::{Advice, CLIENT_SIDE, on};

pub(super) const LINES: &[Advice] = &[
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
    on(
        "client_assertion",
        "client_assertion is new, signed with a registered key, with iss and sub the client_id, aud this issuer, a jti, and an exp of at most ten minutes.",
        "The detail in the log says what is wrong. Often it is aud, which is the issuer as the metadata writes it, or the clock of the app.",
    ),
    on(
        "client_assertion_replayed",
        "client_assertion is used once.",
        "The app has to make a new one, with a new jti, for each request; or somebody else has seen it.",
    ),
    on(
        "client_assertion_type",
        "client_assertion_type is urn:ietf:params:oauth:client-assertion-type:jwt-bearer.",
        CLIENT_SIDE,
    ),
    on(
        "client_assertions_full",
        "A client shows few assertions a minute, and uses its token until that expires.",
        "The app has to keep its access token rather than ask for one with each call. It goes on in a few minutes.",
    ),
    on(
        "client_keys",
        "The client has keys that can be used: a JWK set with public keys for signing.",
        "Give the client its public key again: keystile client add --jwks FILE; or mend the document that jwks_uri names.",
    ),
    on(
        "client_keys_unavailable",
        "The keys at jwks_uri can be fetched.",
        "See whether that address answers from this machine; the detail in the log says what went wrong.",
    ),
    on(
        "client_id_differs",
        "client_id says the same wherever it stands: in the form, the Authorization header and the assertion.",
        CLIENT_SIDE,
    ),
    on(
        "client_scope",
        "A client that asks for itself has the scopes that it was given.",
        "Give it the scope where it is registered: keystile client add --scope SCOPE; or let it ask for less.",
    ),
    on(
        "initial_access_token_missing",
        "Clients register here with an initial access token.",
        "Make one: keystile client initial-access-token add; or register the app yourself: keystile client add.",
    ),
    on(
        "initial_access_token_unusable",
        "The initial access token is known, in time, and has a use left.",
        "Make another: keystile client initial-access-token add.",
    ),
    on(
        "two_authorizations",
        "A request has one Authorization header.",
        CLIENT_SIDE,
    ),
    on(
        "redirect_of_native_client",
        "A redirect is one that its kind of application may have: https for web, loopback or an own scheme for native.",
        "The app has to register the application_type that it is: native for a program on a computer.",
    ),
    on(
        "redirect_not_known",
        "Who registers without being asked comes back to this computer, or is an app that people know.",
        "If you know the app: keystile client redirect approve PLACE, with the place that the answer names.",
    ),
    on(
        "redirect_not_approved_yet",
        "The owner has approved of where the app comes back to.",
        "keystile client redirect list shows who waits; let it in with: keystile client redirect approve PLACE.",
    ),
    on(
        "redirect_approval_removed",
        "The owner still approves of where the app comes back to.",
        "If it should be let in again: keystile client redirect approve PLACE, with the place that the page names.",
    ),
];
