//! A request: a question that an agent has put and that blocks it.

use std::sync::Arc;

use crate::agent::NewRequest;
use crate::id::{RequestId, SessionId, TurnNumber};
use crate::time::Timestamp;

/// The answer to a request, checked against what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestAnswer {
    /// A permission, this once.
    Allow,
    /// A permission, for the rest of the session.
    Always,
    /// No.
    Deny {
        /// What the agent is told.
        reason: Option<String>,
    },
    /// For each question the places of the options that were chosen, counted from 0.
    Choose(Vec<Vec<usize>>),
    /// A text of one's own.
    Text(Arc<str>),
    /// The question is closed without an answer.
    Dismiss,
}

impl RequestAnswer {
    /// The decision in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Always => "always",
            Self::Deny { .. } => "deny",
            Self::Choose(_) => "choose",
            Self::Text(_) => "text",
            Self::Dismiss => "dismiss",
        }
    }
}

/// An open request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The session that waits for the answer.
    pub session: SessionId,
    /// The turn that waits for it.
    pub turn: TurnNumber,
    /// What is asked.
    pub asked: NewRequest,
    /// When it was put.
    pub opened_at: Timestamp,
    /// An answer is on its way to the agent; the first one wins.
    pub answered_at: Option<Timestamp>,
}
