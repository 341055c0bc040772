//! A refusal on its way from whoever refuses to the book, and its one line in the log.

use std::borrow::Cow;

use keystile_protocol::error::{ErrorCode, OAuthError};
use tracing::Level;

use super::{Attempt, Stage, shorten, without_queries, without_query};
use crate::decide::diagnose::Diagnosis;
use crate::ids::GrantId;
use crate::secrets::Secrets;
use crate::secrets::client_id::PREFIX;
use crate::secrets::reference::Reference;
use crate::shown;

/// On its way from whoever refuses to the one place that keeps it: an extension of the response.
#[derive(Debug, Clone)]
pub struct Noted {
    /// What the answer says.
    pub reference: Reference,
    /// Where it was refused.
    pub stage: Stage,
    /// Why.
    pub diagnosis: Diagnosis,
    /// What the log has besides.
    pub line: Line,
}

impl Noted {
    /// Of an OAuth error, at whatever endpoint.
    #[must_use]
    pub fn of(error: &OAuthError, reference: &Reference) -> Self {
        let cause = error.detail.as_ref().filter(|it| !it.is::<Diagnosis>());
        let line = Line {
            level: match error.code {
                ErrorCode::ServerError => Level::ERROR,
                _ => Level::INFO,
            },
            code: Some(error.code.as_str()),
            cause: cause.map(ToString::to_string),
            ..Line::refused(&error.description)
        };
        Self {
            reference: reference.clone(),
            stage: Stage::Request,
            diagnosis: Diagnosis::of(error),
            line,
        }
    }

    /// With what is known of who asked in place of words in capitals, and short enough to be kept: log
    /// and `keystile doctor` get the same.
    pub(super) fn filled(mut self, whose: &Whose) -> Self {
        if let Some(id) = &whose.operators_id {
            self.diagnosis = self.diagnosis.filled("CLIENT_ID", id);
        }
        self.diagnosis.shorten();
        self
    }

    /// Its line in the log, written in one way wherever it was refused: every text in quotes.
    pub(super) fn log(&self, whose: &Whose) {
        let Self {
            reference,
            diagnosis,
            line,
            ..
        } = self;
        // An event's level is fixed where it stands.
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    reference = reference.as_str(),
                    reason = &*diagnosis.reason,
                    code = line.code,
                    resource = whose.resource.as_deref(),
                    person = whose.person.as_deref(),
                    cause = line.cause.as_deref(),
                    detail = diagnosis.to_string(),
                    "{}",
                    line.message
                )
            };
        }
        match line.level {
            Level::ERROR => log!(Level::ERROR),
            Level::WARN => log!(Level::WARN),
            _ => log!(Level::INFO),
        }
    }
}

/// What only the log has of a refusal.
#[derive(Debug, Clone)]
pub struct Line {
    /// `ERROR` for what someone must look at, `WARN` for what they should, else `INFO`.
    pub level: Level,
    /// What the answer said, or what was seen, without queries.
    pub message: Cow<'static, str>,
    /// The answer's code, of OAuth or of the gateway.
    pub code: Option<&'static str>,
    /// What failed behind it; never sent.
    pub cause: Option<String>,
}

impl Line {
    /// Of something that was seen and refused nothing, or has its own words.
    #[must_use]
    pub fn said(level: Level, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            level,
            message: message.into(),
            code: None,
            cause: None,
        }
    }

    /// Of a refusal with this sentence. What strangers put behind a question mark stays out of it.
    #[must_use]
    pub fn refused(sentence: &str) -> Self {
        let sentence = shown::line(&without_queries(sentence));
        Self::said(Level::INFO, format!("refused: {sentence}"))
    }
}

/// Whose request was refused, as far as it is known; travels like [`Noted`], beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whose {
    /// The app; a whole sealed id only until a name was found for it.
    pub client: Option<String>,
    /// What was asked for.
    pub resource: Option<String>,
    /// Where the answer would have gone.
    pub redirect_uri: Option<String>,
    /// The connection whose token came.
    pub grant: Option<GrantId>,
    /// Its id, if an operator gave it one: so what they have to type can name it.
    pub operators_id: Option<String>,
    /// The person's id, for the log.
    pub person: Option<String>,
}

impl Whose {
    /// With the name of the app in place of a sealed id, which names nothing.
    #[must_use]
    pub fn known_by(mut self, secrets: &Secrets) -> Self {
        let named = |id: String| match id.starts_with(PREFIX) {
            true => secrets.called(&id),
            false => Some(id),
        };
        self.client = self.client.and_then(named);
        self
    }

    /// As it may be kept and logged.
    pub(super) fn kept(mut self) -> Self {
        for uri in [&mut self.resource, &mut self.redirect_uri] {
            let whole = uri.take();
            *uri = whole.map(|uri| without_query(&uri));
        }
        for text in [&mut self.client, &mut self.resource, &mut self.redirect_uri] {
            text.iter_mut().for_each(shorten);
        }
        self
    }

    pub(super) fn fill(self, attempt: &mut Attempt) {
        attempt.client = attempt.client.take().or(self.client);
        attempt.resource = attempt.resource.take().or(self.resource);
        attempt.redirect_uri = attempt.redirect_uri.take().or(self.redirect_uri);
        attempt.grant = attempt.grant.or(self.grant);
    }
}
