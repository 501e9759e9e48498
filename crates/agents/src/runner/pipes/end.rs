//! The end of the session: ordered or not, nothing of it stays.

use std::ops::ControlFlow;

use adjutant_core::outcome::ExitStatus;
use rustix::process::Signal;

use super::{Hands, Holder, Timer};
use crate::limits::{DRAIN_PIECES_MAX, LEFTOVER_GRACE_MS};
use crate::runner::{Looked, Record, left};

impl Holder {
    /// The order to end the session. A second one with a shorter grace hastens the first.
    pub(super) fn on_end(&mut self, grace_ms: u64) -> ControlFlow<()> {
        let first = self.ending.order();
        if let Some(parting) = self.parting.take() {
            return self.on_program_ended(parting.exit);
        }
        if let Hands::Nobody(exit) = self.hands {
            return self.on_program_ended(exit);
        }
        if grace_ms == 0 || self.ending.is_forced() {
            return self.on_force();
        }
        self.timers.arm(Timer::Force, grace_ms);
        if first {
            self.program.close_input();
            // One that does not hear this hears what follows.
            let _ = self.held().send(Signal::TERM);
        }
        ControlFlow::Continue(())
    }

    /// The time for a polite end is over.
    pub(super) fn on_force(&mut self) -> ControlFlow<()> {
        self.timers.disarm(Timer::Force);
        self.ending.force();
        // Without /proc the program at least is known.
        let _ = self.held().send(Signal::KILL);
        self.on_leftovers()
    }

    /// The program has ended: what it said last is taken, and what it left behind has to go.
    pub(super) fn on_program_ended(&mut self, exit: ExitStatus) -> ControlFlow<()> {
        self.ended = Some(exit);
        self.program.close_input();
        self.drain();
        if !self.ending.childless && !self.ending.is_forced() {
            for handle in left(&self.plan).ours {
                // What may not be signalled is told at the end.
                let _ = handle.send(Signal::TERM);
            }
            self.timers.arm_once(Timer::Force, LEFTOVER_GRACE_MS);
        }
        self.on_leftovers()
    }

    /// Takes what the program has said by now.
    pub(super) fn drain(&mut self) {
        for _ in 0..DRAIN_PIECES_MAX {
            match self.program.output_now(self.output.room()) {
                0 => break,
                read => self.output.take(read, &mut self.journal),
            }
        }
        for _ in 0..DRAIN_PIECES_MAX {
            match self.program.complaints_now(self.complaints.room()) {
                0 => break,
                read => self.complaints.take(read),
            }
        }
    }

    /// Looks whether anything is left; if nothing is, the session has ended.
    pub(super) fn on_leftovers(&mut self) -> ControlFlow<()> {
        match self.ending.look(self.ended.is_some(), &self.plan) {
            Looked::Wait => ControlFlow::Continue(()),
            Looked::Again(millis) => {
                self.timers.arm(Timer::Leftovers, millis);
                ControlFlow::Continue(())
            }
            Looked::Over(trouble) => self.finish(trouble),
        }
    }

    fn finish(&mut self, trouble: Option<String>) -> ControlFlow<()> {
        self.drain();
        if let Some(lent) = self.hands.lent() {
            lent.viewers.close("the session has ended");
        }
        // Of a program that could not be started again, the end of the one before says nothing.
        let exit = self.ended.filter(|_| self.trouble.is_none()).map(Into::into);
        let detail = trouble.or_else(|| self.trouble.take()).or_else(|| self.complaints.last_lines());
        self.journal.append(&Record::Exited { exit, killed: self.ending.is_ordered(), detail });
        ControlFlow::Break(())
    }
}
