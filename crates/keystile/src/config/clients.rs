//! `[clients]`: which clients that nobody added are let in.

use std::path::PathBuf;

use keystile_domain::decide::register::RegistrationMode;
use keystile_fetch::{Allow, ClientHosts, TrustedHost};

use super::form::{Key, Kind, Section};
use super::reader::Reader;

pub(super) static FORM: Section = Section {
    name: "clients",
    is_named: false,
    about: "Which clients are let in that nobody added with `keystile client add`.",
    keys: &[
        Key {
            name: "registration",
            kind: Kind::OneOf(&["off", "default", "initial-access-token", "approval"]),
            default: "default",
            about: "Whether clients may register themselves (RFC 7591): not at all; apps on a person's computer and well-known ones; only with an initial access token; or as default, and what else was asked for waits for your approval.",
            example: "\"default\"",
            flag: Some("--registration"),
        },
        Key {
            name: "trusted_hosts",
            kind: Kind::Texts,
            default: "none",
            about: "Clients whose document stands at these hosts are yours; the consent page says so.",
            example: "[\"apps.example.com\"]",
            flag: Some("--trust-client-host"),
        },
        Key {
            name: "hosts",
            kind: Kind::OneOf(&["any", "listed"]),
            default: "any",
            about: "Whose client documents are fetched: any host's, or only those of trusted_hosts.",
            example: "\"any\"",
            flag: Some("--client-hosts"),
        },
        Key {
            name: "air_gapped",
            kind: Kind::Flag,
            default: "false",
            about: "Fetch no documents that describe clients; those of well-known clients are built in.",
            example: "false",
            flag: Some("--air-gapped"),
        },
        Key {
            name: "extra_ca_file",
            kind: Kind::Path,
            default: "none",
            about: "Trust these certificate authorities (PEM), too, when client documents and their keys are fetched.",
            example: "\"/etc/ssl/company.pem\"",
            flag: Some("--extra-ca-file"),
        },
        Key {
            name: "danger_fetch_allow",
            kind: Kind::Texts,
            default: "none",
            about: "Fetch client documents and their keys from these hosts or networks, too, though they are not on the public internet; always with TLS.",
            example: "[\"apps.internal.example\"]",
            flag: Some("--danger-fetch-allow"),
        },
    ],
};

/// What `[clients]` says, or the flags.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// None where nobody registers.
    pub(crate) registration: Option<RegistrationMode>,
    pub(crate) hosts: ClientHosts,
    pub(crate) air_gapped: bool,
    pub(crate) fetch_allow: Vec<Allow>,
    pub(crate) extra_ca_file: Option<PathBuf>,
}

impl Clients {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let registration = match reader.word("registration") {
            Some("off") => None,
            Some("initial-access-token") => Some(RegistrationMode::InitialAccessToken),
            Some("approval") => Some(RegistrationMode::Approval),
            _ => Some(RegistrationMode::Default),
        };
        Self {
            registration,
            hosts: ClientHosts {
                trusted: reader.all("trusted_hosts", trusted_host),
                no_other: reader.word("hosts") == Some("listed"),
            },
            air_gapped: reader.flag("air_gapped").unwrap_or_default(),
            fetch_allow: reader.all("danger_fetch_allow", fetch_allow),
            extra_ca_file: reader.path("extra_ca_file"),
        }
    }
}

/// The word of a mode in the file.
pub(super) const fn registration_word(mode: RegistrationMode) -> &'static str {
    match mode {
        RegistrationMode::Default => "default",
        RegistrationMode::InitialAccessToken => "initial-access-token",
        RegistrationMode::Approval => "approval",
    }
}

/// A host whose clients are the operator's own.
pub(crate) fn trusted_host(text: &str) -> Result<TrustedHost, String> {
    text.parse().map_err(|error| {
        format!("{error}; name each host by itself, without scheme or path; a port only if it is not 443")
    })
}

/// A host or network that is not on the public internet, and asked all the same.
pub(crate) fn fetch_allow(text: &str) -> Result<Allow, String> {
    let todo = "name each host, address or network by itself, as exactly as you can";
    match text.parse().map_err(|error| format!("{error}; {todo}"))? {
        Allow::Plain { .. } => Err(
            "a client_id that is a URL begins with https://, so nothing is fetched without TLS; name the host alone, and put a certificate of your own into extra_ca_file (--extra-ca-file)"
                .to_owned(),
        ),
        entry => Ok(entry),
    }
}
