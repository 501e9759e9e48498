//! What a driver does when it has read everything that happened without it, and with what a runner says beside its
//! journal.

use adjutant_core::MessageId;
use adjutant_core::agent::{AgentReport, Level, RequestEnd};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;

use super::records::report_of;
use super::{Driven, Driver};
use crate::DriverReport;
use crate::runner::{JournalReader, Notice, Record};

impl Driver {
    /// Everything up to now has been reported: what was handed over and is not in the journal was not taken.
    pub(super) async fn on_caught_up(&mut self, working: bool) -> Driven {
        if !std::mem::replace(&mut self.resumed, false) {
            return Ok(());
        }
        for (message, attempt) in self.not_in_journal() {
            let detail = "the runner's journal does not have it, and the runner takes no message twice".to_owned();
            self.report(AgentReport::NotTaken { message, attempt, detail }).await?;
        }
        self.unseen = false;
        self.report(AgentReport::Seen { level: Level { working } }).await
    }

    /// Takes out the messages that were handed over and that the journal does not have, from its beginning on.
    fn not_in_journal(&mut self) -> Vec<(MessageId, Attempt)> {
        let mut handed = std::mem::take(&mut self.handed);
        if !handed.is_empty()
            && let Ok(journal) = JournalReader::open(&self.place.state_dir, 0)
        {
            for found in journal.map_while(Result::ok) {
                if let Record::Given { message, .. } = found.entry.record {
                    handed.retain(|(handed, _)| handed.get() != message);
                }
            }
        }
        handed
    }

    pub(super) async fn on_notice(&mut self, notice: Notice) -> Driven {
        match notice {
            // Nothing is written to the standard input of a shell.
            Notice::CaughtUp { .. } | Notice::NotWritten { .. } => Ok(()),
            Notice::Refused { message, attempt, why } => {
                self.forget_handed(message);
                let (message, attempt) = (MessageId::new(message), Attempt::new(attempt));
                self.report(AgentReport::NotTaken { message, attempt, detail: why }).await
            }
            Notice::TakenBefore { message } => self.repeat(message).await,
            Notice::NothingToInterrupt => {
                self.report(AgentReport::InterruptPassed { detail: "no command was running".to_owned() }).await
            }
            Notice::NoSuchRequest { native } => {
                self.report(AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn }).await
            }
        }
    }

    /// Reports again what the journal has of a message that was handed over once more.
    async fn repeat(&mut self, message: u64) -> Driven {
        let handed = self.handed.iter().find(|(handed, _)| handed.get() == message).copied();
        self.forget_handed(message);
        let mut told = false;
        let Ok(journal) = JournalReader::open(&self.place.state_dir, 0) else { return Ok(()) };
        for found in journal.map_while(Result::ok).filter(|found| found.next <= self.offset) {
            if found.entry.record.tells_of() == Some(message)
                && let Some((report, answer)) = report_of(&found.entry, &self.place.state_dir)
            {
                let observed_at = found.entry.observed_at();
                self.send(DriverReport { session: self.session, observed_at, cursor: None, report, answer }).await?;
                told = true;
            }
        }
        match handed {
            Some((message, attempt)) if !told => {
                let detail = "it was taken before, and the journal has given up what became of it".to_owned();
                let why = UnknownReason::HandoverUnproven { detail };
                self.report(AgentReport::Unclear { message, attempt, why }).await
            }
            _ => Ok(()),
        }
    }
}
