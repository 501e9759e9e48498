//! Events: what has happened, as the log keeps it.

use crate::agent::{Evidence, NewRequest, RequestEnd, SessionEnd, Source, TurnEnd, TurnOrigin, Usage};
use crate::id::{Attempt, MessageId, RequestId, Seq, SessionId, TurnNumber};
use crate::message::{Came, Message, MessageEnd, Sender, Settlement};
use crate::name::SessionName;
use crate::outcome::UnknownReason;
use crate::process::Incarnation;
use crate::session::{Goal, Profile};
use crate::time::{Due, Timestamp};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its place.
    pub seq: Seq,
    /// The session it is about.
    pub session: SessionId,
    /// When it happened, by the clock of whoever saw it first.
    pub at: Timestamp,
    /// How far the session's journal is taken in with this entry; `None` leaves it.
    pub cursor: Option<u64>,
    /// What happened.
    pub event: Event,
}

/// Where a queued message is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// Directly behind this one.
    After(MessageId),
}

/// What has happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was planned: name and record are reserved, nothing is started.
    SessionCreated {
        /// Its name.
        name: SessionName,
        /// What is fixed for its life.
        profile: Box<Profile>,
        /// The session that created it.
        parent: Option<SessionId>,
    },
    /// Its processes exist.
    SessionStarted {
        /// The runner.
        runner: Incarnation,
        /// The agent.
        agent: Incarnation,
        /// How the runner is held.
        supervisor: String,
    },
    /// It had ended and is to be started again, on its conversation: planned, nothing is started.
    SessionRevived {
        /// Who wanted it.
        by: Sender,
        /// The agent's program, absolute.
        program: String,
        /// The SHA-256 of the token by which it proves who it is from now on, in hexadecimal digits.
        token_hash: String,
    },
    /// It accepts messages.
    SessionReady,
    /// It cannot be observed.
    SessionUnseen {
        /// Why not.
        why: UnknownReason,
    },
    /// It is observed again.
    SessionSeen,
    /// Its agent has its conversation under this id from now on.
    SessionConversation {
        /// The agent's own id of it.
        native: String,
    },
    /// What its agent pursues by itself is another thing now, or stands otherwise.
    GoalChanged {
        /// The goal; `None` when there is none any more.
        goal: Option<Goal>,
    },
    /// Its agent told something that changes no state.
    SessionNotice {
        /// One line.
        text: String,
    },
    /// Somebody asked for its end.
    SessionStopAsked {
        /// Who.
        by: Sender,
        /// Without grace.
        force: bool,
    },
    /// Its process has ended.
    SessionExited {
        /// How.
        end: SessionEnd,
    },
    /// It has another parent, because its own has ended.
    SessionReparented {
        /// The new one.
        parent: Option<SessionId>,
    },
    /// It may send to another session from now on.
    SessionIntroduced {
        /// To which.
        to: SessionId,
    },
    /// A session that it created has ended.
    ChildEnded {
        /// Which.
        child: SessionId,
        /// How.
        end: SessionEnd,
    },
    /// A session was created by it.
    ChildCreated {
        /// Which.
        child: SessionId,
    },
    /// Its record and its log are to be forgotten.
    SessionPurged,
    /// Its queue was put on hold.
    QueueHeld {
        /// Somebody asked for just that; otherwise it follows from an interrupt.
        by_hand: bool,
    },
    /// Its queue runs on.
    QueueReleased,
    /// A message was accepted into its queue.
    MessageQueued {
        /// The message, in its first state.
        message: Message,
    },
    /// Something that a delayed message waits for has ended.
    MessageAfterSettled {
        /// Which message waits.
        message: MessageId,
        /// The place of what has ended among what it waits for.
        which: u32,
        /// The session that it waited for.
        of: SessionId,
        /// How it ended.
        how: Settlement,
    },
    /// A delayed message has become due.
    MessageDue {
        /// Which.
        message: MessageId,
        /// How its time came; `None` where it was not its time that came last.
        came: Option<Came>,
    },
    /// A queued message was changed.
    MessageChanged {
        /// Which.
        message: MessageId,
        /// The size of its new text, if that changed.
        bytes: Option<u64>,
        /// Its new time: `Some(None)` is at once.
        due: Option<Option<Due>>,
        /// Its new place.
        place: Option<Place>,
    },
    /// A message was handed over.
    MessageHanded {
        /// Which.
        message: MessageId,
        /// Which handing-over.
        attempt: Attempt,
    },
    /// A message that was handed over is proven not to have been taken, and waits again at the head.
    MessageReturned {
        /// Which.
        message: MessageId,
        /// What proves it.
        detail: String,
    },
    /// A message was taken by a turn.
    MessageAccepted {
        /// Which.
        message: MessageId,
        /// The turn.
        turn: TurnNumber,
        /// What shows it.
        evidence: Evidence,
    },
    /// A message has ended.
    MessageEnded {
        /// Which.
        message: MessageId,
        /// How.
        end: MessageEnd,
    },
    /// A turn began.
    TurnStarted {
        /// Its number.
        turn: TurnNumber,
        /// What opened it.
        origin: TurnOrigin,
    },
    /// Somebody asked for the end of a turn.
    TurnInterruptAsked {
        /// Which: the one that runs, or the one that the message in delivery is about to open.
        turn: TurnNumber,
        /// Who.
        by: Sender,
    },
    /// The wish to interrupt reached the agent.
    TurnInterruptPassed {
        /// Which.
        turn: TurnNumber,
        /// How.
        detail: String,
    },
    /// A turn ended.
    TurnEnded {
        /// Which.
        turn: TurnNumber,
        /// How.
        end: TurnEnd,
    },
    /// What a turn has cost, which was not known when it ended.
    TurnCounted {
        /// Which.
        turn: TurnNumber,
        /// What it has cost.
        usage: Usage,
    },
    /// The agent has put a request.
    RequestOpened {
        /// Its id.
        request: RequestId,
        /// The turn that waits.
        turn: TurnNumber,
        /// What is asked.
        asked: NewRequest,
    },
    /// An answer to a request is on its way.
    RequestAnswered {
        /// Which.
        request: RequestId,
        /// Who answered.
        by: Sender,
        /// The decision in a word, such as `allow` or `text`.
        decision: String,
    },
    /// A request is no longer open.
    RequestClosed {
        /// Which.
        request: RequestId,
        /// How.
        end: RequestEnd,
    },
    /// The agent asked, and a rule of the session answered.
    RequestPolicy {
        /// The tool it was about.
        tool: String,
        /// The decision in a word.
        decision: String,
        /// One line for a person.
        summary: String,
    },
}

impl Event {
    /// The name of its type, on which scripts may rely.
    pub fn type_name(&self) -> &'static str {
        use crate::outcome::Outcome;
        match self {
            Self::SessionCreated { .. } => "session.created",
            Self::SessionStarted { .. } => "session.started",
            Self::SessionRevived { .. } => "session.revived",
            Self::SessionReady => "session.ready",
            Self::SessionUnseen { .. } => "session.unseen",
            Self::SessionSeen => "session.seen",
            Self::SessionConversation { .. } => "session.conversation",
            Self::GoalChanged { .. } => "goal.changed",
            Self::TurnCounted { .. } => "turn.usage",
            Self::SessionNotice { .. } => "session.notice",
            Self::SessionStopAsked { .. } => "session.stopping",
            Self::SessionExited { .. } => "session.exited",
            Self::SessionReparented { .. } => "session.reparented",
            Self::SessionIntroduced { .. } => "session.introduced",
            Self::ChildEnded { .. } => "child.ended",
            Self::ChildCreated { .. } => "child.created",
            Self::SessionPurged => "session.purged",
            Self::QueueHeld { .. } => "queue.held",
            Self::QueueReleased => "queue.released",
            Self::MessageQueued { .. } => "message.queued",
            Self::MessageAfterSettled { .. } => "message.after_settled",
            Self::MessageDue { .. } => "message.due",
            Self::MessageChanged { .. } => "message.changed",
            Self::MessageHanded { .. } => "message.handed",
            Self::MessageReturned { .. } => "message.returned",
            Self::MessageAccepted { .. } => "message.delivered",
            Self::MessageEnded { .. } => "message.ended",
            Self::TurnStarted { .. } => "turn.started",
            Self::TurnInterruptAsked { .. } => "turn.interrupting",
            Self::TurnInterruptPassed { .. } => "turn.interrupt_passed",
            Self::TurnEnded { end, .. } => match end.outcome {
                Outcome::Completed => "turn.completed",
                Outcome::Failed { .. } => "turn.failed",
                Outcome::Interrupted => "turn.interrupted",
                Outcome::Exited => "turn.exited",
                Outcome::Unknown { .. } => "turn.unknown",
            },
            Self::RequestOpened { .. } => "request.opened",
            Self::RequestAnswered { .. } => "request.answered",
            Self::RequestClosed { .. } => "request.closed",
            Self::RequestPolicy { .. } => "request.policy",
        }
    }

    /// The turn it is about, if it is about one.
    pub fn turn(&self) -> Option<TurnNumber> {
        match self {
            Self::MessageAccepted { turn, .. }
            | Self::MessageEnded { end: MessageEnd::Settled { turn, .. }, .. }
            | Self::TurnStarted { turn, .. }
            | Self::TurnInterruptAsked { turn, .. }
            | Self::TurnInterruptPassed { turn, .. }
            | Self::TurnEnded { turn, .. }
            | Self::TurnCounted { turn, .. }
            | Self::RequestOpened { turn, .. } => Some(*turn),
            Self::SessionCreated { .. }
            | Self::SessionStarted { .. }
            | Self::SessionRevived { .. }
            | Self::SessionReady
            | Self::SessionUnseen { .. }
            | Self::SessionSeen
            | Self::SessionConversation { .. }
            | Self::GoalChanged { .. }
            | Self::SessionNotice { .. }
            | Self::SessionStopAsked { .. }
            | Self::SessionExited { .. }
            | Self::SessionReparented { .. }
            | Self::SessionIntroduced { .. }
            | Self::ChildEnded { .. }
            | Self::ChildCreated { .. }
            | Self::SessionPurged
            | Self::QueueHeld { .. }
            | Self::QueueReleased
            | Self::MessageQueued { .. }
            | Self::MessageAfterSettled { .. }
            | Self::MessageDue { .. }
            | Self::MessageChanged { .. }
            | Self::MessageHanded { .. }
            | Self::MessageReturned { .. }
            | Self::MessageEnded { .. }
            | Self::RequestAnswered { .. }
            | Self::RequestClosed { .. }
            | Self::RequestPolicy { .. } => None,
        }
    }

    /// On what source a status that follows from this event rests.
    pub fn source(&self) -> Source {
        match self {
            // Nobody was left to say how a session was lost; the kernel says that its processes are gone.
            Self::SessionExited { end: SessionEnd::Lost { .. } } => Source::Process,
            Self::SessionStarted { .. } | Self::SessionExited { .. } | Self::TurnInterruptPassed { .. } => {
                Source::Runner
            }
            Self::SessionReady | Self::MessageAccepted { .. } | Self::TurnStarted { .. } | Self::TurnEnded { .. } => {
                Source::ControlPipe
            }
            Self::RequestOpened { .. }
            | Self::RequestClosed { .. }
            | Self::RequestPolicy { .. }
            | Self::SessionConversation { .. }
            | Self::GoalChanged { .. }
            | Self::SessionNotice { .. } => Source::Protocol,
            Self::SessionCreated { .. }
            | Self::SessionRevived { .. }
            | Self::TurnCounted { .. }
            | Self::SessionUnseen { .. }
            | Self::SessionSeen
            | Self::SessionStopAsked { .. }
            | Self::SessionReparented { .. }
            | Self::SessionIntroduced { .. }
            | Self::ChildEnded { .. }
            | Self::ChildCreated { .. }
            | Self::SessionPurged
            | Self::QueueHeld { .. }
            | Self::QueueReleased
            | Self::MessageQueued { .. }
            | Self::MessageAfterSettled { .. }
            | Self::MessageDue { .. }
            | Self::MessageChanged { .. }
            | Self::MessageHanded { .. }
            | Self::MessageReturned { .. }
            | Self::MessageEnded { .. }
            | Self::TurnInterruptAsked { .. }
            | Self::RequestAnswered { .. } => Source::Daemon,
        }
    }
}

/// Whether the name of a type is meant by a pattern, in which `*` stands for anything, also for nothing.
pub fn type_matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    // The first place of each piece leaves the most for those behind it.
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_anywhere() {
        for (pattern, name) in [
            ("turn.failed", "turn.failed"),
            ("*", "turn.failed"),
            ("turn.*", "turn.failed"),
            ("*.failed", "turn.failed"),
            ("t*.f*ed", "turn.failed"),
            ("turn.failed*", "turn.failed"),
            ("**d", "turn.failed"),
            ("*e*e*", "message.ended"),
        ] {
            assert!(type_matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "x"),
            ("turn", "turn.failed"),
            ("*failed.", "turn.failed"),
            ("turn*turn", "turn"),
            ("*e*e*e*e*", "ended"),
        ] {
            assert!(!type_matches(pattern, name), "{pattern} {name}");
        }
    }
}
