//! How turns end, as it is told.

use std::sync::Arc;

use adjutant_core::agent::{AgentReport, AnswerSize, TurnEnd, TurnOrigin};
use adjutant_core::limits::ANSWER_BYTES_MAX;
use adjutant_core::outcome::{FailReason, Outcome, UnknownReason};
use serde_json::json;

use super::turns::Running;
use super::{Driven, Driver, Timer};
use crate::codex::limits::SILENCE_MS_MAX;
use crate::codex::wire::{Link, Turn, TurnStatus};

impl Driver {
    /// The turn has ended. `is_crash` means that the server's life in which it ran is over.
    pub(super) async fn on_turn_end(&mut self, link: &mut Link, turn: &Turn, is_crash: bool) -> Driven {
        if turn.status == TurnStatus::InProgress {
            return Ok(());
        }
        self.tell_origin(TurnOrigin::Agent).await?;
        self.look_for_steers(link, &turn.id).await?;
        let Some(running) = self.turn.take() else { return Ok(()) };
        for timer in [Timer::Missed, Timer::Silence, Timer::Interrupt] {
            self.timers.disarm(timer);
        }
        self.ended = Some(turn.id.clone());
        self.open.clear();
        if !self.notes.open.is_empty() {
            self.notes.open.clear();
            self.save_notes();
        }
        let (end, answer) = self.end_of(turn, &running, is_crash);
        let is_interrupted = end.outcome == Outcome::Interrupted;
        self.report_at(Some(self.notes.cursor_ended()), AgentReport::TurnEnded { end }, answer).await?;
        self.give_up_steers(is_crash).await?;
        if is_interrupted {
            self.is_paused = true;
            self.clean_terminals(link).await?;
        }
        match self.ending {
            Some(_) => self.finish_end(link).await,
            None if is_interrupted => self.rest_goal(link).await,
            None => self.on_goals_turn_end(link, turn.error.as_ref().map(|error| error.message.as_str())).await,
        }
    }

    fn end_of(&self, turn: &Turn, running: &Running, is_crash: bool) -> (TurnEnd, Option<Arc<str>>) {
        let error = turn.error.as_ref();
        let said = turn.last_text().map(str::to_owned).or_else(|| running.text.clone());
        let mut detail = error.map(|error| error.message.clone()).or_else(|| running.error.clone());
        let outcome = match &turn.status {
            TurnStatus::Completed => {
                if said.as_ref().is_none_or(String::is_empty) {
                    detail.get_or_insert_with(|| "the model ended its turn without a message".to_owned());
                }
                Outcome::Completed
            }
            TurnStatus::Interrupted if is_crash && !running.is_interrupted => {
                detail.get_or_insert_with(|| "the app-server crashed in the middle of the turn".to_owned());
                Outcome::Exited
            }
            TurnStatus::Interrupted => Outcome::Interrupted,
            TurnStatus::Failed => {
                Outcome::Failed { reason: error.map_or(FailReason::AgentError, crate::codex::wire::TurnError::reason) }
            }
            TurnStatus::InProgress => unknown("it is said to be running still"),
            TurnStatus::Unknown(word) => unknown(&format!("the app-server calls it `{word}`")),
        };
        let (answer, size) = kept(said.unwrap_or_default());
        let used = running.before.zip(self.tokens).map(|(before, now)| now.since(before));
        let end = TurnEnd {
            detail: detail.map(|detail| super::ask::one_line(&detail)),
            answer: size,
            usage: used,
            ..TurnEnd::bare(outcome)
        };
        (end, Some(answer))
    }

    /// Reports of a turn whose end nobody can see any more.
    pub(super) async fn on_turn_lost(&mut self, why: &str) -> Driven {
        self.tell_origin(TurnOrigin::Agent).await?;
        let Some(running) = self.turn.take() else { return Ok(()) };
        self.ended = Some(running.id);
        self.open.clear();
        let end = TurnEnd::bare(unknown(why));
        self.report_at(Some(self.notes.cursor_ended()), AgentReport::TurnEnded { end }, None).await?;
        self.give_up_steers(true).await
    }

    /// Asks how the turn that runs stands, when its end should have been told and was not, or nothing was for long.
    pub(super) async fn look_for_end(&mut self, link: &mut Link) -> Driven {
        let Some(id) = self.turn.as_ref().map(|running| running.id.clone()) else { return Ok(()) };
        let params = json!({"threadId": self.thread(), "limit": 5, "sortDirection": "desc"});
        let Ok(list) = self.try_ask(link, "thread/turns/list", params).await? else { return Ok(()) };
        let turns = list["data"].as_array().into_iter().flatten().filter_map(Turn::read);
        match turns.into_iter().find(|turn| turn.id == id) {
            Some(turn) if turn.status != TurnStatus::InProgress => self.on_turn_end(link, &turn, false).await,
            Some(_) | None => {
                self.timers.arm(Timer::Silence, SILENCE_MS_MAX);
                Ok(())
            }
        }
    }
}

fn unknown(why: &str) -> Outcome {
    Outcome::Unknown { why: UnknownReason::EndUnseen { detail: why.to_owned() } }
}

/// A final text as it is kept: of one that is too long the middle is left out.
fn kept(text: String) -> (Arc<str>, AnswerSize) {
    let max = usize::try_from(ANSWER_BYTES_MAX).unwrap_or(usize::MAX);
    if text.len() <= max {
        let size = AnswerSize { bytes: text.len() as u64, cut_bytes: 0 };
        return (text.into(), size);
    }
    let half = (max - 64) / 2;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    let cut_bytes = (tail - head) as u64;
    let cut = format!("{}\n[… {cut_bytes} bytes left out …]\n{}", &text[..head], &text[tail..]);
    let size = AnswerSize { bytes: cut.len() as u64, cut_bytes };
    (cut.into(), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_keeps_its_ends() {
        let long = "é".repeat(1024 * 1024);
        let (text, size) = kept(long.clone());
        assert!(text.len() as u64 <= ANSWER_BYTES_MAX && text.starts_with("éé") && text.ends_with("éé"));
        assert_eq!(size.bytes, text.len() as u64);
        assert!(size.cut_bytes > 0 && size.cut_bytes < long.len() as u64);
    }
}
