//! The end of what a runner holds: ordered or not, nothing of it stays.

use rustix::process::Signal;

use super::RunnerPlan;
use crate::limits::{FORCED_LOOKS_MAX, LEFTOVER_LOOK_MS, UNCLEAR_LOOK_MS};
use crate::process::{Left, Stamp, left_below};

/// How the session is being ended.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    ordered: bool,
    forced: bool,
    /// Looks at what is left since it was first ended by force.
    looks: u32,
    /// The runner has no child any more, and nothing can have come to it.
    pub(crate) childless: bool,
    /// A look has found nothing; what was just being started may have slipped through it.
    found_nothing: bool,
    /// The last record has been written.
    done: bool,
}

/// What a look at what is left comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// It goes on as it is.
    Wait,
    /// Another look is due, in so many milliseconds.
    Again(u64),
    /// The session has ended; with what could not be ended, if anything.
    Over(Option<String>),
}

impl Ending {
    /// Whether somebody ordered it.
    pub(crate) fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// Whether the time for a polite end is over.
    pub(crate) fn is_forced(&self) -> bool {
        self.forced
    }

    /// Somebody orders it; says whether nobody had before.
    pub(crate) fn order(&mut self) -> bool {
        !std::mem::replace(&mut self.ordered, true)
    }

    /// The time for a polite end is over.
    pub(crate) fn force(&mut self) {
        self.forced = true;
    }

    /// Looks whether anything is left of a session whose agent has `ended`, or is to be gone by force.
    pub(crate) fn look(&mut self, ended: bool, plan: &RunnerPlan) -> Looked {
        if self.done || (!ended && !self.forced) {
            return Looked::Wait;
        }
        if ended && self.childless {
            return self.over(None);
        }
        let left = left(plan);
        let nothing = left.is_nothing() && ended;
        if std::mem::replace(&mut self.found_nothing, nothing) && nothing {
            return self.over(None);
        }
        if self.forced {
            self.looks += 1;
            if self.looks > FORCED_LOOKS_MAX {
                let pids: Vec<String> = left.ours.iter().map(|left| left.incarnation().pid.to_string()).collect();
                return self.over(Some(format!("could not be ended: processes {}", pids.join(", "))));
            }
            for handle in &left.ours {
                // What may not be signalled is still there at the next look.
                let _ = handle.send(Signal::KILL);
            }
        }
        if nothing || left.unclear > 0 {
            Looked::Again(UNCLEAR_LOOK_MS)
        } else if self.forced {
            Looked::Again(LEFTOVER_LOOK_MS)
        } else {
            Looked::Wait
        }
    }

    fn over(&mut self, trouble: Option<String>) -> Looked {
        self.done = true;
        Looked::Over(trouble)
    }
}

/// Everything that lives of the session. Where that cannot be seen, something is left.
pub(crate) fn left(plan: &RunnerPlan) -> Left {
    let stamp = Stamp::from_text(plan.stamp.clone());
    left_below(std::process::id(), &stamp).unwrap_or(Left { ours: Vec::new(), unclear: 1 })
}
