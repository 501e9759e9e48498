//! The status file against what the hooks have told: what it shows and no hook tells is noted in the spool, and counts from
//! there.

use super::machine::{LEVEL, LevelNote, QuietEnd};
use super::status::{self, Activity, Status};
use super::{Driven, Driver, Timer};
use crate::claude::transcript;
use crate::limits::{SETTLED_MS, UNANNOUNCED_MS};
use crate::runner::wall_ms;

impl Driver {
    /// Reconciles. Every end of a turn but an interrupted one is in the spool before the file says that nothing runs, so
    /// the spool has been read to its end when this is called.
    pub(super) async fn look_at_status(&mut self) -> Driven {
        let Some(agent) = self.agent else { return Ok(()) };
        let Some(status) = status::read(&self.facts.config_dir, &agent) else { return Ok(()) };
        // What was written between the two readings belongs to what the file says now.
        self.read_spool().await?;
        if let Some(note) = self.judge(&status) {
            self.note(LEVEL, &note);
            self.read_spool().await?;
        }
        Ok(())
    }

    fn judge(&mut self, status: &Status) -> Option<LevelNote> {
        match &status.activity {
            Activity::Idle | Activity::Shell => self.judge_rest(status),
            Activity::Busy => self.judge_work(status),
            Activity::Waiting { what } => self.judge_waiting(status, what),
            Activity::Starting | Activity::Other => None,
        }
    }

    fn judge_rest(&mut self, status: &Status) -> Option<LevelNote> {
        let turn = self.machine.turn.as_ref()?;
        let (asked, began_at, has_spoken) = (turn.interrupt_asked, turn.began_at, turn.said.is_some());
        let is_command = turn.command;
        // A file of before the turn: it says `busy` only a moment after the prompt was told of.
        if status.since < began_at || !self.has_settled(status.since, SETTLED_MS) {
            return None;
        }
        if has_spoken {
            return Some(LevelNote::Rested);
        }
        let path = self.machine.transcript.as_deref();
        let noted = path.is_some_and(|path| transcript::was_interrupted(path, began_at));
        let answered = path.is_some_and(|path| transcript::has_answer(path, began_at));
        let (end, detail) = match (is_command, noted || asked, answered) {
            (true, _, _) => (QuietEnd::Command, ""),
            (false, true, true) => (QuietEnd::Interrupted, ""),
            (false, _, false) => (QuietEnd::Interrupted, "before the model had said anything"),
            (false, false, true) => (QuietEnd::Unknown, "it went idle without a word of the end"),
        };
        Some(LevelNote::Quiet { end, detail: detail.to_owned() })
    }

    fn judge_work(&mut self, status: &Status) -> Option<LevelNote> {
        if !self.machine.requests.is_empty() {
            let opened = self.machine.requests.values().map(|(at, _)| *at).max().unwrap_or(0);
            return (status.since > opened).then_some(LevelNote::AnsweredThere);
        }
        let since = status.since.max(self.machine.rest_since);
        let unannounced = self.machine.ready && self.machine.turn.is_none() && self.machine.pending.is_none();
        (unannounced && self.has_settled(since, UNANNOUNCED_MS)).then_some(LevelNote::Working { since })
    }

    fn judge_waiting(&mut self, status: &Status, what: &str) -> Option<LevelNote> {
        // What was answered a moment ago may still be on the screen.
        let since = status.since.max(self.machine.closed_at);
        let late = if self.machine.closed_at > status.since { UNANNOUNCED_MS } else { SETTLED_MS };
        if !self.machine.requests.is_empty() || !self.machine.ready || !self.has_settled(since, late) {
            return None;
        }
        let what = if what.is_empty() { "dialog open" } else { what }.to_owned();
        Some(LevelNote::Dialog { id: format!("dialog-{}", status.since), what })
    }

    /// Whether something has been so for a while; until then it is looked at again.
    fn has_settled(&mut self, since: i64, millis: u64) -> bool {
        let age = u64::try_from(wall_ms() - since).unwrap_or(0);
        if age < millis {
            self.timers.arm(Timer::Settled, millis - age + 1);
        }
        age >= millis
    }
}
