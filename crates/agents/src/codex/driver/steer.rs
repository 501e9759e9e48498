//! Messages that are put into a turn that runs.
//!
//! The app-server takes one at once, and the agent gets it when its command has ended or its question is answered. It is in
//! the thread's items then, and nowhere before; the list of turns never shows it. So a message that was put into a turn
//! is looked for when that turn ends, and not earlier, whichever daemon put it there.

use std::sync::Arc;

use adjutant_core::MessageId;
use adjutant_core::agent::AgentReport;
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;
use serde_json::{Value, json};

use super::turns::client_id as client_id_of;
use super::{Driven, Driver, Sent};
use crate::codex::limits::{ITEM_PAGES_MAX, PAGE_ITEMS};
use crate::codex::wire::{Item, ItemKind, Link};

impl Driver {
    /// Puts a message into the turn that runs.
    pub(super) async fn steer(
        &mut self,
        link: &mut Link,
        message: MessageId,
        attempt: Attempt,
        text: &Arc<str>,
    ) -> Driven {
        let Some(turn) = self.turn.as_ref().map(|running| running.id.clone()) else {
            let detail = "the turn had ended before".to_owned();
            return self.report(AgentReport::NotTaken { message, attempt, detail }).await;
        };
        let mut params = self.words(message, text);
        params["expectedTurnId"] = json!(turn);
        self.notes.steered.push(message.get());
        self.save_notes();
        self.sent.push(Sent { message, attempt, submission: None, is_steer: true });
        match self.try_ask(link, "turn/steer", params).await? {
            Ok(_) => Ok(()),
            Err(refusal) => self.refused(message, attempt, &refusal.message).await,
        }
    }

    /// The turn `turn` has ended: what was put into it and not shown is looked for in it, before its end is told.
    pub(super) async fn look_for_steers(&mut self, link: &mut Link, turn: &str) -> Driven {
        let mut cursor = Value::Null;
        for _ in 0..ITEM_PAGES_MAX {
            if !self.sent.iter().any(|sent| sent.is_steer) {
                return Ok(());
            }
            let params = json!({
                "threadId": self.thread(), "turnId": turn, "limit": PAGE_ITEMS, "sortDirection": "desc", "cursor": cursor,
            });
            let Ok(page) = self.try_ask(link, "thread/items/list", params).await? else { return Ok(()) };
            for entry in page["data"].as_array().into_iter().flatten().filter(|entry| entry["turnId"] == turn) {
                if let ItemKind::UserMessage { client_id: Some(id), .. } = Item::read(&entry["item"]).kind
                    && self.sent.iter().any(|sent| client_id_of(self.session, sent.message) == id)
                {
                    self.on_words(Some(&id)).await?;
                }
            }
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        Ok(())
    }

    /// The turn has ended without what was to be put into it. After a crash the agent may have had it all the same.
    pub(super) async fn give_up_steers(&mut self, is_crash: bool) -> Driven {
        let steers: Vec<Sent> = self.sent.iter().filter(|sent| sent.is_steer).cloned().collect();
        self.sent.retain(|sent| !sent.is_steer);
        if !std::mem::take(&mut self.notes.steered).is_empty() {
            self.save_notes();
        }
        for Sent { message, attempt, .. } in steers {
            let detail = "the turn ended without it".to_owned();
            if is_crash {
                let why = UnknownReason::HandoverUnproven { detail };
                self.report(AgentReport::Unclear { message, attempt, why }).await?;
            } else {
                self.report(AgentReport::NotTaken { message, attempt, detail }).await?;
            }
        }
        Ok(())
    }
}
