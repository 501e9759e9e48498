//! What callers do, and what they are told.

use adjutant_core::call::{NewAfter, NewDependency, NewMessage, NewSession};
use adjutant_core::event::Place;
use adjutant_core::limits;
use adjutant_core::message::MessageKind;
use adjutant_core::session::{Hold, Resume};
use adjutant_core::time::Due;
use adjutant_core::{AgentName, Answer, Call, Caller, MessageId, Now, RequestId, SessionId, TurnNumber};

use super::{At, Model, ModelMessage, ModelSession, Told, due_by};

impl Model {
    pub(super) fn call(&mut self, caller: Caller, call: &Call, now: Now) -> Told {
        match call {
            Call::Create(new) => self.create(caller, new, now),
            Call::Send { session, message, wake_me } => self.send(caller, *session, message, *wake_me, now),
            Call::Revive { session, message, .. } => self.revive(caller, *session, message.as_ref(), now),
            Call::Interrupt { session, clear_queue } => self.interrupt(caller, *session, *clear_queue),
            Call::Kill { session, force, any_allowed } => self.kill(caller, *session, *force, *any_allowed),
            Call::Purge { session } => self.purge(caller, *session),
            Call::Hold { session } => self.hold(*session, Hold::ByHand, now),
            Call::Release { session } => self.hold(*session, Hold::Off, now),
            Call::Remove { session, message } => {
                self.waiting(*session, *message)?;
                self.cancel(*message, false, caller.session());
                Ok(Answer::Done)
            }
            Call::Heard { messages } => {
                caller.session().into_iter().for_each(|by| self.heard(by, messages));
                Ok(Answer::Done)
            }
            Call::Edit { session, message, text, due, place } => {
                self.edit(*session, *message, text.as_deref(), *due, *place, now)
            }
            Call::Introduce { one, other } => {
                let allowed = |id: &SessionId| {
                    self.s(*id).ok_or("not found")?;
                    if caller.session() == Some(*id) { Ok(()) } else { self.reaches(caller, *id) }
                };
                allowed(one).and_then(|()| allowed(other)).map(|()| Answer::Done)
            }
            Call::Respond { request, .. } => self.respond(caller, *request),
        }
    }

    fn usable(&self, id: SessionId) -> Result<&ModelSession, &'static str> {
        let s = self.s(id).ok_or("not found")?;
        if s.exited {
            Err("exited")
        } else if s.stopping.is_some() {
            Err("stopping")
        } else {
            Ok(s)
        }
    }

    fn reaches(&self, caller: Caller, target: SessionId) -> Result<(), &'static str> {
        let reached = caller.session().is_none_or(|by| self.above(target).contains(&by));
        if reached { Ok(()) } else { Err("forbidden") }
    }

    fn able(&self, agent: &AgentName, new: &NewMessage, now: Now) -> Result<(), &'static str> {
        let can = self.can(agent);
        let later = new.after.is_some() || new.due.is_some_and(|due| !due_by(&due, now));
        let command = new.kind == MessageKind::Command && !can.commands;
        let asks_too_much = command || (new.interrupt && (!can.interrupt || later));
        if asks_too_much { Err("not supported") } else { Ok(()) }
    }

    fn create(&mut self, caller: Caller, new: &NewSession, now: Now) -> Told {
        let key = |s: &ModelSession| s.key.is_some() && s.key == new.profile.key && s.creator == caller;
        let same = |s: &&ModelSession| !s.purged && (s.id == new.id || key(s));
        if let Some(known) = self.sessions.iter().find(same) {
            return Ok(Answer::Created { session: known.id, replayed: true, message: None });
        }
        if self.sessions.iter().filter(|s| !s.exited && !s.purged).count() >= self.config.sessions_live_max {
            return Err("too many sessions");
        }
        if let Some(parent) = new.parent {
            self.usable(parent)?;
            if 1 + self.above(parent).len() > limits::DESCENDANT_DEPTH_MAX {
                return Err("too deep");
            }
        }
        if new.name.is_some() && self.sessions.iter().any(|s| !s.purged && s.name == new.name) {
            return Err("name in use");
        }
        if let Some(first) = &new.message {
            if first.text.len() as u64 > self.config.queue_bytes_max {
                return Err("queue full");
            }
            self.able(&new.profile.agent, first, now)?;
        }
        let wanted = match &new.profile.resume {
            Some(Resume::Conversation(wanted)) => Some(wanted.clone()),
            Some(Resume::Latest) | None => None,
        };
        if let Some(wanted) = &wanted {
            self.alone_with(&new.profile.agent, wanted)?;
        }
        self.begin_after(new.message.as_ref().and_then(|first| first.after.as_ref()))?;
        self.sessions.push(ModelSession {
            id: new.id,
            name: new.name.clone(),
            agent: new.profile.agent.clone(),
            parent: new.parent,
            creator: caller,
            key: new.profile.key.clone(),
            keep_failed: new.profile.keep_failed,
            started: false,
            ready: false,
            seen: true,
            exited: false,
            purged: false,
            stopping: None,
            stopped_by: None,
            interrupted_by: None,
            hold: Hold::Off,
            begun: 0,
            before: 0,
            revivals: 0,
            cursor: 0,
            conversation: None,
            wanted,
            goal: None,
            uncounted: false,
            stop_next: None,
            unclear: None,
        });
        self.acts.push(format!("launch {}", new.id));
        let message = new.message.as_ref().map(|message| self.queue(caller, new.id, message, now)).transpose()?;
        Ok(Answer::Created { session: new.id, replayed: false, message })
    }

    /// Nobody else who lives writes this conversation.
    fn alone_with(&self, agent: &AgentName, conversation: &str) -> Result<(), &'static str> {
        let mut others = self.sessions.iter().filter(|s| !s.exited && !s.purged && s.agent == *agent);
        let has = |s: &ModelSession| s.conversation.as_ref().or(s.wanted.as_ref()).is_some_and(|c| c == conversation);
        if others.any(has) { Err("in use") } else { Ok(()) }
    }

    fn revive(&mut self, caller: Caller, id: SessionId, first: Option<&NewMessage>, now: Now) -> Told {
        let s = self.s(id).ok_or("not found")?.clone();
        if !s.exited {
            return match first {
                Some(first) => self.send(caller, id, first, false, now),
                None => self.hold(id, Hold::Off, now),
            };
        }
        if caller.session() != Some(id) {
            self.reaches(caller, id)?;
        }
        let conversation = s.conversation.as_ref().filter(|_| self.can(&s.agent).resume).ok_or("not resumable")?;
        if self.sessions.iter().filter(|s| !s.exited && !s.purged).count() >= self.config.sessions_live_max {
            return Err("too many sessions");
        }
        self.alone_with(&s.agent, conversation)?;
        if let Some(first) = first {
            if first.text.len() as u64 > self.config.queue_bytes_max {
                return Err("queue full");
            }
            self.able(&s.agent, first, now)?;
            self.begin_after(first.after.as_ref())?;
        }
        // What it waits for is fixed while the session has nothing to do.
        let message = first.map(|first| self.queue(caller, id, first, now)).transpose()?;
        self.change(id, |s| {
            (s.exited, s.ready, s.started, s.seen) = (false, false, false, true);
            (s.before, s.cursor, s.stop_next, s.unclear) = (s.begun, 0, None, None);
            s.interrupted_by = None;
            s.revivals += 1;
            if first.is_none() || s.hold == Hold::AfterInterrupt {
                s.hold = Hold::Off;
            }
        });
        self.acts.push(format!("launch {id}"));
        Ok(Answer::Revived { message })
    }

    fn queue(
        &mut self,
        caller: Caller,
        session: SessionId,
        new: &NewMessage,
        now: Now,
    ) -> Result<MessageId, &'static str> {
        let mut after = self.begin_after(new.after.as_ref())?;
        let id = MessageId::new(self.messages.len() as u64 + 1);
        let is_at_work =
            self.running(session).is_some() || self.out(session).is_some() || !self.line(session).is_empty();
        self.back += 1;
        let any = new.after.as_ref().is_some_and(|after| after.any);
        let met = any && after.iter().any(|of| of.settled == Some(true)) || after.iter().all(|of| of.settled.is_some());
        let due = new.due.filter(|due| !due_by(due, now));
        let at = if due.is_none() && met { At::Line(self.back) } else { At::Later(due) };
        if matches!(at, At::Line(_)) {
            after.iter_mut().filter(|of| of.settled.is_none()).for_each(|of| of.settled = Some(false));
        }
        let (key, expires, bytes) = (new.key.clone(), new.expires, new.text.len() as u64);
        self.messages.push(ModelMessage {
            id,
            session,
            at,
            bytes,
            key,
            expires,
            returned: 0,
            steers: new.kind == MessageKind::Steer && is_at_work,
            sender: caller.session(),
            notice: false,
            about: None,
            any,
            after,
            joined: 0,
            ended: 0,
        });
        Ok(id)
    }

    fn send(&mut self, caller: Caller, id: SessionId, new: &NewMessage, wake_me: bool, now: Now) -> Told {
        let sleeper = if wake_me { Some(caller.session().ok_or("no caller to wake")?) } else { None };
        if let Some(sleeper) = sleeper {
            self.usable(sleeper)?;
            if self.waits(sleeper).len() >= self.config.queue_messages_max {
                return Err("queue full");
            }
        }
        let agent = self.usable(id)?.agent.clone();
        if (new.interrupt || new.kind == MessageKind::Command) && caller.session() != Some(id) {
            self.reaches(caller, id)?;
        }
        let is_it = |m: &&ModelMessage| m.key.is_some() && m.key == new.key && m.sender == caller.session();
        let known = self.of(id).find(is_it).cloned();
        if let Some(known) = known {
            let (message, queued) = (known.id, matches!(known.at, At::Later(_) | At::Line(_)));
            let ahead = self.ahead(id, message);
            self.wake_by(sleeper, id, message)?;
            return Ok(Answer::Queued { message, handed: !queued, ahead, replayed: true });
        }
        let bytes: u64 = self.waits(id).iter().map(|m| m.bytes).sum();
        let too_many = self.waits(id).len() >= self.config.queue_messages_max;
        if too_many || bytes + new.text.len() as u64 > self.config.queue_bytes_max {
            return Err("queue full");
        }
        self.able(&agent, new, now)?;
        if caller.session() == Some(id) {
            let of = new.after.iter().flat_map(|after| &after.of);
            let told = of.filter_map(|of| match of {
                NewDependency::Ended { message, .. } => Some(*message),
                NewDependency::Session(_) | NewDependency::Message { .. } => None,
            });
            self.begin_after(new.after.as_ref())?;
            self.heard(id, &told.collect::<Vec<_>>());
        }
        let message = self.queue(caller, id, new, now)?;
        self.wake_by(sleeper, id, message)?;
        if new.interrupt {
            self.front -= 1;
            self.put(message, At::Line(self.front));
            self.asks_stop(caller, id);
        }
        self.change(id, |s| s.hold = if s.hold == Hold::AfterInterrupt { Hold::Off } else { s.hold });
        self.go_on(id, now);
        let handed = self.m(message).is_some_and(|m| matches!(m.at, At::Out(_)));
        Ok(Answer::Queued { message, handed, ahead: self.ahead(id, message), replayed: false })
    }

    fn wake_by(&mut self, sleeper: Option<SessionId>, id: SessionId, message: MessageId) -> Result<(), &'static str> {
        let Some(sleeper) = sleeper.filter(|sleeper| !self.waits_for(*sleeper, id, message)) else { return Ok(()) };
        let of = NewAfter { any: false, of: vec![NewDependency::Message { session: id, message }] };
        let after = self.begin_after(Some(&of))?;
        let text = format!("The message {message} that you sent to {} has ended.", self.name_of(id));
        self.own_words(sleeper, None, &text, after);
        Ok(())
    }

    fn ahead(&self, session: SessionId, message: MessageId) -> usize {
        let at_work = usize::from(self.running(session).is_some() || self.out(session).is_some());
        let line = self.line(session);
        match self.m(message).map(|m| &m.at) {
            Some(At::Later(_)) => at_work + line.len(),
            Some(At::Line(_)) => at_work + line.iter().take_while(|other| **other != message).count(),
            Some(At::Out(_) | At::In(_) | At::Over(_)) | None => 0,
        }
    }

    fn to_stop(&self, session: SessionId) -> Option<TurnNumber> {
        let next = self.s(session).map_or(1, |s| s.begun + 1);
        let running = self.running(session).map(|t| t.number);
        running.or(self.out(session).map(|_| next)).map(TurnNumber::new)
    }

    fn asks_stop(&mut self, caller: Caller, session: SessionId) {
        if self.to_stop(session).is_some() {
            self.change(session, |s| s.interrupted_by = caller.session());
        }
        self.ask_stop(session);
    }

    pub(super) fn ask_stop(&mut self, session: SessionId) {
        if let Some(turn) = self.turns.iter_mut().find(|t| t.session == session && t.outcome.is_none()) {
            turn.asked = true;
            self.acts.push(format!("interrupt {session} {}", turn.number));
        } else if let Some(message) = self.out(session) {
            self.change(session, |s| s.stop_next = Some(message));
        }
    }

    fn interrupt(&mut self, caller: Caller, id: SessionId, clear_queue: bool) -> Told {
        let agent = self.usable(id)?.agent.clone();
        if !self.can(&agent).interrupt {
            return Err("not supported");
        }
        let turn = self.to_stop(id);
        if clear_queue {
            let waiting: Vec<MessageId> = self.waits(id).iter().map(|m| m.id).collect();
            waiting.into_iter().for_each(|message| self.cancel(message, false, caller.session()));
        } else if turn.is_some() {
            self.change(id, |s| s.hold = if s.hold == Hold::Off { Hold::AfterInterrupt } else { s.hold });
        }
        self.asks_stop(caller, id);
        let goal = turn.is_none() && self.s(id).is_some_and(|s| s.goal.as_ref().is_some_and(|g| g.status == "active"));
        if goal {
            self.acts.push(format!("interrupt {id} goal"));
        }
        Ok(Answer::Interrupting { turn, goal })
    }

    fn kill(&mut self, caller: Caller, id: SessionId, force: bool, any: bool) -> Told {
        let (exited, stopping) = self.s(id).map(|s| (s.exited, s.stopping)).ok_or("not found")?;
        if !any {
            self.reaches(caller, id)?;
        }
        if !exited && (stopping.is_none() || (force && stopping == Some(false))) {
            self.change(id, |s| (s.stopping, s.stopped_by) = (Some(force), caller.session()));
            self.end_order(id);
        }
        Ok(Answer::Killing { already: exited })
    }

    pub(super) fn end_order(&mut self, id: SessionId) {
        match self.s(id).and_then(|s| s.stopping) {
            Some(true) => self.acts.push(format!("end {id} 0")),
            Some(false) => self.acts.push(format!("end {id} {}", limits::KILL_GRACE_MS)),
            None => {}
        }
    }

    fn purge(&mut self, caller: Caller, id: SessionId) -> Told {
        let s = self.s(id).ok_or("not found")?;
        let (exited, revivals) = (s.exited, s.revivals);
        self.reaches(caller, id)?;
        if !exited {
            return Err("lives");
        }
        self.change(id, |s| s.purged = true);
        self.acts.push(format!("remove {id} {revivals}"));
        Ok(Answer::Done)
    }

    fn hold(&mut self, id: SessionId, hold: Hold, now: Now) -> Told {
        self.usable(id)?;
        self.change(id, |s| s.hold = hold);
        self.go_on(id, now);
        Ok(Answer::Done)
    }

    fn waiting(&self, session: SessionId, id: MessageId) -> Result<&ModelMessage, &'static str> {
        self.s(session).ok_or("not found")?;
        let message = self.of(session).find(|m| m.id == id).ok_or("no message")?;
        if matches!(message.at, At::Later(_) | At::Line(_)) { Ok(message) } else { Err("started") }
    }

    fn edit(
        &mut self,
        session: SessionId,
        id: MessageId,
        text: Option<&str>,
        due: Option<Option<Due>>,
        place: Option<Place>,
        now: Now,
    ) -> Told {
        let (before, was_ready) = self.waiting(session, id).map(|m| (m.bytes, matches!(m.at, At::Line(_))))?;
        let later = due.map(|due| due.filter(|due| !due_by(due, now)));
        if place.is_some() && (later.is_some_and(|due| due.is_some()) || (later.is_none() && !was_ready)) {
            return Err("not supported");
        }
        if let Some(Place::After(other)) = place
            && (other == id || !matches!(self.waiting(session, other)?.at, At::Line(_)))
        {
            return Err("not supported");
        }
        let after = text.map_or(before, |text| text.len() as u64);
        let bytes: u64 = self.waits(session).iter().map(|m| m.bytes).sum();
        if after > before && bytes - before + after > self.config.queue_bytes_max {
            return Err("queue full");
        }
        self.messages.iter_mut().filter(|m| m.id == id).for_each(|m| m.bytes = after);
        match later {
            Some(Some(due)) => self.put(id, At::Later(Some(due))),
            Some(None) if !was_ready => self.line_up(id),
            Some(None) | None => {}
        }
        self.place(session, id, place);
        self.go_on(session, now);
        Ok(Answer::Done)
    }

    fn place(&mut self, session: SessionId, id: MessageId, place: Option<Place>) {
        let mut line = self.line(session);
        let Some(place) = place else { return };
        line.retain(|other| *other != id);
        let index = match place {
            Place::First => 0,
            Place::After(other) => line.iter().take_while(|m| **m != other).count() + 1,
        };
        line.insert(index, id);
        // The whole line gets new numbers, so that there is room between any two.
        for message in line {
            self.back += 1;
            self.put(message, At::Line(self.back));
        }
    }

    fn respond(&mut self, caller: Caller, id: RequestId) -> Told {
        let request = self.requests.iter().find(|r| r.id == id && r.open).ok_or("no request")?.clone();
        if caller.session() == Some(request.session) {
            return Err("forbidden");
        }
        self.reaches(caller, request.session)?;
        if request.answered {
            return Err("not pending");
        }
        self.requests.iter_mut().filter(|r| r.id == id).for_each(|r| r.answered = true);
        self.acts.push(format!("respond {} {id} {}", request.session, request.native));
        Ok(Answer::Done)
    }
}
