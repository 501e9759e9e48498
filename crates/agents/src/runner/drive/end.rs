//! The end of a session, as its runner tells it or as the death of its runner shows it.

use std::io;
use std::time::Duration;

use adjutant_core::agent::{AgentReport, SessionEnd, StartFailure};
use adjutant_core::outcome::{ExitStatus, UnknownReason};
use tokio::time::timeout;

use super::{Driven, Driver, Meaning};
use crate::Order;
use crate::limits::{LEFTOVERS_MS_MAX, RECONNECT_MS_MAX, RECONNECT_MS_MIN, RUNNER_GONE_MS_MAX};
use crate::process::{ProcessHandle, end_leftovers};
use crate::runner::{ExitRecord, JournalReader, Record};
use crate::timer::Backoff;

impl<M: Meaning> Driver<M> {
    /// What the last record of a journal means; before that, all that is still on its way is told of.
    pub(super) async fn last_word(&mut self, record: &Record) -> Driven<Option<AgentReport>> {
        let report = if let Record::StartFailed { detail } = record {
            AgentReport::StartFailed { why: StartFailure::AgentStartFailed { detail: detail.clone() } }
        } else if let Record::Withdrawn { .. } = record {
            AgentReport::StartFailed { why: StartFailure::Withdrawn }
        } else if let Record::Exited { exit, killed, detail } = record {
            self.exited(exit.map(ExitStatus::from), *killed, detail.as_deref())
        } else {
            return Ok(None);
        };
        let orderly = matches!(record, Record::Exited { exit: Some(ExitRecord::Code(_)), .. });
        self.tell_what_is_unsettled(orderly).await?;
        self.refuse_held("the session has ended").await?;
        self.runner_gone().await;
        Ok(Some(report))
    }

    fn exited(&self, exit: Option<ExitStatus>, killed: bool, detail: Option<&str>) -> AgentReport {
        if let Some(why) = &self.failure {
            return AgentReport::StartFailed { why: with_last_lines(why.clone(), detail) };
        }
        if !killed && !self.meaning.has_begun() {
            let code = exit.map_or_else(String::new, |exit| format!(" with exit code {}", exit.shell_code()));
            let last = detail.map_or_else(|| "it said nothing".to_owned(), str::to_owned);
            let detail = format!("{} ended{code} before it was ready: {last}", M::NAME);
            return AgentReport::StartFailed { why: StartFailure::AgentStartFailed { detail } };
        }
        let unseen = || format!("the runner did not see how {} ended", M::NAME);
        let end = match exit {
            _ if killed => SessionEnd::Killed,
            Some(exit) => SessionEnd::Ended { exit },
            None => SessionEnd::Lost { detail: detail.map_or_else(unseen, str::to_owned) },
        };
        AgentReport::Exited { end }
    }

    /// Messages that were passed on and of which nothing was heard.
    async fn tell_what_is_unsettled(&mut self, orderly: bool) -> Driven {
        for (message, attempt) in self.meaning.unsettled() {
            self.forget_handed(message);
            let report = self.meaning.settled(&self.seat.place, message, attempt, orderly);
            self.report(report).await?;
        }
        Ok(())
    }

    /// Waits until the runner, which has said its last word, is gone itself.
    async fn runner_gone(&self) {
        if let Some(Ok(Some(handle))) = self.runner.as_ref().map(ProcessHandle::open) {
            // It has no more than its farewell to say; one that hangs in it holds nothing of the session.
            let _ = timeout(Duration::from_millis(RUNNER_GONE_MS_MAX), handle.ended()).await;
        }
    }

    /// Reports what the journal still has; and if it has no end, that the session is lost, once nothing of it is left.
    pub(super) async fn on_dead_runner(&mut self) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        loop {
            match self.read_to_the_end().await? {
                Ok(true) => return Ok(()),
                Ok(false) => return self.lost("it was killed, or crashed").await,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.unclear_without_journal().await?;
                    return self.lost("its journal is gone too").await;
                }
                // What it tells is not lost yet.
                Err(error) => self.on_unreadable(&error).await?,
            }
            self.wait_for_journal(backoff.next_ms()).await?;
        }
    }

    /// Reports the rest of the journal; says whether it has the end of the session.
    async fn read_to_the_end(&mut self) -> Driven<io::Result<bool>> {
        let journal = match JournalReader::open(&self.seat.place.state_dir, self.offset) {
            Ok(journal) => journal,
            Err(error) => return Ok(Err(error)),
        };
        for found in journal {
            match found {
                Ok(found) => {
                    if self.on_record(&found).await? {
                        return Ok(Ok(true));
                    }
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(false))
    }

    /// Without the journal nobody can say of a message that was handed over whether it was taken.
    async fn unclear_without_journal(&mut self) -> Driven {
        for (message, attempt) in std::mem::take(&mut self.handed) {
            let detail = "it was handed over, and the runner is gone together with its journal".to_owned();
            let why = UnknownReason::HandoverUnproven { detail };
            self.report(AgentReport::Unclear { message, attempt, why }).await?;
        }
        Ok(())
    }

    /// A turn that was running ends with the session, in the same step of the host.
    async fn lost(&mut self, how: &str) -> Driven {
        let detail = format!("the runner is gone without a word of the end: {how}");
        self.tell_what_is_unsettled(false).await?;
        self.refuse_held("the runner is gone, and its journal does not have it").await?;
        let left = self.end_what_is_left().await;
        let begun = match (self.ordered_end, self.agent) {
            // That it was started is enough where its end was wanted, or where nothing is left to tell of more.
            (Some(_), Some(_)) => true,
            (None, Some(_)) if self.unread => true,
            (Some(_) | None, Some(_) | None) => self.meaning.has_begun(),
        };
        let report = match (self.failure.take(), self.ordered_end, begun) {
            (Some(why), ..) => AgentReport::StartFailed { why },
            (None, _, false) => AgentReport::StartFailed { why: StartFailure::AgentStartFailed { detail } },
            (None, Some(_), true) => AgentReport::Exited { end: SessionEnd::Killed },
            (None, None, true) => AgentReport::Exited { end: SessionEnd::Lost { detail: format!("{detail}; {left}") } },
        };
        self.report(report).await
    }

    /// Reports of every message that is still on its way here that it was not taken.
    async fn refuse_held(&mut self, detail: &str) -> Driven {
        let mut refused = std::mem::take(&mut self.handed);
        for order in std::mem::take(&mut self.held) {
            if let Order::Deliver { message, attempt, .. } | Order::Steer { message, attempt, .. } = order {
                refused.push((message, attempt));
            }
        }
        for (message, attempt) in refused {
            self.report(AgentReport::NotTaken { message, attempt, detail: detail.to_owned() }).await?;
        }
        Ok(())
    }

    /// Ends what the dead runner left, and says what came of it.
    async fn end_what_is_left(&self) -> String {
        let ending = end_leftovers(&self.stamp, self.agent.as_ref());
        match timeout(Duration::from_millis(LEFTOVERS_MS_MAX), ending).await {
            Ok(Ok(0)) => "nothing of the session was left".to_owned(),
            Ok(Ok(count)) => format!("{count} of its processes were left and have been ended"),
            Ok(Err(error)) => format!("what it left could not be ended: {error}"),
            Err(_) => format!("some of its processes did not end within {LEFTOVERS_MS_MAX} ms"),
        }
    }
}

/// A failure with what the program said last.
fn with_last_lines(why: StartFailure, last: Option<&str>) -> StartFailure {
    match (why, last) {
        (StartFailure::NotReady { detail }, Some(last)) => {
            StartFailure::NotReady { detail: format!("{detail}; its last lines: {last}") }
        }
        (why, _) => why,
    }
}
