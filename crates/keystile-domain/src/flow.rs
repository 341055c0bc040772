//! Flow traces: what an attempt did step by step, what was expected and what was found, kept by its
//! reference for `keystile doctor` (docs/adr/0011-flow-traces.md).
//!
//! Nothing here is a secret: no code, token, verifier, state or password, and of addresses no query.
//! What has to be recognised again is kept as a [`Mark`], in memory only.

mod book;
mod known_code;
mod refused;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::decide::diagnose::Diagnosis;
use crate::ids::GrantId;
use crate::secrets::digest::Digest;
use crate::secrets::kind_of;
use crate::secrets::reference::Reference;
use crate::shown;
use crate::time::Timestamp;

pub use book::{
    FlowBook, KEPT_FAILED, KEPT_GOING, MOST_BYTES, MOST_FAILED, MOST_FAILED_BYTES, MOST_GOING,
    MOST_OF_ONE_REASON,
};
pub use known_code::KnownCode;
pub use refused::{Line, Noted, Whose};

/// The most steps of one attempt; those in the middle are left out first.
pub const MOST_STEPS: usize = 16;

/// The most characters of one text in a trace.
pub const LONGEST_TEXT: usize = 400;

/// Where an attempt was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The app sent its request itself (RFC 9126).
    Push,
    /// The app sent the browser here (OAuth 2.1 §4.1.1).
    Authorize,
    /// A device without a browser asked for a code (RFC 8628 §3.1), or a person typed it.
    Device,
    /// A person showed who they are.
    SignIn,
    /// A person decided.
    Consent,
    /// The app was given a code.
    Code,
    /// The app asked for tokens (OAuth 2.1 §3.2).
    Token,
    /// The app asked to be registered (RFC 7591).
    Register,
    /// The app gave a token back (RFC 7009), or asked about one (RFC 7662).
    AboutToken,
    /// The app used its token, or tried to.
    Call,
    /// A request that came to the wrong name or address.
    Address,
    /// A page of a person.
    Page,
    /// Anything else, also what a later version writes.
    #[serde(other)]
    Request,
}

impl Stage {
    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Push => "pushed request",
            Self::Authorize => "authorization request",
            Self::Device => "device",
            Self::SignIn => "sign-in",
            Self::Consent => "consent",
            Self::Code => "code",
            Self::Token => "token request",
            Self::Register => "registration",
            Self::AboutToken => "revocation or introspection",
            Self::Call => "MCP call",
            Self::Address => "address",
            Self::Page => "page",
            Self::Request => "request",
        }
    }
}

/// One step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub stage: Stage,
    /// What happened, in a few words.
    pub note: String,
    /// Why it went no further here; `None` when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Diagnosis>,
}

impl Step {
    /// A step that went well.
    #[must_use]
    pub fn passed(at: Timestamp, stage: Stage, note: impl Into<String>) -> Self {
        Self {
            at,
            stage,
            note: note.into(),
            refused: None,
        }
    }

    /// A step that was refused.
    #[must_use]
    pub fn refused(at: Timestamp, stage: Stage, diagnosis: Diagnosis) -> Self {
        Self {
            at,
            stage,
            note: "refused".to_owned(),
            refused: Some(diagnosis),
        }
    }

    fn shorten(&mut self) {
        shorten(&mut self.note);
        if let Some(diagnosis) = &mut self.refused {
            diagnosis.shorten();
        }
    }

    /// About as many bytes as it takes in memory.
    fn weight(&self) -> usize {
        let refused = self.refused.as_ref().map_or(0, |it| {
            it.reason.len() + it.expected.len() + it.found.len() + it.fix.len()
        });
        size_of::<Self>() + self.note.len() + refused
    }
}

/// What one attempt did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What the person reads out.
    pub reference: Reference,
    /// When it began.
    pub begun_at: Timestamp,
    /// The app, as far as known: its name or host, never a whole sealed id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The resource that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Where the answer goes to, without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// The connection whose token came, behind a good signature of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// In the order of time.
    pub steps: Vec<Step>,
    /// How many steps were left out of the middle.
    #[serde(default)]
    pub left_out: u32,
}

impl Attempt {
    /// Of which nothing is known yet.
    #[must_use]
    pub const fn new(reference: Reference, begun_at: Timestamp) -> Self {
        Self {
            reference,
            begun_at,
            client: None,
            resource: None,
            redirect_uri: None,
            grant: None,
            steps: Vec::new(),
            left_out: 0,
        }
    }

    /// Why it ended, if it did: what was refused earlier and went well then is no failure.
    #[must_use]
    pub fn failure(&self) -> Option<(&Step, &Diagnosis)> {
        let last = self.steps.last()?;
        Some((last, last.refused.as_ref()?))
    }

    /// When something happened last.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.steps.last().map_or(self.begun_at, |step| step.at)
    }

    fn add(&mut self, mut step: Step) {
        step.shorten();
        if self.steps.len() >= MOST_STEPS {
            // How it began and how it ended say most.
            self.steps.remove(MOST_STEPS / 2);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.steps.push(step);
    }

    fn shorten(&mut self) {
        for text in [&mut self.client, &mut self.resource, &mut self.redirect_uri] {
            text.iter_mut().for_each(shorten);
        }
        self.steps.truncate(MOST_STEPS);
        self.steps.iter_mut().for_each(Step::shorten);
    }

    fn weight(&self) -> usize {
        let texts = [&self.client, &self.resource, &self.redirect_uri];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let steps = self.steps.iter().map(Step::weight).sum::<usize>();
        size_of::<Self>() + texts + steps
    }
}

/// The first eight bytes of a hash: enough to see that two are the same, useless for anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark([u8; 8]);

impl Mark {
    /// Of a hash, or of any bytes; `None` for fewer than eight.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self)
    }
}

impl From<Digest> for Mark {
    fn from(digest: Digest) -> Self {
        Self::of(digest.as_bytes()).expect("a digest has 32 bytes")
    }
}

/// A URI as it may be kept and shown: without user, query and fragment, where secrets stand.
#[must_use]
pub fn without_query(uri: &str) -> String {
    if let Some(kind) = kind_of(uri) {
        return format!("({kind})");
    }
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let shown = without_user(&uri[..end]);
    let fine = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    shown.chars().map(fine).collect()
}

/// A URI without a user name and a password.
fn without_user(uri: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.into();
    };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]).into(),
        None => uri.into(),
    }
}

/// A sentence as it may be kept and logged: URIs in it end where their query or fragment begins, and have no user; of
/// secrets of ours their kind is said.
#[must_use]
pub fn without_queries(sentence: &str) -> String {
    let cut = |word: &str| {
        if let Some(kind) = kind_of(word.trim_start_matches('\'')) {
            return format!("({kind})");
        }
        let word = &*without_user(word);
        let after_scheme = word.find(':').unwrap_or(word.len());
        let Some(end) = word[after_scheme..].find(['?', '#']) else {
            return word.to_owned();
        };
        let quote = if word.starts_with('\'') { "'" } else { "" };
        format!("{}?…{quote}", &word[..after_scheme + end])
    };
    let words: Vec<String> = sentence.split(' ').map(cut).collect();
    words.join(" ")
}

impl Diagnosis {
    /// As it may be kept.
    fn shorten(&mut self) {
        for text in [&mut self.expected, &mut self.found, &mut self.fix] {
            shorten(text);
        }
    }
}

/// Cuts a text to [`LONGEST_TEXT`] characters, and takes what would move a cursor out of it.
fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    if text.chars().any(shown::is_obeyed) {
        *text = shown::line(text);
    }
}

#[cfg(test)]
mod tests;
