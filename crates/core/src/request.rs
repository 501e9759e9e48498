//! A request: a question that an agent has put and that blocks it.

use crate::agent::NewRequest;
use crate::id::{RequestId, SessionId, TurnNumber};
use crate::time::Timestamp;

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
