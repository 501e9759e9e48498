//! What has to hold after each commit, and at the end of everything.

use adjutant_core::message::{MessageEnd, MessageState};
use adjutant_core::outcome::UnknownReason;
use adjutant_core::session::{Hold, Phase, Session, Work};
use adjutant_core::{Call, CallId, Caller, Input, SessionId, Step};

use super::{Fate, World};
use crate::machine::Machine;
use crate::model::At;
use crate::waits::Wait;

impl World {
    /// What the store shows of ended messages and turns is what the model says.
    pub(super) fn check_rows(&self, step: &Step) {
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
    pub(super) fn check_honesty(&self) {
        for m in &self.model.messages {
            let Some(machine) = self.machines.get(&m.session) else { continue };
            let taken = machine.taken.contains(&m.id);
            match &m.at {
                At::In(_) | At::Over(MessageEnd::Settled { .. }) => assert!(taken, "{m:?} was never taken"),
                At::Over(MessageEnd::Undeliverable { .. } | MessageEnd::Cancelled | MessageEnd::Expired) => {
                    assert!(!taken, "{m:?} was taken");
                }
                At::Later(_) | At::Line(_) => assert!(!taken, "{m:?} was taken, and would be handed over again"),
                At::Over(MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { .. } }) => {
                    assert!(machine.may_doubt(m.id), "{m:?} could be known");
                }
                At::Out(_) | At::Over(MessageEnd::Unknown { .. }) => {}
            }
        }
    }

    /// Everybody does what they should, until nothing is left to do: whatever was accepted has ended by then.
    pub(super) fn come_to_rest(&mut self) {
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
        if self.host.session(id).is_some_and(|s| s.hold != Hold::Off && s.stopping.is_none()) {
            let input =
                Input::Call { id: CallId(self.calls), caller: Caller::Human, call: Call::Release { session: id } };
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

    pub(super) fn check_whole(&mut self) {
        self.shelf.check_fold(self.config.clone());
        self.shelf.check_fold_without_purged(self.config.clone());
        self.shelf.check_fold_from_the_middle(self.config.clone());
        let live: Vec<&Session> = self.host.sessions().collect();
        assert_eq!(live, self.shelf.sessions.values().collect::<Vec<_>>(), "the rows are the sessions");
        for m in &self.model.messages {
            let row = self.shelf.messages.get(&m.id);
            assert_eq!(row.is_some(), self.model.s(m.session).is_some(), "{m:?} is kept as long as its session");
        }
    }
}
