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
        "An operator disabled it: keystile client list; let it in with: keystile client enable CLIENT_ID",
    ),
    on(
        "client_auth_method",
        "The client authenticates in the way that it registered.",
        "Set the app to the method that it registered, or register it anew; for one that you added: keystile client update CLIENT_ID --auth METHOD",
    ),
    on(
        "client_secret_wrong",
        "The client's secret is right.",
        "An app that registered itself: remove the connection in it and add it again. For one that you added: copy the secret anew, or make another with: keystile client rotate-secret CLIENT_ID",
    ),
    on(
        "client_not_proven",
        "The client proves who it is.",
        "Look at the app's secret or key.",
    ),
    on(
        "client_id_missing",
        "A request says which client sends it.",
        "The app has to send client_id. Who opened this address by hand connects from the app instead.",
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
        "client_document_not_fetched",
        "With --air-gapped, client_id is one of the clients that Keystile ships with.",
        "Add the app yourself: keystile client add; or start without --air-gapped.",
    ),
    on(
        "client_host_not_listed",
        "With --client-hosts listed, the host of client_id is one that was listed, with its port if that is not 443.",
        "If you know the app: --trust-client-host HOST",
    ),
    on(
        "client_document_address_not_public",
        "The host of client_id is on the public internet.",
        "If it is a host of your own, start with: --danger-fetch-allow HOST",
    ),
    on(
        "client_document_unreachable",
        "The document at client_id can be fetched.",
        "See whether that address answers from this machine. A certificate of your company's own: --extra-ca-file FILE. A machine that may reach nobody: --air-gapped.",
    ),
    on(
        "client_document_answer",
        "The host of client_id answers with status 200 and a JSON document of at most 5,120 bytes.",
        "The app's publisher has to mend it.",
    ),
    on(
        "client_document_invalid",
        "The document at client_id describes a client: client_id is that URL byte for byte, redirect_uris are right, and there is no secret.",
        "The app's publisher has to mend what found names.",
    ),
    on(
        "client_document_auth_method",
        "The document names token_endpoint_auth_method none, alone or among others; or private_key_jwt, with jwks or with a jwks_uri on its own origin.",
        "The app's publisher has to mend it; or add the app yourself: keystile client add --auth METHOD.",
    ),
    on(
        "client_id_url",
        "A client_id that is a URL is an https URL in its plain form: lower-case host, a path, no default port, no fragment, no dot segments.",
        "The app has to send the plain form of the URL that its document is at; an http URL is never one.",
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
        "client_proof_missing",
        "A client whose document named private_key_jwt and not none when its person allowed it shows a client_assertion with each request, whatever its document says now.",
        "The app has to sign who it is, as its own document says. If it used to: its document changed meanwhile; remove the connection in the app and connect again. If it never did, somebody else uses its client_id.",
    ),
    on(
        "client_assertion_unreadable",
        "client_assertion is a signed JWT in compact form, of at most 8 KiB.",
        CLIENT_SIDE,
    ),
    on(
        "client_assertion_header",
        "The header of client_assertion has alg ES256, EdDSA or RS256, typ JWT, client-authentication+jwt or none, a kid of at most 128 bytes, and no crit.",
        "Set the app to one of these algorithms, with a key of that kind.",
    ),
    on(
        "client_assertion_unknown_key",
        "client_assertion is signed with a key that the client has here: its kid and alg are those of the key set.",
        "Register the public half of the key that the app signs with (keystile client update CLIENT_ID --jwks FILE), put it where jwks_uri points to, or set the app to the kid that stands there.",
    ),
    on(
        "client_assertion_signature",
        "client_assertion is signed with the private half of the key that its kid names.",
        "The app signs with another key than the registered one, though both have one kid: register the new public key, or give the app its old private key back.",
    ),
    on(
        "client_assertion_claims",
        "client_assertion has iss, sub and aud as texts, exp (and iat, nbf, if they are there) in whole seconds, and a jti of 1 to 256 bytes.",
        CLIENT_SIDE,
    ),
    on(
        "client_assertion_subject",
        "iss and sub of client_assertion are both the client_id.",
        "Set the app to its client_id: keystile client list shows it.",
    ),
    on(
        "client_assertion_audience",
        "aud of client_assertion is this server's issuer, as the metadata writes it, and one text.",
        "Set the app's audience to the issuer; the address of the token endpoint or a list is not taken.",
    ),
    on(
        "client_assertion_expired",
        "exp of client_assertion is later than now.",
        "The app has to make a new one for each request. If it does, its clock is behind, or this server's is ahead: set both by NTP.",
    ),
    on(
        "client_assertion_from_the_future",
        "iat and nbf of client_assertion are not more than a minute from now.",
        "The app's clock is ahead, or this server's is behind: set both by NTP.",
    ),
    on(
        "client_assertion_lives_too_long",
        "client_assertion lives at most ten minutes.",
        "The app has to set exp to a minute or two after iat.",
    ),
    on(
        "client_assertion_reused",
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
        "Give the client its public key again: keystile client update CLIENT_ID --jwks FILE, or mend the document that jwks_uri names.",
    ),
    on(
        "client_keys_not_fetched",
        "With --air-gapped, the keys of a client are registered with it.",
        "Give the client its public key: keystile client update CLIENT_ID --jwks FILE",
    ),
    on(
        "client_keys_address_not_public",
        "The host of jwks_uri is on the public internet.",
        "If it is a host of your own, start with: --danger-fetch-allow HOST",
    ),
    on(
        "client_keys_unavailable",
        "The keys at jwks_uri can be fetched.",
        "See whether that address answers from this machine; found says what went wrong.",
    ),
    on(
        "client_id_differs",
        "client_id says the same wherever it stands: in the form, the Authorization header and the assertion.",
        CLIENT_SIDE,
    ),
    on(
        "client_scope",
        "A client that asks for itself has the scopes that it was given.",
        "Give it the scope: keystile client update CLIENT_ID --scope SCOPE, with every scope that it may ask for; or let it ask for less.",
    ),
    on(
        "client_not_added_by_operator",
        "A client that acts for itself, without a person (client_credentials), is one that the operator added; what registered itself or is a document never does.",
        "If the app may act for itself, add a client for it and give it that client_id and secret: keystile client add --name NAME --grant client_credentials --auth client_secret_basic --scope SCOPE",
    ),
    on(
        "secret_in_address",
        "Secrets, codes and tokens stand in the body of a POST, or in the Authorization header, and never in the address (RFC 6749 section 2.3.1).",
        "The fault is in the app's code: tell its maker. Logs on the way may have the secret now. Of a client that you added: keystile client rotate-secret CLIENT_ID; of an app that registered itself: remove the connection in it and add it again.",
    ),
    on(
        "initial_access_token_missing",
        "Clients register here with an initial access token.",
        "Make one, and give it to the app: keystile client initial-access-token add; or register the app yourself: keystile client add.",
    ),
    on(
        "initial_access_token_malformed",
        "A registration has Authorization: Bearer and an initial access token, which begins with ksi_.",
        "Give the app the whole token, as it was printed once; if nobody has it any more, make another: keystile client initial-access-token add.",
    ),
    on(
        "initial_access_token_unknown",
        USABLE,
        "It was cut or mistyped, or another installation made it: keystile client initial-access-token list shows those of this one. To make another: keystile client initial-access-token add.",
    ),
    on(
        "initial_access_token_expired",
        USABLE,
        "Make another, for longer if need be: keystile client initial-access-token add --lifetime TIME.",
    ),
    on(
        "initial_access_token_revoked",
        USABLE,
        "If the app should come in all the same, make another: keystile client initial-access-token add.",
    ),
    on(
        "initial_access_token_used_up",
        USABLE,
        "Make another, with a use for each app: keystile client initial-access-token add --uses NUMBER. If fewer apps than that have registered, somebody else has the token.",
    ),
    on(
        "two_authorizations",
        "A request has one Authorization header.",
        CLIENT_SIDE,
    ),
    on(
        "registration_keys_inline",
        "A client that registers itself with private_key_jwt says where its public keys are (jwks_uri): its client_id is the whole registration, and keys that come along (jwks) would not fit.",
        "Add the app yourself, with its public keys in a file: keystile client add --name NAME --redirect-uri URI --auth private_key_jwt --jwks FILE; and give it the client_id. Or its maker publishes the keys and registers their https address as jwks_uri.",
    ),
    on(
        "registration_keys_not_fetched",
        "jwks_uri is at a host that keys are fetched from: with --client-hosts listed one that is listed, with --air-gapped none.",
        "Add the app yourself, with its public keys in a file: keystile client add --name NAME --redirect-uri URI --auth private_key_jwt --jwks FILE. Or, without --air-gapped, if you know the host: --trust-client-host HOST",
    ),
    on(
        "redirect_of_native_client",
        "A redirect is one that its kind of application may have: https for web, loopback or an own scheme for native.",
        "The app has to register the application_type that it is: native for a program on a computer.",
    ),
    on(
        "redirect_not_known",
        "Who registers without being asked comes back to this computer, or is an app that people know.",
        "If you know the app: keystile client redirect approve PLACE",
    ),
    on(
        "redirect_not_approved_yet",
        "The owner has approved of where the app comes back to.",
        "keystile client redirect list --asked shows who waits; let it in with: keystile client redirect approve PLACE",
    ),
    on(
        "redirect_approval_removed",
        "The owner still approves of where the app comes back to.",
        "If it should be let in again: keystile client redirect approve PLACE",
    ),
];

const USABLE: &str =
    "The initial access token is known here, in time, not revoked, and has a use left.";
