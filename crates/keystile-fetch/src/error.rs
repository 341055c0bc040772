//! Why nothing was fetched. No error holds what the other side sent.

use std::net::IpAddr;
use std::path::PathBuf;

/// Why a document could not be fetched.
///
/// The text is for whoever runs this server; it never repeats the response. A stranger gets it only
/// if [`Self::is_about_answer`], for an inside network is not to be explored with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not https, or with a user name in it.
    #[error("only https URLs without user name and password are fetched")]
    Url,
    /// The host is, or has among its addresses, one that is not on the public internet.
    #[error(
        "the host is not on the public internet; for an intranet name it with --danger-fetch-allow"
    )]
    ForbiddenAddress(IpAddr),
    /// The name has no address, or the resolver does not answer.
    #[error("the host name cannot be resolved")]
    Unresolvable,
    /// No connection.
    #[error("the host cannot be reached")]
    Unreachable,
    /// No secured connection: an untrusted, expired or wrong certificate, most of the time.
    #[error("no TLS connection could be made; its certificate may not be trusted")]
    Tls,
    /// Connected, but what came was no HTTP, or broke off.
    #[error("the host does not speak HTTP properly")]
    Http,
    /// All of it together took longer than [`Limits::total`](crate::Limits::total).
    #[error("the host did not answer in time")]
    Timeout,
    /// Too many other fetches are under way.
    #[error("too many documents are being fetched at the moment")]
    Busy,
    /// A redirect. It is not followed (CHECKLIST A-054).
    #[error("the host answered with a redirect ({0}), and redirects are not followed")]
    Redirected(u16),
    /// Any other answer than 200.
    #[error("the host answered with status {0}")]
    Status(u16),
    /// More bytes than asked for.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// A content coding, although none was asked for.
    #[error("the answer is compressed, although that was not asked for")]
    Encoded,
    /// Another media type than asked for.
    #[error("the answer is not of the expected content type")]
    ContentType,
}

impl FetchError {
    /// Whether another attempt may go better although nothing changed: it says nothing about the
    /// document.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unresolvable
            | Self::Unreachable
            | Self::Tls
            | Self::Http
            | Self::Timeout
            | Self::Busy => true,
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::Url
            | Self::ForbiddenAddress(_)
            | Self::Redirected(_)
            | Self::TooLarge(_)
            | Self::Encoded
            | Self::ContentType => false,
        }
    }

    /// Whether it is about what a host on the public internet answered, so that it reveals nothing of
    /// this side.
    #[must_use]
    pub const fn is_about_answer(&self) -> bool {
        match self {
            Self::Redirected(_)
            | Self::Status(_)
            | Self::TooLarge(_)
            | Self::Encoded
            | Self::ContentType => true,
            Self::Url
            | Self::ForbiddenAddress(_)
            | Self::Unresolvable
            | Self::Unreachable
            | Self::Tls
            | Self::Http
            | Self::Timeout
            | Self::Busy => false,
        }
    }

    /// Whether the host turned *us* away rather than denied that there is such a document: some
    /// hosts let only browsers pass.
    #[must_use]
    pub const fn is_turned_away(&self) -> bool {
        matches!(self, Self::Status(401 | 403 | 429 | 451))
    }
}

/// Why the fetcher cannot be built. Found at start, before anything listens.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `extra_ca_file` cannot be read, or is no PEM.
    #[error("cannot read certificates from {path}: {source}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// `extra_ca_file` holds no certificate.
    #[error("{path} holds no certificate")]
    EmptyCaFile {
        /// The file.
        path: PathBuf,
    },
    /// The machine has no certificate store and `extra_ca_file` is not set.
    #[error(
        "no certificate authorities are known: install ca-certificates or set extra_ca_file ({0})"
    )]
    NoAuthorities(#[source] rustls::Error),
}
