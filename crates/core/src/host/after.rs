//! Waiting for others: what a message waits for from the start, what its end sets free, and who is told of one in vain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Host;
use super::dependents::Owner;
use super::step::{Stamp, Step};
use crate::agent::FrameStyle;
use crate::call::{NewAfter, NewDependency, NewMessage, Refusal};
use crate::event::{Event, Logged};
use crate::id::{MessageId, SessionId, TurnNumber};
use crate::limits;
use crate::message::{
    After, Dependency, DependencyState, Message, MessageEnd, MessageKind, MessageState, Sender, Settlement, TurnResult,
    settlement,
};
use crate::outcome::{FailReason, Outcome};
use crate::session::Session;
use crate::time::{Now, Timestamp};
use crate::wait::{WaitOptions, Waiting, fallen_reason};

/// What follows from the events of one input and is done behind it: no half-told end is ever acted on.
#[derive(Clone, Debug, Default)]
pub(super) struct Aftermath {
    /// Dependencies that have ended with the event folded last, by the message that waits and its place there.
    pub(super) reached: Vec<(Owner, usize, Settlement)>,
    /// Messages of which a dependency has ended.
    woken: BTreeSet<Owner>,
    /// Messages that have ended badly, and whom to tell.
    in_vain: BTreeMap<MessageId, InVain>,
}

#[derive(Clone, Debug)]
struct InVain {
    sender: SessionId,
    what: String,
}

/// By whom a message was taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakenBack {
    /// `None` is the user.
    pub(super) by: Option<SessionId>,
    /// It went with its session.
    pub(super) killed: bool,
}

impl Host {
    /// Fixes what a message waits for.
    pub(super) fn begin_after(&self, new: &NewMessage, now: Now) -> Result<Option<After>, Refusal> {
        let Some(NewAfter { any, of }) = &new.after else { return Ok(None) };
        if of.len() > limits::AFTER_MAX {
            return Err(Refusal::AfterTooMany(limits::AFTER_MAX));
        }
        let of = of.iter().map(|wanted| self.begin_dependency(wanted, now)).collect::<Result<_, _>>()?;
        Ok(Some(After { any: *any, of }))
    }

    fn begin_dependency(&self, wanted: &NewDependency, now: Now) -> Result<Dependency, Refusal> {
        let (session, only) = match wanted {
            NewDependency::Session(session) => (*session, None),
            NewDependency::Message { session, message } | NewDependency::Ended { session, message, .. } => {
                (*session, Some(*message))
            }
        };
        let record = self.sessions.get(&session).ok_or_else(|| Refusal::SessionNotFound(session.to_string()))?;
        let state = match wanted {
            NewDependency::Ended { how, at, .. } => DependencyState::Settled { how: how.clone(), at: *at },
            NewDependency::Session(_) | NewDependency::Message { .. } => begin_state(record, only, now.wall)?,
        };
        Ok(Dependency { session, name: record.name.clone(), message: only, state })
    }

    /// Tells the messages that wait for this session what has happened to it.
    pub(super) fn advance_dependents(&mut self, logged: &Logged, projected: &mut super::Projected) {
        if !may_settle(&logged.event) {
            return;
        }
        let last = self.sessions.get(&logged.session).and_then(|s| s.last_turn.as_ref()).map(TurnResult::of);
        for owner in self.dependents.of(logged.session).collect::<Vec<_>>() {
            let Some(message) = self.sessions.get_mut(&owner.0).and_then(|s| s.messages.get_mut(&owner.1)) else {
                continue;
            };
            let (ended, changed) = message.advance(logged, last.as_ref());
            self.aftermath.reached.extend(ended.into_iter().map(|(which, how)| (owner, which, how)));
            if changed {
                projected.messages.insert(owner.1, message.clone());
                projected.sessions.insert(owner.0);
            }
        }
    }

    /// Writes down which dependencies have ended with the last event.
    pub(super) fn log_settled(&mut self, of: SessionId, stamp: Stamp, step: &mut Step) {
        for ((session, message), which, how) in std::mem::take(&mut self.aftermath.reached) {
            let which = u32::try_from(which).unwrap_or(u32::MAX);
            self.aftermath.woken.insert((session, message));
            self.log(session, Stamp::at(stamp.at), Event::MessageAfterSettled { message, which, of, how }, step);
        }
    }

    /// Notes that a message has ended in a way of which its sender would not hear otherwise.
    pub(super) fn note_end(&mut self, id: SessionId, message: MessageId, end: &MessageEnd, back: Option<TakenBack>) {
        let Some(session) = self.sessions.get(&id) else { return };
        let Some(ended) = session.messages.get(&message) else { return };
        let Sender::Session(sender) = ended.from else { return };
        if ended.kind == MessageKind::Notice || !is_news(session, sender, end, back) {
            return;
        }
        let told_by_turn = matches!(end, MessageEnd::Settled { .. }) && self.waits_for_turn(sender, session, message);
        if told_by_turn || self.waits_for(sender, id, message) {
            return;
        }
        let what = notice_text(message, session, end, back);
        self.aftermath.in_vain.insert(message, InVain { sender, what });
    }

    /// Whether a session is to be woken by just this message's end.
    pub(super) fn waits_for(&self, sleeper: SessionId, session: SessionId, id: MessageId) -> bool {
        self.sleeps_by(sleeper, session, |dependency| dependency.message == Some(id))
    }

    /// Whether a session is to be woken by the end of the turn that has just ended, and with its result. What this message's
    /// end leaves open of the set, if anything, are other messages of that turn.
    fn waits_for_turn(&self, sleeper: SessionId, session: &Session, id: MessageId) -> bool {
        let of_turn = |other: &MessageId| session.last_turn.as_ref().is_some_and(|turn| turn.messages.contains(other));
        self.sleeps_by(sleeper, session.id, |dependency| match &dependency.state {
            DependencyState::Open { waiting, .. } => {
                let nothing_else = waiting.turn.is_none() && !waiting.readiness && waiting.fallen.is_none();
                nothing_else && waiting.messages.contains(&id) && waiting.messages.iter().all(of_turn)
            }
            DependencyState::Settled { .. } | DependencyState::Unmet => false,
        })
    }

    fn sleeps_by(&self, sleeper: SessionId, session: SessionId, by_it: impl Fn(&Dependency) -> bool) -> bool {
        let mut waiting = self.dependents.of(session).filter(|owner| owner.0 == sleeper);
        waiting.any(|owner| {
            let after = self.message(owner.0, owner.1).and_then(|message| message.after.as_ref());
            after.is_some_and(|after| {
                after.of.iter().any(|dependency| dependency.session == session && by_it(dependency))
            })
        })
    }

    /// Takes back the notices about messages of whose end a session has been told otherwise.
    pub(super) fn heard(&mut self, by: SessionId, of: &[MessageId], now: Now, step: &mut Step) {
        let Some(session) = self.sessions.get(&by) else { return };
        let is_of_these = |m: &&Message| {
            let waits = m.kind == MessageKind::Notice && m.state.is_queued();
            waits && m.reply_to.is_some_and(|about| of.contains(&about))
        };
        let notices: Vec<MessageId> = session.messages.values().filter(is_of_these).map(|m| m.id).collect();
        for message in notices {
            let event = Event::MessageEnded { message, end: MessageEnd::Cancelled };
            self.log(by, Stamp::at(now.wall), event, step);
        }
    }

    /// Lets go on what the input has set free, and tells who has to hear of it; until nothing more follows from that.
    pub(super) fn clear_up(&mut self, now: Now, step: &mut Step) {
        loop {
            let in_vain = std::mem::take(&mut self.aftermath.in_vain);
            let woken = std::mem::take(&mut self.aftermath.woken);
            if in_vain.is_empty() && woken.is_empty() {
                return;
            }
            let mut sessions: BTreeSet<SessionId> = woken.iter().map(|owner| owner.0).collect();
            for (message, told) in in_vain {
                sessions.extend(self.tell_sender(message, &told, now, step));
            }
            for (session, message) in woken {
                let due = self.message(session, message).is_some_and(|m| m.is_due(now));
                if due && !self.expire(session, message, now, step) {
                    self.log(session, Stamp::at(now.wall), Event::MessageDue { message, came: None }, step);
                }
            }
            for session in sessions {
                self.deliver_next(session, now, step);
            }
        }
    }

    /// Queues a notice, if its sender lives and has room for it.
    fn tell_sender(&mut self, message: MessageId, told: &InVain, now: Now, step: &mut Step) -> Option<SessionId> {
        let sender = self.sessions.get(&told.sender).filter(|s| !s.has_exited() && s.stopping.is_none())?;
        let waits = |m: &&Message| m.kind == MessageKind::Notice && m.state.is_queued();
        let notices = sender.messages.values().filter(waits).count();
        if sender.queued() >= self.config.queue_messages_max || notices >= self.config.notices_waiting_max {
            return None;
        }
        let last = notices + 1 == self.config.notices_waiting_max;
        let style = self.frame_of(sender);
        let text = format!("{}{}", told.what, if last { MORE } else { "" });
        let notice = NewMessage {
            text: Arc::from(style.notice(&text)),
            kind: MessageKind::Notice,
            key: None,
            reply_to: Some(message),
            due: None,
            after: None,
            expires: None,
            interrupt: false,
        };
        self.enqueue(Sender::Host, told.sender, notice, None, now, step);
        Some(told.sender)
    }

    pub(super) fn frame_of(&self, session: &Session) -> FrameStyle {
        self.capabilities(session).map_or(FrameStyle::Plain, |capabilities| capabilities.frame)
    }

    /// Queues the wake of a caller that wants to hear what becomes of a message.
    pub(super) fn wake_sender(
        &mut self,
        sleeper: SessionId,
        of: SessionId,
        message: MessageId,
        now: Now,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        if self.waits_for(sleeper, of, message) {
            return Ok(());
        }
        let name = self.known(of)?.name.clone();
        let style = self.frame_of(self.known(sleeper)?);
        let new = NewMessage {
            text: Arc::from(style.notice(&format!("The message {message} that you sent to {name} has ended."))),
            kind: MessageKind::Wake,
            key: None,
            reply_to: Some(message),
            due: None,
            after: Some(NewAfter { any: false, of: vec![NewDependency::Message { session: of, message }] }),
            expires: None,
            interrupt: false,
        };
        let after = self.begin_after(&new, now)?;
        self.enqueue(Sender::Session(sleeper), sleeper, new, after, now, step);
        Ok(())
    }
}

/// What of a session, or of one message in it, is waited for, or how it has ended.
fn begin_state(session: &Session, only: Option<MessageId>, at: Timestamp) -> Result<DependencyState, Refusal> {
    if let Some(gone) = only.filter(|message| !session.messages.contains_key(message)) {
        return Err(Refusal::MessageNotFound(gone));
    }
    let options = WaitOptions { only, through_input: true, ..WaitOptions::default() };
    let (waiting, verdict) = Waiting::begin(session, options);
    Ok(match verdict {
        None => DependencyState::Open { waiting, turn: None },
        Some(verdict) => {
            let how = settlement(verdict, session.last_turn.as_ref().map(TurnResult::of));
            DependencyState::Settled { how, at }
        }
    })
}

/// Whether an event can bring anything to its end.
fn may_settle(event: &Event) -> bool {
    matches!(
        event,
        Event::TurnEnded { .. } | Event::MessageEnded { .. } | Event::SessionReady | Event::SessionExited { .. }
    )
}

/// What the last notice says that may wait.
const MORE: &str = " More of your messages may have ended badly: until these notices are read, no other is written.";

/// Whether the sender does not know yet how its message ended. A message that was done needs no notice, and whoever ended
/// it, or was the session that ran it, was there.
fn is_news(session: &Session, sender: SessionId, end: &MessageEnd, back: Option<TakenBack>) -> bool {
    match end {
        MessageEnd::Settled { outcome, .. } if sender != session.id => match outcome {
            Outcome::Completed => false,
            Outcome::Failed { .. } | Outcome::Unknown { .. } => true,
            Outcome::Interrupted => session.interrupted_by != Some(sender),
            Outcome::Exited => session.stopping.as_ref().and_then(|stopping| stopping.by) != Some(sender),
        },
        MessageEnd::Settled { .. } => false,
        MessageEnd::Cancelled => back.and_then(|back| back.by) != Some(sender),
        MessageEnd::Undeliverable { .. } | MessageEnd::Expired | MessageEnd::Unknown { .. } => true,
    }
}

/// One line, bounded.
fn notice_text(message: MessageId, session: &Session, end: &MessageEnd, back: Option<TakenBack>) -> String {
    let name = &session.name;
    let what = match end {
        MessageEnd::Settled { turn, outcome } => settled_text(session, *turn, outcome),
        MessageEnd::Undeliverable { .. } => format!("could not be delivered: {}", fallen_reason(end)),
        MessageEnd::Cancelled if back.is_some_and(|back| back.killed) => {
            format!("was cancelled before it ran, because {name} was killed")
        }
        MessageEnd::Cancelled => "was taken back by somebody else".to_owned(),
        MessageEnd::Expired => "has expired".to_owned(),
        MessageEnd::Unknown { .. } => {
            format!("may or may not have run, and is not sent again by itself: {}", fallen_reason(end))
        }
    };
    let mut text = format!("Adjutant: your message {message} to {name} {what}.");
    text.truncate(text.floor_char_boundary(limits::NOTICE_BYTES_MAX));
    text
}

/// How a message's turn went wrong.
fn settled_text(session: &Session, turn: TurnNumber, outcome: &Outcome) -> String {
    let exit = session.last_turn.as_ref().filter(|last| last.number == turn).and_then(|last| last.end.exit);
    match (outcome, exit) {
        (Outcome::Failed { reason: FailReason::CommandFailed }, Some(exit)) => {
            format!("failed in turn {turn}: its command ended with exit code {}", exit.shell_code())
        }
        (Outcome::Failed { reason }, _) => format!("failed in turn {turn}: {}", failure_text(*reason)),
        (Outcome::Interrupted, _) => format!("was interrupted in turn {turn}"),
        (Outcome::Exited, _) => {
            format!("did not come to its end: {} exited in the middle of turn {turn}", session.name)
        }
        (Outcome::Completed | Outcome::Unknown { .. }, _) => format!("has ended in turn {turn}"),
    }
}

fn failure_text(reason: FailReason) -> &'static str {
    match reason {
        FailReason::ApiError => "the model's service answered with an error",
        FailReason::RateLimited => "the model's service asked to come back later",
        FailReason::Auth => "the agent is not logged in",
        FailReason::ContextFull => "the conversation no longer fits",
        FailReason::Refused => "the model refused",
        FailReason::CommandFailed => "its command failed",
        FailReason::AgentError => "the agent called it an error",
    }
}

/// Whether a new message has to wait at all.
pub(super) fn first_state(new: &NewMessage, after: Option<&After>, now: Now) -> MessageState {
    let until = new.due.filter(|until| !until.is_due(now));
    let met = after.is_none_or(After::is_met);
    if until.is_none() && met { MessageState::Ready } else { MessageState::Delayed { until } }
}

/// A new message that does not wait has nothing open in its record.
pub(super) fn settle_first(message: &mut Message) {
    if message.state == MessageState::Ready {
        message.stop_waiting();
    }
}
