//! What follows from what a caller wants.

use std::sync::Arc;

use super::Host;
use super::after::{TakenBack, first_state, settle_first};
use super::authority::Right;
use super::step::{Stamp, Step};
use crate::agent::{AgentName, Capabilities};
use crate::call::{Answer, Call, Caller, NewDependency, NewMessage, NewSession, Refusal};
use crate::event::{Event, Place};
use crate::id::{MessageId, RequestId, SessionId, TokenId, TurnNumber};
use crate::input::{Act, CallId, Text};
use crate::limits;
use crate::message::{After, Message, MessageKind, MessageState, Sender};
use crate::name::{self, SessionName};
use crate::request::RequestAnswer;
use crate::session::{Goal, Hold, Phase, Resume, Session};
use crate::time::{Due, Now};

const INTERRUPT: &str = "stop a running turn";

pub(super) type Told = Result<Answer, Refusal>;

impl Host {
    pub(super) fn on_call(&mut self, id: CallId, caller: Caller, call: Call, now: Now, step: &mut Step) {
        let answer = match call {
            Call::Create(new) => self.create(caller, *new, now, step),
            Call::Send { session, message, wake_me } => self.send(caller, session, message, wake_me, now, step),
            Call::Revive { session, revival, message } => self.revive(caller, session, revival, message, now, step),
            Call::Interrupt { session, clear_queue } => self.interrupt(caller, session, clear_queue, now, step),
            Call::Kill { session, force, any_allowed } => self.kill(caller, session, force, any_allowed, now, step),
            Call::Purge { session } => self.purge(caller, session, now, step),
            Call::Hold { session } => self.hold(session, true, now, step),
            Call::Release { session } => self.hold(session, false, now, step),
            Call::Remove { session, message } => self.remove(caller, session, message, now, step),
            Call::Edit { session, message, text, due, place } => {
                self.edit(session, message, text, due, place, now, step)
            }
            Call::Introduce { one, other } => self.introduce(caller, one, other, now, step),
            Call::Heard { messages } => {
                caller.session().into_iter().for_each(|by| self.heard(by, &messages, now, step));
                Ok(Answer::Done)
            }
            Call::Respond { request, answer } => self.respond(caller, request, answer, now, step),
        };
        self.clear_up(now, step);
        step.acts.push(Act::Reply { id, answer });
    }

    pub(super) fn known(&self, id: SessionId) -> Result<&Session, Refusal> {
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

    fn create(&mut self, caller: Caller, mut new: NewSession, now: Now, step: &mut Step) -> Told {
        new.profile.creator = sender(caller);
        if let Some(known) = new.profile.key.as_deref().and_then(|key| self.by_create_key(caller, key)) {
            return Ok(Answer::Created { session: known.id, replayed: true, message: None });
        }
        if self.sessions.contains_key(&new.id) {
            // The same create came twice; a record is never overwritten.
            return Ok(Answer::Created { session: new.id, replayed: true, message: None });
        }
        self.check_room(&new)?;
        let name = self.reserve(&new)?;
        if let Some(first) = &new.message {
            self.check_first(&name, &new.profile.agent, first, now)?;
        }
        if let Some(Resume::Conversation(wanted)) = &new.profile.resume {
            self.check_writer(&new.profile.agent, wanted)?;
        }
        let after = new.message.as_ref().map(|first| self.begin_after(first, now)).transpose()?.flatten();
        let (id, parent) = (new.id, new.parent);
        let stamp = Stamp::at(now.wall);
        self.log(id, stamp, Event::SessionCreated { name, profile: Box::new(new.profile), parent }, step);
        if let Some(parent) = parent {
            self.log(parent, stamp, Event::ChildCreated { child: id }, step);
        }
        step.acts.push(Act::Launch { session: id });
        let message = new.message.map(|message| self.enqueue(sender(caller), id, message, after, now, step));
        Ok(Answer::Created { session: id, replayed: false, message })
    }

    fn check_room(&self, new: &NewSession) -> Result<(), Refusal> {
        if self.live >= self.config.sessions_live_max {
            return Err(Refusal::TooManySessions(self.live));
        }
        self.check_owned(new.profile.owner, new.owned_live_max)?;
        if let Some(parent) = new.parent {
            // Nobody is left to hear of a child whose parent has ended.
            self.usable(parent)?;
        }
        let above = new.parent.map_or(0, |parent| 1 + self.ancestors(parent).count());
        if above > limits::DESCENDANT_DEPTH_MAX {
            return Err(Refusal::TooDeep(limits::DESCENDANT_DEPTH_MAX));
        }
        Ok(())
    }

    /// A token has only so many sessions that live.
    pub(super) fn check_owned(&self, owner: Option<TokenId>, most: Option<usize>) -> Result<(), Refusal> {
        match (owner, most) {
            (Some(token), Some(most)) if self.owned_live(token) >= most => Err(Refusal::TooManyOwned { token, most }),
            (Some(_), Some(_)) | (None, _) | (_, None) => Ok(()),
        }
    }

    fn reserve(&self, new: &NewSession) -> Result<SessionName, Refusal> {
        let is_taken = |name: &SessionName| self.names.contains_key(name);
        match &new.name {
            Some(wanted) if self.names.contains_key(wanted) => Err(Refusal::NameInUse(wanted.clone())),
            Some(wanted) => Ok(wanted.clone()),
            None if self.plain_names >= name::PLAIN_NAMES => Ok(name::choose_numbered(new.name_seed, is_taken)),
            None => Ok(name::choose(new.name_seed, is_taken)),
        }
    }

    /// A session whose first message cannot be accepted is not started.
    pub(super) fn check_first(
        &self,
        name: &SessionName,
        agent: &AgentName,
        first: &NewMessage,
        now: Now,
    ) -> Result<(), Refusal> {
        if first.text.len() as u64 > self.config.queue_bytes_max {
            return Err(Refusal::QueueFull { session: name.clone(), messages: 0, bytes: 0 });
        }
        self.check_abilities(agent, first, now)
    }

    pub(super) fn send(
        &mut self,
        caller: Caller,
        id: SessionId,
        new: NewMessage,
        wake_me: bool,
        now: Now,
        step: &mut Step,
    ) -> Told {
        let sleeper = self.sleeper(caller, wake_me)?;
        let session = self.usable(id)?;
        if new.interrupt || new.kind == MessageKind::Command {
            // They do more than wait in a queue.
            self.check_right(caller, session, Right::Steer)?;
        }
        let from = sender(caller);
        // A key is its sender's: to others it tells nothing, and stands in nobody's way.
        let is_it = |m: &&Message| m.key.is_some() && m.key == new.key && m.from == from;
        if let Some(known) = session.messages.values().find(is_it) {
            let (message, ahead) = (known.id, ahead_of(session, known.id));
            let handed = !known.state.is_queued();
            self.wake_by(sleeper, id, message, now, step)?;
            return Ok(Answer::Queued { message, handed, ahead, replayed: true });
        }
        self.check_queue(session, &new)?;
        self.check_abilities(&session.profile.agent, &new, now)?;
        let after = self.begin_after(&new, now)?;
        let interrupt = new.interrupt;
        if caller.session() == Some(id) {
            // Of what had ended before, the new message tells.
            self.heard(id, &ended_before(&new), now, step);
        }
        let message = self.enqueue(sender(caller), id, new, after, now, step);
        self.wake_by(sleeper, id, message, now, step)?;
        if let Some(by) = caller.session() {
            self.acquaint(id, by, now, step);
        }
        if interrupt {
            self.go_first(caller, id, message, now, step);
        }
        self.release_if_held(id, now, step);
        self.deliver_next(id, now, step);
        let session = self.known(id)?;
        let handed = session.messages.get(&message).is_some_and(|m| !m.state.is_queued());
        Ok(Answer::Queued { message, handed, ahead: ahead_of(session, message), replayed: false })
    }

    /// Who is to be woken; a session with room for one more message.
    fn sleeper(&self, caller: Caller, wake_me: bool) -> Result<Option<SessionId>, Refusal> {
        if !wake_me {
            return Ok(None);
        }
        let sleeper = self.usable(caller.session().ok_or(Refusal::NotASession)?)?;
        let (messages, bytes) = (sleeper.queued(), sleeper.queued_bytes());
        if messages >= self.config.queue_messages_max {
            return Err(Refusal::QueueFull { session: sleeper.name.clone(), messages, bytes });
        }
        Ok(Some(sleeper.id))
    }

    fn wake_by(
        &mut self,
        sleeper: Option<SessionId>,
        of: SessionId,
        message: MessageId,
        now: Now,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        sleeper.map_or(Ok(()), |sleeper| self.wake_sender(sleeper, of, message, now, step))
    }

    fn check_queue(&self, session: &Session, new: &NewMessage) -> Result<(), Refusal> {
        let (messages, bytes) = (session.queued(), session.queued_bytes());
        let too_many = messages >= self.config.queue_messages_max;
        let too_large = bytes.saturating_add(new.text.len() as u64) > self.config.queue_bytes_max;
        if too_many || too_large {
            return Err(Refusal::QueueFull { session: session.name.clone(), messages, bytes });
        }
        Ok(())
    }

    /// What was asked for and cannot be had is refused, never left out.
    fn check_abilities(&self, agent: &AgentName, new: &NewMessage, now: Now) -> Result<(), Refusal> {
        if new.interrupt && !self.can(agent, |c| c.interrupt) {
            return Err(not_supported(agent, INTERRUPT));
        }
        if new.interrupt && (new.after.is_some() || new.due.is_some_and(|due| !due.is_due(now))) {
            return Err(not_supported(agent, "be interrupted for a message that is not due yet"));
        }
        if new.kind == MessageKind::Command && !self.can(agent, |c| c.commands) {
            return Err(not_supported(agent, "take a message as a command of its own"));
        }
        Ok(())
    }

    pub(super) fn can(&self, agent: &AgentName, ability: impl Fn(&Capabilities) -> bool) -> bool {
        self.config.agents.get(agent).is_some_and(ability)
    }

    pub(super) fn enqueue(
        &mut self,
        from: Sender,
        session: SessionId,
        new: NewMessage,
        after: Option<After>,
        now: Now,
        step: &mut Step,
    ) -> MessageId {
        let id = MessageId::new(self.counters.next_message);
        let state = first_state(&new, after.as_ref(), now);
        let steers =
            self.sessions.get(&session).is_some_and(|s| s.is_at_work() && self.can(&s.profile.agent, |c| c.steer));
        let mut message = Message {
            id,
            session,
            from,
            // What cannot go into a running turn becomes the next one, and the sender is told.
            kind: if new.kind == MessageKind::Steer && !steers { MessageKind::Next } else { new.kind },
            bytes: new.text.len() as u64,
            key: new.key,
            reply_to: new.reply_to,
            expires: new.expires,
            queued_at: now.wall,
            returned: 0,
            after,
            came: None,
            state,
        };
        settle_first(&mut message);
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

    /// Asks for the end of the running turn, or else of the one that the message in delivery will open.
    fn ask_interrupt(&mut self, caller: Caller, id: SessionId, now: Now, step: &mut Step) {
        let Some(session) = self.sessions.get(&id) else { return };
        let Some(turn) = turn_to_stop(session) else { return };
        let runs = session.turn().is_some();
        self.log(id, Stamp::at(now.wall), Event::TurnInterruptAsked { turn, by: sender(caller) }, step);
        if runs {
            step.acts.push(Act::Interrupt { session: id, turn: Some(turn) });
        }
    }

    /// A queue that `interrupt` has held runs on with the next message that is sent.
    pub(super) fn release_if_held(&mut self, id: SessionId, now: Now, step: &mut Step) {
        if self.sessions.get(&id).is_some_and(|s| s.hold == Hold::AfterInterrupt) {
            self.log(id, Stamp::at(now.wall), Event::QueueReleased, step);
        }
    }

    fn interrupt(&mut self, caller: Caller, id: SessionId, clear_queue: bool, now: Now, step: &mut Step) -> Told {
        let session = self.usable(id)?;
        if !self.can(&session.profile.agent, |c| c.interrupt) {
            return Err(not_supported(&session.profile.agent, INTERRUPT));
        }
        let turn = turn_to_stop(session);
        // Between two of its turns there is nothing but the goal to stop.
        let goal = turn.is_none() && session.goal.as_ref().is_some_and(Goal::is_pursued);
        let (free, waiting) = (session.hold == Hold::Off, waiting_messages(session));
        if clear_queue {
            for message in waiting {
                self.cancel(id, message, by_hand(caller), Stamp::at(now.wall), step);
            }
        } else if turn.is_some() && free {
            self.log(id, Stamp::at(now.wall), Event::QueueHeld { by_hand: false }, step);
        }
        self.ask_interrupt(caller, id, now, step);
        if goal {
            let text = "interrupted between two turns: its goal is to rest".to_owned();
            self.log(id, Stamp::at(now.wall), Event::SessionNotice { text }, step);
            step.acts.push(Act::Interrupt { session: id, turn: None });
        }
        Ok(Answer::Interrupting { turn, goal })
    }

    fn kill(&mut self, caller: Caller, id: SessionId, force: bool, any: bool, now: Now, step: &mut Step) -> Told {
        let session = self.known(id)?;
        // What the configuration lets sessions do, it lets nobody do from outside.
        let any = any && caller.session().is_some();
        if !any {
            self.check_reach(caller, session)?;
        }
        if session.has_exited() {
            return Ok(Answer::Killing { already: true });
        }
        let harder = session.stopping.as_ref().is_none_or(|stopping| force && !stopping.force);
        if harder {
            let event = Event::SessionStopAsked { by: sender(caller), force };
            self.log(id, Stamp::at(now.wall), event, step);
            let grace_ms = if force { 0 } else { limits::KILL_GRACE_MS };
            step.acts.push(Act::End { session: id, grace_ms });
        }
        Ok(Answer::Killing { already: false })
    }

    /// A session reaches its descendants and nobody else, not even itself; the user reaches all.
    fn check_reach(&self, caller: Caller, session: &Session) -> Result<(), Refusal> {
        match caller {
            Caller::Session(by) if !self.descends(session.id, by) => {
                let by = self.known(by).map_or_else(|_| by.to_string(), |s| s.name.to_string());
                Err(Refusal::Forbidden(format!("{} is not a descendant of {by}", session.name)))
            }
            Caller::Token(_) => self.check_right(caller, session, Right::Steer),
            Caller::Session(_) | Caller::Human => Ok(()),
        }
    }

    fn purge(&mut self, caller: Caller, id: SessionId, now: Now, step: &mut Step) -> Told {
        let session = self.known(id)?;
        self.check_reach(caller, session)?;
        if !session.has_exited() {
            return Err(Refusal::SessionLives(session.name.clone()));
        }
        let revivals = session.revivals;
        self.log(id, Stamp::at(now.wall), Event::SessionPurged, step);
        step.acts.push(Act::Remove { session: id, revivals });
        Ok(Answer::Done)
    }

    pub(super) fn hold(&mut self, id: SessionId, hold: bool, now: Now, step: &mut Step) -> Told {
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

    fn remove(&mut self, caller: Caller, session: SessionId, id: MessageId, now: Now, step: &mut Step) -> Told {
        self.waiting(session, id)?;
        self.cancel(session, id, by_hand(caller), Stamp::at(now.wall), step);
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
        // A moment that has come is none to wait for.
        let due = due.map(|due| due.filter(|until| !until.is_due(now)));
        self.check_place(session, id, due, place)?;
        self.check_new_size(session, id, text.as_deref())?;
        let bytes = text.as_ref().map(|text| text.len() as u64);
        if let Some(text) = text {
            step.texts.push(Text::Message { message: id, text });
        }
        self.log(session, Stamp::at(now.wall), Event::MessageChanged { message: id, bytes, due, place }, step);
        self.deliver_next(session, now, step);
        Ok(Answer::Done)
    }

    /// Only messages that are ready stand in a row.
    fn check_place(
        &self,
        session: SessionId,
        id: MessageId,
        due: Option<Option<Due>>,
        place: Option<Place>,
    ) -> Result<(), Refusal> {
        let Some(place) = place else { return Ok(()) };
        let becomes_ready = match due {
            None => self.waiting(session, id)?.state == MessageState::Ready,
            Some(due) => due.is_none(),
        };
        if !becomes_ready {
            return Err(Refusal::Misplaced("a message that is not due yet has no place in the queue"));
        }
        let Place::After(other) = place else { return Ok(()) };
        if other == id || self.waiting(session, other)?.state != MessageState::Ready {
            return Err(Refusal::Misplaced("a message cannot stand behind itself or behind one that is not due yet"));
        }
        Ok(())
    }

    /// A longer text has to fit as a new message would.
    fn check_new_size(&self, session: SessionId, id: MessageId, text: Option<&str>) -> Result<(), Refusal> {
        let Some(text) = text else { return Ok(()) };
        let before = self.waiting(session, id)?.bytes;
        let session = self.known(session)?;
        let (messages, bytes) = (session.queued(), session.queued_bytes());
        let longer = text.len() as u64 > before;
        if longer && bytes - before + text.len() as u64 > self.config.queue_bytes_max {
            return Err(Refusal::QueueFull { session: session.name.clone(), messages, bytes });
        }
        Ok(())
    }

    fn respond(&mut self, caller: Caller, id: RequestId, answer: RequestAnswer, now: Now, step: &mut Step) -> Told {
        let owner = self.by_request(id).ok_or(Refusal::RequestNotFound(id))?;
        let session = owner.id;
        if caller.session() == Some(session) {
            return Err(Refusal::Forbidden("a session may not answer its own requests".to_owned()));
        }
        self.check_reach(caller, owner)?;
        let request = owner.request(id).filter(|r| r.answered_at.is_none()).ok_or(Refusal::RequestNotPending(id))?;
        let native = request.asked.native.clone();
        let decision = answer.word().to_owned();
        let event = Event::RequestAnswered { request: id, by: sender(caller), decision };
        self.log(session, Stamp::at(now.wall), event, step);
        step.acts.push(Act::Respond { session, request: id, native, answer });
        Ok(Answer::Done)
    }
}

fn by_hand(caller: Caller) -> TakenBack {
    TakenBack { by: caller.session(), killed: false }
}

pub(super) fn sender(caller: Caller) -> Sender {
    match caller {
        Caller::Human => Sender::Human,
        Caller::Session(id) => Sender::Session(id),
        Caller::Token(id) => Sender::Token(id),
    }
}

fn waiting_messages(session: &Session) -> Vec<MessageId> {
    session.messages.values().filter(|m| m.state.is_queued()).map(|m| m.id).collect()
}

/// The messages that a new one waits for and that have ended.
fn ended_before(new: &NewMessage) -> Vec<MessageId> {
    let of = new.after.iter().flat_map(|after| &after.of);
    of.filter_map(|dependency| match dependency {
        NewDependency::Ended { message, .. } => Some(*message),
        NewDependency::Session(_) | NewDependency::Message { .. } => None,
    })
    .collect()
}

/// The turn that an interrupt means: the one that runs, or the one that the message in delivery is about to open.
fn turn_to_stop(session: &Session) -> Option<TurnNumber> {
    let running = session.turn().map(|turn| turn.number);
    running.or_else(|| session.delivering().map(|_| session.next_turn()))
}

fn not_supported(agent: &AgentName, what: &'static str) -> Refusal {
    Refusal::NotSupported { agent: agent.to_string(), what }
}

/// How many messages run before this one: the ready ones before it, and the one that is at work.
fn ahead_of(session: &Session, id: MessageId) -> usize {
    if session.messages.get(&id).is_none_or(|message| !message.state.is_queued()) {
        return 0;
    }
    let before = session.ready.iter().position(|other| *other == id).unwrap_or(session.ready.len());
    let at_work = session.turn().is_some() || session.delivering().is_some();
    before + usize::from(at_work)
}
