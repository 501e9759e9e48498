//! A host with everything around it: a store, agents, callers, clocks that jump, and crashes.

use std::collections::BTreeMap;

use adjutant_core::agent::{AgentReport, Capabilities, Level, Mode, SessionEnd, StartFailure, TurnEnd, TurnOrigin};
use adjutant_core::call::{NewMessage, NewSession};
use adjutant_core::event::Place;
use adjutant_core::id::Attempt;
use adjutant_core::message::{MessageEnd, MessageKind, MessageState, Undeliverable};
use adjutant_core::outcome::{ExitStatus, Outcome, UnknownReason};
use adjutant_core::session::{Phase, Profile, Session, Work};
use adjutant_core::time::{BootId, BootMoment, Due};
use adjutant_core::{
    Act, AgentName, Call, CallId, Caller, Event, Host, HostConfig, Input, MessageId, Now, Refusal, RequestId, Seq,
    SessionId, Step, Timestamp,
};

use crate::auditor::Auditor;
use crate::choices::Choices;
use crate::machine::{Machine, Order, Told, outcome, question, started, unclear};
use crate::model::{self, At, Model};
use crate::shelf::Shelf;
use crate::waits::Wait;

/// When in the life of a batch the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    EndsBeforeCommit,
    EndsAfterCommit,
    EndsAmidActs,
}

pub(crate) struct World {
    choices: Choices,
    config: HostConfig,
    now: Now,
    boots: u8,
    host: Host,
    shadow: Host,
    shelf: Shelf,
    model: Model,
    auditor: Auditor,
    machines: BTreeMap<SessionId, Machine>,
    waits: Vec<Wait>,
    sessions: u8,
    calls: u64,
    /// Drivers that say what is not so; then only the model's word counts.
    faulty: bool,
    /// Everything that came out, if somebody wants to compare it.
    pub(crate) tape: Option<String>,
    /// How much happened.
    pub(crate) tally: Tally,
}

/// How often things happened, so that a corner that is never reached is noticed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(pub(crate) BTreeMap<&'static str, u64>);

/// What a thousand runs have to come across.
const CORNERS: [&str; 62] = [
    "session.created", "session.started", "session.ready", "session.unseen", "session.seen", "session.stopping",
    "session.exited", "session.reparented", "child.ended", "child.created", "session.purged", "queue.held",
    "queue.released", "message.queued", "message.due", "message.changed", "message.handed", "message.returned",
    "message.delivered", "message.ended", "turn.started", "turn.interrupting", "turn.interrupt_passed",
    "turn.completed", "turn.failed", "turn.interrupted", "turn.exited", "turn.unknown", "request.opened",
    "request.answered", "request.closed", "settled", "undeliverable", "never taken", "cancelled", "expired", "unknown",
    "late evidence", "stopped as it began", "not found", "exited", "stopping", "name in use", "no message", "started",
    "queue full", "too many sessions", "not supported", "forbidden", "no request", "not pending", "lives", "reply",
    "ends before commit", "ends after commit", "ends amid acts", "reboot", "wait: turn", "wait: fallen", "wait: input",
    "wait: never worked", "wait: exited",
];

impl Tally {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// The corners that were not reached.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        CORNERS.into_iter().filter(|corner| !self.0.contains_key(corner)).collect()
    }

    fn step(&mut self, step: &Step) {
        for logged in &step.events {
            self.count(logged.event.type_name());
            if let Event::MessageEnded { end, .. } = &logged.event {
                self.count(match end {
                    MessageEnd::Settled { .. } => "settled",
                    MessageEnd::Undeliverable { why: Undeliverable::SessionExited } => "undeliverable",
                    MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { .. } } => "never taken",
                    MessageEnd::Cancelled => "cancelled",
                    MessageEnd::Expired => "expired",
                    MessageEnd::Unknown { .. } => "unknown",
                });
            }
            if let Event::MessageAccepted { message, .. } = &logged.event {
                if !step.projected.messages.contains_key(message) {
                    self.count("late evidence");
                }
                if step.acts.iter().any(|act| matches!(act, Act::Interrupt { .. })) {
                    self.count("stopped as it began");
                }
            }
        }
    }
}

pub(crate) fn abilities(sure: bool) -> Capabilities {
    Capabilities {
        modes: vec![Mode::Native],
        terminal: true,
        interrupt: true,
        steer: sure,
        requests: true,
        goals: false,
        resume: false,
        usage: false,
        model: false,
        exit_code: true,
        deduplicates: sure,
    }
}

/// Three agents: one that refuses a second taking, one that does not, and one that cannot be interrupted.
pub(crate) fn config() -> HostConfig {
    let deaf = Capabilities { interrupt: false, ..abilities(true) };
    let agents = [("sure", abilities(true)), ("plain", abilities(false)), ("deaf", deaf)];
    let agents = agents.into_iter().map(|(name, can)| (AgentName::new(name), can)).collect();
    HostConfig { queue_messages_max: 5, queue_bytes_max: 60, sessions_live_max: 5, ..HostConfig::new(agents) }
}

pub(crate) fn session_id(number: u8) -> SessionId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    SessionId::from_bytes(bytes)
}

pub(crate) fn profile(agent: &str, number: u8) -> Profile {
    Profile {
        agent: AgentName::new(agent),
        mode: Mode::Native,
        path: "/work".to_owned(),
        project: None,
        description: None,
        model: None,
        program: "/bin/agent".to_owned(),
        env_names: Vec::new(),
        key: None,
        token_hash: format!("hash of {number}"),
        keep_failed: true,
    }
}

impl World {
    pub(crate) fn new(mut choices: Choices) -> Self {
        let config = config();
        let boot = BootMoment { boot: BootId([1; 16]), millis: 5_000 };
        let faulty = choices.once_in(4);
        Self {
            choices,
            now: Now { wall: Timestamp::from_millis(1_000_000), boot },
            boots: 1,
            host: Host::new(config.clone()),
            shadow: Host::new(config.clone()),
            shelf: Shelf::default(),
            model: Model::new(config.clone()),
            config,
            auditor: Auditor::default(),
            machines: BTreeMap::new(),
            waits: Vec::new(),
            sessions: 0,
            calls: 0,
            faulty,
            tape: None,
            tally: Tally::default(),
        }
    }

    /// Lives through a number of moments, and then brings everything to its end.
    pub(crate) fn run(&mut self, moments: usize) {
        for _ in 0..moments {
            if self.choices.used_up() {
                break;
            }
            self.moment();
        }
        self.come_to_rest();
        self.check_whole();
    }

    fn moment(&mut self) {
        match self.choices.below(48) {
            0 if self.choices.once_in(2) => self.restart(),
            1 if self.choices.once_in(4) => self.reboot(),
            1 | 2 => self.jump(),
            3 | 4 => self.wait_for_time(),
            5 | 6 => self.begin_wait(),
            7 if self.faulty => self.lie(),
            7 => self.repeat(),
            _ => self.batch(),
        }
    }

    /// Up to three inputs in one commit.
    fn batch(&mut self) {
        let fate = match self.choices.below(80) {
            1 => Fate::EndsBeforeCommit,
            2 => Fate::EndsAfterCommit,
            3 => Fate::EndsAmidActs,
            _ => Fate::Lives,
        };
        let count = if self.choices.once_in(4) { 3 } else { 1 };
        let mut inputs = Vec::new();
        for _ in 0..count {
            self.pass_millis();
            inputs.extend(self.input().map(|input| (input, self.now)));
        }
        self.feed(inputs, fate);
    }

    fn pass_millis(&mut self) {
        let millis = self.choices.below(40) as u64;
        self.advance(millis);
    }

    fn advance(&mut self, millis: u64) {
        self.now.wall = self.now.wall.plus_millis(millis);
        self.now.boot.millis += millis;
    }

    fn input(&mut self) -> Option<Input> {
        if self.sessions == 0 || self.choices.once_in(3) {
            return Some(self.some_call());
        }
        let ids: Vec<SessionId> = self.machines.keys().copied().filter(|id| self.is_live(*id)).collect();
        let wall = self.now.wall;
        // Much of what a machine does is not told at once.
        for _ in 0..6 {
            let session = self.choices.pick(&ids)?;
            let machine = self.machines.get_mut(&session)?;
            if let Some(told) = machine.work(&mut self.choices, wall, false) {
                return Some(self.reported(session, told));
            }
        }
        None
    }

    fn is_live(&self, id: SessionId) -> bool {
        self.host.session(id).is_some_and(|session| !session.has_exited())
    }

    fn reported(&self, session: SessionId, told: Told) -> Input {
        let Told { report, cursor, answer } = told;
        Input::Agent { session, observed_at: self.now.wall, cursor, report, answer }
    }

    // What happens to inputs.

    fn feed(&mut self, inputs: Vec<(Input, Now)>, fate: Fate) {
        let (model, auditor) = (fate == Fate::EndsBeforeCommit).then(|| (self.model.clone(), self.auditor.clone())).unzip();
        let mut whole: Option<Step> = None;
        for (input, now) in inputs {
            let step = self.handle(input, now);
            if fate != Fate::EndsBeforeCommit {
                for wait in &mut self.waits {
                    wait.follow(&step, &self.model, &mut self.choices);
                }
            }
            match &mut whole {
                Some(whole) => whole.append(step),
                None => whole = Some(step),
            }
        }
        match fate {
            Fate::Lives => {}
            Fate::EndsBeforeCommit => self.tally.count("ends before commit"),
            Fate::EndsAfterCommit => self.tally.count("ends after commit"),
            Fate::EndsAmidActs => self.tally.count("ends amid acts"),
        }
        if let (Some(model), Some(auditor)) = (model, auditor) {
            (self.model, self.auditor) = (model, auditor);
            return self.restart();
        }
        let Some(step) = whole else { return };
        self.commit(&step);
        match fate {
            Fate::Lives => self.carry_out(&step.acts),
            Fate::EndsBeforeCommit | Fate::EndsAfterCommit => self.restart(),
            Fate::EndsAmidActs => {
                let some = self.choices.below(step.acts.len() + 1);
                self.carry_out(&step.acts[..some]);
                self.restart();
            }
        }
    }

    /// Asks the host and the model, and compares.
    fn handle(&mut self, input: Input, now: Now) -> Step {
        let moment = format!("{input:?} at {now:?}");
        self.model.take(&input, now);
        let step = self.host.handle(input, now);
        self.auditor.read(&step);
        let acts: Vec<String> = step.acts.iter().filter_map(model::word_of).collect();
        assert_eq!(acts, self.model.acts, "what {moment} leads to: {:#?}", step.events);
        let replies = step.acts.iter().filter_map(|act| match act {
            Act::Reply { answer, .. } => Some(answer.clone()),
            Act::Launch { .. }
            | Act::Adopt { .. }
            | Act::Deliver { .. }
            | Act::Interrupt { .. }
            | Act::Respond { .. }
            | Act::End { .. }
            | Act::Release { .. }
            | Act::Remove { .. } => None,
        });
        let told: Vec<model::Told> = replies.map(|answer| answer.map_err(|refusal| word_of_refusal(&refusal))).collect();
        assert_eq!(told, Vec::from_iter(self.model.told.clone()), "what the caller of {moment} is told");
        self.learn_names();
        self.compare(now, &moment);
        self.tally.step(&step);
        for told in self.model.told.iter() {
            self.tally.count(told.as_ref().err().copied().unwrap_or("reply"));
        }
        if let Some(tape) = &mut self.tape {
            *tape += &format!("{moment}\n{step:?}\n");
        }
        step
    }

    /// Names are chosen by the host; the model has to know them to refuse them.
    fn learn_names(&mut self) {
        for s in self.model.sessions.iter_mut().filter(|s| s.name.is_none()) {
            s.name = self.host.session(s.id).map(|session| session.name.clone());
        }
    }

    fn compare(&self, now: Now, moment: &str) {
        let live = self.model.sessions.iter().filter(|s| !s.purged);
        assert_eq!(self.host.sessions().count(), live.clone().count(), "sessions after {moment}");
        for s in live {
            let session = self.host.session(s.id).unwrap_or_else(|| panic!("{} is gone after {moment}", s.id));
            assert_eq!(session.status(), self.model.status(s.id), "status of {} after {moment}", s.id);
            assert_eq!(session.hold, s.hold, "hold of {} after {moment}", s.id);
            assert_eq!(session.parent, s.parent, "parent of {} after {moment}", s.id);
            assert_eq!((session.turns_begun, session.cursor), (s.begun, s.cursor), "{} after {moment}", s.id);
            assert_eq!(session.stopping.as_ref().map(|stopping| stopping.force), s.stopping, "{} after {moment}", s.id);
            assert_eq!(session.was_ready(), s.ready || s.exited, "{} after {moment}", s.id);
            let running = self.model.running(s.id).map(|turn| turn.number);
            assert_eq!(session.turn().map(|turn| turn.number.get()), running, "turn of {} after {moment}", s.id);
            assert_eq!(session.ready, self.model.line(s.id), "queue of {} after {moment}", s.id);
            let open: Vec<RequestId> = self.model.open(s.id).iter().map(|request| request.id).collect();
            assert_eq!(session.requests().map(|r| r.id).collect::<Vec<_>>(), open, "requests after {moment}");
            self.compare_messages(session, moment);
        }
        assert_eq!(self.host.next_due(now), self.model.next_due(now), "the next moment after {moment}");
        for request in &self.model.requests {
            let owner = self.host.by_request(request.id).map(|session| session.id);
            assert_eq!(owner, Some(request.session).filter(|_| request.open), "owner of {} after {moment}", request.id);
        }
    }

    fn compare_messages(&self, session: &Session, moment: &str) {
        let mine = self.model.messages.iter().filter(|m| m.session == session.id);
        let mut live = 0;
        for m in mine {
            let state = session.messages.get(&m.id).map(|message| &message.state);
            let same = match (&m.at, state) {
                (At::Later(due), Some(MessageState::Delayed { until })) => due == until,
                (At::Line(_), Some(MessageState::Ready)) => true,
                (At::Out(number), Some(MessageState::Delivering { attempt, .. })) => attempt.get() == *number,
                (At::In(number), Some(MessageState::Running { turn, .. })) => turn.get() == *number,
                (At::Over(_), None) => true,
                (At::Later(_) | At::Line(_) | At::Out(_) | At::In(_) | At::Over(_), _) => false,
            };
            assert!(same, "{m:?} and {state:?} after {moment}");
            assert_eq!(self.auditor.is_live(session.id, m.id), state.is_some(), "{m:?} is lost after {moment}");
            live += usize::from(state.is_some());
        }
        assert_eq!(session.messages.len(), live, "messages of {} after {moment}", session.id);
    }

    fn commit(&mut self, step: &Step) {
        self.shelf.commit(step, &self.host);
        let mut rows = adjutant_core::Projected::default();
        for logged in &step.events {
            self.shadow.fold(logged, &mut rows);
        }
        assert_eq!(rows, step.projected, "a fold of the events touches the same rows");
        assert_eq!(self.shadow.sessions().count(), self.host.sessions().count());
        for id in &step.projected.sessions {
            assert_eq!(self.shadow.session(*id), self.host.session(*id), "a fold of the events gives the same session");
        }
        self.check_rows(step);
        let over: Vec<&'static str> = self.waits.iter().filter_map(|wait| wait.is_over(&self.shelf.log)).collect();
        over.into_iter().for_each(|verdict| self.tally.count(verdict));
        self.waits.retain(|wait| wait.is_over(&self.shelf.log).is_none());
        if !self.faulty {
            self.check_honesty();
        }
    }

    /// What the store shows of ended messages and turns is what the model says.
    fn check_rows(&self, step: &Step) {
        for (id, row) in &step.projected.messages {
            let m = self.model.m(*id).expect("a message that the model knows");
            let end = match &row.state {
                MessageState::Ended { end, .. } => Some(end),
                MessageState::Delayed { .. }
                | MessageState::Ready
                | MessageState::Delivering { .. }
                | MessageState::Running { .. } => None,
            };
            let expected = match &m.at {
                At::Over(end) => Some(end),
                At::Later(_) | At::Line(_) | At::Out(_) | At::In(_) => None,
            };
            assert_eq!(end, expected, "the end of {id}");
            assert_eq!(row.bytes, m.bytes, "the size of {id}");
        }
        for ((session, number), row) in &step.projected.turns {
            let turn = self.model.turns.iter().find(|t| t.session == *session && t.number == number.get());
            assert_eq!(turn.and_then(|t| t.outcome.as_ref()), Some(&row.end.outcome), "the end of {session} {number}");
        }
    }

    /// No receipt says more than the agent knows, and none denies what it did.
    fn check_honesty(&self) {
        for m in &self.model.messages {
            let Some(machine) = self.machines.get(&m.session) else { continue };
            let taken = machine.taken.contains(&m.id);
            match &m.at {
                At::In(_) | At::Over(MessageEnd::Settled { .. }) => assert!(taken, "{m:?} was never taken"),
                At::Over(MessageEnd::Undeliverable { .. } | MessageEnd::Cancelled | MessageEnd::Expired) => {
                    assert!(!taken, "{m:?} was taken");
                }
                At::Later(_) | At::Line(_) => assert!(!taken, "{m:?} was taken, and would be handed over again"),
                At::Out(_) | At::Over(MessageEnd::Unknown { .. }) => {}
            }
        }
    }

    fn carry_out(&mut self, acts: &[Act]) {
        for act in acts {
            let (session, order) = match act {
                Act::Reply { .. } => continue,
                Act::Launch { session } => {
                    let sure = self.is_sure(*session);
                    self.machines.insert(*session, Machine::launched(sure, !self.faulty));
                    continue;
                }
                Act::Adopt { session } => {
                    self.adopt(*session);
                    continue;
                }
                Act::Release { session } => {
                    if let Some(machine) = self.machines.get_mut(session) {
                        machine.driver = None;
                    }
                    continue;
                }
                Act::Remove { session } => {
                    self.machines.remove(session);
                    continue;
                }
                Act::Deliver { session, message, attempt } => (session, Order::Deliver(*message, *attempt)),
                Act::Interrupt { session, .. } => (session, Order::Interrupt),
                Act::Respond { session, native, .. } => (session, Order::Respond(native.clone())),
                Act::End { session, .. } => (session, Order::End),
            };
            if let Some(machine) = self.machines.get_mut(session) {
                machine.order(order);
            }
        }
    }

    fn is_sure(&self, session: SessionId) -> bool {
        let session = self.host.session(session);
        session.and_then(|s| self.host.capabilities(s)).is_some_and(|can| can.deduplicates)
    }

    fn adopt(&mut self, id: SessionId) {
        let sure = self.is_sure(id);
        let Some(session) = self.host.session(id) else { return };
        let handed = session.messages.values().filter_map(|m| match m.state {
            MessageState::Delivering { attempt, .. } => Some((m.id, attempt)),
            MessageState::Delayed { .. }
            | MessageState::Ready
            | MessageState::Running { .. }
            | MessageState::Ended { .. } => None,
        });
        let (cursor, handed) = (session.cursor, handed.collect());
        let strict = !self.faulty;
        let machine = self.machines.entry(id).or_insert_with(|| Machine::launched(sure, strict));
        machine.adopt(cursor, handed);
    }

    // Ends and beginnings.

    /// The daemon is gone, with its drivers and everything that was on its way; another one begins.
    fn restart(&mut self) {
        for machine in self.machines.values_mut() {
            machine.driver = None;
        }
        self.shelf.check_fold(self.config.clone());
        let before = std::mem::replace(&mut self.host, self.shelf.restore(self.config.clone()));
        if let Some(tape) = &mut self.tape {
            *tape += &format!("restart with {:?}\n", self.host.counters());
        }
        self.compare(self.now, "the daemon is loaded again");
        drop(before);
        self.shadow = self.shelf.restore(self.config.clone());
        let fate = if self.choices.once_in(6) { Fate::EndsAmidActs } else { Fate::Lives };
        self.feed(vec![(Input::Recovered, self.now)], fate);
    }

    /// Nothing lives on, and the clock of the boot begins anew.
    fn reboot(&mut self) {
        self.tally.count("reboot");
        for machine in self.machines.values_mut() {
            machine.reboot();
        }
        self.boots += 1;
        self.now.boot = BootMoment { boot: BootId([self.boots; 16]), millis: self.choices.below(50) as u64 };
        self.now.wall = self.now.wall.plus_millis(self.choices.below(2_000) as u64);
        self.restart();
    }

    // Clocks.

    fn jump(&mut self) {
        let millis = self.choices.below(3_000) as u64;
        match self.choices.below(4) {
            0 => self.now.wall = self.now.wall.plus_millis(millis),
            1 => self.now.wall = Timestamp::from_millis(self.now.wall.as_millis() - i64::try_from(millis).unwrap_or(0)),
            2 => self.advance(millis),
            _ => {}
        }
        self.feed(vec![(Input::TimeCame, self.now)], Fate::Lives);
        assert_ne!(self.host.next_due(self.now), Some(0), "something due is left waiting");
    }

    /// Sleeps until the host wants to be woken.
    fn wait_for_time(&mut self) {
        let Some(millis) = self.host.next_due(self.now) else { return };
        if millis > 1 {
            self.advance(millis - 1);
            self.feed(vec![(Input::TimeCame, self.now)], Fate::Lives);
            self.advance(1);
        } else {
            self.advance(millis);
        }
        self.feed(vec![(Input::TimeCame, self.now)], Fate::Lives);
        assert_ne!(self.host.next_due(self.now), Some(0), "something due is left waiting");
    }

    // Callers.

    fn begin_wait(&mut self) {
        let ids: Vec<SessionId> = self.host.sessions().map(|session| session.id).collect();
        let Some(session) = self.choices.pick(&ids).and_then(|id| self.host.session(id)) else { return };
        let seq = Seq::new(self.shelf.counters.next_seq - 1);
        match Wait::begin(session, &self.model, &mut self.choices, seq) {
            Ok(wait) => self.waits.push(wait),
            Err(verdict) => self.tally.count(verdict),
        }
    }

    fn some_session(&mut self) -> SessionId {
        let live: Vec<SessionId> = self.host.sessions().filter(|s| !s.has_exited()).map(|s| s.id).collect();
        if let Some(session) = self.choices.pick(&live).filter(|_| self.choices.below(6) > 0) {
            return session;
        }
        let number = self.choices.below(usize::from(self.sessions) + 1);
        session_id(u8::try_from(number).unwrap_or(0))
    }

    fn some_message(&mut self, session: SessionId) -> MessageId {
        let known = self.host.session(session).map(|s| s.messages.keys().copied().collect::<Vec<_>>());
        let stray = MessageId::new(self.choices.below(self.model.messages.len() + 2) as u64);
        if self.choices.once_in(8) { stray } else { self.choices.pick(&known.unwrap_or_default()).unwrap_or(stray) }
    }

    fn some_due(&mut self, past: bool) -> Due {
        let millis = self.choices.below(1_500) as u64;
        if self.choices.once_in(2) {
            return Due::after(self.now, millis);
        }
        let at = self.now.wall.as_millis() + i64::try_from(millis).unwrap_or(0) - if past { 300 } else { 0 };
        Due::At(Timestamp::from_millis(at))
    }

    fn some_text(&mut self) -> std::sync::Arc<str> {
        let bytes = self.choices.below(25);
        "x".repeat(bytes).into()
    }

    fn new_message(&mut self) -> NewMessage {
        let kinds = [MessageKind::Next, MessageKind::Next, MessageKind::Wake, MessageKind::Command, MessageKind::Steer];
        let key = self.choices.below(8);
        NewMessage {
            text: self.some_text(),
            kind: self.choices.pick(&kinds).unwrap_or(MessageKind::Next),
            key: (key < 2).then(|| format!("key {key}")),
            reply_to: None,
            due: if self.choices.below(3) == 0 { Some(self.some_due(true)) } else { None },
            expires: if self.choices.below(6) == 0 { Some(self.some_due(true)) } else { None },
            interrupt: self.choices.once_in(8),
        }
    }

    fn new_session(&mut self) -> NewSession {
        self.sessions += 1;
        let number = self.sessions;
        let agents = ["sure", "sure", "plain", "plain", "deaf"];
        let agent = self.choices.pick(&agents).unwrap_or("sure");
        let key = self.choices.below(12);
        let profile = Profile {
            key: (key < 2).then(|| format!("create {key}")),
            keep_failed: self.choices.below(2) == 0,
            ..profile(agent, number)
        };
        let parent = self.some_session();
        NewSession {
            id: session_id(number),
            name_seed: self.choices.below(1_000) as u64,
            name: self.choices.once_in(6).then(|| "chosen".parse().expect("a name")),
            profile,
            parent: (self.choices.below(3) == 0 && parent != session_id(0)).then_some(parent),
            message: if self.choices.below(3) == 0 { Some(self.new_message()) } else { None },
        }
    }

    fn some_call(&mut self) -> Input {
        let session = self.some_session();
        let caller = if self.choices.below(4) == 0 { Caller::Session(self.some_session()) } else { Caller::Human };
        let message = self.some_message(session);
        let call = match self.choices.below(32) {
            _ if self.sessions == 0 => Call::Create(Box::new(self.new_session())),
            0..=3 if self.sessions < 40 => Call::Create(Box::new(self.new_session())),
            4 | 5 => Call::Interrupt { session, clear_queue: self.choices.once_in(4) },
            6 if self.choices.once_in(2) => Call::Kill { session, force: self.choices.once_in(2), any_allowed: self.choices.once_in(2) },
            7 => Call::Purge { session },
            8 => Call::Hold { session },
            9 | 10 => Call::Release { session },
            11 => Call::Remove { session, message },
            12..=14 => self.some_edit(session, message),
            15 | 16 => {
                let request = RequestId::new(self.choices.below(self.model.requests.len() + 2) as u64);
                Call::Respond { request, decision: "allow".to_owned(), text: "yes".into() }
            }
            _ => Call::Send { session, message: self.new_message() },
        };
        self.calls += 1;
        Input::Call { id: CallId(self.calls), caller, call }
    }

    fn some_edit(&mut self, session: SessionId, message: MessageId) -> Call {
        let other = self.some_message(session);
        let text = if self.choices.once_in(2) { Some(self.some_text()) } else { None };
        let due = match self.choices.below(4) {
            0 => Some(None),
            1 => Some(Some(self.some_due(true))),
            _ => None,
        };
        let place = match self.choices.below(4) {
            0 => Some(Place::First),
            1 => Some(Place::After(other)),
            _ => None,
        };
        Call::Edit { session, message, text, due, place }
    }

    // Drivers that say things twice, late, or wrongly.

    fn repeat(&mut self) {
        let ids: Vec<SessionId> = self.machines.keys().copied().collect();
        let Some(session) = self.choices.pick(&ids) else { return };
        let Some(told) = self.machines[&session].repeat(&mut self.choices) else { return };
        let input = self.reported(session, told);
        self.feed(vec![(input, self.now)], Fate::Lives);
    }

    fn lie(&mut self) {
        let session = self.some_session();
        let message = self.some_message(session);
        let attempt = Attempt::new(u32::try_from(self.choices.below(3)).unwrap_or(0) + 1);
        let native = format!("q{}", self.choices.below(4));
        let evidence =
            adjutant_core::agent::Evidence { source: "rumour".to_owned(), detail: String::new(), at: self.now.wall };
        let report = match self.choices.below(16) {
            0 => started(1),
            1 => AgentReport::Ready,
            2 if self.choices.once_in(3) => AgentReport::StartFailed { why: StartFailure::Withdrawn },
            3 | 4 => AgentReport::Taken { message, evidence },
            5 => AgentReport::NotTaken { message, attempt, detail: "rumour".to_owned() },
            6 => unclear(message, attempt),
            7 => AgentReport::TurnStarted { origin: TurnOrigin::Person },
            8 => AgentReport::TurnEnded { end: TurnEnd::bare(outcome(&mut self.choices)) },
            9 => AgentReport::RequestOpened { request: question(&native) },
            10 => AgentReport::RequestClosed { native, end: adjutant_core::agent::RequestEnd::Withdrawn },
            11 => AgentReport::InterruptPassed { detail: "rumour".to_owned() },
            12 => AgentReport::Unseen { why: UnknownReason::Reattaching },
            13 | 14 => AgentReport::Seen { level: Level { working: self.choices.once_in(2) } },
            _ if self.choices.once_in(3) => AgentReport::Exited { end: some_end(&mut self.choices) },
            _ => AgentReport::TurnEnded { end: TurnEnd::bare(Outcome::Completed) },
        };
        // No journal tells that its reader has lost sight.
        let in_journal = !matches!(report, AgentReport::Unseen { .. }) && self.choices.once_in(3);
        let cursor = in_journal.then(|| self.choices.below(200) as u64);
        let input = self.reported(session, Told { report, cursor, answer: None });
        self.feed(vec![(input, self.now)], Fate::Lives);
    }

    // The end.

    /// Everybody does what they should, until nothing is left to do: whatever was accepted has ended by then.
    fn come_to_rest(&mut self) {
        if self.faulty {
            return;
        }
        for _ in 0..200 {
            self.advance(50);
            let ids: Vec<SessionId> = self.host.sessions().filter(|s| !s.has_exited()).map(|s| s.id).collect();
            for id in ids {
                self.rest(id);
            }
            self.feed(vec![(Input::TimeCame, self.now)], Fate::Lives);
            if self.is_at_rest() {
                break;
            }
        }
        assert!(self.is_at_rest(), "accepted work does not come to its end: {:#?}", self.unrested());
        let endless: Vec<&Wait> = self.waits.iter().filter(|wait| !wait.may_last()).collect();
        assert!(endless.is_empty(), "a wait that never ends: {endless:#?}");
    }

    fn rest(&mut self, id: SessionId) {
        self.calls += 1;
        if self.host.session(id).is_some_and(|s| s.hold != adjutant_core::session::Hold::Off && s.stopping.is_none()) {
            let input = Input::Call { id: CallId(self.calls), caller: Caller::Human, call: Call::Release { session: id } };
            self.feed(vec![(input, self.now)], Fate::Lives);
        }
        let wall = self.now.wall;
        for _ in 0..3 {
            let Some(machine) = self.machines.get_mut(&id) else { return };
            let told = machine.obey(&mut self.choices, true);
            machine.live(&mut self.choices, wall, true);
            let inputs = told.into_iter().map(|told| (self.reported(id, told), self.now)).collect();
            self.feed(inputs, Fate::Lives);
            while let Some(told) = self.machines.get_mut(&id).and_then(|m| m.tell(&mut self.choices, true)) {
                let input = self.reported(id, told);
                self.feed(vec![(input, self.now)], Fate::Lives);
            }
        }
    }

    fn unrested(&self) -> Vec<&Session> {
        let open = |s: &&Session| !s.messages.is_empty() || s.work != Work::Idle || s.phase != Phase::Live;
        self.host.sessions().filter(|s| !s.has_exited()).filter(open).collect()
    }

    fn is_at_rest(&self) -> bool {
        self.unrested().is_empty() && self.machines.values().all(Machine::is_quiet)
    }

    fn check_whole(&mut self) {
        self.shelf.check_fold(self.config.clone());
        self.shelf.check_fold_without_purged(self.config.clone());
        let live: Vec<&Session> = self.host.sessions().collect();
        assert_eq!(live, self.shelf.sessions.values().collect::<Vec<_>>(), "the rows are the sessions");
        for m in &self.model.messages {
            let row = self.shelf.messages.get(&m.id);
            assert_eq!(row.is_some(), self.model.s(m.session).is_some(), "{m:?} is kept as long as its session");
        }
    }
}

fn some_end(choices: &mut Choices) -> SessionEnd {
    match choices.below(4) {
        0 => SessionEnd::Killed,
        1 => SessionEnd::Lost { detail: "rumour".to_owned() },
        2 => SessionEnd::Ended { exit: ExitStatus::Signal(9) },
        _ => SessionEnd::Ended { exit: ExitStatus::Code(0) },
    }
}

/// The refusal in the words of the model.
fn word_of_refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::SessionNotFound(_) => "not found",
        Refusal::SessionExited(_) => "exited",
        Refusal::SessionStopping(_) => "stopping",
        Refusal::NameInUse(_) => "name in use",
        Refusal::MessageNotFound(_) => "no message",
        Refusal::MessageStarted(_) => "started",
        Refusal::QueueFull { .. } => "queue full",
        Refusal::TooManySessions(_) => "too many sessions",
        Refusal::TooDeep(_) => "too deep",
        Refusal::NotSupported { .. } => "not supported",
        Refusal::Forbidden(_) => "forbidden",
        Refusal::RequestNotFound(_) => "no request",
        Refusal::RequestNotPending(_) => "not pending",
        Refusal::SessionLives(_) => "lives",
        Refusal::NotStored(_) => "not stored",
        Refusal::Stopping => "daemon stopping",
    }
}
