//! What the app-server says.

use adjutant_core::agent::{AgentReport, Level, TurnOrigin};
use adjutant_core::outcome::UnknownReason;

use super::{Driven, Driver, Timer};
use crate::codex::limits::SILENCE_MS_MAX;
use crate::codex::wire::{Incoming, Link, Notice, ThreadStatus};

impl Driver {
    /// Takes in one message. What is about other threads is none of this session's.
    pub(super) async fn on_heard(&mut self, link: &mut Link, heard: Incoming) -> Driven {
        match heard {
            Incoming::Request { id, method, params } => self.on_request(link, id, &method, &params).await,
            Incoming::Notification { method, params } => {
                let (thread, notice) = Notice::read(&method, &params);
                if thread == self.thread() { self.on_notice(link, notice).await } else { Ok(()) }
            }
            // The answer to what was given up, or words of another time.
            Incoming::Answer { .. } | Incoming::Unknown => Ok(()),
        }
    }

    async fn on_notice(&mut self, link: &mut Link, notice: Notice) -> Driven {
        if self.turn.is_some() {
            self.timers.arm(Timer::Silence, SILENCE_MS_MAX);
        }
        match notice {
            Notice::Status(status) => self.on_status(status).await,
            Notice::Closed => {
                self.is_loaded = false;
                Ok(())
            }
            Notice::Archived => Err(self.thread_gone("its thread was archived or deleted").await),
            Notice::TurnStarted(turn) => self.see_turn(link, &turn.id).await,
            Notice::TurnCompleted(turn) => {
                self.see_turn(link, &turn.id).await?;
                match self.turn.as_ref().is_some_and(|running| running.id == turn.id) {
                    true => self.on_turn_end(link, &turn, false).await,
                    false => Ok(()),
                }
            }
            Notice::ItemStarted { turn, item } => {
                self.see_turn(link, &turn).await?;
                if self.is_running(&turn) { self.on_item(item, false).await } else { Ok(()) }
            }
            Notice::ItemCompleted { turn, item } => {
                // A command may end long after its turn.
                if self.is_running(&turn) { self.on_item(item, true).await } else { Ok(()) }
            }
            Notice::Error { error, will_retry: true } => {
                self.notice(&format!("Codex tries again: {}", error.message)).await
            }
            Notice::Error { error, will_retry: false } => {
                if let Some(running) = &mut self.turn {
                    running.note_error(&error.message);
                }
                Ok(())
            }
            Notice::Resolved(id) => self.on_resolved(&id).await,
            Notice::Tokens(count) => {
                self.tokens = Some(count);
                Ok(())
            }
            Notice::Warning(text) => self.notice(&text).await,
            Notice::Goal => {
                // Words would have come before this; so the turn is the agent's own.
                self.tell_origin(TurnOrigin::Agent).await?;
                self.on_goal(link).await
            }
            Notice::Nothing => Ok(()),
            Notice::Unknown(method) => {
                tracing::debug!(session = %self.session, method, "the app-server says what is not known here");
                Ok(())
            }
        }
    }

    fn is_running(&self, turn: &str) -> bool {
        self.turn.as_ref().is_some_and(|running| running.id == turn)
    }

    /// The thread's status is a level, and never the end of a turn.
    async fn on_status(&mut self, status: ThreadStatus) -> Driven {
        match &status {
            ThreadStatus::Unknown(word) => {
                self.is_strange = true;
                let detail = format!("the app-server calls the thread's status `{word}`, which is not known here");
                return self.report(AgentReport::Unseen { why: UnknownReason::RunnerUnreachable { detail } }).await;
            }
            ThreadStatus::NotLoaded => self.is_loaded = false,
            ThreadStatus::Idle | ThreadStatus::SystemError | ThreadStatus::Active { .. } => self.is_loaded = true,
        }
        if status.is_working() == Some(false) {
            self.on_rest();
        }
        if std::mem::replace(&mut self.is_strange, false) {
            let level = Level { working: self.turn.is_some() };
            self.report(AgentReport::Seen { level }).await?;
        }
        Ok(())
    }
}
