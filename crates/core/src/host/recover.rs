//! The first step after a start: nothing that ran is attached, and nothing is claimed about it.

use super::Host;
use super::step::{Stamp, Step};
use crate::event::Event;
use crate::id::SessionId;
use crate::input::Act;
use crate::outcome::UnknownReason;
use crate::time::Now;

impl Host {
    /// Calls every session that had not ended unknown until its driver has caught up with it, and asks for that.
    pub(super) fn on_recovered(&mut self, now: Now, step: &mut Step) {
        self.recovered = Some(now);
        let alive: Vec<SessionId> = self.sessions.values().filter(|s| !s.has_exited()).map(|s| s.id).collect();
        for id in alive {
            let event = Event::SessionUnseen { why: UnknownReason::Reattaching };
            self.log(id, Stamp::at(now.wall), event, step);
            step.acts.push(Act::Adopt { session: id });
            self.renew_end(id, step);
        }
    }
}
