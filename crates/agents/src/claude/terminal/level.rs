//! The status file against what the hooks have told: what it shows and no hook tells is noted in the spool, and counts from
//! there.

use super::machine::{LEVEL, LevelNote, QuietEnd};
use super::status::{Activity, Status};
use super::{Driven, Driver, Timer};
use crate::claude::transcript::{self, CommandEnd};
use crate::limits::{
    ANSWER_READ_MS_MAX, ANSWER_SHOWS_MS, COMMAND_MS_MAX, DIALOG_MS, QUIET_END_MS_MAX, SETTLED_MS, UNANNOUNCED_MS,
};
use crate::runner::wall_ms;

/// Things that may follow from one look.
const NOTES_MAX: usize = 3;

impl Driver {
    /// Reconciles. Every end of a turn but an interrupted one is in the spool before the file says that nothing runs, so
    /// the spool has been read to its end when this is called.
    pub(super) async fn look_at_status(&mut self) -> Driven {
        let Some(status) = self.status() else { return Ok(()) };
        // What was written between the two readings belongs to what the file says now.
        self.read_spool().await?;
        // One thing may follow from another: a question that was left, and then the turn that rests.
        for _ in 0..NOTES_MAX {
            let Some(note) = self.judge(&status) else { break };
            self.note(LEVEL, &note);
            self.read_spool().await?;
        }
        Ok(())
    }

    fn judge(&mut self, status: &Status) -> Option<LevelNote> {
        let at_work = matches!(status.activity, Activity::Busy | Activity::Waiting { .. });
        let command = self.machine.turn.as_ref().filter(|turn| turn.command && !turn.shown);
        if at_work && command.is_some_and(|turn| status.since >= turn.began_at) {
            return Some(LevelNote::Shown);
        }
        match &status.activity {
            Activity::Idle | Activity::Shell if self.is_closed_there(status) => Some(LevelNote::AnsweredThere),
            Activity::Idle | Activity::Shell => self.judge_rest(status),
            Activity::Busy => self.judge_work(status),
            Activity::Waiting { what } => self.judge_waiting(status, what),
            Activity::Starting | Activity::Other => None,
        }
    }

    /// A question is on record, and the agent has left it since.
    fn is_closed_there(&self, status: &Status) -> bool {
        let opened = self.machine.requests.values().map(|(at, _)| *at).max();
        opened.is_some_and(|opened| status.since > opened)
    }

    fn judge_rest(&mut self, status: &Status) -> Option<LevelNote> {
        let turn = self.machine.turn.as_ref()?;
        let (asked, began_at, has_spoken) = (turn.interrupt_asked, turn.began_at, turn.said.is_some());
        let ours = turn.ours.filter(|_| asked);
        if turn.command && !has_spoken {
            return self.judge_command(status, began_at, turn.shown);
        }
        // A file of before the turn: it says `busy` only a moment after the prompt was told of.
        if status.since < began_at || !self.has_settled(status.since, SETTLED_MS) {
            return None;
        }
        if has_spoken {
            return Some(LevelNote::Rested);
        }
        // What is written from here on rings.
        self.listen_to_transcript();
        let path = self.machine.transcript.as_deref();
        let noted = path.is_some_and(|path| transcript::was_interrupted(path, began_at));
        let answered = path.is_some_and(|path| transcript::has_answer(path, began_at));
        let (end, detail) = match (noted || asked, answered) {
            (true, true) => (QuietEnd::Interrupted, ""),
            (_, false) => {
                self.given_back = ours;
                (QuietEnd::Interrupted, "before the model had said anything")
            }
            // The note of an interruption is written a moment after the file; a busy machine takes its time.
            (false, true) if !self.has_settled(status.since, QUIET_END_MS_MAX) => return None,
            (false, true) => (QuietEnd::Unknown, "it went idle without a word of the end"),
        };
        Some(LevelNote::Quiet { end, detail: detail.to_owned() })
    }

    /// A command was typed, of whose end no hook tells, and nothing runs. That nothing runs is no word of what became of it:
    /// one that there is not looks the same until the transcript says so, which may be late.
    fn judge_command(&mut self, status: &Status, began_at: i64, shown: bool) -> Option<LevelNote> {
        let since = status.since.max(began_at);
        if !self.has_settled(since, SETTLED_MS) {
            return None;
        }
        self.listen_to_transcript();
        let told = self.machine.transcript.as_deref().and_then(|path| transcript::command_end(path, began_at));
        let (end, detail) = match told {
            Some(CommandEnd::Unknown { words }) => (QuietEnd::Refused, words),
            Some(CommandEnd::Done) => (QuietEnd::Command, String::new()),
            None if shown => (QuietEnd::Command, String::new()),
            None if !self.has_settled(since, COMMAND_MS_MAX) => return None,
            None => {
                let detail =
                    "it was typed as a command, and neither a hook, the transcript nor the status file tells of it";
                (QuietEnd::Unknown, detail.to_owned())
            }
        };
        Some(LevelNote::Quiet { end, detail })
    }

    fn judge_work(&mut self, status: &Status) -> Option<LevelNote> {
        if self.is_closed_there(status) {
            return Some(LevelNote::AnsweredThere);
        }
        let since = status.since.max(self.machine.rest_since);
        let unannounced = self.machine.ready
            && self.machine.requests.is_empty()
            && self.machine.turn.is_none()
            && self.machine.pending.is_none();
        (unannounced && self.has_settled(since, UNANNOUNCED_MS)).then_some(LevelNote::Working { since })
    }

    fn judge_waiting(&mut self, status: &Status, what: &str) -> Option<LevelNote> {
        // A question that was answered before it was drawn is drawn all the same, and closed when the answer is read.
        let is_answered = status.since - self.machine.closed_at < ANSWER_SHOWS_MS;
        let late = if is_answered { ANSWER_READ_MS_MAX } else { DIALOG_MS };
        if !self.machine.requests.is_empty() || !self.machine.ready || !self.has_settled(status.since, late) {
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
