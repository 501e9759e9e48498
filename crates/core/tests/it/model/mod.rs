//! A plain, slow model of a host: flat lists, looked through from end to end, that predict what each input leads to.
//!
//! It shares no code with the host but the types of what comes in and goes out. A place in a queue is a number to sort by;
//! nothing is ever removed from a list.

mod after;
mod calls;
mod reports;

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::agent::Capabilities;
use adjutant_core::message::{MessageEnd, Settlement};
use adjutant_core::outcome::{ExitStatus, Outcome};
use adjutant_core::session::{Hold, Status};
use adjutant_core::time::Due;
use adjutant_core::{
    Act, AgentName, Answer, Caller, HostConfig, Input, MessageId, Now, RequestId, SessionId, SessionName,
};

#[derive(Clone, Debug)]
pub(crate) struct ModelSession {
    pub(crate) id: SessionId,
    pub(crate) name: Option<SessionName>,
    pub(crate) agent: AgentName,
    pub(crate) parent: Option<SessionId>,
    pub(crate) creator: Caller,
    pub(crate) key: Option<String>,
    pub(crate) keep_failed: bool,
    started: bool,
    pub(crate) ready: bool,
    pub(crate) seen: bool,
    pub(crate) exited: bool,
    pub(crate) purged: bool,
    pub(crate) stopping: Option<bool>,
    stopped_by: Option<SessionId>,
    interrupted_by: Option<SessionId>,
    pub(crate) hold: Hold,
    pub(crate) begun: u32,
    /// How many turns its earlier lives had begun.
    pub(crate) before: u32,
    pub(crate) revivals: u32,
    pub(crate) cursor: u64,
    conversation: Option<String>,
    /// The conversation that it is to take up.
    wanted: Option<String>,
    goal: Option<adjutant_core::session::Goal>,
    /// The last turn has ended, and nobody has said what it has cost.
    uncounted: bool,
    stop_next: Option<MessageId>,
    unclear: Option<MessageId>,
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum At {
    Later(Option<Due>),
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
    steers: bool,
    sender: Option<SessionId>,
    notice: bool,
    /// The message that a notice is about.
    about: Option<MessageId>,
    any: bool,
    pub(crate) after: Vec<ModelDependency>,
    /// Its place among all that a turn has taken in.
    joined: u64,
    /// Its place among all that have ended.
    ended: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct ModelTurn {
    pub(crate) session: SessionId,
    pub(crate) number: u32,
    pub(crate) outcome: Option<Outcome>,
    exit: Option<ExitStatus>,
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

/// What a message waits for: a set that was fixed when it was queued.
#[derive(Clone, Debug)]
pub(crate) struct ModelDependency {
    session: SessionId,
    named: Option<MessageId>,
    turn: Option<u32>,
    messages: Vec<MessageId>,
    readiness: bool,
    /// Its result, once it is there.
    given: Option<Settlement>,
    /// Whether it has ended; `Some(false)` is that it no longer matters.
    pub(crate) settled: Option<bool>,
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
    joins: u64,
    ends: u64,
    woken: BTreeSet<(SessionId, MessageId)>,
    in_vain: BTreeMap<MessageId, (SessionId, bool)>,
}

/// The act of the host in the words of the model.
pub(crate) fn word_of(act: &Act) -> Option<String> {
    match act {
        Act::Reply { .. } => None,
        Act::Launch { session } => Some(format!("launch {session}")),
        Act::Adopt { session } => Some(format!("adopt {session}")),
        Act::Deliver { session, message, attempt } => Some(format!("deliver {session} {message} {}", attempt.get())),
        Act::Steer { session, message, attempt } => Some(format!("steer {session} {message} {}", attempt.get())),
        Act::Interrupt { session, turn: Some(turn) } => Some(format!("interrupt {session} {turn}")),
        Act::Interrupt { session, turn: None } => Some(format!("interrupt {session} goal")),
        Act::Respond { session, request, native, .. } => Some(format!("respond {session} {request} {native}")),
        Act::End { session, grace_ms } => Some(format!("end {session} {grace_ms}")),
        Act::Release { session } => Some(format!("release {session}")),
        Act::Remove { session, revivals } => Some(format!("remove {session} {revivals}")),
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
        Due::Elapsed { boot, .. } if boot.boot == now.boot.boot => {
            i128::from(boot.millis) - i128::from(now.boot.millis)
        }
        Due::Elapsed { wall, .. } | Due::At(wall) => i128::from(wall.as_millis()) - i128::from(now.wall.as_millis()),
    };
    u64::try_from(gap.max(0)).unwrap_or(u64::MAX)
}

impl Model {
    pub(crate) fn new(config: HostConfig) -> Self {
        let (sessions, messages, turns, requests) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            config,
            sessions,
            messages,
            turns,
            requests,
            acts: Vec::new(),
            told: None,
            back: 0,
            front: 0,
            joins: 0,
            ends: 0,
            woken: BTreeSet::new(),
            in_vain: BTreeMap::new(),
        }
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
                self.clear_up(now);
            }
            Input::Agent { session, cursor, report, .. } => {
                self.pass(now);
                self.report(*session, *cursor, report, now);
                self.clear_up(now);
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
            () if self.running(session).is_none() && self.out(session).is_some() => Status::Working,
            () if self.running(session).is_none() => Status::Idle,
            () if self.open(session).is_empty() => Status::Working,
            () => Status::WaitingForInput,
        }
    }

    /// The earliest moment at which something is due, in milliseconds from now.
    pub(crate) fn next_due(&self, now: Now) -> Option<u64> {
        let mut moments: Vec<u64> = Vec::new();
        for message in &self.messages {
            if let At::Later(Some(due)) = &message.at
                && self.is_met(message)
            {
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
                At::Later(due) if late || (self.is_met(message) && due.is_some_and(|due| due_by(&due, now))) => {
                    come.push((due.map_or(i64::MIN, |due| due.wall().as_millis()), message.id, message.session))
                }
                At::Line(_) if late => come.push((i64::MIN, message.id, message.session)),
                At::Later(_) | At::Line(_) | At::Out(_) | At::In(_) | At::Over(_) => {}
            }
        }
        come.sort();
        for (_, id, _) in &come {
            if !self.expire(*id, now) {
                self.line_up(*id);
            }
        }
        for (_, _, session) in come {
            self.go_on(session, now);
        }
        self.clear_up(now);
    }

    /// It waits for nothing any more and stands at the end of the line.
    fn line_up(&mut self, id: MessageId) {
        self.freeze(id);
        self.back += 1;
        self.put(id, At::Line(self.back));
    }

    fn expire(&mut self, id: MessageId, now: Now) -> bool {
        let late = self.m(id).and_then(|m| m.expires).is_some_and(|expires| due_by(&expires, now));
        if late {
            self.over(id, MessageEnd::Expired);
        }
        late
    }

    fn over(&mut self, id: MessageId, end: MessageEnd) {
        if end != MessageEnd::Cancelled {
            self.note_end(id, &end, false, None);
        }
        self.freeze(id);
        self.ends += 1;
        let ends = self.ends;
        self.messages.iter_mut().filter(|m| m.id == id).for_each(|m| m.ended = ends);
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

    fn steers(&self, id: MessageId) -> bool {
        self.m(id).is_some_and(|m| m.steers && m.returned == 0)
    }

    /// Hands the first of the line over, if nothing stands against it.
    fn go_on(&mut self, id: SessionId, now: Now) {
        loop {
            let Some(s) = self.s(id) else { return };
            let free = s.ready && s.seen && !s.exited && s.stopping.is_none() && s.hold == Hold::Off;
            if !free || self.out(id).is_some() {
                return;
            }
            let (first, how) = match self.running(id) {
                None => (self.line(id).first().copied(), "deliver"),
                Some(turn) if turn.asked || !self.open(id).is_empty() || !self.can(&s.agent).steer => return,
                Some(_) => (self.line(id).into_iter().find(|m| self.steers(*m)), "steer"),
            };
            let Some(first) = first else { return };
            if !self.expire(first, now) {
                let attempt = self.m(first).map_or(1, |m| m.returned + 1);
                self.put(first, At::Out(attempt));
                self.acts.push(format!("{how} {id} {first} {attempt}"));
            }
        }
    }
}
