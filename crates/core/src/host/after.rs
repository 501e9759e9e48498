//! Waiting for others: what a message waits for from the start, what its end sets free, and who is told of one in vain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Host;
use super::dependents::Owner;
use super::step::{Stamp, Step};
use crate::agent::FrameStyle;
use crate::call::{NewAfter, NewDependency, NewMessage, Refusal};
use crate::event::{Event, Logged};
use crate::id::{MessageId, SessionId};
use crate::limits;
use crate::message::{
    After, Dependency, DependencyState, Message, MessageEnd, MessageKind, MessageState, Sender, Settlement, TurnResult,
    settlement,
};
use crate::name::SessionName;
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
    /// Messages of which nothing will come, and whom to tell.
    in_vain: BTreeMap<MessageId, InVain>,
}

#[derive(Clone, Debug)]
struct InVain {
    name: SessionName,
    sender: SessionId,
    end: MessageEnd,
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

    /// Notes that a message has ended in a way of which its sender would not hear otherwise. `by` is who took it back.
    pub(super) fn note_end(&mut self, session: SessionId, id: MessageId, end: &MessageEnd, by: Option<SessionId>) {
        let Some(message) = self.message(session, id) else { return };
        let Sender::Session(sender) = message.from else { return };
        let in_vain = match end {
            MessageEnd::Settled { .. } => false,
            MessageEnd::Cancelled => by != Some(sender),
            MessageEnd::Undeliverable { .. } | MessageEnd::Expired | MessageEnd::Unknown { .. } => true,
        };
        if !in_vain || message.kind == MessageKind::Notice || self.waits_for(sender, session, id) {
            return;
        }
        let Some(name) = self.sessions.get(&session).map(|s| s.name.clone()) else { return };
        self.aftermath.in_vain.insert(id, InVain { name, sender, end: end.clone() });
    }

    /// Whether a session is to be woken by just this message's end.
    pub(super) fn waits_for(&self, sleeper: SessionId, session: SessionId, id: MessageId) -> bool {
        let by_it = |dependency: &Dependency| dependency.message == Some(id);
        let mut waiting = self.dependents.of(session).filter(|owner| owner.0 == sleeper);
        waiting.any(|owner| {
            let after = self.message(owner.0, owner.1).and_then(|message| message.after.as_ref());
            after.is_some_and(|after| after.of.iter().any(by_it))
        })
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
        if sender.queued() >= self.config.queue_messages_max {
            return None;
        }
        let style = self.frame_of(sender);
        let text = notice_text(message, &told.name, &told.end);
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

/// One line, bounded.
fn notice_text(message: MessageId, session: &SessionName, end: &MessageEnd) -> String {
    let what = match end {
        MessageEnd::Settled { .. } => "has ended",
        MessageEnd::Undeliverable { .. } => "could not be delivered",
        MessageEnd::Cancelled => "was taken back by somebody else",
        MessageEnd::Expired => "has expired",
        MessageEnd::Unknown { .. } => "may or may not have run, and is not sent again by itself",
    };
    let reason = match end {
        MessageEnd::Undeliverable { .. } | MessageEnd::Unknown { .. } => format!(": {}", fallen_reason(end)),
        MessageEnd::Settled { .. } | MessageEnd::Cancelled | MessageEnd::Expired => String::new(),
    };
    let mut text = format!("Adjutant: your message {message} to {session} {what}{reason}.");
    text.truncate(text.floor_char_boundary(limits::NOTICE_BYTES_MAX));
    text
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
