//! Audit events: who did what to what, and how it ended. Never a secret.

use serde::Serialize;

use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A password (later a passkey) was shown.
    SignIn,
    /// A consent page was answered.
    Consent,
    /// A grant came to be, ended or was found stolen.
    Grant,
    /// A token was asked for.
    Token,
    /// A client registered itself with an initial access token.
    Registration,
    /// An MCP message was admitted or refused.
    Call,
    /// An operator changed something.
    Administration,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was allowed.
    Allow,
    /// It was refused; `reason` says why.
    Deny,
}

/// One line of the audit trail.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Event<'a> {
    /// When, in milliseconds since the epoch.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// The person's id, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<&'a str>,
    /// The `client_id`, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<&'a str>,
    /// The grant's id (`sid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<&'a str>,
    /// The canonical resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<&'a str>,
    /// JSON-RPC method, OAuth grant type or administrative verb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    /// Tool, prompt or resource URI; the object of an administrative verb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// The flow's reference (`KS-…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    /// A stable word for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// The peer's network address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<&'a str>,
}

impl Event<'_> {
    /// An event with nothing known but what and how.
    #[must_use]
    pub const fn new(at: Timestamp, action: Action, outcome: Outcome) -> Self {
        Self {
            at,
            action,
            outcome,
            person: None,
            client: None,
            grant: None,
            resource: None,
            method: None,
            name: None,
            reference: None,
            reason: None,
            peer: None,
        }
    }
}
