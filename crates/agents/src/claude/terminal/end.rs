//! The end of a session, wanted or not.

use std::time::Duration;

use adjutant_core::agent::{AgentReport, SessionEnd, StartFailure};
use adjutant_core::outcome::{ExitStatus, UnknownReason};
use rustix::process::Signal;
use tokio::time::timeout;

use super::deliver::PASTE;
use super::machine::handing;
use super::screen::{last_lines, start_dialog};
use super::{Driven, Driver, Timer};
use crate::Order;
use crate::claude::transcript;
use crate::limits::{DIALOG_LOOK_MS, LEFTOVERS_MS_MAX, RUNNER_GONE_MS_MAX};
use crate::process::{ProcessHandle, end_leftovers};

/// Lines of the screen that are told of a start that did not come to its end.
const LINES_TOLD: usize = 8;

impl Driver {
    /// Ends the session: politely, and by force after the grace.
    pub(super) fn end(&mut self, grace_ms: u64) {
        self.ordered_end = Some(grace_ms);
        self.signal(if grace_ms == 0 { Signal::KILL } else { Signal::TERM });
        self.timers.arm(Timer::End, grace_ms.max(1));
    }

    pub(super) fn end_by_force(&mut self) {
        self.signal(Signal::KILL);
        // Whoever recorded its exit has ended by then; if not, what is left is ended without it.
        if let Some(handle) = &self.runner_handle
            && self.agent.is_none_or(|agent| matches!(ProcessHandle::open(&agent), Ok(None)))
        {
            let _ = handle.send(Signal::KILL);
        }
        self.timers.arm(Timer::End, RUNNER_GONE_MS_MAX);
    }

    pub(super) fn signal(&self, signal: Signal) {
        let process = self.agent.or(self.runner);
        let handle = process.as_ref().map(ProcessHandle::open);
        if let Some(Ok(Some(handle))) = handle
            && let Err(error) = handle.send(signal)
        {
            tracing::warn!(session = %self.session, %error, "a signal did not reach the session");
        }
    }

    pub(super) async fn on_not_ready(&mut self) -> Driven {
        let shown = self.tmux.look().await.map(|pane| last_lines(&pane.lines, LINES_TOLD)).unwrap_or_default();
        let shown = match shown.as_str() {
            "" => "is empty; see whether `claude` starts in a terminal of your own".to_owned(),
            shown => format!("says: {shown}"),
        };
        self.give_up(StartFailure::NotReady { detail: format!("Claude Code did not get ready; its screen {shown}") });
        Ok(())
    }

    /// No hook has called yet: something may stand in the way, which only the screen shows.
    pub(super) async fn look_for_dialog(&mut self) -> Driven {
        if self.machine.ready || self.not_ready.is_some() {
            return Ok(());
        }
        if let Ok(pane) = self.tmux.look().await
            && let Some(why) = start_dialog(&pane.lines)
        {
            self.give_up(why);
        } else {
            self.timers.arm(Timer::Dialog, DIALOG_LOOK_MS);
        }
        Ok(())
    }

    pub(super) fn give_up(&mut self, why: StartFailure) {
        self.not_ready = Some(why);
        self.signal(Signal::TERM);
        self.timers.arm(Timer::End, RUNNER_GONE_MS_MAX);
    }

    /// The agent has ended, and whoever held it has seen how.
    pub(super) async fn on_exited(&mut self, exit: Option<ExitStatus>, shown: Option<String>) -> Driven {
        self.stop_typing().await;
        self.read_spool().await?;
        self.count_late().await?;
        self.settle_handed("the session has ended").await?;
        if let Some(handle) = &self.runner_handle {
            // It has no more than its farewell to say.
            let _ = timeout(Duration::from_millis(RUNNER_GONE_MS_MAX), handle.ended()).await;
        }
        self.end_leftovers().await;
        if let Some(why) = self.not_ready.take() {
            return self.report(AgentReport::StartFailed { why }).await;
        }
        let end = match (self.ordered_end, exit) {
            (Some(_), _) => SessionEnd::Killed,
            (None, Some(exit)) if !self.machine.ready => {
                return self.report(AgentReport::StartFailed { why: refused(exit, shown.as_deref()) }).await;
            }
            (None, Some(exit)) => SessionEnd::Ended { exit },
            (None, None) => SessionEnd::Lost { detail: "its exit was not recorded".to_owned() },
        };
        self.report(AgentReport::Exited { end }).await
    }

    /// Whoever held the agent is gone; says that the session is over.
    pub(super) async fn on_runner_gone(&mut self) -> Driven<bool> {
        self.runner_handle = None;
        let journal = crate::runner::JournalReader::open(&self.place.state_dir, 0);
        let last = journal.ok().and_then(|journal| journal.map_while(Result::ok).last());
        if let Some(crate::runner::Record::Exited { exit, detail, .. }) = last.map(|found| found.entry.record) {
            self.on_exited(exit.map(Into::into), detail).await?;
            return Ok(true);
        }
        self.stop_typing().await;
        self.read_spool().await?;
        self.settle_handed("the process that held it is gone").await?;
        self.end_leftovers().await;
        let detail = "the process that held the agent is gone without a word of its end: it was killed, or crashed";
        let report = match (self.not_ready.take(), self.ordered_end, self.machine.ready) {
            (Some(why), _, _) => AgentReport::StartFailed { why },
            (None, Some(_), _) => AgentReport::Exited { end: SessionEnd::Killed },
            (None, None, true) => AgentReport::Exited { end: SessionEnd::Lost { detail: detail.to_owned() } },
            (None, None, false) => {
                AgentReport::StartFailed { why: StartFailure::AgentStartFailed { detail: detail.to_owned() } }
            }
        };
        self.report(report).await?;
        Ok(true)
    }

    /// Ends a paste that nobody is left to read, and takes its text away.
    async fn stop_typing(&mut self) {
        if self.typing.is_under_way() {
            self.typing.give_up().await;
            // It is gone with the directory at the latest.
            let _ = std::fs::remove_dir_all(self.place.run_dir.join(PASTE));
        }
    }

    /// Says of every message that is still on its way what became of it.
    async fn settle_handed(&mut self, why: &str) -> Driven {
        if let Some(typed) = self.machine.pending.take() {
            let (message, attempt) = handing(&typed);
            let since = self.machine.pending_since;
            let path = self.machine.transcript.clone();
            let is_it = |text: &str| super::text::mark(text) == typed.mark;
            if path.is_some_and(|path| transcript::find_prompt(&path, since, is_it).is_some()) {
                let report = super::machine::taken_report(&typed, since, "the transcript has it");
                self.report(report).await?;
            } else if typed.long {
                self.not_taken(message, attempt, why).await?;
            } else {
                let detail = format!("it was typed, and {why} before anything confirmed it");
                self.report(AgentReport::Unclear { message, attempt, why: UnknownReason::HandoverUnproven { detail } })
                    .await?;
            }
        }
        for order in std::mem::take(&mut self.held) {
            if let Order::Deliver { message, attempt, .. } | Order::Steer { message, attempt, .. } = order {
                self.not_taken(message, attempt, why).await?;
            }
        }
        Ok(())
    }

    /// Ends what the session has left behind, its terminal among it.
    pub(super) async fn end_leftovers(&self) {
        let ending = end_leftovers(&self.stamp, self.runner.as_ref());
        match timeout(Duration::from_millis(LEFTOVERS_MS_MAX), ending).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(session = %self.session, %error, "what it left could not be ended"),
            Err(_) => tracing::warn!(session = %self.session, "some of its processes did not end in time"),
        }
        // A server that was killed leaves its socket.
        let _ = std::fs::remove_file(super::tmux::Tmux::socket_in(&self.place.run_dir));
    }
}

/// Why it ended before it was ready, in its own last words.
fn refused(exit: ExitStatus, shown: Option<&str>) -> StartFailure {
    let shown = shown.unwrap_or_default();
    let detail = format!("Claude Code ended with {}: {}", exit.shell_code(), shown.trim());
    if ["/login", "Invalid API key", "authentication"].iter().any(|words| shown.contains(words)) {
        return StartFailure::AuthRequired { detail };
    }
    StartFailure::AgentStartFailed { detail }
}
