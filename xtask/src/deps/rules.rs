//! The directions, as data.

/// A crate of this workspace and the ones it may have as normal dependencies.
pub(super) struct Room {
    pub(super) name: &'static str,
    pub(super) may_use: &'static [&'static str],
}

/// One line per crate of the workspace; a crate without a line is an error.
pub(super) const ROOMS: &[Room] = &[
    Room {
        name: "keystile-protocol",
        may_use: &[],
    },
    Room {
        name: "keystile-domain",
        may_use: &["keystile-protocol"],
    },
    Room {
        name: "keystile-store",
        may_use: &["keystile-domain", "keystile-protocol"],
    },
    Room {
        name: "keystile-fetch",
        may_use: &["keystile-protocol"],
    },
    Room {
        name: "keystile-issuer",
        may_use: &["keystile-fetch", "keystile-domain", "keystile-protocol"],
    },
    Room {
        name: "keystile-resource",
        may_use: &["keystile-protocol"],
    },
    Room {
        name: "keystile-gateway",
        may_use: &["keystile-resource", "keystile-domain", "keystile-protocol"],
    },
    Room {
        name: "keystile-knowledge-base",
        may_use: &[],
    },
    Room {
        name: "keystile",
        may_use: &[
            "keystile-domain",
            "keystile-fetch",
            "keystile-gateway",
            "keystile-issuer",
            "keystile-knowledge-base",
            "keystile-protocol",
            "keystile-resource",
            "keystile-store",
        ],
    },
    // Never shipped: they may use what they need, but nothing above may use them.
    Room {
        name: "keystile-testkit",
        may_use: &[
            "keystile-domain",
            "keystile-fetch",
            "keystile-issuer",
            "keystile-protocol",
            "keystile-store",
        ],
    },
    Room {
        name: "keystile-bench",
        may_use: &[
            "keystile-domain",
            "keystile-gateway",
            "keystile-issuer",
            "keystile-protocol",
            "keystile-resource",
            "keystile-store",
            "keystile-testkit",
        ],
    },
    Room {
        name: "keystile-conformance",
        may_use: &["keystile-testkit", "keystile-protocol"],
    },
    Room {
        name: "xtask",
        may_use: &[],
    },
];

/// Crates on the registry; they may depend on nothing of ours that is not.
pub(super) const PUBLISHED: &[&str] = &["keystile-protocol", "keystile-resource"];

const RUNTIME: &[&str] = &["tokio", "axum", "hyper", "sqlx", "reqwest"];

/// What a crate must be unable to reach, however long the way (normal dependencies).
pub(super) const UNREACHABLE: &[(&str, &[&str])] = &[
    ("keystile-protocol", RUNTIME),
    ("keystile-domain", RUNTIME),
    ("keystile-store", &["axum", "hyper", "reqwest"]),
    ("keystile-issuer", &["sqlx"]),
    (
        "keystile-gateway",
        &["sqlx", "keystile-issuer", "keystile-store"],
    ),
    ("keystile-resource", &["sqlx", "axum", "reqwest"]),
];

/// Crates that may not be in the tree at all.
pub(super) const BANNED_ANYWHERE: &[&str] = &["openssl", "openssl-sys", "native-tls"];
