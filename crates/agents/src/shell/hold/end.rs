//! The end of the session: ordered or not, nothing of it stays.

use std::ops::ControlFlow;

use adjutant_core::outcome::ExitStatus;
use rustix::process::{Signal, kill_process_group};

use super::holder::{Doing, Holder, Timer};
use super::interrupt::Interrupt;
use super::turn::Ended;
use crate::limits::{DRAIN_PIECES_MAX, HANGUP_MS, LEFTOVER_GRACE_MS};
use crate::runner::{Looked, Record, left};

impl Holder {
    /// The order to end the session. A second one with a shorter grace hastens the first.
    pub(super) fn on_end(&mut self, grace_ms: u64) -> ControlFlow<()> {
        let first = self.ending.order();
        if first {
            self.refuse_waiting();
        }
        if grace_ms == 0 || self.ending.is_forced() {
            return self.on_force();
        }
        self.timers.arm(Timer::Force, grace_ms);
        if first {
            self.ask_to_end(grace_ms);
        }
        ControlFlow::Continue(())
    }

    /// A Ctrl-C for what runs, and then what a terminal does to its programs when it is closed. The two must not come
    /// together: a shell that is interrupted and hung up at once forgets its `trap ... EXIT`.
    fn ask_to_end(&mut self, grace_ms: u64) {
        match (self.turn.is_some(), self.bash.foreground()) {
            (true, Some(group)) => {
                // Whoever does not hear this hears what follows.
                let _ = kill_process_group(group, Signal::INT);
                // What ends by it was stopped, and has not failed.
                if let Some(turn) = &mut self.turn {
                    turn.interrupt.get_or_insert(Interrupt::passed(group));
                }
                self.timers.arm(Timer::Hangup, HANGUP_MS.min(grace_ms / 2));
            }
            _ => self.hang_up(),
        }
    }

    /// Closes the terminal, as far as its programs can tell.
    pub(super) fn hang_up(&mut self) {
        self.timers.disarm(Timer::Hangup);
        for handle in left(&self.plan).ours {
            let shell = handle.incarnation() == self.bash.incarnation();
            let signals: &[Signal] =
                if shell { &[Signal::HUP, Signal::CONT] } else { &[Signal::HUP, Signal::TERM, Signal::CONT] };
            for signal in signals {
                // What may not be signalled is told at the end.
                let _ = handle.send(*signal);
            }
        }
    }

    /// The time for a polite end is over.
    pub(super) fn on_force(&mut self) -> ControlFlow<()> {
        self.timers.disarm(Timer::Force);
        self.ending.force();
        // Without /proc the shell at least is known.
        let _ = self.bash.handle.send(Signal::KILL);
        self.on_leftovers()
    }

    /// The shell has ended: its turn has ended with it, and what it left behind has to go.
    pub(super) fn on_shell_ended(&mut self, exit: ExitStatus) -> ControlFlow<()> {
        self.doing = Doing::Ended(exit);
        self.drain_said();
        self.drain_output(DRAIN_PIECES_MAX);
        let held = self.marks.flush();
        self.log.write(&held);
        if let Some(turn) = &mut self.turn {
            turn.output(&held);
            // What the loop said of the end before the shell ended stands; the text ends here either way.
            turn.ended = turn.ended.or(Some(Ended::WithShell(exit)));
            turn.unmarked = true;
        }
        self.settle_if_ended();
        self.refuse_waiting();
        if self.ending.childless {
            return self.on_leftovers();
        }
        let left = left(&self.plan);
        self.left_behind = left.ours.len();
        if !self.ending.is_ordered() && !left.is_nothing() {
            match exit {
                ExitStatus::Signal(_) => return self.on_force(),
                ExitStatus::Code(_) => {
                    self.hang_up();
                    self.timers.arm(Timer::Force, LEFTOVER_GRACE_MS);
                }
            }
        }
        self.on_leftovers()
    }

    fn drain_said(&mut self) {
        let mut buffer = [0; 512];
        while let Ok(read @ 1..) = self.bash.said_now(&mut buffer) {
            self.on_said(&buffer[..read]);
        }
    }

    /// Looks whether anything is left; if nothing is, the session has ended.
    pub(super) fn on_leftovers(&mut self) -> ControlFlow<()> {
        let exit = match self.doing {
            Doing::Ended(exit) => Some(exit),
            Doing::Starting | Doing::Waiting | Doing::Running | Doing::AtPrompt => None,
        };
        match self.ending.look(exit.is_some(), &self.plan) {
            Looked::Wait => ControlFlow::Continue(()),
            Looked::Again(millis) => {
                self.timers.arm(Timer::Leftovers, millis);
                ControlFlow::Continue(())
            }
            Looked::Over(trouble) => self.finish(exit, trouble.or_else(|| self.detail())),
        }
    }

    fn detail(&self) -> Option<String> {
        match self.left_behind {
            0 => None,
            count => Some(format!("{count} processes that the shell left behind have been ended")),
        }
    }

    fn finish(&mut self, exit: Option<ExitStatus>, detail: Option<String>) -> ControlFlow<()> {
        self.drain_output(DRAIN_PIECES_MAX);
        self.journal.append(&Record::Exited { exit: exit.map(Into::into), killed: self.ending.is_ordered(), detail });
        ControlFlow::Break(())
    }
}
