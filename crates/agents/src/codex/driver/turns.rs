//! The turns of a thread, as they are seen and told.

use std::collections::BTreeMap;

use adjutant_core::MessageId;
use adjutant_core::agent::{AgentReport, Evidence, TurnOrigin};
use adjutant_core::{SessionId, Timestamp};
use serde_json::json;

use super::{Driven, Driver, Timer};
use crate::codex::limits::{ITEMS_KEPT_MAX, MISSED_END_MS, ORIGIN_MS_MAX, SILENCE_MS_MAX};
use crate::codex::wire::{Change, Item, ItemKind, Link, TokenCount, Turn};
use crate::runner::wall_ms;

/// What stands before the ids that our messages have in the app-server.
const MARK: &str = "adj";

/// The id under which the app-server knows a message of ours. It is the same however often the message is handed over.
pub(super) fn client_id(session: SessionId, message: MessageId) -> String {
    format!("{MARK}:{session}:{}", message.get())
}

/// The id of words of Adjutant's own, which are no message of anybody.
pub(super) fn own_words(session: SessionId) -> String {
    format!("{MARK}:{session}:words")
}

/// The message that has this id, if it is one of this session's.
fn message_of(session: SessionId, client_id: &str) -> Option<MessageId> {
    let number = client_id.strip_prefix(&format!("{MARK}:{session}:"))?;
    number.parse().ok().map(MessageId::new)
}

/// A turn that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    pub(super) id: String,
    /// Its beginning has been reported.
    pub(super) is_told: bool,
    /// The last that the agent said in it.
    pub(super) text: Option<String>,
    /// What the thread had used up when it began; `None` when nobody saw that.
    pub(super) before: Option<TokenCount>,
    /// The changes of files that were announced in it, by their item.
    changes: BTreeMap<String, Vec<Change>>,
    /// The last error in it that is not tried again.
    pub(super) error: Option<String>,
    /// It was asked to end.
    pub(super) is_interrupted: bool,
}

impl Running {
    /// A turn whose beginning an earlier daemon saw.
    pub(super) fn adopted(id: String, is_told: bool, before: Option<TokenCount>) -> Self {
        Self { id, is_told, before, ..Self::default() }
    }

    /// The changes of an item, if they were announced to us.
    pub(super) fn changes(&self, item: &str) -> Option<&[Change]> {
        self.changes.get(item).map(Vec::as_slice)
    }

    /// An error of the turn.
    pub(super) fn note_error(&mut self, message: &str) {
        self.error = Some(message.to_owned());
    }
}

impl Driver {
    /// A turn of this id is there. One that is known, or is over, is no news.
    pub(super) async fn see_turn(&mut self, link: &mut Link, id: &str) -> Driven {
        if id.is_empty() || self.ended.as_deref() == Some(id) {
            return Ok(());
        }
        match &self.turn {
            Some(running) if running.id == id => return Ok(()),
            // It can only have begun because the other one has ended.
            Some(_) => Box::pin(self.look_for_end(link)).await?,
            None => {}
        }
        if self.turn.is_none() {
            self.begin_turn(id);
        }
        Ok(())
    }

    /// Takes a turn down as the one that runs.
    pub(super) fn begin_turn(&mut self, id: &str) {
        self.notes.begun += 1;
        self.notes.turn = Some(id.to_owned());
        // A thread whose use was never told has used nothing yet.
        let before = Some(self.tokens.unwrap_or_default());
        self.notes.before = before;
        self.save_notes();
        self.turn = Some(Running { id: id.to_owned(), before, ..Running::default() });
        self.is_paused = false;
        self.timers.disarm(Timer::Queued);
        self.timers.arm(Timer::Origin, ORIGIN_MS_MAX);
        self.timers.arm(Timer::Silence, SILENCE_MS_MAX);
    }

    /// Reports the beginning of the turn that runs, unless that is done.
    pub(super) async fn tell_origin(&mut self, origin: TurnOrigin) -> Driven {
        self.timers.disarm(Timer::Origin);
        let cursor = self.notes.cursor_begun();
        match &mut self.turn {
            Some(running) if !running.is_told => running.is_told = true,
            Some(_) | None => return Ok(()),
        }
        if let (TurnOrigin::Agent, Some(goal)) = (&origin, &mut self.notes.goal) {
            goal.count(self.notes.begun);
            self.save_notes();
        }
        self.report_at(Some(cursor), AgentReport::TurnStarted { origin }, None).await
    }

    /// Somebody's words are in the turn that runs.
    pub(super) async fn on_words(&mut self, client_id: Option<&str>) -> Driven {
        if client_id.is_some_and(|id| id == own_words(self.session)) {
            return Ok(());
        }
        let Some(id) = client_id.filter(|id| message_of(self.session, id).is_some()) else {
            return self.tell_origin(TurnOrigin::Person).await;
        };
        let Some(message) = message_of(self.session, id) else { return Ok(()) };
        self.tell_origin(TurnOrigin::Message(message)).await?;
        self.sent.retain(|sent| sent.message != message);
        let turn = self.turn.as_ref().map_or("", |running| running.id.as_str());
        let detail = format!("the app-server has the message `{id}` in its turn {turn}");
        let at = Timestamp::from_millis(wall_ms());
        let evidence = Evidence { source: "app-server".to_owned(), detail, at };
        self.report(AgentReport::Taken { message, evidence }).await
    }

    /// Words that are none of our messages have come into a turn that had begun: whoever has its answer should know that
    /// somebody else spoke too.
    async fn tell_of_steer(&mut self, client_id: Option<&str>, text: &str) -> Driven {
        let is_ours = |id: &str| message_of(self.session, id).is_some() || id == own_words(self.session);
        let is_ours = client_id.is_some_and(is_ours);
        if is_ours || !self.turn.as_ref().is_some_and(|running| running.is_told) {
            return Ok(());
        }
        self.notice(&format!("a person has put this into the running turn: {text}")).await
    }

    /// An item of the turn that runs.
    pub(super) async fn on_item(&mut self, item: Item, is_whole: bool) -> Driven {
        match item.kind {
            // Once is enough.
            ItemKind::UserMessage { client_id, text } if !is_whole => {
                self.tell_of_steer(client_id.as_deref(), &text).await?;
                return self.on_words(client_id.as_deref()).await;
            }
            ItemKind::UserMessage { .. } => return Ok(()),
            ItemKind::AgentMessage { text } => {
                if let (true, Some(running)) = (is_whole, &mut self.turn) {
                    running.text = Some(text);
                }
            }
            ItemKind::FileChange { changes } => {
                if let Some(running) = self.turn.as_mut().filter(|running| running.changes.len() < ITEMS_KEPT_MAX) {
                    running.changes.insert(item.id, changes);
                }
            }
            ItemKind::Command { .. } | ItemKind::Other { .. } => {}
        }
        // The words of whoever opened a turn are its first item.
        self.tell_origin(TurnOrigin::Agent).await
    }

    /// Asks whose words opened the turn that runs, since none have been told for a while.
    pub(super) async fn look_for_words(&mut self, link: &mut Link) -> Driven {
        let Some(id) = self.turn.as_ref().map(|running| running.id.clone()) else { return Ok(()) };
        let params = json!({"threadId": self.thread(), "limit": 1, "sortDirection": "desc"});
        let list = self.try_ask(link, "thread/turns/list", params).await?.unwrap_or_default();
        let turn = Turn::read(&list["data"][0]).filter(|turn| turn.id == id);
        let words = turn.and_then(|turn| turn.client_ids().next().map(|id| id.map(str::to_owned)));
        match words {
            Some(client_id) => self.on_words(client_id.as_deref()).await,
            None => self.tell_origin(TurnOrigin::Agent).await,
        }
    }

    /// The thread is at rest while its turn is on record as running: the end is on its way, or was missed.
    pub(super) fn on_rest(&mut self) {
        if self.turn.is_some() {
            self.timers.arm(Timer::Missed, MISSED_END_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_the_id_that_it_was_given() {
        let (own, other) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let id = client_id(own, MessageId::new(42));
        assert_eq!(message_of(own, &id), Some(MessageId::new(42)));
        assert_eq!(message_of(other, &id), None);
        assert_eq!(message_of(own, "0199-random"), None);
    }
}
