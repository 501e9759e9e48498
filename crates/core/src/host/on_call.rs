//! What follows from what a caller wants.

use std::sync::Arc;

use super::Host;
use super::step::{Stamp, Step};
use crate::call::{Answer, Call, Caller, NewMessage, NewSession, Refusal};
use crate::event::{Event, Place};
use crate::id::{MessageId, RequestId, SessionId};
use crate::input::{Act, CallId, Text};
use crate::limits;
use crate::message::{Message, MessageEnd, MessageKind, MessageState, Sender};
use crate::name::{self, SessionName};
use crate::session::{Hold, Phase, Session};
use crate::time::{Due, Now};

type Told = Result<Answer, Refusal>;

impl Host {
    pub(super) fn on_call(&mut self, id: CallId, caller: Caller, call: Call, now: Now, step: &mut Step) {
        let answer = match call {
            Call::Create(new) => self.create(caller, *new, now, step),
            Call::Send { session, message } => self.send(caller, session, message, now, step),
            Call::Interrupt { session, clear_queue } => self.interrupt(caller, session, clear_queue, now, step),
            Call::Kill { session, force, any_allowed } => self.kill(caller, session, force, any_allowed, now, step),
            Call::Purge { session } => self.purge(session, now, step),
            Call::Hold { session } => self.hold(session, true, now, step),
            Call::Release { session } => self.hold(session, false, now, step),
            Call::Remove { session, message } => self.remove(session, message, now, step),
            Call::Edit { session, message, text, due, place } => self.edit(session, message, text, due, place, now, step),
            Call::Respond { request, decision, text } => self.respond(caller, request, decision, &text, now, step),
        };
        step.acts.push(Act::Reply { id, answer });
    }

    fn known(&self, id: SessionId) -> Result<&Session, Refusal> {
        self.sessions.get(&id).ok_or_else(|| Refusal::SessionNotFound(id.to_string()))
    }

    /// A session that has not ended and is not being ended.
    fn usable(&self, id: SessionId) -> Result<&Session, Refusal> {
        let session = self.known(id)?;
        match (&session.phase, &session.stopping) {
            (Phase::Exited { .. }, _) => Err(Refusal::SessionExited(session.name.clone())),
            (Phase::Starting | Phase::Live | Phase::Unseen { .. }, Some(_)) => {
                Err(Refusal::SessionStopping(session.name.clone()))
            }
            (Phase::Starting | Phase::Live | Phase::Unseen { .. }, None) => Ok(session),
        }
    }

    fn create(&mut self, caller: Caller, new: NewSession, now: Now, step: &mut Step) -> Told {
        if let Some(known) = new.profile.key.as_ref().and_then(|key| self.create_keys.get(key)) {
            return Ok(Answer::Created { session: *known, replayed: true, message: None });
        }
        self.check_room(&new)?;
        let name = self.reserve(&new)?;
        let (id, parent) = (new.id, new.parent);
        let stamp = Stamp::at(now.wall);
        self.log(id, stamp, Event::SessionCreated { name, profile: new.profile, parent }, step);
        if let Some(parent) = parent {
            self.log(parent, stamp, Event::ChildCreated { child: id }, step);
        }
        step.acts.push(Act::Launch { session: id });
        let message = new.message.map(|message| self.enqueue(caller, id, message, now, step));
        Ok(Answer::Created { session: id, replayed: false, message })
    }

    fn check_room(&self, new: &NewSession) -> Result<(), Refusal> {
        if self.live >= self.config.sessions_live_max {
            return Err(Refusal::TooManySessions(self.live));
        }
        let above = new.parent.map_or(0, |parent| 1 + self.ancestors(parent).count());
        if above > limits::DESCENDANT_DEPTH_MAX {
            return Err(Refusal::TooDeep(limits::DESCENDANT_DEPTH_MAX));
        }
        Ok(())
    }

    fn reserve(&self, new: &NewSession) -> Result<SessionName, Refusal> {
        match &new.name {
            Some(wanted) if self.names.contains_key(wanted) => Err(Refusal::NameInUse(wanted.clone())),
            Some(wanted) => Ok(wanted.clone()),
            None => Ok(name::choose(new.name_seed, |name| self.names.contains_key(name))),
        }
    }

    fn send(&mut self, caller: Caller, id: SessionId, new: NewMessage, now: Now, step: &mut Step) -> Told {
        let session = self.usable(id)?;
        if let Some(known) = session.messages.values().find(|m| m.key.is_some() && m.key == new.key) {
            let (message, ahead) = (known.id, ahead_of(session, known.id));
            return Ok(Answer::Queued { message, handed: !known.state.is_queued(), ahead, replayed: true });
        }
        self.check_queue(session, &new)?;
        let interrupt = new.interrupt;
        let message = self.enqueue(caller, id, new, now, step);
        if interrupt {
            self.go_first(caller, id, message, now, step);
        }
        self.release_if_held(id, now, step);
        self.deliver_next(id, now, step);
        let session = self.known(id)?;
        let handed = session.messages.get(&message).is_some_and(|m| !m.state.is_queued());
        Ok(Answer::Queued { message, handed, ahead: ahead_of(session, message), replayed: false })
    }

    fn check_queue(&self, session: &Session, new: &NewMessage) -> Result<(), Refusal> {
        let (messages, bytes) = (session.queued(), session.queued_bytes());
        let too_many = messages >= self.config.queue_messages_max;
        let too_large = bytes.saturating_add(new.text.len() as u64) > self.config.queue_bytes_max;
        if too_many || too_large {
            return Err(Refusal::QueueFull { session: session.name.clone(), messages, bytes });
        }
        let can_steer = self.capabilities(session).is_some_and(|c| c.steer);
        if new.kind == MessageKind::Steer && !can_steer {
            let agent = session.profile.agent.to_string();
            return Err(Refusal::NotSupported { agent, what: "take text into a running turn" });
        }
        Ok(())
    }

    fn enqueue(&mut self, caller: Caller, session: SessionId, new: NewMessage, now: Now, step: &mut Step) -> MessageId {
        let id = MessageId::new(self.counters.next_message);
        let state = match new.due {
            Some(until) if !until.is_due(now) => MessageState::Delayed { until },
            Some(_) | None => MessageState::Ready,
        };
        let message = Message {
            id,
            session,
            from: caller.session().map_or(Sender::Human, Sender::Session),
            kind: new.kind,
            bytes: new.text.len() as u64,
            key: new.key,
            reply_to: new.reply_to,
            expires: new.expires,
            queued_at: now.wall,
            returned: 0,
            state,
        };
        step.texts.push(Text::Message { message: id, text: new.text });
        self.log(session, Stamp::at(now.wall), Event::MessageQueued { message }, step);
        id
    }

    /// Puts a message before all others and stops the turn that runs.
    fn go_first(&mut self, caller: Caller, id: SessionId, message: MessageId, now: Now, step: &mut Step) {
        let stamp = Stamp::at(now.wall);
        let first = Event::MessageChanged { message, bytes: None, due: None, place: Some(Place::First) };
        self.log(id, stamp, first, step);
        self.ask_interrupt(caller, id, now, step);
    }

    fn ask_interrupt(&mut self, caller: Caller, id: SessionId, now: Now, step: &mut Step) {
        let Some(turn) = self.sessions.get(&id).and_then(Session::turn).map(|t| t.number) else { return };
        self.log(id, Stamp::at(now.wall), Event::TurnInterruptAsked { turn, by: caller.session() }, step);
        step.acts.push(Act::Interrupt { session: id, turn });
    }

    /// A queue that `interrupt` has held runs on with the next message that is sent.
    fn release_if_held(&mut self, id: SessionId, now: Now, step: &mut Step) {
        if self.sessions.get(&id).is_some_and(|s| s.hold == Hold::AfterInterrupt) {
            self.log(id, Stamp::at(now.wall), Event::QueueReleased, step);
        }
    }

    fn interrupt(&mut self, caller: Caller, id: SessionId, clear_queue: bool, now: Now, step: &mut Step) -> Told {
        let session = self.usable(id)?;
        let turn = session.turn().map(|t| t.number);
        let (free, waiting) = (session.hold == Hold::Off, waiting_messages(session));
        if clear_queue {
            for message in waiting {
                let end = MessageEnd::Cancelled;
                self.log(id, Stamp::at(now.wall), Event::MessageEnded { message, end }, step);
            }
        } else if turn.is_some() && free {
            self.log(id, Stamp::at(now.wall), Event::QueueHeld { by_hand: false }, step);
        }
        self.ask_interrupt(caller, id, now, step);
        Ok(Answer::Interrupting { turn })
    }

    fn kill(&mut self, caller: Caller, id: SessionId, force: bool, any: bool, now: Now, step: &mut Step) -> Told {
        let session = self.known(id)?;
        if let Some(by) = caller.session().filter(|by| !any && !self.descends(id, *by)) {
            let by = self.known(by).map_or_else(|_| by.to_string(), |s| s.name.to_string());
            return Err(Refusal::Forbidden(format!("{} is not a descendant of {by}", session.name)));
        }
        if session.has_exited() {
            return Ok(Answer::Killing { already: true });
        }
        let harder = session.stopping.as_ref().is_none_or(|stopping| force && !stopping.force);
        if harder {
            let event = Event::SessionStopAsked { by: caller.session(), force };
            self.log(id, Stamp::at(now.wall), event, step);
            let grace_ms = if force { 0 } else { limits::KILL_GRACE_MS };
            step.acts.push(Act::End { session: id, grace_ms });
        }
        Ok(Answer::Killing { already: false })
    }

    fn purge(&mut self, id: SessionId, now: Now, step: &mut Step) -> Told {
        let session = self.known(id)?;
        if !session.has_exited() {
            return Err(Refusal::SessionLives(session.name.clone()));
        }
        self.log(id, Stamp::at(now.wall), Event::SessionPurged, step);
        step.acts.push(Act::Remove { session: id });
        Ok(Answer::Done)
    }

    fn hold(&mut self, id: SessionId, hold: bool, now: Now, step: &mut Step) -> Told {
        let wanted = if hold { Hold::ByHand } else { Hold::Off };
        if self.usable(id)?.hold != wanted {
            let event = if hold { Event::QueueHeld { by_hand: true } } else { Event::QueueReleased };
            self.log(id, Stamp::at(now.wall), event, step);
        }
        self.deliver_next(id, now, step);
        Ok(Answer::Done)
    }

    /// A message that still waits.
    fn waiting(&self, session: SessionId, id: MessageId) -> Result<&Message, Refusal> {
        let message = self.known(session)?.messages.get(&id).ok_or(Refusal::MessageNotFound(id))?;
        if message.state.is_queued() { Ok(message) } else { Err(Refusal::MessageStarted(id)) }
    }

    fn remove(&mut self, session: SessionId, id: MessageId, now: Now, step: &mut Step) -> Told {
        self.waiting(session, id)?;
        let event = Event::MessageEnded { message: id, end: MessageEnd::Cancelled };
        self.log(session, Stamp::at(now.wall), event, step);
        Ok(Answer::Done)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one change; a struct would name them once more")]
    fn edit(
        &mut self,
        session: SessionId,
        id: MessageId,
        text: Option<Arc<str>>,
        due: Option<Option<Due>>,
        place: Option<Place>,
        now: Now,
        step: &mut Step,
    ) -> Told {
        self.waiting(session, id)?;
        if let Some(Place::After(other)) = place {
            self.waiting(session, other)?;
        }
        let bytes = text.as_ref().map(|text| text.len() as u64);
        if let Some(text) = text {
            step.texts.push(Text::Message { message: id, text });
        }
        self.log(session, Stamp::at(now.wall), Event::MessageChanged { message: id, bytes, due, place }, step);
        self.deliver_next(session, now, step);
        Ok(Answer::Done)
    }

    fn respond(
        &mut self,
        caller: Caller,
        id: RequestId,
        decision: String,
        text: &Arc<str>,
        now: Now,
        step: &mut Step,
    ) -> Told {
        let owner = self.by_request(id).ok_or(Refusal::RequestNotFound(id))?;
        let session = owner.id;
        if caller.session() == Some(session) {
            return Err(Refusal::Forbidden("a session may not answer its own requests".to_owned()));
        }
        let request = owner.request(id).filter(|r| r.answered_at.is_none()).ok_or(Refusal::RequestNotPending(id))?;
        let native = request.asked.native.clone();
        let event = Event::RequestAnswered { request: id, by: caller.session(), decision };
        self.log(session, Stamp::at(now.wall), event, step);
        step.acts.push(Act::Respond { session, request: id, native, text: Arc::clone(text) });
        Ok(Answer::Done)
    }
}

fn waiting_messages(session: &Session) -> Vec<MessageId> {
    session.messages.values().filter(|m| m.state.is_queued()).map(|m| m.id).collect()
}

/// How many messages run before this one: the ready ones before it, and the one that is at work.
fn ahead_of(session: &Session, id: MessageId) -> usize {
    let before = session.ready.iter().position(|other| *other == id).unwrap_or(session.ready.len());
    let at_work = session.turn().is_some() || session.delivering().is_some_and(|m| m.id != id);
    before + usize::from(at_work)
}
