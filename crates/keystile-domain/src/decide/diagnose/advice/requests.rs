//! Requests of any kind: addresses, bodies, methods, and what this server can't do at the moment.

use super::{Advice, CLIENT_SIDE, on};

pub(super) const LINES: &[Advice] = &[
    // Addresses.
    on(
        "public_url_differs_in_loopback_name",
        PUBLIC_URL,
        "Give the app exactly the MCP URL that Keystile prints: localhost, 127.0.0.1 and [::1] are three addresses to apps, tokens and cookies.",
    ),
    on("public_url_differs_in_*", PUBLIC_URL, PROXY),
    on("wrong_host", PUBLIC_URL, PROXY),
    on(
        "proxy_changes_host",
        "A proxy in front passes on the Host that people ask for.",
        "Have the proxy pass Host on: proxy_set_header Host $host in nginx, ProxyPreserveHost On in Apache; Caddy and Traefik do it by themselves.",
    ),
    on("bad_host", "A request names one host.", PROXY),
    on(
        "bad_framing",
        "A body comes with its length or in chunks, not otherwise encoded.",
        PROXY,
    ),
    on(
        "upgrade_not_served",
        "A connection speaks HTTP, and nothing else.",
        CLIENT_SIDE,
    ),
    on(
        "foreign_origin",
        "Web pages of this origin may call.",
        "Allow the origin: --origin ORIGIN.",
    ),
    // Bodies and methods.
    on(
        "content_type",
        "Content-Type is the one that the endpoint takes: a form, or JSON for registration.",
        CLIENT_SIDE,
    ),
    on(
        "parameter_repeated",
        "A request has each parameter once (RFC 6749 section 3.1); resource alone may come several times.",
        "The app has to send PARAMETER once: tell its maker. If an address in its settings has a question mark, the second one may come from there: take it out.",
    ),
    on(
        "form_unreadable",
        "A form or a query is percent-encoded UTF-8, with at most 64 parameters.",
        CLIENT_SIDE,
    ),
    on(
        "unreadable_form",
        "A form or an address is whole, and as the page made it.",
        "Reload the page and try again.",
    ),
    on(
        "body_too_large",
        "A request is within the limit that the answer names.",
        "Ask for less at once. If it is a call of a tool that has to be so large, whoever runs this server can raise the limit.",
    ),
    on(
        "body_unreadable",
        "A body comes to its end, in time.",
        "Try again. If it stays, look at the network and at a proxy in between: it may cut requests off.",
    ),
    on(
        "headers_too_large",
        "Headers are few and short.",
        "Look at what a proxy in front adds; or the app sends a very long token or cookie.",
    ),
    on(
        "other_method",
        "The endpoint is asked with the method that the answer names in Allow.",
        CLIENT_SIDE,
    ),
    on(
        "method_not_allowed",
        "The MCP endpoint is asked with POST, GET or DELETE.",
        CLIENT_SIDE,
    ),
    on(
        "no_such_endpoint",
        "The endpoints are those that /.well-known/oauth-authorization-server names.",
        "The app has to read the metadata rather than guess: update it, or tell its maker.",
    ),
    // Not now.
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

const PUBLIC_URL: &str = "People, proxies and tokens use one address, the public URL; it comes from --public-url and never from a request.";
const PROXY: &str = "Start Keystile with the address that people use as --public-url, and let the proxy pass Host on unchanged.";
