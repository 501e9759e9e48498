//! A turn: one unit of an agent's work, with exactly one end.

use std::collections::BTreeMap;

use crate::agent::{TurnEnd, TurnOrigin};
use crate::id::{MessageId, RequestId, TurnNumber};
use crate::request::Request;
use crate::time::Timestamp;

/// A turn that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningTurn {
    /// Its number within the session.
    pub number: TurnNumber,
    /// What opened it.
    pub origin: TurnOrigin,
    /// When it began.
    pub started_at: Timestamp,
    /// The messages it has taken.
    pub messages: Vec<MessageId>,
    /// When somebody asked for its end.
    pub interrupt_asked_at: Option<Timestamp>,
    /// The requests that are open in it.
    pub requests: BTreeMap<RequestId, Request>,
}

/// A turn that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTurn {
    /// Its number within the session.
    pub number: TurnNumber,
    /// What opened it.
    pub origin: TurnOrigin,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The messages it had taken.
    pub messages: Vec<MessageId>,
    /// How it ended.
    pub end: TurnEnd,
}
