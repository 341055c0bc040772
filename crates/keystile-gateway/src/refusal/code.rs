//! The stable words of the proxy's refusals, and the status of each.

use http::StatusCode;
use keystile_protocol::mcp::RpcError;

/// What the proxy refuses, each with a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No `Host`, or two.
    BadHost,
    /// A transfer coding that readers may understand differently. The connection ends with it.
    BadFraming,
    /// Another protocol than HTTP is asked for.
    UpgradeNotServed,
    /// `Host` is not one of ours.
    WrongHost,
    /// `Origin` is not one of ours.
    ForeignOrigin,
    /// No endpoint at this path.
    UnknownPath,
    /// Neither POST, GET, DELETE nor OPTIONS.
    MethodNotAllowed,
    /// The body is longer than the limit; it was not looked at.
    BodyTooLarge,
    /// The body broke off or did not come.
    BodyUnreadable,
    /// Not `application/json` in UTF-8 without content encoding.
    UnsupportedMediaType,
    /// The body is no MCP message (CHECKLIST R1), or none that a client may send.
    NotAMessage,
    /// Headers and body disagree, or the revision is not known.
    HeaderMismatch,
    /// A method that no revision has.
    UnknownMethod,
    /// No such session of this caller (CHECKLIST N-RS-16).
    UnknownSession,
    /// No stream of this caller's session has such an event (CHECKLIST A-114).
    UnknownEvent,
    /// Too much of it from this caller.
    TooManyRequests,
    /// The client takes neither form of an answer.
    NotAcceptable,
    /// A revision that is not served, in `_meta` of 2026-07-28.
    UnsupportedVersion,
    /// Neither a session nor `initialize`.
    NoSessionNamed,
    /// The session has its one stream already.
    SecondStream,
    /// The session has its handshake behind it.
    SecondInitialize,
    /// A call with this id is in flight (CHECKLIST A-158).
    IdInFlight,
    /// An answer to what nobody asked.
    NotAsked,
    /// A call goes on under a `requestState` that is nobody's.
    UnknownRequestState,
    /// A task that is not this caller's (CHECKLIST N-RS-18).
    UnknownTask,
    /// What a client asks does not survive the bridge to a server of the other era.
    NotBridged,
    /// What a bridge answers itself is asked in a way that it does not take.
    InvalidParams,
    /// The grant behind a running call was revoked.
    GrantRevoked,
    /// The process ended before the call was answered.
    GatewayEnding,
    /// The call's own task is gone: a defect.
    CallLost,
    /// Too many or too long headers.
    HeadersTooLarge,
    /// The audit trail can't be written: nothing happens unrecorded.
    AuditUnavailable,
    /// It is not known whether the token was revoked.
    RevocationsUnknown,
    /// The upstream can't be connected to, or hung up.
    UpstreamUnreachable,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The upstream wants a sign-in of its own (401, 403, 407).
    UpstreamRefusedUs,
    /// The upstream redirects; redirects are not followed.
    UpstreamRedirects,
    /// What answers is no MCP server.
    UpstreamNotMcp,
    /// The upstream failed, in words that are not passed on.
    UpstreamFailed,
}

impl Code {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadHost => "bad_host",
            Self::BadFraming => "bad_framing",
            Self::UpgradeNotServed => "upgrade_not_served",
            Self::WrongHost => "wrong_host",
            Self::ForeignOrigin => "foreign_origin",
            Self::UnknownPath => "unknown_path",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyUnreadable => "body_unreadable",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::NotAMessage => "not_a_message",
            Self::HeaderMismatch => "header_mismatch",
            Self::UnknownMethod => "unknown_method",
            Self::UnknownSession => "unknown_session",
            Self::UnknownEvent => "unknown_event",
            Self::TooManyRequests => "too_many_requests",
            Self::NotAcceptable => "not_acceptable",
            Self::UnsupportedVersion => "unsupported_version",
            Self::NoSessionNamed => "no_session_named",
            Self::SecondStream => "second_stream",
            Self::SecondInitialize => "second_initialize",
            Self::IdInFlight => "id_in_flight",
            Self::NotAsked => "not_asked",
            Self::UnknownRequestState => "unknown_request_state",
            Self::UnknownTask => "unknown_task",
            Self::NotBridged => "not_bridged",
            Self::InvalidParams => "invalid_params",
            Self::GrantRevoked => "grant_revoked",
            Self::GatewayEnding => "gateway_ending",
            Self::CallLost => "call_lost",
            Self::HeadersTooLarge => "headers_too_large",
            Self::AuditUnavailable => "audit_unavailable",
            Self::RevocationsUnknown => "revocations_unknown",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamRefusedUs => "upstream_refused_us",
            Self::UpstreamRedirects => "upstream_redirects",
            Self::UpstreamNotMcp => "upstream_not_mcp",
            Self::UpstreamFailed => "upstream_failed",
        }
    }

    /// The only place where such a code becomes a status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadHost
            | Self::BadFraming
            | Self::BodyUnreadable
            | Self::NotAMessage
            | Self::HeaderMismatch
            | Self::UnsupportedVersion
            | Self::NoSessionNamed
            | Self::SecondInitialize
            | Self::IdInFlight
            | Self::NotAsked
            | Self::UnknownEvent
            | Self::UnknownTask
            | Self::InvalidParams
            | Self::UnknownRequestState => StatusCode::BAD_REQUEST,
            Self::UpgradeNotServed => StatusCode::NOT_IMPLEMENTED,
            Self::GrantRevoked => StatusCode::UNAUTHORIZED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::SecondStream => StatusCode::CONFLICT,
            Self::CallLost => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ForeignOrigin => StatusCode::FORBIDDEN,
            // MCP 2026-07-28, streamable HTTP: with a −32601 body.
            Self::UnknownMethod | Self::UnknownPath | Self::NotBridged => StatusCode::NOT_FOUND,
            // MCP 2025-11-25, "Session Management": the client sends `initialize` again.
            Self::UnknownSession => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::AuditUnavailable | Self::RevocationsUnknown | Self::GatewayEnding => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::UpstreamUnreachable
            | Self::UpstreamRefusedUs
            | Self::UpstreamRedirects
            | Self::UpstreamNotMcp
            | Self::UpstreamFailed => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Seconds after which it may be otherwise.
    pub(super) const fn passes_in(self) -> Option<u32> {
        match self {
            // A feed is told stale after 10 s; a disk is not emptied sooner.
            // Nor is a gateway started again.
            Self::AuditUnavailable
            | Self::RevocationsUnknown
            | Self::GatewayEnding
            | Self::TooManyRequests => Some(10),
            _ => None,
        }
    }

    pub(super) const fn rpc(self) -> i32 {
        match self {
            Self::HeaderMismatch => RpcError::HEADER_MISMATCH,
            Self::UnknownMethod | Self::NotBridged => RpcError::METHOD_NOT_FOUND,
            Self::UnsupportedVersion => RpcError::UNSUPPORTED_VERSION,
            // SEP-2663, "Protocol Errors": for an id that is invalid or of no task.
            Self::UnknownTask | Self::UnknownRequestState | Self::InvalidParams => {
                RpcError::INVALID_PARAMS
            }
            Self::AuditUnavailable
            | Self::RevocationsUnknown
            | Self::GrantRevoked
            | Self::GatewayEnding
            | Self::CallLost
            | Self::UpstreamUnreachable
            | Self::UpstreamTimeout
            | Self::UpstreamRefusedUs
            | Self::UpstreamRedirects
            | Self::UpstreamNotMcp
            | Self::UpstreamFailed => RpcError::INTERNAL_ERROR,
            _ => RpcError::INVALID_REQUEST,
        }
    }
}
