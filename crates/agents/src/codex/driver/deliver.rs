//! What the supervisor wants done, while the server is there.

use std::sync::Arc;

use adjutant_core::MessageId;
use adjutant_core::agent::AgentReport;
use adjutant_core::id::Attempt;
use serde_json::{Value, json};

use super::turns::client_id;
use super::{Driven, Driver, Sent, Stop, Timer};
use crate::Order;
use crate::codex::limits::{INTERRUPT_MS_MAX, QUEUED_MS_MAX};
use crate::codex::wire::{AskError, Link};

impl Driver {
    /// Carries out what waits, as far as it can be done now.
    pub(super) async fn give_waiting(&mut self, link: &mut Link) -> Driven {
        while let Some(at) = (0..self.waiting.len()).find(|at| self.can_give(&self.waiting[*at])) {
            if let Some(order) = self.waiting.remove(at) {
                self.give(link, order).await?;
            }
        }
        Ok(())
    }

    /// A message opens a turn of its own: it waits while one runs, whosever it is, and behind one that is on its way.
    fn can_give(&self, order: &Order) -> bool {
        match order {
            Order::Deliver { .. } => self.turn.is_none() && self.sent.iter().all(|sent| sent.is_steer),
            Order::Steer { .. }
            | Order::Interrupt
            | Order::Respond { .. }
            | Order::Hook { .. }
            | Order::Goal { .. }
            | Order::Lend { .. }
            | Order::End { .. }
            | Order::LetGo => true,
        }
    }

    async fn give(&mut self, link: &mut Link, order: Order) -> Driven {
        match order {
            Order::Deliver { message, attempt, text, .. } => self.deliver(link, message, attempt, &text).await,
            Order::Steer { message, attempt, text } => self.steer(link, message, attempt, &text).await,
            Order::Interrupt => self.interrupt(link).await,
            Order::Respond { native, answer } => self.respond(link, &native, &answer).await,
            Order::Goal { wish, answer } => self.on_goal_wish(link, wish, answer).await,
            Order::End { grace_ms } => self.end(link, grace_ms).await,
            // No hooks are set, so nobody calls; the one who waits sees that nobody heard.
            Order::Hook { .. } | Order::Lend { .. } | Order::LetGo => Ok(()),
        }
    }

    pub(super) fn words(&self, message: MessageId, text: &Arc<str>) -> Value {
        json!({
            "threadId": self.thread(), "clientUserMessageId": client_id(self.session, message),
            "input": [{"type": "text", "text": &**text}],
        })
    }

    /// Puts a message into the app-server's queue, from which it opens a turn of its own at once. The queue never puts
    /// it into a turn that somebody else has begun in this moment, which `turn/start` would.
    async fn deliver(&mut self, link: &mut Link, message: MessageId, attempt: Attempt, text: &Arc<str>) -> Driven {
        if !self.is_loaded {
            self.load_thread(link).await?;
        }
        // From here on it may be there, whatever becomes of the connection.
        self.sent.push(Sent { message, attempt, submission: None, is_steer: false });
        match self.ask(link, "thread/queue/add", self.words(message, text)).await? {
            Ok(answer) => {
                let submission = answer["queuedSubmission"]["id"].as_str().map(str::to_owned);
                if let Some(sent) = self.sent.iter_mut().find(|sent| sent.message == message) {
                    sent.submission = submission;
                }
                if self.is_paused {
                    return self.start_queued(link).await;
                }
                self.timers.arm(Timer::Queued, QUEUED_MS_MAX);
                Ok(())
            }
            Err(AskError::Refused(refusal)) => self.refused(message, attempt, &refusal.message).await,
            Err(AskError::Unsent(error)) => {
                // It has not left us, and goes when there is a connection again.
                self.sent.retain(|sent| sent.message != message);
                let text = Arc::clone(text);
                self.waiting.push_front(Order::Deliver { message, attempt, text, as_command: false });
                Err(Stop::Lost(error))
            }
            Err(AskError::Lost(error)) => Err(Stop::Lost(error)),
        }
    }

    pub(super) async fn refused(&mut self, message: MessageId, attempt: Attempt, why: &str) -> Driven {
        self.sent.retain(|sent| sent.message != message);
        self.report(AgentReport::NotTaken { message, attempt, detail: format!("Codex refused it: {why}") }).await
    }

    /// Has the app-server go on with what is in its queue of ours. It refuses while a turn runs, and then it need not.
    pub(super) async fn start_queued(&mut self, link: &mut Link) -> Driven {
        let queued = self.sent.iter().find_map(|sent| sent.submission.clone());
        let (Some(submission), None) = (queued, &self.turn) else { return Ok(()) };
        let params = json!({"threadId": self.thread(), "queuedSubmissionId": submission});
        let _ = self.try_ask(link, "thread/queue/start", params).await?;
        self.timers.arm(Timer::Queued, QUEUED_MS_MAX);
        Ok(())
    }

    async fn interrupt(&mut self, link: &mut Link) -> Driven {
        self.rest_goal(link).await?;
        // Its goal may have begun another turn meanwhile.
        while let Some(early) = link.take_early() {
            self.on_heard(link, early).await?;
        }
        let detail = match self.ask_to_stop(link).await? {
            Some(turn) => format!("turn/interrupt of the turn {turn}"),
            None => "no turn was running".to_owned(),
        };
        self.report(AgentReport::InterruptPassed { detail }).await
    }

    /// Asks the app-server to stop the turn that runs; says which that is.
    pub(super) async fn ask_to_stop(&mut self, link: &mut Link) -> Driven<Option<String>> {
        let Some(running) = &mut self.turn else { return Ok(None) };
        running.is_interrupted = true;
        let id = running.id.clone();
        let params = json!({"threadId": self.thread(), "turnId": id});
        let asked = self.try_ask(link, "turn/interrupt", params).await?;
        if asked.is_err() {
            // It has ended, or has not quite begun.
            self.on_rest();
        }
        self.timers.arm(Timer::Interrupt, INTERRUPT_MS_MAX);
        Ok(Some(id))
    }

    pub(super) async fn interrupt_again(&mut self, link: &mut Link) -> Driven {
        if self.turn.is_some() {
            self.notice("the interrupted turn goes on; it is interrupted again").await?;
            let _ = self.ask_to_stop(link).await?;
        }
        Ok(())
    }

    /// Ends the commands that a turn has left running. They would outlive it.
    pub(super) async fn clean_terminals(&mut self, link: &mut Link) -> Driven {
        let params = json!({"threadId": self.thread()});
        self.try_ask(link, "thread/backgroundTerminals/clean", params).await.map(drop)
    }

    /// Reports of every message that was not handed to the app-server that it was not taken.
    pub(super) async fn refuse_waiting(&mut self, detail: &str) -> Driven {
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            self.waiting.push_back(order);
        }
        for order in std::mem::take(&mut self.waiting) {
            if let Order::Deliver { message, attempt, .. } | Order::Steer { message, attempt, .. } = order {
                self.report(AgentReport::NotTaken { message, attempt, detail: detail.to_owned() }).await?;
            }
        }
        Ok(())
    }
}
