//! The end of a session: of its turn, of what its commands left, of its claim on the server.

use std::time::Duration;

use adjutant_core::agent::{AgentReport, SessionEnd, TurnEnd};
use adjutant_core::outcome::{Outcome, UnknownReason};
use serde_json::json;
use tokio::time::timeout;

use super::{Driven, Driver, Settings, Stop, Timer};
use crate::codex::limits::{END_ANSWER_MS_MAX, INTERRUPT_MS_MAX};
use crate::codex::screen::Screen;
use crate::codex::wire::Link;
use crate::limits::LEFTOVERS_MS_MAX;
use crate::process::end_leftovers;

impl Driver {
    /// The order to end the session: its turn is stopped first, which the app-server does in milliseconds.
    pub(super) async fn end(&mut self, link: &mut Link, grace_ms: u64) -> Driven {
        self.ending = Some(grace_ms);
        link.hurry(END_ANSWER_MS_MAX);
        match self.ask_to_stop(link).await? {
            Some(_) if grace_ms > 0 => {
                self.timers.arm(Timer::End, grace_ms.min(INTERRUPT_MS_MAX));
                Ok(())
            }
            Some(_) | None => self.finish_end(link).await,
        }
    }

    /// Takes out of the app-server what is left of the session there, and ends it.
    pub(super) async fn finish_end(&mut self, link: &mut Link) -> Driven {
        for submission in self.sent.iter().filter_map(|sent| sent.submission.clone()).collect::<Vec<_>>() {
            let params = json!({"threadId": self.thread(), "queuedSubmissionId": submission});
            let _ = self.try_ask(link, "thread/queue/delete", params).await?;
        }
        self.clean_terminals(link).await?;
        let params = json!({"threadId": self.thread()});
        let _ = self.try_ask(link, "thread/archive", params).await?;
        Err(self.over(SessionEnd::Killed, "the session was ended").await)
    }

    /// The thread is no more, or nobody can have it any more.
    pub(super) async fn thread_gone(&mut self, why: &str) -> Stop {
        let detail = format!("Codex has the conversation no more: {why}");
        self.over(SessionEnd::Lost { detail: detail.clone() }, &detail).await
    }

    /// The server is gone for good.
    pub(super) async fn server_gone(&mut self) -> Stop {
        let words = self.held.as_ref().map_or_else(String::new, |held| format!(": {}", held.last_words()));
        let detail = format!("the app-server is gone{words}");
        let end = if self.ending.is_some() { SessionEnd::Killed } else { SessionEnd::Lost { detail: detail.clone() } };
        self.over(end, &detail).await
    }

    /// Ends what is left of the session, and reports all that ends with it.
    pub(super) async fn over(&mut self, end: SessionEnd, why: &str) -> Stop {
        match self.tell_of_end(end, why).await {
            Ok(()) => Stop::Over,
            Err(stop) => stop,
        }
    }

    async fn tell_of_end(&mut self, end: SessionEnd, why: &str) -> Driven {
        let left = self.let_go_of_server().await;
        if let Some(running) = self.turn.take() {
            let outcome = if running.is_interrupted { Outcome::Interrupted } else { Outcome::Exited };
            let end = TurnEnd { detail: Some(why.to_owned()), ..TurnEnd::bare(outcome) };
            self.report_at(Some(self.notes.cursor_ended()), AgentReport::TurnEnded { end }, None).await?;
        }
        for sent in std::mem::take(&mut self.sent) {
            let why = UnknownReason::HandoverUnproven { detail: format!("{why}, and it had not shown the message") };
            self.report(AgentReport::Unclear { message: sent.message, attempt: sent.attempt, why }).await?;
        }
        self.refuse_waiting(why).await?;
        let end = match (end, left) {
            (SessionEnd::Lost { detail }, Some(left)) => SessionEnd::Lost { detail: format!("{detail}; {left}") },
            (end, _) => end,
        };
        self.report(AgentReport::Exited { end }).await
    }

    /// Ends what the session's commands left, and takes its claim on the server back; says what could not be done.
    pub(super) async fn let_go_of_server(&mut self) -> Option<String> {
        Settings::forget(&self.place);
        let commands = self.end_commands().await;
        let screen = Screen::of(&self.place, self.notes.tmux.clone());
        let screen = match screen {
            Some(screen) => screen.close().await,
            None => None,
        };
        if let Some(screen) = &screen {
            tracing::warn!(session = %self.session, screen, "a screen is left");
        }
        let commands = commands.or(screen);
        if self.notes.server.as_os_str().is_empty() {
            return commands;
        }
        let released = self.servers.release(&self.notes.server, self.session, &self.place.host_id).await;
        let server = released.err().map(|error| format!("the app-server could not be ended: {error}"));
        if let Some(server) = &server {
            tracing::warn!(session = %self.session, server, "an app-server is left");
        }
        commands.or(server)
    }

    /// Ends by force whatever has the session's stamp; says what could not be ended.
    pub(super) async fn end_commands(&self) -> Option<String> {
        match timeout(Duration::from_millis(LEFTOVERS_MS_MAX), end_leftovers(&self.stamp, None)).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("what its commands left could not be ended: {error}")),
            Err(_) => Some(format!("some of its commands did not end within {LEFTOVERS_MS_MAX} ms")),
        }
    }
}
