//! A message: durable, ordered, and honest about what is known of its way.

use crate::agent::Evidence;
use crate::id::{Attempt, MessageId, SessionId, TurnNumber};
use crate::outcome::{Outcome, UnknownReason};
use crate::time::{Due, Timestamp};

/// Who sent a message; proven by the connection, never by a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The user.
    Human,
    /// Another session.
    Session(SessionId),
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// It opens the next turn.
    Next,
    /// It is meant for the running turn, and opens the next one if it comes too late.
    Steer,
    /// It is a command of the agent itself.
    Command,
    /// It was queued by `wake`.
    Wake,
}

/// Where a message is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Not due yet; it blocks none that is.
    Delayed {
        /// When it becomes due.
        until: Due,
    },
    /// It may run when its turn comes.
    Ready,
    /// It was handed to the agent's side.
    Delivering {
        /// Which handing-over this is.
        attempt: Attempt,
        /// When.
        handed_at: Timestamp,
    },
    /// The agent has taken it.
    Running {
        /// Which handing-over it was taken by.
        attempt: Attempt,
        /// When it was handed over.
        handed_at: Timestamp,
        /// What shows that it was taken.
        evidence: Evidence,
        /// The turn that took it.
        turn: TurnNumber,
    },
    /// It has ended.
    Ended {
        /// How.
        end: MessageEnd,
        /// When.
        at: Timestamp,
        /// What was known of its way before.
        way: Way,
    },
}

/// What is known of an ended message's way; a step that nobody can prove stays empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Way {
    /// When it was handed over last.
    pub handed_at: Option<Timestamp>,
    /// What shows that it was taken.
    pub evidence: Option<Evidence>,
    /// How often it was handed over.
    pub attempts: u32,
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageEnd {
    /// Its turn ended.
    Settled {
        /// The turn.
        turn: TurnNumber,
        /// How that turn ended.
        outcome: Outcome,
    },
    /// It could not be delivered.
    Undeliverable {
        /// Why not.
        why: Undeliverable,
    },
    /// Somebody took it back before it ran.
    Cancelled,
    /// It was not started in time.
    Expired,
    /// It may or may not have been taken; it is not sent again by itself.
    Unknown {
        /// Why nobody knows.
        why: UnknownReason,
    },
}

/// Why a message cannot be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// The session ended before it ran.
    SessionExited,
    /// It was handed over as often as is allowed, and is proven not to have been taken.
    NeverTaken {
        /// What the last attempt showed.
        detail: String,
    },
}

impl MessageState {
    /// Whether it waits, ready or delayed.
    pub fn is_queued(&self) -> bool {
        match self {
            Self::Delayed { .. } | Self::Ready => true,
            Self::Delivering { .. } | Self::Running { .. } | Self::Ended { .. } => false,
        }
    }

    /// When it becomes due, while it is delayed.
    pub fn due(&self) -> Option<&Due> {
        match self {
            Self::Delayed { until } => Some(until),
            Self::Ready | Self::Delivering { .. } | Self::Running { .. } | Self::Ended { .. } => None,
        }
    }

    /// What is known of the way so far.
    pub fn way(&self) -> Way {
        match self {
            Self::Delayed { .. } | Self::Ready => Way::default(),
            Self::Delivering { attempt, handed_at } => {
                Way { handed_at: Some(*handed_at), evidence: None, attempts: attempt.get() }
            }
            Self::Running { attempt, handed_at, evidence, .. } => {
                Way { handed_at: Some(*handed_at), evidence: Some(evidence.clone()), attempts: attempt.get() }
            }
            Self::Ended { way, .. } => way.clone(),
        }
    }
}

/// One message, without its text, which the store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The session it is for.
    pub session: SessionId,
    /// Who sent it.
    pub from: Sender,
    /// What it is.
    pub kind: MessageKind,
    /// The size of its text.
    pub bytes: u64,
    /// Repeating it with the same key adds nothing while it lives.
    pub key: Option<String>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// It expires if it was not started by then.
    pub expires: Option<Due>,
    /// When it was made durable.
    pub queued_at: Timestamp,
    /// How often it was handed over and proven not taken.
    pub returned: u32,
    /// Where it is.
    pub state: MessageState,
}
