//! The end of the session: ordered or not, nothing of it stays.

use std::ops::ControlFlow;

use adjutant_core::outcome::ExitStatus;
use rustix::process::{Signal, kill_process_group};

use super::holder::{Doing, Holder, Timer};
use super::turn::Ended;
use crate::limits::{
    DRAIN_PIECES_MAX, FORCED_LOOKS_MAX, HANGUP_MS, LEFTOVER_GRACE_MS, LEFTOVER_LOOK_MS, UNCLEAR_LOOK_MS,
};
use crate::process::{Left, Stamp, left_below};
use crate::runner::Record;

/// How the session is being ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    ordered: bool,
    forced: bool,
    /// Looks at what is left since it was first ended by force.
    looks: u32,
    /// Processes that the shell left behind when it ended.
    left_behind: usize,
    /// The runner has no child any more, and nothing can have come to it.
    pub(super) childless: bool,
    /// A look has found nothing; what was just being started may have slipped through it.
    found_nothing: bool,
    /// The last record has been written.
    done: bool,
}

impl Ending {
    /// Whether somebody ordered it.
    pub(super) fn is_ordered(&self) -> bool {
        self.ordered
    }
}

impl Holder {
    /// The order to end the session. A second one with a shorter grace hastens the first.
    pub(super) fn on_end(&mut self, grace_ms: u64) -> ControlFlow<()> {
        let first = !std::mem::replace(&mut self.ending.ordered, true);
        if first {
            self.refuse_waiting();
        }
        if grace_ms == 0 || self.ending.forced {
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
                self.timers.arm(Timer::Hangup, HANGUP_MS.min(grace_ms / 2));
            }
            _ => self.hang_up(),
        }
    }

    /// Closes the terminal, as far as its programs can tell.
    pub(super) fn hang_up(&mut self) {
        self.timers.disarm(Timer::Hangup);
        for handle in self.left().ours {
            let shell = handle.incarnation() == self.bash.incarnation();
            let signals: &[Signal] =
                if shell { &[Signal::HUP, Signal::CONT] } else { &[Signal::HUP, Signal::TERM, Signal::CONT] };
            for signal in signals {
                // What may not be signalled is told at the end.
                let _ = handle.send(*signal);
            }
        }
    }

    /// Everything that lives of the session, the shell among it. Where that cannot be seen, something is left.
    fn left(&self) -> Left {
        let stamp = Stamp::from_text(self.plan.stamp.clone());
        left_below(std::process::id(), &stamp).unwrap_or(Left { ours: Vec::new(), unclear: 1 })
    }

    /// The time for a polite end is over.
    pub(super) fn on_force(&mut self) -> ControlFlow<()> {
        self.timers.disarm(Timer::Force);
        self.ending.forced = true;
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
        let left = self.left();
        self.ending.left_behind = left.ours.len();
        if !self.ending.ordered && !left.is_nothing() {
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
        if self.ending.done || (exit.is_none() && !self.ending.forced) {
            return ControlFlow::Continue(());
        }
        if exit.is_some() && self.ending.childless {
            return self.finish(exit, self.detail());
        }
        let left = self.left();
        let nothing = left.is_nothing() && exit.is_some();
        if std::mem::replace(&mut self.ending.found_nothing, nothing) && nothing {
            return self.finish(exit, self.detail());
        }
        if self.ending.forced {
            self.ending.looks += 1;
            if self.ending.looks > FORCED_LOOKS_MAX {
                let pids: Vec<String> = left.ours.iter().map(|left| left.incarnation().pid.to_string()).collect();
                return self.finish(exit, Some(format!("could not be ended: processes {}", pids.join(", "))));
            }
            for handle in &left.ours {
                // What may not be signalled is still there at the next look.
                let _ = handle.send(Signal::KILL);
            }
        }
        if nothing || left.unclear > 0 {
            self.timers.arm(Timer::Leftovers, UNCLEAR_LOOK_MS);
        } else if self.ending.forced {
            self.timers.arm(Timer::Leftovers, LEFTOVER_LOOK_MS);
        }
        ControlFlow::Continue(())
    }

    fn detail(&self) -> Option<String> {
        match self.ending.left_behind {
            0 => None,
            count => Some(format!("{count} processes that the shell left behind have been ended")),
        }
    }

    fn finish(&mut self, exit: Option<ExitStatus>, detail: Option<String>) -> ControlFlow<()> {
        self.ending.done = true;
        self.drain_output(DRAIN_PIECES_MAX);
        self.journal.append(&Record::Exited { exit: exit.map(Into::into), killed: self.ending.ordered, detail });
        ControlFlow::Break(())
    }
}
