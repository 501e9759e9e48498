//! What happened while nobody looked: found in the app-server's own records, and told once.

use adjutant_core::agent::{AgentReport, Level};
use adjutant_core::outcome::UnknownReason;
use serde_json::{Value, json};

use super::turns::client_id;
use super::{Driven, Driver, Sent};
use crate::codex::limits::{
    PAGE_ITEMS, QUEUED_LOOKED_AT_MAX, SECOND_LOOK_MS, TOKENS_AWAITED_MS_MAX, TURNS_LOOKED_AT_MAX,
};
use crate::codex::wire::{Incoming, Link, Notice, Turn, TurnStatus};
use crate::timer::pause;

impl Driver {
    /// Catches up with the thread: its turns, what became of messages that were under way, its requests.
    pub(super) async fn reconcile(&mut self, link: &mut Link) -> Driven {
        // Another life of the server than the one on record.
        let is_new_life = self.server.replace(*link.server()) != Some(*link.server());
        if is_new_life {
            // What its commands were doing is over, and nobody will hear of it.
            let _ = self.end_commands().await;
        }
        // Those that are open still are put again.
        self.open.clear();
        let status = self.load_thread(link).await?;
        let turns = self.turns_since(link).await?;
        self.note_tokens(link);
        self.await_tokens(link, &turns).await?;
        self.tell_turns(link, &turns, is_new_life).await?;
        self.look_for_sent(link, is_new_life).await?;
        while let Some(early) = link.take_early() {
            self.on_heard(link, early).await?;
        }
        self.close_settled_unseen().await?;
        self.on_goal(link).await?;
        // Only now: a daemon that dies before this finds the old life on record, and looks once more.
        self.tell_of_life(link).await?;
        if status.is_working() == Some(false) {
            self.on_rest();
        }
        if std::mem::replace(&mut self.is_unseen, false) {
            let level = Level { working: self.turn.is_some() };
            self.report(AgentReport::Seen { level }).await?;
        }
        Ok(())
    }

    /// What the thread has used up is told right after its loading, and is needed for turns that are told before that is
    /// looked at.
    fn note_tokens(&mut self, link: &Link) {
        let told = link.early().filter_map(|early| match early {
            Incoming::Notification { method, params } => Some(Notice::read(method, params)),
            Incoming::Request { .. } | Incoming::Answer { .. } | Incoming::Unknown => None,
        });
        for (thread, notice) in told {
            if let Notice::Tokens(count) = notice
                && thread == self.thread()
            {
                self.tokens = Some(count);
            }
        }
    }

    /// The turn that was known to run has ended unseen: what it used up is told right behind the list, where it is not yet.
    async fn await_tokens(&mut self, link: &mut Link, turns: &[Turn]) -> Driven {
        let has_ended = |id: &str| turns.iter().any(|turn| turn.id == id && turn.status != TurnStatus::InProgress);
        let is_wanted = self.turn.as_ref().is_some_and(|running| running.before.is_some() && has_ended(&running.id));
        while is_wanted && self.tokens.is_none() && link.hear(TOKENS_AWAITED_MS_MAX).await? {
            self.note_tokens(link);
        }
        Ok(())
    }

    /// The turns from the last one that is known on, oldest first.
    async fn turns_since(&mut self, link: &mut Link) -> Driven<Vec<Turn>> {
        let mut found: Vec<Turn> = Vec::new();
        let mut cursor = Value::Null;
        while found.len() < TURNS_LOOKED_AT_MAX {
            let params = json!({
                "threadId": self.thread(), "limit": PAGE_ITEMS, "sortDirection": "desc", "cursor": cursor,
            });
            // A thread that had no turn yet has no list either.
            let Ok(page) = self.try_ask(link, "thread/turns/list", params).await? else { break };
            let turns: Vec<Turn> = page["data"].as_array().into_iter().flatten().filter_map(Turn::read).collect();
            let known = turns.iter().position(|turn| Some(&turn.id) == self.notes.turn.as_ref());
            let end = known.map_or(turns.len(), |at| at + 1);
            found.extend(turns.into_iter().take(end));
            cursor = page["nextCursor"].clone();
            if known.is_some() || cursor.is_null() {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }

    /// Tells of each turn what is not told yet.
    async fn tell_turns(&mut self, link: &mut Link, turns: &[Turn], is_new_life: bool) -> Driven {
        let mut is_known_there = false;
        for turn in turns {
            let is_known = self.notes.turn.as_deref() == Some(turn.id.as_str());
            if is_known && self.turn.is_none() {
                continue;
            }
            if !is_known {
                if self.turn.is_some() {
                    self.on_turn_lost("the app-server has begun another turn since, and does not list it").await?;
                }
                self.begin_turn(&turn.id);
                // What was used up before it, nobody saw.
                self.notes.before = None;
                if let Some(running) = &mut self.turn {
                    running.before = None;
                }
            }
            is_known_there = true;
            for client_id in turn.client_ids().map(|id| id.map(str::to_owned)).collect::<Vec<_>>() {
                self.on_words(client_id.as_deref()).await?;
            }
            self.on_turn_end(link, turn, is_new_life).await?;
        }
        if self.turn.is_some() && !is_known_there {
            self.on_turn_lost("the app-server does not list it any more").await?;
        }
        Ok(())
    }

    /// Looks for messages that were handed over: they are in a turn, in the queue, or nowhere.
    async fn look_for_sent(&mut self, link: &mut Link, is_new_life: bool) -> Driven {
        if self.sent.is_empty() {
            return Ok(());
        }
        self.find_queued(link).await?;
        if self.sent.iter().any(|sent| sent.submission.is_none() && !sent.is_steer) && !is_new_life {
            // What was sent over the old connection may be just arriving.
            pause(SECOND_LOOK_MS).await;
            let turns = self.turns_since(link).await?;
            self.tell_turns(link, &turns, is_new_life).await?;
            self.find_queued(link).await?;
        }
        // What was put into a turn that runs is not looked for before that has ended.
        let waits = |sent: &Sent| sent.submission.is_some() || (sent.is_steer && self.turn.is_some());
        let (queued, missing) = std::mem::take(&mut self.sent).into_iter().partition(waits);
        self.sent = queued;
        for sent in missing {
            self.tell_missing(sent, is_new_life).await?;
        }
        self.start_queued(link).await
    }

    async fn tell_missing(&mut self, sent: Sent, is_new_life: bool) -> Driven {
        let Sent { message, attempt, .. } = sent;
        let looked = "neither the thread's turns nor its queue have it";
        if is_new_life {
            let detail = format!("the app-server crashed, and {looked}");
            let why = UnknownReason::HandoverUnproven { detail };
            return self.report(AgentReport::Unclear { message, attempt, why }).await;
        }
        self.report(AgentReport::NotTaken { message, attempt, detail: looked.to_owned() }).await
    }

    /// Notes of what was sent where in the app-server's queue it is.
    async fn find_queued(&mut self, link: &mut Link) -> Driven {
        let params = json!({"threadId": self.thread(), "limit": QUEUED_LOOKED_AT_MAX});
        let Ok(list) = self.try_ask(link, "thread/queue/list", params).await? else { return Ok(()) };
        let queued = list["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        for sent in self.sent.iter_mut().filter(|sent| !sent.is_steer) {
            let id = client_id(self.session, sent.message);
            let entry = queued.iter().find(|entry| entry["clientUserMessageId"] == id.as_str());
            sent.submission = entry.and_then(|entry| entry["id"].as_str()).map(str::to_owned);
        }
        Ok(())
    }
}
