//! The one renderer of the proxy's own refusals; bearer challenges are `keystile_resource::refuse`.

mod code;

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::{Line, Noted, Stage, Whose, without_queries};
use keystile_domain::ports::Rng;
use keystile_domain::secrets::reference::Reference;
use keystile_protocol::mcp::RpcError;
use keystile_protocol::mutation::weakened;

use crate::relay::{Caller, Failure, Ports};

pub use code::Code;

/// A refusal: a code, a public sentence, and a private detail for the log.
#[derive(Debug)]
pub struct Refusal(Box<Inner>);

#[derive(Debug)]
struct Inner {
    word: &'static str,
    stage: Stage,
    sentence: Cow<'static, str>,
    detail: Option<String>,
    id: Option<String>,
    error: RpcError<'static>,
    status: StatusCode,
    /// The methods that there are instead.
    allow: Option<&'static str>,
    retry_after: Option<u32>,
    /// Where the next request begins is not to be guessed (RFC 9112 §9.6).
    closes: bool,
    diagnosis: Option<Diagnosis>,
    reference: Option<Reference>,
    /// Who asked, for log and `keystile doctor`; never sent.
    caller: Option<Caller>,
}

impl Refusal {
    /// Refuses with a sentence that says what was expected and what to do.
    pub fn new(code: Code, sentence: impl Into<Cow<'static, str>>) -> Self {
        let sentence = sentence.into();
        Self::rpc(code, RpcError::new(code.rpc(), sentence))
    }

    /// Refuses with a JSON-RPC error of the protocol's own.
    pub(crate) fn rpc(code: Code, error: RpcError<'static>) -> Self {
        let mut refusal = Self::of(code.as_str(), code.status(), error);
        refusal.0.stage = match code {
            Code::BadHost
            | Code::BadFraming
            | Code::UpgradeNotServed
            | Code::WrongHost
            | Code::ForeignOrigin
            | Code::UnknownPath => Stage::Address,
            _ => Stage::Call,
        };
        refusal.0.closes = code == Code::BadFraming;
        refusal.0.retry_after = code.passes_in().filter(|_| !weakened("a_098"));
        refusal
    }

    /// Of a call whose grant, person or client was revoked while it ran.
    pub(crate) fn revoked() -> Self {
        let sentence = "The grant behind this call was revoked. Sign in again.";
        Self::new(Code::GrantRevoked, sentence)
    }

    /// Of a call that reached its own limit.
    pub(crate) fn timed_out() -> Self {
        let sentence = "The server did not answer within the time that a call may take.";
        Self::new(Code::UpstreamTimeout, sentence)
    }

    /// Of a second request with the id of one that has no answer yet (CHECKLIST A-158).
    pub(crate) fn id_in_flight() -> Self {
        let sentence = "A request with this id waits for its answer; give each its own id.";
        Self::new(Code::IdInFlight, sentence)
    }

    /// In a session whose revision has none.
    pub(crate) fn no_batches() -> Self {
        let sentence = "Only sessions of 2025-03-26 have batches; send one message per request.";
        Self::new(Code::NotAMessage, sentence)
    }

    /// The revocation feed can't tell.
    pub(crate) fn revocations_unknown() -> Self {
        let sentence = "It is not known at the moment whether this token was revoked; try again.";
        Self::new(Code::RevocationsUnknown, sentence)
    }

    /// Of a call that the end of the process cuts off.
    pub(crate) fn ending() -> Self {
        let sentence = "The gateway ends; the server may have done this all the same. Look before you try again.";
        Self::new(Code::GatewayEnding, sentence)
    }

    fn of(word: &'static str, status: StatusCode, error: RpcError<'static>) -> Self {
        Self(Box::new(Inner {
            word,
            stage: Stage::Call,
            sentence: error.message.clone(),
            detail: None,
            id: None,
            error,
            status,
            allow: None,
            retry_after: None,
            closes: false,
            diagnosis: None,
            reference: None,
            caller: None,
        }))
    }

    /// With the methods that there are instead.
    pub(crate) fn with_methods(mut self, allowed: &'static str) -> Self {
        self.0.allow = Some(allowed);
        self
    }

    /// For log and `keystile doctor`; never sent.
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

    /// Of what this caller asked.
    pub(crate) fn asked_by(mut self, caller: &Caller) -> Self {
        self.0.caller = Some(caller.clone());
        self
    }

    /// Another status than the code's, where an older revision's clients read the code's otherwise.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// Seconds after which it may be otherwise, if somebody said.
    pub(crate) fn with_retry_after(mut self, seconds: Option<u32>) -> Self {
        self.0.retry_after = seconds;
        self
    }

    /// Other methods than the code's.
    pub(crate) fn with_allowed(mut self, methods: &'static str) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// Its stable word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.0.word
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Renders it. Every answer has a reference that the log gets too, where the answer is kept.
    #[must_use]
    pub fn respond(self, rng: &dyn Rng) -> Response<Body> {
        let noted = self.noted(rng);
        let body = self.body(&noted.reference);
        let mut response = answer(self.0.status, "application/json", body);
        self.finish(noted, &mut response);
        response
    }

    /// As [`respond`](Self::respond), where the response has begun long ago: the JSON-RPC error for its stream.
    pub(crate) fn tell(self, ports: &Ports) -> String {
        let noted = self.noted(&*ports.rng);
        let body = self.body(&noted.reference);
        ports.refused(noted, self.whose());
        body
    }

    /// What the protocol itself puts into `data` stays as it is.
    fn body(&self, reference: &Reference) -> String {
        let mut error = self.0.error.clone();
        let ours = format!(
            "\"code\":\"{}\",\"reference\":\"{reference}\"}}",
            self.0.word
        );
        error.data = Some(match error.data.as_deref().and_then(open_object) {
            Some(theirs) => format!("{theirs},{ours}").into(),
            None => format!("{{{ours}").into(),
        });
        error.with_id(self.0.id.as_deref()).to_json()
    }

    /// As [`respond`](Self::respond), at a path where nobody speaks JSON-RPC: an OAuth error (RFC 6749 §5.2), or one
    /// line of text for a browser.
    #[must_use]
    pub fn respond_outside_mcp(self, asked: &HeaderMap, rng: &dyn Rng) -> Response<Body> {
        let noted = self.noted(rng);
        let (sentence, reference) = (&self.0.sentence, &noted.reference);
        let mut response = if wants_a_page(asked) {
            let page = format!("{sentence}\n\nReference: {reference}\n");
            answer(self.0.status, "text/plain; charset=utf-8", page)
        } else {
            let body = serde_json::json!({
                "error": "invalid_request",
                "error_description": format!("{sentence} ({reference})"),
            });
            answer(self.0.status, "application/json", body.to_string())
        };
        self.finish(noted, &mut response);
        response
    }

    /// What log and doctor get of it; travels with the response.
    fn noted(&self, rng: &dyn Rng) -> Noted {
        let carried = self.0.reference.clone();
        let (sentence, code) = (&self.0.sentence, self.0.word);
        let diagnosis = self.0.diagnosis.clone();
        Noted {
            reference: carried.unwrap_or_else(|| Reference::new(rng)),
            stage: self.0.stage,
            diagnosis: diagnosis.unwrap_or_else(|| self.described()),
            line: Line {
                code: Some(code),
                cause: self.0.detail.clone(),
                ..Line::refused(sentence)
            },
        }
    }

    /// What is known of it where nobody said more: the operator is told the detail, too.
    fn described(&self) -> Diagnosis {
        let mut diagnosis = Diagnosis::described(self.0.word, &self.0.sentence);
        if let Some(detail) = &self.0.detail {
            let detail = without_queries(detail);
            diagnosis.found = format!("{} In detail: {detail}.", diagnosis.found);
        }
        diagnosis
    }

    fn whose(&self) -> Whose {
        let caller = self.0.caller.as_ref();
        Whose {
            client: caller.map(|caller| caller.client.to_string()),
            resource: caller.map(|caller| caller.resource.to_string()),
            person: caller.map(|caller| caller.person.to_string()),
            grant: caller.map(|caller| caller.grant),
            ..Whose::default()
        }
    }

    fn finish(self, noted: Noted, response: &mut Response<Body>) {
        response.extensions_mut().insert(noted);
        response.extensions_mut().insert(self.whose());
        let headers = response.headers_mut();
        if self.0.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(methods) = self.0.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
    }
}

impl From<&Failure> for Refusal {
    /// Of a call to a server that gave no answer; the detail is for the log only, because the client is not the operator.
    fn from(failure: &Failure) -> Self {
        let hint = serde_json::json!({ "hint": failure.hint() }).to_string();
        let error = RpcError::new(RpcError::INTERNAL_ERROR, failure.sentence()).with_data(hint);
        let mut refusal = Self::of(failure.code(), failure.status(), error).with_detail(failure);
        refusal.0.diagnosis = Some(Diagnosis {
            reason: failure.code().into(),
            expected: "an answer of the MCP server behind this gateway".to_owned(),
            found: failure.found(),
            fix: failure.hint().to_owned(),
        });
        refusal.0.retry_after = failure.passes_in();
        refusal
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
