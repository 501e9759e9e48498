//! Waiting: the set of work that a waiter waits for, and how events bring it to its end.
//!
//! A wait is fixed when it begins: the running turn and each queued message that is neither delayed nor held. It is
//! plain data, so that a waiter can carry it over a restart of the daemon and continue from the log.

use std::collections::BTreeSet;

use crate::event::{Event, Logged};
use crate::id::{MessageId, RequestId, SessionId, TurnNumber};
use crate::message::{Message, MessageEnd, MessageState, Undeliverable};
use crate::session::{Hold, Phase, Session};

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitOptions {
    /// The next turn that ends after the call, even if none runs yet.
    pub next_turn: bool,
    /// That message alone. One that has ended is in the store and no longer here: [`Verdict::EndedBefore`].
    pub only: Option<MessageId>,
    /// An open request does not end the wait.
    pub through_input: bool,
    /// Messages that are not due yet belong to the set too.
    pub include_delayed: bool,
}

/// What a wait waits for in one session, still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The session.
    pub session: SessionId,
    /// The turn that ran when the wait began, until it ends.
    pub turn: Option<TurnNumber>,
    /// The messages of the set that have not ended.
    pub messages: BTreeSet<MessageId>,
    /// The first turn that ends will do.
    pub next_turn: bool,
    /// The session has to become ready first.
    pub readiness: bool,
    /// An open request does not end the wait.
    pub through_input: bool,
    /// The newest turn of the set that has ended.
    pub ended: Option<TurnNumber>,
    /// How the newest message of the set ended that no turn brought to an end; the gravest end stays.
    pub fallen: Option<Fallen>,
}

/// A message that ended without a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// Which.
    pub message: MessageId,
    /// How.
    pub end: MessageEnd,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The work is done; this turn's result is the result.
    Turn(TurnNumber),
    /// The work ended without a turn.
    Fallen(Fallen),
    /// Somebody has to answer first.
    Input(Vec<RequestId>),
    /// There was nothing to wait for, and there never was a turn.
    NeverWorked,
    /// The session ended, and there never was a turn to report.
    Exited,
    /// The one message that is waited for does not wait or run any more: the store says how it ended, if it ever was.
    EndedBefore(MessageId),
}

impl Waiting {
    /// Fixes the set, and says at once what is known at once.
    pub fn begin(session: &Session, options: WaitOptions) -> (Self, Option<Verdict>) {
        let whole = options.only.is_none() && !options.next_turn;
        let wanted = |m: &&Message| whole && belongs(m, session, options);
        let mut messages: BTreeSet<MessageId> = session.messages.values().filter(wanted).map(|m| m.id).collect();
        messages.extend(options.only);
        let waiting = Self {
            session: session.id,
            turn: session.turn().filter(|_| whole).map(|turn| turn.number),
            messages,
            next_turn: options.next_turn,
            readiness: whole && !session.was_ready(),
            through_input: options.through_input,
            ended: None,
            fallen: None,
        };
        let gone = options.only.filter(|message| !session.messages.contains_key(message));
        let verdict = gone.map(Verdict::EndedBefore).or_else(|| waiting.at_once(session));
        (waiting, verdict)
    }

    fn at_once(&self, session: &Session) -> Option<Verdict> {
        if let Some(input) = self.input(session) {
            return Some(input);
        }
        if self.next_turn || self.is_open() {
            // The next turn of a session that has ended never comes, and an earlier one is not it.
            return session.has_exited().then_some(Verdict::Exited);
        }
        let without_turn = if session.has_exited() { Verdict::Exited } else { Verdict::NeverWorked };
        Some(session.last_turn.as_ref().map_or(without_turn, |turn| Verdict::Turn(turn.number)))
    }

    /// What somebody has to answer first. While nobody sees the session, nobody knows whether that is still so.
    fn input(&self, session: &Session) -> Option<Verdict> {
        if self.through_input || matches!(session.phase, Phase::Unseen { .. }) {
            return None;
        }
        let open: Vec<RequestId> = session.requests().map(|request| request.id).collect();
        (!open.is_empty()).then_some(Verdict::Input(open))
    }

    /// The session has been seen again: a request that was on record when the wait began, and is still open, ends it. The
    /// session is taken as it is, which may be later than the event.
    pub fn on_seen(&self, session: &Session) -> Option<Verdict> {
        self.input(session)
    }

    /// Takes in the next event of the log.
    pub fn on_event(&mut self, logged: &Logged) -> Option<Verdict> {
        if logged.session != self.session {
            return None;
        }
        match &logged.event {
            Event::TurnEnded { turn, .. } => self.on_turn_ended(*turn),
            Event::MessageEnded { message, end } => self.on_message_ended(*message, end),
            Event::RequestOpened { request, .. } if !self.through_input => Some(Verdict::Input(vec![*request])),
            Event::SessionReady if self.readiness => {
                self.readiness = false;
                self.verdict()
            }
            Event::SessionExited { .. } => Some(self.result().unwrap_or(Verdict::Exited)),
            Event::RequestOpened { .. }
            | Event::SessionReady
            | Event::SessionCreated { .. }
            | Event::SessionStarted { .. }
            | Event::SessionRevived { .. }
            | Event::SessionUnseen { .. }
            | Event::SessionSeen
            | Event::SessionConversation { .. }
            | Event::GoalChanged { .. }
            | Event::SessionNotice { .. }
            | Event::RequestPolicy { .. }
            | Event::SessionStopAsked { .. }
            | Event::SessionReparented { .. }
            | Event::SessionIntroduced { .. }
            | Event::ChildEnded { .. }
            | Event::ChildCreated { .. }
            | Event::SessionPurged
            | Event::QueueHeld { .. }
            | Event::QueueReleased
            | Event::MessageQueued { .. }
            | Event::MessageAfterSettled { .. }
            | Event::MessageDue { .. }
            | Event::MessageChanged { .. }
            | Event::MessageHanded { .. }
            | Event::MessageReturned { .. }
            | Event::MessageAccepted { .. }
            | Event::TurnStarted { .. }
            | Event::TurnInterruptAsked { .. }
            | Event::TurnInterruptPassed { .. }
            | Event::TurnCounted { .. }
            | Event::RequestAnswered { .. }
            | Event::RequestClosed { .. } => None,
        }
    }

    /// After an interrupt the queue stands still until somebody sends again: what stands in it is not waited for any more,
    /// as it would not be by a wait that begins now. The session is taken as it is, which may be later than the last event.
    pub fn leave_held(&mut self, session: &Session) -> Option<Verdict> {
        if session.hold != Hold::AfterInterrupt {
            return None;
        }
        let before = self.messages.len();
        let stands = |id: &MessageId| session.messages.get(id).is_some_and(|m| m.state == MessageState::Ready);
        self.messages.retain(|id| !stands(id));
        if self.messages.len() == before { None } else { self.verdict() }
    }

    fn on_turn_ended(&mut self, turn: TurnNumber) -> Option<Verdict> {
        if self.next_turn {
            return Some(Verdict::Turn(turn));
        }
        if self.turn != Some(turn) {
            return None;
        }
        self.turn = None;
        self.ended = Some(turn);
        self.verdict()
    }

    fn on_message_ended(&mut self, message: MessageId, end: &MessageEnd) -> Option<Verdict> {
        if !self.messages.remove(&message) {
            return None;
        }
        match end {
            MessageEnd::Settled { turn, .. } => self.ended = self.ended.max(Some(*turn)),
            MessageEnd::Undeliverable { .. }
            | MessageEnd::Cancelled
            | MessageEnd::Expired
            | MessageEnd::Unknown { .. } => {
                let graver = self.fallen.as_ref().is_some_and(|fallen| gravity(&fallen.end) > gravity(end));
                if !graver {
                    self.fallen = Some(Fallen { message, end: end.clone() });
                }
            }
        }
        self.verdict()
    }

    /// Whether something is still waited for.
    fn is_open(&self) -> bool {
        self.turn.is_some() || !self.messages.is_empty() || self.next_turn || self.readiness
    }

    /// The result, once nothing is left to wait for.
    fn verdict(&self) -> Option<Verdict> {
        (!self.is_open()).then(|| self.result().unwrap_or(Verdict::NeverWorked))
    }

    /// What the ended work amounts to. A message that never ran, or that nobody can vouch for, outweighs a turn that
    /// went well.
    fn result(&self) -> Option<Verdict> {
        let fallen = self.fallen.clone().map(Verdict::Fallen);
        let grave = self.fallen.as_ref().is_some_and(|fallen| gravity(&fallen.end) > 0);
        let turn = self.ended.map(Verdict::Turn);
        if grave { fallen } else { turn.or(fallen) }
    }
}

/// How much an end without a turn weighs against the others of its set.
fn gravity(end: &MessageEnd) -> u8 {
    match end {
        MessageEnd::Unknown { .. } => 2,
        MessageEnd::Undeliverable { .. } => 1,
        MessageEnd::Settled { .. } | MessageEnd::Cancelled | MessageEnd::Expired => 0,
    }
}

/// Whether a message belongs to what the session had accepted and will do without being told more.
fn belongs(message: &Message, session: &Session, options: WaitOptions) -> bool {
    match message.state {
        MessageState::Delayed { .. } => options.include_delayed,
        MessageState::Ready => session.hold == Hold::Off,
        MessageState::Delivering { .. } | MessageState::Running { .. } => true,
        MessageState::Ended { .. } => false,
    }
}

/// The word of an end that no turn had a part in, for people.
pub fn fallen_reason(end: &MessageEnd) -> &'static str {
    match end {
        MessageEnd::Settled { .. } => "settled",
        MessageEnd::Undeliverable { why: Undeliverable::SessionExited } => "the session exited before it ran",
        MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { .. } } => "the agent never took it",
        MessageEnd::Cancelled => "it was cancelled",
        MessageEnd::Expired => "it expired before it could run",
        MessageEnd::Unknown { .. } => "nobody can know whether it was taken",
    }
}
