//! What is reported of a session whose runner is proven dead.

use std::io;
use std::time::Duration;

use adjutant_core::MessageId;
use adjutant_core::agent::{AgentReport, SessionEnd, StartFailure, TurnEnd};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::{Outcome, UnknownReason};
use tokio::time::timeout;

use super::{Driven, Driver};
use crate::Order;
use crate::limits::{LEFTOVERS_MS_MAX, RECONNECT_MS_MAX, RECONNECT_MS_MIN};
use crate::process::end_leftovers;
use crate::runner::{JournalReader, Record};
use crate::timer::Backoff;

/// What the whole journal says of the state in which the runner died.
#[derive(Default)]
struct LastWords {
    /// A turn was running.
    working: bool,
    /// The shell had been started.
    started: bool,
    /// Messages that were given to the shell, which had not said `start` yet.
    given: Vec<(MessageId, Attempt)>,
}

impl LastWords {
    fn take(&mut self, record: &Record) {
        self.started |= matches!(record, Record::Started { .. });
        self.working =
            matches!(record, Record::TurnStarted { .. }) || (self.working && !matches!(record, Record::TurnEnded(_)));
        if let Record::Given { message, attempt } = record {
            self.given.push((MessageId::new(*message), Attempt::new(*attempt)));
        } else if let Some(message) = record.hands_over() {
            self.given.retain(|(given, _)| given.get() != message);
        }
    }
}

impl Driver {
    /// Reports what the journal still has; and if it has no end, that the session is lost, once nothing of it is
    /// left.
    pub(super) async fn on_dead_runner(&mut self) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        loop {
            match self.read_to_the_end().await? {
                Ok(Some(words)) => return self.lost(words, "it was killed, or crashed").await,
                // It told of its end before it died.
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.unclear_without_journal().await?;
                    return self.lost(LastWords::default(), "its journal is gone too").await;
                }
                // What it tells is not lost yet.
                Err(error) => self.on_unreadable(&error).await?,
            }
            self.wait_for_journal(backoff.next_ms()).await?;
        }
    }

    /// Without the journal nobody can say of a message that was sent whether it was taken.
    async fn unclear_without_journal(&mut self) -> Driven {
        for (message, attempt) in std::mem::take(&mut self.handed) {
            let detail = "it was handed over, and the runner is gone together with its journal".to_owned();
            let why = UnknownReason::HandoverUnproven { detail };
            self.report(AgentReport::Unclear { message, attempt, why }).await?;
        }
        Ok(())
    }

    /// Reports the rest of the journal; `None` when it has the end of the session.
    async fn read_to_the_end(&mut self) -> Driven<io::Result<Option<LastWords>>> {
        let mut words = LastWords::default();
        let journal = match JournalReader::open(&self.place.state_dir, 0) {
            Ok(journal) => journal,
            Err(error) => return Ok(Err(error)),
        };
        for found in journal {
            let found = match found {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            words.take(&found.entry.record);
            if found.next > self.offset && self.on_record(&found).await? {
                return Ok(Ok(None));
            }
        }
        Ok(Ok(Some(words)))
    }

    async fn lost(&mut self, words: LastWords, how: &str) -> Driven {
        let detail = format!("the runner is gone without a word of the end: {how}");
        if words.working {
            let end = TurnEnd { detail: Some(detail.clone()), ..TurnEnd::bare(Outcome::Exited) };
            self.report(AgentReport::TurnEnded { end }).await?;
        }
        for (message, attempt) in words.given {
            let why = UnknownReason::HandoverUnproven {
                detail: "it was given to the shell, which had not said `start` when the runner died".to_owned(),
            };
            self.handed.retain(|(handed, _)| *handed != message);
            self.report(AgentReport::Unclear { message, attempt, why }).await?;
        }
        self.refuse_held("the runner is gone, and its journal does not have it").await?;
        let left = self.end_what_is_left().await;
        let end = match (self.ordered_end, words.started || self.agent.is_some()) {
            _ if self.not_ready.is_some() => {
                return self.report(super::begin::not_ready(self.not_ready.as_deref().unwrap_or_default())).await;
            }
            (_, false) => {
                let why = StartFailure::AgentStartFailed { detail };
                return self.report(AgentReport::StartFailed { why }).await;
            }
            (Some(_), true) => SessionEnd::Killed,
            (None, true) => SessionEnd::Lost { detail: format!("{detail}; {left}") },
        };
        self.report(AgentReport::Exited { end }).await
    }

    /// Reports of every message that is still on its way here that it was not taken.
    pub(super) async fn refuse_held(&mut self, detail: &str) -> Driven {
        let mut refused = std::mem::take(&mut self.handed);
        for order in std::mem::take(&mut self.held) {
            if let Order::Deliver { message, attempt, .. } = order {
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
