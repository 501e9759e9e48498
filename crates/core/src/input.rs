//! What comes into the core and what goes out of it.

use std::sync::Arc;

use crate::agent::AgentReport;
use crate::call::{Answer, Call, Caller, Refusal};
use crate::id::{Attempt, MessageId, RequestId, SessionId, TurnNumber};
use crate::request::RequestAnswer;
use crate::time::Timestamp;

/// A caller's ticket: the reply to a call carries it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Everything that can happen to a host.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants something changed.
    Call {
        /// The ticket of the call.
        id: CallId,
        /// Who calls; proven by the connection.
        caller: Caller,
        /// What is wanted.
        call: Call,
    },
    /// A driver saw something.
    Agent {
        /// Which session.
        session: SessionId,
        /// When it was seen.
        observed_at: Timestamp,
        /// How far the session's journal is taken in with this. It never shrinks: what lies before a place that is in
        /// the log was told before and is dropped, unless it is a session's last word.
        cursor: Option<u64>,
        /// What was seen.
        report: AgentReport,
        /// The text of a turn's answer, beside its end.
        answer: Option<Arc<str>>,
    },
    /// The moment that [`crate::Host::next_due`] named may have come.
    TimeCame,
    /// The host was loaded from the store, and nothing that ran is attached yet.
    Recovered,
}

/// What has to be done. Acts are carried out after the events they belong to are durable.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answer a call.
    Reply {
        /// The ticket of the call.
        id: CallId,
        /// The answer.
        answer: Result<Answer, Refusal>,
    },
    /// Start a session's agent, for the first time or again.
    Launch {
        /// Which session.
        session: SessionId,
    },
    /// Attach to a session that an earlier daemon started.
    Adopt {
        /// Which session.
        session: SessionId,
    },
    /// Hand a message over.
    Deliver {
        /// To which session.
        session: SessionId,
        /// Which message.
        message: MessageId,
        /// Which handing-over.
        attempt: Attempt,
    },
    /// Put a message into the turn that runs.
    Steer {
        /// To which session.
        session: SessionId,
        /// Which message.
        message: MessageId,
        /// Which handing-over.
        attempt: Attempt,
    },
    /// Ask the agent to stop what it does.
    Interrupt {
        /// Which session.
        session: SessionId,
        /// The turn that is meant; `None` between two turns of a goal, which is to rest.
        turn: Option<TurnNumber>,
    },
    /// Answer a request.
    Respond {
        /// Which session.
        session: SessionId,
        /// Our id of the request.
        request: RequestId,
        /// The agent's own id of it.
        native: String,
        /// The answer.
        answer: RequestAnswer,
    },
    /// End a session.
    End {
        /// Which session.
        session: SessionId,
        /// The time between polite and forced, in milliseconds.
        grace_ms: u64,
    },
    /// Let go of what is held for a session that has ended.
    Release {
        /// Which session.
        session: SessionId,
    },
    /// Remove the files of a session whose record is gone.
    Remove {
        /// Which session.
        session: SessionId,
        /// How often it was revived: each of its lives has files.
        revivals: u32,
    },
}

/// A text that belongs to an event and is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The text of a message.
    Message {
        /// Which message.
        message: MessageId,
        /// The text.
        text: Arc<str>,
    },
    /// The final text of a turn.
    Answer {
        /// Which session.
        session: SessionId,
        /// Which turn.
        turn: TurnNumber,
        /// The text.
        text: Arc<str>,
    },
}
