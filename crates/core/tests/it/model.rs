//! A plain, slow model of a host: flat lists, looked through from end to end, that predict what each input leads to.
//!
//! It shares no code with the host but the types of what comes in and goes out. A place in a queue is a number to sort by;
//! nothing is ever removed from a list.

use adjutant_core::agent::{AgentReport, Capabilities, SessionEnd};
use adjutant_core::call::{NewMessage, NewSession};
use adjutant_core::event::Place;
use adjutant_core::id::Attempt;
use adjutant_core::limits;
use adjutant_core::message::{MessageEnd, MessageKind, Undeliverable};
use adjutant_core::outcome::{Outcome, UnknownReason};
use adjutant_core::session::{Hold, Status};
use adjutant_core::time::Due;
use adjutant_core::{
    Act, AgentName, Answer, Call, Caller, HostConfig, Input, MessageId, Now, RequestId, SessionId, SessionName, TurnNumber,
};

#[derive(Clone, Debug)]
pub(crate) struct ModelSession {
    pub(crate) id: SessionId,
    pub(crate) name: Option<SessionName>,
    pub(crate) agent: AgentName,
    pub(crate) parent: Option<SessionId>,
    pub(crate) key: Option<String>,
    pub(crate) keep_failed: bool,
    started: bool,
    pub(crate) ready: bool,
    pub(crate) seen: bool,
    pub(crate) exited: bool,
    pub(crate) purged: bool,
    pub(crate) stopping: Option<bool>,
    pub(crate) hold: Hold,
    pub(crate) begun: u32,
    pub(crate) cursor: u64,
    stop_next: Option<MessageId>,
    unclear: Option<MessageId>,
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum At {
    Later(Due),
    Line(i64),
    Out(u32),
    In(u32),
    Over(MessageEnd),
}

#[derive(Clone, Debug)]
pub(crate) struct ModelMessage {
    pub(crate) id: MessageId,
    pub(crate) session: SessionId,
    pub(crate) at: At,
    pub(crate) bytes: u64,
    key: Option<String>,
    expires: Option<Due>,
    returned: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct ModelTurn {
    pub(crate) session: SessionId,
    pub(crate) number: u32,
    pub(crate) outcome: Option<Outcome>,
    asked: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ModelRequest {
    pub(crate) id: RequestId,
    pub(crate) session: SessionId,
    pub(crate) open: bool,
    native: String,
    answered: bool,
}

/// What a model says of a call: the answer, or a word for the refusal.
pub(crate) type Told = Result<Answer, &'static str>;

#[derive(Clone, Debug)]
pub(crate) struct Model {
    config: HostConfig,
    pub(crate) sessions: Vec<ModelSession>,
    pub(crate) messages: Vec<ModelMessage>,
    pub(crate) turns: Vec<ModelTurn>,
    pub(crate) requests: Vec<ModelRequest>,
    /// What the last input has to lead to, in words: acts other than replies.
    pub(crate) acts: Vec<String>,
    /// What the last call has to be told.
    pub(crate) told: Option<Told>,
    back: i64,
    front: i64,
}

/// The act of the host in the words of the model.
pub(crate) fn word_of(act: &Act) -> Option<String> {
    match act {
        Act::Reply { .. } => None,
        Act::Launch { session } => Some(format!("launch {session}")),
        Act::Adopt { session } => Some(format!("adopt {session}")),
        Act::Deliver { session, message, attempt } => Some(format!("deliver {session} {message} {}", attempt.get())),
        Act::Interrupt { session, turn } => Some(format!("interrupt {session} {turn}")),
        Act::Respond { session, request, native, .. } => Some(format!("respond {session} {request} {native}")),
        Act::End { session, grace_ms } => Some(format!("end {session} {grace_ms}")),
        Act::Release { session } => Some(format!("release {session}")),
        Act::Remove { session } => Some(format!("remove {session}")),
    }
}

fn due_by(due: &Due, now: Now) -> bool {
    match due {
        Due::At(at) => now.wall >= *at,
        Due::Elapsed { boot, wall } if boot.boot != now.boot.boot => now.wall >= *wall,
        Due::Elapsed { boot, .. } => now.boot.millis >= boot.millis,
    }
}

fn left(due: &Due, now: Now) -> u64 {
    let gap = match due {
        Due::Elapsed { boot, .. } if boot.boot == now.boot.boot => i128::from(boot.millis) - i128::from(now.boot.millis),
        Due::Elapsed { wall, .. } | Due::At(wall) => i128::from(wall.as_millis()) - i128::from(now.wall.as_millis()),
    };
    u64::try_from(gap.max(0)).unwrap_or(u64::MAX)
}

impl Model {
    pub(crate) fn new(config: HostConfig) -> Self {
        let (sessions, messages, turns, requests) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { config, sessions, messages, turns, requests, acts: Vec::new(), told: None, back: 0, front: 0 }
    }

    /// Takes in one input.
    pub(crate) fn take(&mut self, input: &Input, now: Now) {
        self.acts.clear();
        self.told = None;
        match input {
            Input::Recovered => self.recover(),
            Input::TimeCame => self.pass(now),
            Input::Call { caller, call, .. } => {
                self.pass(now);
                self.told = Some(self.call(*caller, call, now));
            }
            Input::Agent { session, cursor, report, .. } => {
                self.pass(now);
                self.report(*session, *cursor, report, now);
            }
        }
    }

    // What is there.

    pub(crate) fn s(&self, id: SessionId) -> Option<&ModelSession> {
        self.sessions.iter().find(|s| s.id == id && !s.purged)
    }

    fn change(&mut self, id: SessionId, how: impl FnOnce(&mut ModelSession)) {
        self.sessions.iter_mut().find(|s| s.id == id && !s.purged).map(how);
    }

    pub(crate) fn m(&self, id: MessageId) -> Option<&ModelMessage> {
        self.messages.iter().find(|m| m.id == id)
    }

    fn put(&mut self, id: MessageId, at: At) {
        self.messages.iter_mut().find(|m| m.id == id).expect("a message that the model knows").at = at;
    }

    fn of(&self, session: SessionId) -> impl Iterator<Item = &ModelMessage> {
        self.messages.iter().filter(move |m| m.session == session && !matches!(m.at, At::Over(_)))
    }

    /// The messages that may run, in their order.
    pub(crate) fn line(&self, session: SessionId) -> Vec<MessageId> {
        let mut line: Vec<(i64, MessageId)> = Vec::new();
        for message in self.of(session) {
            if let At::Line(place) = message.at {
                line.push((place, message.id));
            }
        }
        line.sort();
        line.into_iter().map(|(_, id)| id).collect()
    }

    fn waits(&self, session: SessionId) -> Vec<&ModelMessage> {
        self.of(session).filter(|m| matches!(m.at, At::Later(_) | At::Line(_))).collect()
    }

    pub(crate) fn out(&self, session: SessionId) -> Option<MessageId> {
        self.of(session).find(|m| matches!(m.at, At::Out(_))).map(|m| m.id)
    }

    pub(crate) fn running(&self, session: SessionId) -> Option<&ModelTurn> {
        self.turns.iter().find(|t| t.session == session && t.outcome.is_none())
    }

    pub(crate) fn open(&self, session: SessionId) -> Vec<&ModelRequest> {
        self.requests.iter().filter(|r| r.session == session && r.open).collect()
    }

    fn can(&self, agent: &AgentName) -> Capabilities {
        self.config.agents[agent].clone()
    }

    fn above(&self, session: SessionId) -> Vec<SessionId> {
        let mut line = Vec::new();
        let mut at = self.s(session).and_then(|s| s.parent);
        while let Some(parent) = at {
            line.push(parent);
            at = self.s(parent).and_then(|s| s.parent);
        }
        line
    }

    pub(crate) fn status(&self, session: SessionId) -> Status {
        let s = self.s(session).expect("a session that the model knows");
        match () {
            () if s.exited => Status::Exited,
            () if !s.seen => Status::Unknown,
            () if !s.ready => Status::Starting,
            () if self.running(session).is_none() => Status::Idle,
            () if self.open(session).is_empty() => Status::Working,
            () => Status::WaitingForInput,
        }
    }

    /// The earliest moment at which something is due, in milliseconds from now.
    pub(crate) fn next_due(&self, now: Now) -> Option<u64> {
        let mut moments: Vec<u64> = Vec::new();
        for message in &self.messages {
            if let At::Later(due) = &message.at {
                moments.push(left(due, now));
            }
            if matches!(message.at, At::Later(_) | At::Line(_)) {
                moments.extend(message.expires.map(|expires| left(&expires, now)));
            }
        }
        moments.into_iter().min()
    }

    // What time does.

    fn pass(&mut self, now: Now) {
        let mut come: Vec<(i64, MessageId, SessionId)> = Vec::new();
        for message in &self.messages {
            let late = message.expires.is_some_and(|expires| due_by(&expires, now));
            match &message.at {
                At::Later(due) if late || due_by(due, now) => come.push((due.wall().as_millis(), message.id, message.session)),
                At::Line(_) if late => come.push((i64::MIN, message.id, message.session)),
                At::Later(_) | At::Line(_) | At::Out(_) | At::In(_) | At::Over(_) => {}
            }
        }
        come.sort();
        for (_, id, _) in &come {
            if !self.expire(*id, now) {
                self.back += 1;
                self.put(*id, At::Line(self.back));
            }
        }
        for (_, _, session) in come {
            self.go_on(session, now);
        }
    }

    fn expire(&mut self, id: MessageId, now: Now) -> bool {
        let late = self.m(id).and_then(|m| m.expires).is_some_and(|expires| due_by(&expires, now));
        if late {
            self.over(id, MessageEnd::Expired);
        }
        late
    }

    fn over(&mut self, id: MessageId, end: MessageEnd) {
        let (session, was_out) = self.m(id).map(|m| (m.session, matches!(m.at, At::Out(_)))).expect("known");
        let unclear = was_out && matches!(end, MessageEnd::Unknown { .. });
        self.put(id, At::Over(end));
        self.change(session, |s| {
            s.stop_next = s.stop_next.filter(|other| *other != id);
            if unclear {
                s.unclear = Some(id);
            }
        });
    }

    /// Hands the first of the line over, if nothing stands against it.
    fn go_on(&mut self, id: SessionId, now: Now) {
        loop {
            let Some(s) = self.s(id) else { return };
            let free = s.ready && s.seen && !s.exited && s.stopping.is_none() && s.hold == Hold::Off;
            if !free || self.running(id).is_some() || self.out(id).is_some() {
                return;
            }
            let Some(first) = self.line(id).first().copied() else { return };
            if !self.expire(first, now) {
                let attempt = self.m(first).map_or(1, |m| m.returned + 1);
                self.put(first, At::Out(attempt));
                self.acts.push(format!("deliver {id} {first} {attempt}"));
            }
        }
    }

    // What callers do.

    fn call(&mut self, caller: Caller, call: &Call, now: Now) -> Told {
        match call {
            Call::Create(new) => self.create(new, caller, now),
            Call::Send { session, message } => self.send(*session, message, now),
            Call::Interrupt { session, clear_queue } => self.interrupt(*session, *clear_queue),
            Call::Kill { session, force, any_allowed } => self.kill(caller, *session, *force, *any_allowed),
            Call::Purge { session } => self.purge(caller, *session),
            Call::Hold { session } => self.hold(*session, Hold::ByHand, now),
            Call::Release { session } => self.hold(*session, Hold::Off, now),
            Call::Remove { session, message } => {
                self.waiting(*session, *message)?;
                self.over(*message, MessageEnd::Cancelled);
                Ok(Answer::Done)
            }
            Call::Edit { session, message, text, due, place } => {
                self.edit(*session, *message, text.as_deref(), *due, *place, now)
            }
            Call::Respond { request, .. } => self.respond(caller, *request),
        }
    }

    fn usable(&self, id: SessionId) -> Result<&ModelSession, &'static str> {
        let s = self.s(id).ok_or("not found")?;
        if s.exited { Err("exited") } else if s.stopping.is_some() { Err("stopping") } else { Ok(s) }
    }

    fn reaches(&self, caller: Caller, target: SessionId) -> Result<(), &'static str> {
        let reached = caller.session().is_none_or(|by| self.above(target).contains(&by));
        if reached { Ok(()) } else { Err("forbidden") }
    }

    fn able(&self, agent: &AgentName, new: &NewMessage, now: Now) -> Result<(), &'static str> {
        let can = self.can(agent);
        let later = new.due.is_some_and(|due| !due_by(&due, now));
        let asks_too_much = (new.kind == MessageKind::Steer && !can.steer) || (new.interrupt && (!can.interrupt || later));
        if asks_too_much { Err("not supported") } else { Ok(()) }
    }

    fn create(&mut self, new: &NewSession, caller: Caller, now: Now) -> Told {
        let same = |s: &&ModelSession| !s.purged && (s.id == new.id || (s.key.is_some() && s.key == new.profile.key));
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
        self.sessions.push(ModelSession {
            id: new.id,
            name: new.name.clone(),
            agent: new.profile.agent.clone(),
            parent: new.parent,
            key: new.profile.key.clone(),
            keep_failed: new.profile.keep_failed,
            started: false,
            ready: false,
            seen: true,
            exited: false,
            purged: false,
            stopping: None,
            hold: Hold::Off,
            begun: 0,
            cursor: 0,
            stop_next: None,
            unclear: None,
        });
        self.acts.push(format!("launch {}", new.id));
        let _ = caller;
        let message = new.message.as_ref().map(|message| self.queue(new.id, message, now));
        Ok(Answer::Created { session: new.id, replayed: false, message })
    }

    fn queue(&mut self, session: SessionId, new: &NewMessage, now: Now) -> MessageId {
        let id = MessageId::new(self.messages.len() as u64 + 1);
        self.back += 1;
        let at = match new.due {
            Some(due) if !due_by(&due, now) => At::Later(due),
            Some(_) | None => At::Line(self.back),
        };
        let (key, expires, bytes) = (new.key.clone(), new.expires, new.text.len() as u64);
        self.messages.push(ModelMessage { id, session, at, bytes, key, expires, returned: 0 });
        id
    }

    fn send(&mut self, id: SessionId, new: &NewMessage, now: Now) -> Told {
        let agent = self.usable(id)?.agent.clone();
        if let Some(known) = self.of(id).find(|m| m.key.is_some() && m.key == new.key) {
            let (message, queued) = (known.id, matches!(known.at, At::Later(_) | At::Line(_)));
            return Ok(Answer::Queued { message, handed: !queued, ahead: self.ahead(id, message), replayed: true });
        }
        let bytes: u64 = self.waits(id).iter().map(|m| m.bytes).sum();
        let too_many = self.waits(id).len() >= self.config.queue_messages_max;
        if too_many || bytes + new.text.len() as u64 > self.config.queue_bytes_max {
            return Err("queue full");
        }
        self.able(&agent, new, now)?;
        let message = self.queue(id, new, now);
        if new.interrupt {
            self.front -= 1;
            self.put(message, At::Line(self.front));
            self.ask_stop(id);
        }
        self.change(id, |s| s.hold = if s.hold == Hold::AfterInterrupt { Hold::Off } else { s.hold });
        self.go_on(id, now);
        let handed = self.m(message).is_some_and(|m| matches!(m.at, At::Out(_)));
        Ok(Answer::Queued { message, handed, ahead: self.ahead(id, message), replayed: false })
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

    fn ask_stop(&mut self, session: SessionId) {
        if let Some(turn) = self.turns.iter_mut().find(|t| t.session == session && t.outcome.is_none()) {
            turn.asked = true;
            self.acts.push(format!("interrupt {session} {}", turn.number));
        } else if let Some(message) = self.out(session) {
            self.change(session, |s| s.stop_next = Some(message));
        }
    }

    fn interrupt(&mut self, id: SessionId, clear_queue: bool) -> Told {
        let agent = self.usable(id)?.agent.clone();
        if !self.can(&agent).interrupt {
            return Err("not supported");
        }
        let turn = self.to_stop(id);
        if clear_queue {
            let waiting: Vec<MessageId> = self.waits(id).iter().map(|m| m.id).collect();
            waiting.into_iter().for_each(|message| self.over(message, MessageEnd::Cancelled));
        } else if turn.is_some() {
            self.change(id, |s| s.hold = if s.hold == Hold::Off { Hold::AfterInterrupt } else { s.hold });
        }
        self.ask_stop(id);
        Ok(Answer::Interrupting { turn })
    }

    fn kill(&mut self, caller: Caller, id: SessionId, force: bool, any: bool) -> Told {
        let (exited, stopping) = self.s(id).map(|s| (s.exited, s.stopping)).ok_or("not found")?;
        if !any {
            self.reaches(caller, id)?;
        }
        if !exited && (stopping.is_none() || (force && stopping == Some(false))) {
            self.change(id, |s| s.stopping = Some(force));
            self.end_order(id);
        }
        Ok(Answer::Killing { already: exited })
    }

    fn end_order(&mut self, id: SessionId) {
        match self.s(id).and_then(|s| s.stopping) {
            Some(true) => self.acts.push(format!("end {id} 0")),
            Some(false) => self.acts.push(format!("end {id} {}", limits::KILL_GRACE_MS)),
            None => {}
        }
    }

    fn purge(&mut self, caller: Caller, id: SessionId) -> Told {
        let exited = self.s(id).ok_or("not found")?.exited;
        self.reaches(caller, id)?;
        if !exited {
            return Err("lives");
        }
        self.change(id, |s| s.purged = true);
        self.acts.push(format!("remove {id}"));
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
        let later = match due {
            None => None,
            Some(due) => Some(due.filter(|due| !due_by(due, now))),
        };
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
            Some(Some(due)) => self.put(id, At::Later(due)),
            Some(None) if !was_ready => {
                self.back += 1;
                self.put(id, At::Line(self.back));
            }
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

    // What drivers see.

    fn recover(&mut self) {
        let mut alive: Vec<SessionId> = self.sessions.iter().filter(|s| !s.exited && !s.purged).map(|s| s.id).collect();
        alive.sort();
        for id in alive {
            self.change(id, |s| s.seen = false);
            self.acts.push(format!("adopt {id}"));
            self.end_order(id);
        }
    }

    fn report(&mut self, id: SessionId, cursor: Option<u64>, report: &AgentReport, now: Now) {
        let Some(s) = self.s(id).filter(|s| !s.exited).cloned() else { return };
        let last_word = matches!(report, AgentReport::StartFailed { .. } | AgentReport::Exited { .. });
        if cursor.is_some_and(|cursor| cursor < s.cursor) && !last_word {
            return;
        }
        if self.observe(&s, report) {
            self.change(id, |s| s.cursor = s.cursor.max(cursor.unwrap_or(0)));
        }
        self.go_on(id, now);
    }

    /// Says whether the log has heard something new, and with it how far the journal was read.
    fn observe(&mut self, s: &ModelSession, report: &AgentReport) -> bool {
        let id = s.id;
        match report {
            // The world tells each start once, or again with the same words.
            AgentReport::Started { .. } => {
                self.change(id, |s| s.started = true);
                !s.started
            }
            AgentReport::Ready => {
                self.change(id, |s| s.ready = true);
                !s.ready
            }
            AgentReport::StartFailed { .. } if s.ready || s.begun > 0 => self.exit(id, true, false),
            AgentReport::StartFailed { .. } => {
                self.exit(id, false, false);
                if !s.keep_failed && s.stopping.is_none() {
                    self.change(id, |s| s.purged = true);
                    self.acts.push(format!("remove {id}"));
                }
                true
            }
            AgentReport::Taken { message, .. } => self.taken(s, *message),
            AgentReport::NotTaken { message, attempt, detail } => self.not_taken(id, *message, *attempt, detail),
            AgentReport::Unclear { message, attempt, why } => {
                let out = self.is_out(id, *message, *attempt);
                if out {
                    self.over(*message, MessageEnd::Unknown { why: why.clone() });
                }
                out
            }
            AgentReport::TurnStarted { .. } => self.begin(id).1,
            AgentReport::TurnEnded { end } => self.end_turn(id, end.outcome.clone()),
            AgentReport::RequestOpened { request } => self.ask(id, &request.native),
            AgentReport::RequestClosed { native, .. } => {
                let mut open = self.requests.iter_mut().filter(|r| r.session == id && r.open && r.native == *native);
                open.next().map(|request| request.open = false).is_some()
            }
            AgentReport::InterruptPassed { .. } => self.running(id).is_some(),
            AgentReport::Unseen { .. } => {
                self.change(id, |s| s.seen = false);
                true
            }
            AgentReport::Seen { level } => self.see(s, level.working),
            AgentReport::Exited { end } => {
                self.exit(id, matches!(end, SessionEnd::Lost { .. }), matches!(end, SessionEnd::Killed))
            }
        }
    }

    fn is_out(&self, session: SessionId, message: MessageId, attempt: Attempt) -> bool {
        self.of(session).any(|m| m.id == message && m.at == At::Out(attempt.get()))
    }

    /// The running turn, and whether it begins only now.
    fn begin(&mut self, id: SessionId) -> (u32, bool) {
        if let Some(turn) = self.running(id) {
            return (turn.number, false);
        }
        self.change(id, |s| s.begun += 1);
        let number = self.s(id).map_or(0, |s| s.begun);
        self.turns.push(ModelTurn { session: id, number, outcome: None, asked: false });
        (number, true)
    }

    fn taken(&mut self, s: &ModelSession, message: MessageId) -> bool {
        let known = self.of(s.id).find(|m| m.id == message).map(|m| m.at.clone());
        let late = known.is_none() && s.unclear == Some(message);
        if !late && (known.is_none() || matches!(known, Some(At::In(_)))) {
            return false;
        }
        let (number, _) = self.begin(s.id);
        if late {
            self.change(s.id, |s| s.unclear = None);
            return true;
        }
        self.put(message, At::In(number));
        if s.stop_next == Some(message) {
            self.change(s.id, |s| s.stop_next = None);
            self.ask_stop(s.id);
        }
        true
    }

    fn not_taken(&mut self, id: SessionId, message: MessageId, attempt: Attempt, detail: &str) -> bool {
        if !self.is_out(id, message, attempt) {
            return false;
        }
        if attempt.get() >= limits::ATTEMPTS_MAX {
            let why = Undeliverable::NeverTaken { detail: detail.to_owned() };
            self.over(message, MessageEnd::Undeliverable { why });
            return true;
        }
        self.messages.iter_mut().filter(|m| m.id == message).for_each(|m| m.returned += 1);
        self.front -= 1;
        self.put(message, At::Line(self.front));
        if self.s(id).is_some_and(|s| s.hold != Hold::Off) {
            self.change(id, |s| s.stop_next = s.stop_next.filter(|other| *other != message));
        }
        true
    }

    fn end_turn(&mut self, id: SessionId, outcome: Outcome) -> bool {
        let Some(number) = self.running(id).map(|t| t.number) else { return false };
        let turn = self.turns.iter_mut().find(|t| t.session == id && t.number == number);
        turn.expect("a turn that runs").outcome = Some(outcome.clone());
        self.requests.iter_mut().filter(|r| r.session == id).for_each(|r| r.open = false);
        let taken: Vec<MessageId> = self.of(id).filter(|m| m.at == At::In(number)).map(|m| m.id).collect();
        for message in taken {
            let end = match &outcome {
                Outcome::Unknown { why } => MessageEnd::Unknown { why: why.clone() },
                Outcome::Completed | Outcome::Failed { .. } | Outcome::Interrupted | Outcome::Exited => {
                    MessageEnd::Settled { turn: TurnNumber::new(number), outcome: outcome.clone() }
                }
            };
            self.over(message, end);
        }
        true
    }

    fn ask(&mut self, id: SessionId, native: &str) -> bool {
        let open = self.open(id);
        if open.iter().any(|r| r.native == native) || open.len() >= limits::REQUESTS_OPEN_MAX {
            return false;
        }
        self.begin(id);
        let request = RequestId::new(self.requests.len() as u64 + 1);
        let native = native.to_owned();
        self.requests.push(ModelRequest { id: request, session: id, open: true, native, answered: false });
        true
    }

    fn see(&mut self, s: &ModelSession, working: bool) -> bool {
        let id = s.id;
        let runs = self.running(id).is_some();
        if !s.seen {
            self.change(id, |s| s.seen = true);
            self.requests.iter_mut().filter(|r| r.session == id && r.open).for_each(|r| r.answered = false);
        }
        if runs && !working {
            let detail = "the agent is idle, and no end of its turn was recorded".to_owned();
            self.end_turn(id, Outcome::Unknown { why: UnknownReason::EndUnseen { detail } });
        }
        if working {
            self.begin(id);
        }
        if !s.seen {
            if let Some(turn) = self.running(id).filter(|t| t.asked).map(|t| t.number) {
                self.acts.push(format!("interrupt {id} {turn}"));
            }
            self.end_order(id);
        }
        !s.seen || runs != working
    }

    fn exit(&mut self, id: SessionId, lost: bool, killed: bool) -> bool {
        let Some(s) = self.s(id).cloned() else { return false };
        self.end_turn(id, Outcome::Exited);
        let open: Vec<(MessageId, bool)> = self.of(id).map(|m| (m.id, matches!(m.at, At::Out(_)))).collect();
        for (message, was_out) in open {
            let end = if was_out && (lost || !self.can(&s.agent).deduplicates) {
                let detail = "the session ended after the message was handed over".to_owned();
                MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { detail } }
            } else if killed || s.stopping.is_some() {
                MessageEnd::Cancelled
            } else {
                MessageEnd::Undeliverable { why: Undeliverable::SessionExited }
            };
            self.over(message, end);
        }
        for child in self.sessions.iter_mut().filter(|other| other.parent == Some(id)) {
            child.parent = s.parent;
        }
        self.change(id, |s| (s.exited, s.stopping) = (true, None));
        self.acts.push(format!("release {id}"));
        true
    }
}
