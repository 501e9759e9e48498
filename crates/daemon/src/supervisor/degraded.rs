//! When the store cannot be written: nothing is claimed, nothing is lost, and it goes on once the cause is gone.
//!
//! A failed commit leaves the host ahead of the disk. It is loaded anew, every driver is let go, and the first step of
//! the recovered host becomes a debt: until it is durable nothing else is taken in, calls are told why, and what the
//! agents do meanwhile stays in their journals.

use std::time::{Duration, Instant};

use adjutant_core::{Act, Host, Input, Refusal, Step};
use adjutant_store::CommitError;

use super::Supervisor;

/// The pause before the store is tried again by itself, in milliseconds: the first one, and the longest.
const RETRY_MS_FIRST: u64 = 100;
const RETRY_MS_MAX: u64 = 2_000;

/// The step that has to become durable first.
pub(super) struct Owed {
    step: Step,
    pause_ms: u64,
    /// When it is tried again. A moment and no span: what else is asked meanwhile must not put it off.
    again_at: Instant,
}

impl Owed {
    fn new(step: Step, pause_ms: u64) -> Self {
        Self { step, pause_ms, again_at: Instant::now() + Duration::from_millis(pause_ms) }
    }

    /// The time until it is tried again.
    pub(super) fn pause(&self) -> Duration {
        self.again_at.saturating_duration_since(Instant::now())
    }
}

impl Supervisor {
    /// Tries to make the owed step durable. `false` when that failed again and the inputs were turned away.
    pub(super) fn pay_what_is_owed(&mut self, inputs: &[Input]) -> bool {
        let Some(owed) = self.owed.take() else { return true };
        match self.commit(&owed.step) {
            Ok(()) => {
                tracing::info!("the store can be written again");
                self.parts.unwritable.send_replace(None);
                self.carry_out(owed.step);
                true
            }
            Err(error) => {
                self.parts.unwritable.send_replace(Some(error.to_string()));
                self.refuse(inputs.iter().filter_map(call_id), &error);
                self.owed = Some(Owed::new(owed.step, (owed.pause_ms * 2).min(RETRY_MS_MAX)));
                false
            }
        }
    }

    /// Goes back to what is on disk after a commit failed.
    pub(super) fn fall_back(&mut self, error: &CommitError, acts: &[Act]) {
        tracing::error!(%error, "the store could not be written; nothing of the batch was done");
        self.parts.unwritable.send_replace(Some(error.to_string()));
        self.refuse(acts.iter().filter_map(reply_id), error);
        self.orders.clear();
        // What the drivers that were let go still say must not mix with what their successors read again.
        (self.reports_in, self.reports) = super::report_channel();
        match self.parts.writer.reload() {
            Ok(loaded) => self.start_over(loaded),
            Err(error) => {
                tracing::error!(%error, "the store cannot be read either; the daemon ends");
                self.beyond_help = true;
                let _ = self.parts.ending.send(true);
            }
        }
    }

    fn start_over(&mut self, loaded: adjutant_store::Loaded) {
        self.host = Host::restore(self.parts.config.clone(), loaded.sessions, loaded.counters);
        let step = self.host.handle(Input::Recovered, self.clock.now());
        self.owed = Some(Owed::new(step, RETRY_MS_FIRST));
    }

    fn refuse(&mut self, calls: impl Iterator<Item = adjutant_core::CallId>, error: &CommitError) {
        for id in calls {
            if let Some(reply) = self.replies.remove(&id) {
                let _ = reply.send(Err(Refusal::NotStored(error.to_string())));
            }
        }
    }
}

fn call_id(input: &Input) -> Option<adjutant_core::CallId> {
    match input {
        Input::Call { id, .. } => Some(*id),
        Input::Agent { .. } | Input::TimeCame | Input::Recovered => None,
    }
}

fn reply_id(act: &Act) -> Option<adjutant_core::CallId> {
    match act {
        Act::Reply { id, .. } => Some(*id),
        Act::Launch { .. }
        | Act::Adopt { .. }
        | Act::Deliver { .. }
        | Act::Interrupt { .. }
        | Act::Steer { .. }
        | Act::Respond { .. }
        | Act::End { .. }
        | Act::Release { .. }
        | Act::Remove { .. } => None,
    }
}
