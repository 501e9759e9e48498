//! A host with everything around it: a store, agents, callers, clocks that jump, and crashes.

mod callers;
mod checks;
mod lies;

use std::collections::BTreeMap;

use adjutant_core::agent::{SessionEnd, StartFailure};
use adjutant_core::message::MessageState;
use adjutant_core::session::{Resume, Session};
use adjutant_core::time::{BootId, BootMoment};
use adjutant_core::{Act, Event, Host, HostConfig, Input, Now, Projected, SessionId, Step, Timestamp};

use crate::auditor::Auditor;
use crate::cast::config;
use crate::choices::Choices;
use crate::compare::{compare, compare_step, learn_names};
use crate::machine::{Machine, Order, Told};
use crate::model::Model;
use crate::shelf::Shelf;
use crate::tally::Tally;
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
    revivals: u64,
    /// Drivers that say what is not so; then only the model's word counts.
    faulty: bool,
    /// Agents that take hardly anything.
    stubborn: bool,
    /// Everything that came out, if somebody wants to compare it.
    pub(crate) tape: Option<String>,
    /// How much happened.
    pub(crate) tally: Tally,
}

impl World {
    pub(crate) fn new(mut choices: Choices) -> Self {
        let config = config();
        let boot = BootMoment { boot: BootId([1; 16]), millis: 5_000 };
        let faulty = choices.once_in(4);
        let stubborn = choices.once_in(8);
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
            revivals: 0,
            faulty,
            stubborn,
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
        let (model, auditor) =
            (fate == Fate::EndsBeforeCommit).then(|| (self.model.clone(), self.auditor.clone())).unzip();
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
        let moment = (input.clone(), now);
        self.model.take(&input, now);
        let step = self.host.handle(input, now);
        self.auditor.read(&step);
        compare_step(&step, &self.model, &moment);
        learn_names(&mut self.model, &self.host);
        compare(&self.host, &self.model, &self.auditor, now, &moment);
        self.tally.step(&step);
        let failed = |event: &Event| {
            matches!(event, Event::SessionExited { end: SessionEnd::StartFailed { why: StartFailure::Withdrawn } })
        };
        for logged in step.events.iter().filter(|logged| failed(&logged.event)) {
            if self.host.session(logged.session).is_some_and(|session| session.revivals > 0) {
                self.tally.count("revived for nothing");
            }
        }
        for told in self.model.told.iter() {
            self.tally.count(told.as_ref().err().copied().unwrap_or("reply"));
        }
        if let Some(tape) = &mut self.tape {
            *tape += &format!("{moment:?}\n{step:?}\n");
        }
        step
    }

    fn commit(&mut self, step: &Step) {
        self.shelf.commit(step, &self.host);
        let mut rows = Projected::default();
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

    fn carry_out(&mut self, acts: &[Act]) {
        for act in acts {
            let (session, order) = match act {
                Act::Reply { .. } => continue,
                Act::Launch { session } => {
                    self.launch(*session);
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
                Act::Remove { session, .. } => {
                    self.machines.remove(session);
                    continue;
                }
                Act::Deliver { session, message, attempt } | Act::Steer { session, message, attempt } => {
                    (session, Order::Deliver(*message, *attempt))
                }
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

    fn launch(&mut self, id: SessionId) {
        let Some(session) = self.host.session(id) else { return };
        let (life, conversation) = (session.revivals, conversation_of(session));
        let (sure, strict, stubborn) = (self.is_sure(id), !self.faulty, self.stubborn);
        let machine = self.machines.entry(id);
        let machine = machine.or_insert_with(|| Machine::launched(sure, strict, stubborn, conversation));
        if life > 0 {
            machine.relaunch(life);
        }
    }

    fn adopt(&mut self, id: SessionId) {
        let sure = self.is_sure(id);
        let Some(session) = self.host.session(id) else { return };
        let (life, conversation) = (session.revivals, conversation_of(session));
        let handed = session.messages.values().filter_map(|m| match m.state {
            MessageState::Delivering { attempt, .. } => Some((m.id, attempt)),
            MessageState::Delayed { .. }
            | MessageState::Ready
            | MessageState::Running { .. }
            | MessageState::Ended { .. } => None,
        });
        let (cursor, handed) = (session.cursor, handed.collect());
        let (strict, stubborn) = (!self.faulty, self.stubborn);
        let machine = self.machines.entry(id);
        let machine = machine.or_insert_with(|| Machine::launched(sure, strict, stubborn, conversation));
        if machine.life() != life {
            // Its next life was planned and never begun.
            machine.relaunch(life);
        }
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
        compare(&self.host, &self.model, &self.auditor, self.now, &"the daemon is loaded again");
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
}

/// The agent's own id of a conversation: the one that it takes up, or a new one.
fn conversation_of(session: &Session) -> String {
    match &session.profile.resume {
        Some(Resume::Conversation(wanted)) => wanted.clone(),
        Some(Resume::Latest) | None => format!("of {}", session.id),
    }
}
