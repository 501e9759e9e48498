//! What a turn has cost. The transcript tells it, and is written in batches, mostly a moment after the turn has ended:
//! nobody waits for that, and it is told as soon as it is there.

use std::os::unix::fs::DirBuilderExt;

use adjutant_core::agent::AgentReport;

use super::machine::Told;
use super::{Driven, Driver, Timer};
use crate::claude::changes::Changes;
use crate::claude::transcript;
use crate::limits::USAGE_MS_MAX;

/// A turn that ended before the transcript had all of it.
#[derive(Debug)]
pub(super) struct Uncounted {
    began_at: i64,
    ended_at: i64,
    said: String,
    /// Its end was told by an earlier daemon.
    is_old: bool,
}

impl Driver {
    /// Adds to the end of a turn what it has cost, where that is written already.
    pub(super) fn count(&mut self, began_at: Option<i64>, ended_at: i64, told: &mut [Told]) {
        let (Some(began_at), Some(path)) = (began_at, self.machine.transcript.as_deref()) else { return };
        for (report, answer) in told {
            let (AgentReport::TurnEnded { end }, Some(said)) = (report, answer) else { continue };
            end.usage = transcript::usage_between(path, began_at, ended_at, said);
            self.uncounted = match end.usage {
                Some(_) => None,
                None => Some(Uncounted { began_at, ended_at, said: said.clone(), is_old: false }),
            };
            self.timers.arm(Timer::Usage, USAGE_MS_MAX);
        }
    }

    /// Keeps in mind the end of a turn that was told by an earlier daemon, which may not have lived to tell what it has cost.
    pub(super) fn count_again(&mut self, began_at: Option<i64>, ended_at: i64, told: &[Told]) {
        let Some(began_at) = began_at else { return };
        for (report, answer) in told {
            if let (AgentReport::TurnEnded { .. }, Some(said)) = (report, answer) {
                self.uncounted = Some(Uncounted { began_at, ended_at, said: said.clone(), is_old: true });
            }
        }
    }

    /// Looks for what such a turn has cost, unless that is on record.
    pub(super) fn count_old(&mut self, is_uncounted: bool) {
        self.uncounted.take_if(|turn| turn.is_old && !is_uncounted);
        if self.uncounted.is_some() {
            self.timers.arm(Timer::Usage, USAGE_MS_MAX);
        }
    }

    /// Tells what the last turn has cost, if that is written by now; else hears of it when it is.
    pub(super) async fn count_late(&mut self) -> Driven {
        if self.uncounted.is_none() {
            self.timers.disarm(Timer::Usage);
            if self.machine.turn.is_none() {
                self.transcript_written = None;
            }
            return Ok(());
        }
        // What is written from here on rings.
        self.listen_to_transcript();
        let Some(Uncounted { began_at, ended_at, said, .. }) = &self.uncounted else { return Ok(()) };
        let path = self.machine.transcript.as_deref();
        let usage = path.and_then(|path| transcript::usage_between(path, *began_at, *ended_at, said));
        let Some(usage) = usage else { return Ok(()) };
        self.uncounted = None;
        self.report(AgentReport::TurnCounted { usage }).await
    }

    /// Has the loop come round when the transcript is written, until nothing is looked for in it any more.
    pub(super) fn listen_to_transcript(&mut self) {
        let directory = self.machine.transcript.as_deref().and_then(std::path::Path::parent);
        if self.transcript_written.is_none()
            && let Some(directory) = directory
        {
            if directory.starts_with(&self.facts.config_dir) {
                // The agent makes it for its first entry. Where that fails, so does the next step.
                let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
            }
            let made = Changes::new().and_then(|changes| changes.add(directory).map(|()| changes));
            self.transcript_written = made
                .inspect_err(|error| tracing::warn!(session = %self.session, %error, "the transcript is not watched"))
                .ok();
        }
    }
}
