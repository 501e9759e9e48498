//! The end of the session: ordered or not, nothing of it stays.

use std::ops::ControlFlow;

use adjutant_core::outcome::ExitStatus;
use rustix::process::Signal;

use super::{Holder, Timer};
use crate::limits::{DRAIN_PIECES_MAX, FORCED_LOOKS_MAX, LEFTOVER_GRACE_MS, LEFTOVER_LOOK_MS, UNCLEAR_LOOK_MS};
use crate::process::{Left, Stamp, left_below};
use crate::runner::Record;

/// How the session is being ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    ordered: bool,
    forced: bool,
    /// Looks at what is left since it was first ended by force.
    looks: u32,
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
        if grace_ms == 0 || self.ending.forced {
            return self.on_force();
        }
        self.timers.arm(Timer::Force, grace_ms);
        if first {
            self.program.close_input();
            // One that does not hear this hears what follows.
            let _ = self.program.handle.send(Signal::TERM);
        }
        ControlFlow::Continue(())
    }

    /// Everything that lives of the session. Where that cannot be seen, something is left.
    fn left(&self) -> Left {
        let stamp = Stamp::from_text(self.plan.stamp.clone());
        left_below(std::process::id(), &stamp).unwrap_or(Left { ours: Vec::new(), unclear: 1 })
    }

    /// The time for a polite end is over.
    pub(super) fn on_force(&mut self) -> ControlFlow<()> {
        self.timers.disarm(Timer::Force);
        self.ending.forced = true;
        // Without /proc the program at least is known.
        let _ = self.program.handle.send(Signal::KILL);
        self.on_leftovers()
    }

    /// The program has ended: what it said last is taken, and what it left behind has to go.
    pub(super) fn on_program_ended(&mut self, exit: ExitStatus) -> ControlFlow<()> {
        self.ended = Some(exit);
        self.program.close_input();
        self.drain();
        if !self.ending.childless && !self.ending.forced {
            for handle in self.left().ours {
                // What may not be signalled is told at the end.
                let _ = handle.send(Signal::TERM);
            }
            self.timers.arm_once(Timer::Force, LEFTOVER_GRACE_MS);
        }
        self.on_leftovers()
    }

    fn drain(&mut self) {
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
        if self.ending.done || (self.ended.is_none() && !self.ending.forced) {
            return ControlFlow::Continue(());
        }
        if self.ended.is_some() && self.ending.childless {
            return self.finish(None);
        }
        let left = self.left();
        let nothing = left.is_nothing() && self.ended.is_some();
        if std::mem::replace(&mut self.ending.found_nothing, nothing) && nothing {
            return self.finish(None);
        }
        if self.ending.forced {
            self.ending.looks += 1;
            if self.ending.looks > FORCED_LOOKS_MAX {
                let pids: Vec<String> = left.ours.iter().map(|left| left.incarnation().pid.to_string()).collect();
                return self.finish(Some(format!("could not be ended: processes {}", pids.join(", "))));
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

    fn finish(&mut self, trouble: Option<String>) -> ControlFlow<()> {
        self.ending.done = true;
        self.drain();
        let detail = trouble.or_else(|| self.complaints.last_lines());
        let exit = self.ended.map(Into::into);
        self.journal.append(&Record::Exited { exit, killed: self.ending.ordered, detail });
        ControlFlow::Break(())
    }
}
