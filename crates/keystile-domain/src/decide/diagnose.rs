//! What a failure looks like to whoever has to mend it: a name, what was expected, what was found and
//! what to do. Pure; for log and `keystile doctor`, and for the client only where that tells a
//! stranger nothing (CHECKLIST A-078).

pub mod advice;
pub mod assertion;
pub mod client;
pub mod code;
pub mod difference;
pub mod pkce;
pub mod proxy;
pub mod resource;
pub mod token;

use std::borrow::Cow;
use std::fmt;

use keystile_protocol::error::OAuthError;
use serde::{Deserialize, Serialize};

use crate::flow::without_queries;
use crate::secrets::kind_of;
use crate::shown;

/// A named failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The stable name.
    pub reason: Cow<'static, str>,
    /// What would have been right.
    pub expected: String,
    /// What came instead, without any secret.
    pub found: String,
    /// What to do, for whom.
    pub fix: String,
}

impl Diagnosis {
    /// By its name, with what is generally expected and to be done then.
    #[must_use]
    pub fn named(reason: impl Into<Cow<'static, str>>, found: impl Into<String>) -> Self {
        let reason = reason.into();
        let advice = advice::of(&reason);
        Self {
            expected: advice.expected.to_owned(),
            found: found.into(),
            fix: advice.fix.to_owned(),
            reason,
        }
    }

    /// Of a refusal: the diagnosis that it carries, or what its reason generally means.
    #[must_use]
    pub fn of(error: &OAuthError) -> Self {
        let carried = error.detail.as_deref().and_then(|it| it.downcast_ref());
        carried
            .cloned()
            .unwrap_or_else(|| Self::described(error.reason(), &error.description))
    }

    /// By its name, with the public sentence as what was found.
    #[must_use]
    pub fn described(reason: &str, sentence: &str) -> Self {
        Self::named(reason.to_owned(), without_queries(sentence))
    }

    /// With what a word in capitals stands for in the commands of its advice. Whoever chose the value,
    /// the shell that it is copied into reads it as one word.
    #[must_use]
    pub fn filled(mut self, placeholder: &str, value: &str) -> Self {
        self.fix = self.fix.replace(placeholder, &shown::word(value));
        self
    }

    /// Adds itself to a refusal: to what the client hears, what was found and what to do, if there is
    /// more to say than the refusal does; all of it for log and doctor. Only for what whoever asks
    /// knows anyway.
    #[must_use]
    pub fn explain(self, mut error: OAuthError) -> OAuthError {
        if self.reason != error.reason() {
            let sentence = format!("{} {} {}", error.description, self.found, self.fix);
            let reason = error.reason();
            error = OAuthError::new(error.code, sentence.trim_end().to_owned()).because(reason);
        }
        error.with_detail(self)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.reason, self.found, self.fix)
    }
}

impl std::error::Error for Diagnosis {}

/// What somebody else wrote, cut and without what would move a cursor; of a secret of ours in the wrong place its kind.
fn short(text: &str) -> String {
    if let Some(kind) = kind_of(text) {
        return format!("({kind})");
    }
    let cut: String = text.chars().take(LONGEST_QUOTED).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", shown::line(&cut))
}

/// The most characters of what somebody else wrote: too few for a whole sealed id.
const LONGEST_QUOTED: usize = 100;

#[cfg(test)]
mod tests;
