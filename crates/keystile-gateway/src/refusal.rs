//! The one renderer of the proxy's own refusals; bearer challenges are `keystile_resource::refuse`.

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::{Noted, Stage};
use keystile_domain::ports::Rng;
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::mcp::RpcError;

/// What the proxy refuses, each with a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No `Host`, or two.
    BadHost,
    /// A transfer coding that readers may understand differently. The connection ends with it.
    BadFraming,
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
    /// Too much of it from this caller.
    TooManyRequests,
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
            Self::TooManyRequests => "too_many_requests",
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
            | Self::HeaderMismatch => StatusCode::BAD_REQUEST,
            Self::ForeignOrigin => StatusCode::FORBIDDEN,
            // MCP 2026-07-28, streamable HTTP: with a −32601 body.
            Self::UnknownMethod | Self::UnknownPath => StatusCode::NOT_FOUND,
            // MCP 2025-11-25, "Session Management": the client sends `initialize` again.
            Self::UnknownSession => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::AuditUnavailable | Self::RevocationsUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamUnreachable
            | Self::UpstreamRefusedUs
            | Self::UpstreamRedirects
            | Self::UpstreamNotMcp
            | Self::UpstreamFailed => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    const fn rpc(self) -> i32 {
        match self {
            Self::HeaderMismatch => RpcError::HEADER_MISMATCH,
            Self::UnknownMethod => RpcError::METHOD_NOT_FOUND,
            Self::AuditUnavailable
            | Self::RevocationsUnknown
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

/// A refusal: a code, a public sentence, and a private detail for the log.
#[derive(Debug)]
pub struct Refusal(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    sentence: Cow<'static, str>,
    detail: Option<String>,
    id: Option<String>,
    rpc: Option<RpcError<'static>>,
    status: StatusCode,
    diagnosis: Option<Diagnosis>,
    reference: Option<Reference>,
}

impl Refusal {
    /// Refuses with a sentence that says what was expected and what to do.
    pub fn new(code: Code, sentence: impl Into<Cow<'static, str>>) -> Self {
        let (sentence, status) = (sentence.into(), code.status());
        Self(Box::new(Inner {
            code,
            sentence,
            detail: None,
            id: None,
            rpc: None,
            status,
            diagnosis: None,
            reference: None,
        }))
    }

    /// Refuses with a JSON-RPC error of the protocol's own.
    pub(crate) fn rpc(code: Code, error: RpcError<'static>) -> Self {
        let mut refusal = Self::new(code, error.message.clone());
        refusal.0.rpc = Some(error);
        refusal
    }

    /// For the log; never sent.
    #[must_use]
    pub fn with_detail(mut self, detail: impl ToString) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }

    /// With what it looks like, for log and `keystile doctor`.
    #[must_use]
    pub fn with_diagnosis(mut self, diagnosis: Option<Diagnosis>) -> Self {
        self.0.diagnosis = diagnosis;
        self
    }

    /// Under the reference that the audit trail has it; otherwise it gets one when it is rendered.
    pub(crate) fn with_reference(mut self, reference: Reference) -> Self {
        self.0.reference = Some(reference);
        self
    }

    /// The request's id, as JSON text.
    #[must_use]
    pub fn with_id(mut self, id: Option<&str>) -> Self {
        if let Some(id) = id {
            self.0.id = Some(id.to_owned());
        }
        self
    }

    /// Another status than the code's, where an older revision's clients read the code's otherwise.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Renders and logs it, once. Every answer has a reference that the log has too.
    #[must_use]
    pub fn respond(self, rng: &dyn Rng) -> Response<Body> {
        let noted = self.log(rng);
        let reference = noted.reference.clone();
        let Inner {
            code,
            sentence,
            id,
            rpc,
            status,
            ..
        } = *self.0;
        let word = code.as_str();
        let mut error = rpc.unwrap_or_else(|| RpcError::new(code.rpc(), sentence));
        let ours = format!("\"code\":\"{word}\",\"reference\":\"{reference}\"}}");
        error.data = Some(match error.data.as_deref().and_then(open_object) {
            Some(theirs) => format!("{theirs},{ours}").into(),
            None => format!("{{{ours}").into(),
        });
        let body = error.with_id(id.as_deref()).to_json();
        let mut response = answer(status, "application/json", body);
        response.extensions_mut().insert(noted);
        close(code, &mut response);
        let headers = response.headers_mut();
        if code == Code::MethodNotAllowed {
            headers.insert(
                header::ALLOW,
                HeaderValue::from_static("POST, GET, DELETE, OPTIONS"),
            );
        }
        response
    }

    /// As [`respond`](Self::respond), at a path where nobody speaks JSON-RPC: an OAuth error (RFC 6749 §5.2), or one
    /// line of text for a browser.
    #[must_use]
    pub fn respond_outside_mcp(self, asked: &HeaderMap, rng: &dyn Rng) -> Response<Body> {
        let noted = self.log(rng);
        let reference = &noted.reference;
        let Inner {
            code,
            sentence,
            status,
            ..
        } = *self.0;
        let mut response = if wants_a_page(asked) {
            let page = format!("{sentence}\n\nReference: {reference}\n");
            answer(status, "text/plain; charset=utf-8", page)
        } else {
            let body = serde_json::json!({
                "error": "invalid_request",
                "error_description": format!("{sentence} ({reference})"),
            });
            answer(status, "application/json", body.to_string())
        };
        response.extensions_mut().insert(noted);
        close(code, &mut response);
        response
    }

    /// Logs it; what is to be kept of it travels with the response.
    fn log(&self, rng: &dyn Rng) -> Noted {
        let carried = self.0.reference.clone();
        let reference = carried.unwrap_or_else(|| Reference::new(rng));
        let (sentence, code) = (&self.0.sentence, self.0.code.as_str());
        let carried = self.0.diagnosis.clone();
        let diagnosis = carried.unwrap_or_else(|| Diagnosis::described(code, sentence));
        tracing::info!(
            gateway.code = code,
            reason = &*diagnosis.reason,
            reference = %reference,
            gateway.detail = self.0.detail.as_deref().unwrap_or_default(),
            detail = self.0.diagnosis.as_ref().map(ToString::to_string),
            "refused: {sentence}"
        );
        let stage = match self.0.code {
            Code::BadHost
            | Code::BadFraming
            | Code::WrongHost
            | Code::ForeignOrigin
            | Code::UnknownPath => Stage::Address,
            _ => Stage::Call,
        };
        Noted {
            reference,
            stage,
            diagnosis,
        }
    }
}

fn answer(status: StatusCode, media: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Data that the protocol gives an error, without its closing brace.
fn open_object(data: &str) -> Option<&str> {
    let members = data.strip_suffix('}')?;
    (members.len() > 1 && members.starts_with('{')).then_some(members)
}

/// Where the next request begins is not to be guessed (RFC 9112 §9.6).
fn close(code: Code, response: &mut Response<Body>) {
    if code == Code::BadFraming {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
}

/// A browser that navigates names `text/html`; a program that takes both names JSON too.
fn wants_a_page(asked: &HeaderMap) -> bool {
    let named = |media: &str| {
        let values = asked.get_all(header::ACCEPT).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']))
            .any(|range| range.trim().eq_ignore_ascii_case(media))
    };
    named("text/html") && !named("application/json")
}
