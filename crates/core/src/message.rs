//! A message: durable, ordered, and honest about what is known of its way.

use crate::agent::Evidence;
use crate::event::Logged;
use crate::id::{Attempt, MessageId, SessionId, TokenId, TurnNumber};
use crate::name::SessionName;
use crate::outcome::{ExitStatus, Outcome, UnknownReason};
use crate::time::{Due, Now, Timestamp};
use crate::turn::EndedTurn;
use crate::wait::{Verdict, Waiting};

/// Who sent a message; proven by the connection, never by a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// The user.
    Human,
    /// Another session.
    Session(SessionId),
    /// Somebody outside, with a token of the gateway.
    Token(TokenId),
    /// The host itself: a notice.
    Host,
}

impl Sender {
    /// The session, if it is one.
    pub const fn session(self) -> Option<SessionId> {
        match self {
            Self::Session(id) => Some(id),
            Self::Human | Self::Token(_) | Self::Host => None,
        }
    }
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
    /// The host tells a sender that a message has failed, or that nothing will come of it. Nobody is told what becomes of a
    /// notice.
    Notice,
}

/// Where a message is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Not due yet; it blocks none that is.
    Delayed {
        /// When its time comes; `None` where it waits for others alone.
        until: Option<Due>,
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
    /// It is proven not to have been taken, and never will be: it was handed over as often as is allowed, or the agent takes
    /// no such text.
    NeverTaken {
        /// What the last attempt showed, or why such a text is not taken.
        detail: String,
    },
}

impl Message {
    /// Whether it is meant for a turn that runs, and has not come back from one.
    pub fn is_for_running_turn(&self) -> bool {
        self.kind == MessageKind::Steer && self.returned == 0
    }
}

impl MessageState {
    /// Whether it waits, ready or delayed.
    pub fn is_queued(&self) -> bool {
        match self {
            Self::Delayed { .. } | Self::Ready => true,
            Self::Delivering { .. } | Self::Running { .. } | Self::Ended { .. } => false,
        }
    }

    /// When its time comes, while it is delayed.
    pub fn due(&self) -> Option<&Due> {
        match self {
            Self::Delayed { until } => until.as_ref(),
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
    /// The others that it waits for, or waited for.
    pub after: Option<After>,
    /// How its time came, if it had one.
    pub came: Option<Came>,
    /// Where it is.
    pub state: MessageState,
}

/// How the time of a delayed message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// How long after its time it became due, in milliseconds.
    pub late_ms: u64,
    /// Its time had come before the daemon began: nobody was there to see it.
    pub overdue: bool,
}

/// What a message waits for beside time. It is kept when all is there, because the message's frame is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The first of them is enough.
    pub any: bool,
    /// They, in the order in which they were named.
    pub of: Vec<Dependency>,
}

/// One session's work, or one message, whose end a message waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The session.
    pub session: SessionId,
    /// Its name, which outlives its record.
    pub name: SessionName,
    /// The message; without one it is all that the session had accepted.
    pub message: Option<MessageId>,
    /// How far it is.
    pub state: DependencyState,
}

/// How far a dependency is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DependencyState {
    /// It has not ended.
    Open {
        /// What of it has not.
        waiting: Waiting,
        /// The result of the newest turn of it that has ended.
        turn: Option<TurnResult>,
    },
    /// It has ended.
    Settled {
        /// How.
        how: Settlement,
        /// When.
        at: Timestamp,
    },
    /// It had not ended when the message no longer waited for it.
    Unmet,
}

/// The result of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnResult {
    /// Its number.
    pub turn: TurnNumber,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit of its command, where the agent runs commands.
    pub exit: Option<ExitStatus>,
}

/// How a dependency ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// A turn's result is its result.
    Turn(TurnResult),
    /// A message ended without a turn that can be told.
    Fallen {
        /// Which.
        message: MessageId,
        /// How.
        end: MessageEnd,
    },
    /// The session had nothing to do, and never had.
    Idle,
    /// The session ended, and never had a turn.
    Exited,
}

impl After {
    /// Whether nothing of it holds the message back any more.
    pub fn is_met(&self) -> bool {
        let open = |dependency: &Dependency| matches!(dependency.state, DependencyState::Open { .. });
        let settled = |dependency: &Dependency| matches!(dependency.state, DependencyState::Settled { .. });
        !self.of.iter().any(open) || (self.any && self.of.iter().any(settled))
    }

    /// The sessions whose events it still has to be told.
    pub fn open_sessions(&self) -> impl Iterator<Item = SessionId> {
        let open = |dependency: &&Dependency| matches!(dependency.state, DependencyState::Open { .. });
        self.of.iter().filter(open).map(|dependency| dependency.session)
    }
}

impl TurnResult {
    /// That of a turn.
    pub fn of(turn: &EndedTurn) -> Self {
        Self { turn: turn.number, outcome: turn.end.outcome.clone(), exit: turn.end.exit }
    }
}

impl Dependency {
    /// Takes in an event of its session. `last` is the session's last turn after it. Says how it ended, when it did.
    fn advance(&mut self, logged: &Logged, last: Option<&TurnResult>) -> Option<Settlement> {
        let DependencyState::Open { waiting, turn } = &mut self.state else { return None };
        let before = waiting.ended;
        let verdict = waiting.on_event(logged);
        if waiting.ended != before {
            // A turn's end, and the ends of its messages, are one step: the last turn is the one that is meant.
            *turn = last.cloned();
        }
        verdict.map(|verdict| settlement(verdict, turn.clone()))
    }
}

/// What a verdict amounts to; `result` is the turn's that it names.
pub(crate) fn settlement(verdict: Verdict, result: Option<TurnResult>) -> Settlement {
    match (verdict, result) {
        (Verdict::Turn(_), Some(result)) => Settlement::Turn(result),
        (Verdict::Fallen(fallen), _) => Settlement::Fallen { message: fallen.message, end: fallen.end },
        (Verdict::Exited, _) => Settlement::Exited,
        (Verdict::Turn(_) | Verdict::Input(_) | Verdict::NeverWorked | Verdict::EndedBefore(_), _) => Settlement::Idle,
    }
}

impl Message {
    /// Takes in an event of another session. Says which dependencies have ended with it, and whether anything changed.
    pub(crate) fn advance(&mut self, logged: &Logged, last: Option<&TurnResult>) -> (Vec<(usize, Settlement)>, bool) {
        let Some(after) = &mut self.after else { return (Vec::new(), false) };
        let before = after.clone();
        let ended = after.of.iter_mut().enumerate();
        let ended = ended.filter_map(|(which, dependency)| Some((which, dependency.advance(logged, last)?))).collect();
        let changed = before != *after;
        (ended, changed)
    }

    /// Waits for nobody any more: what has not ended stays so in its record.
    pub(crate) fn stop_waiting(&mut self) {
        for dependency in self.after.iter_mut().flat_map(|after| &mut after.of) {
            if matches!(dependency.state, DependencyState::Open { .. }) {
                dependency.state = DependencyState::Unmet;
            }
        }
    }

    /// Whether all that it waits for beside time is there.
    pub fn is_met(&self) -> bool {
        self.after.as_ref().is_none_or(After::is_met)
    }

    /// Whether it is delayed and nothing holds it back any more.
    pub fn is_due(&self, now: Now) -> bool {
        match &self.state {
            MessageState::Delayed { until } => self.is_met() && until.is_none_or(|until| until.is_due(now)),
            MessageState::Ready
            | MessageState::Delivering { .. }
            | MessageState::Running { .. }
            | MessageState::Ended { .. } => false,
        }
    }
}
