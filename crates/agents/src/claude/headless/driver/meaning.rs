//! What the records of a runner mean that holds Claude Code by its protocol.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use adjutant_core::agent::{AgentReport, Evidence};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;
use adjutant_core::session::Profile;
use adjutant_core::{MessageId, SessionId, Timestamp};

use super::lend::Lending;
use super::{give, lend};
use crate::claude::headless::machine::Machine;
use crate::claude::headless::speak::uuid_of;
use crate::claude::{home, transcript};
use crate::runner::{Driven, Driver, Entry, Link, Meaning, Notice, Record, Told, wall_ms};
use crate::{Order, Place};

/// A conversation by protocol, as its journal tells it.
pub(super) struct Protocol {
    pub(super) session: SessionId,
    pub(super) profile: Profile,
    pub(super) machine: Machine,
    /// Tags of what this connection was given unasked, and what the journal may not have yet.
    pub(super) given: BTreeSet<String>,
    pub(super) lending: Lending,
}

impl Protocol {
    /// One of which nothing has been read.
    pub(super) fn new(session: SessionId, profile: Profile, machine: Machine) -> Self {
        Self { session, profile, machine, given: BTreeSet::new(), lending: Lending::default() }
    }

    fn read_line(&mut self, line: &str, at: Timestamp, state_dir: &Path, aloud: bool) -> Vec<Told> {
        let lent = self.machine.lent().cloned();
        let known = self.machine.conversation().map(str::to_owned).filter(|_| !aloud);
        let mut told = self.machine.on_line(line, at);
        if let Some(known) = known {
            // What is on record is newer than a line that was told before: at a terminal it may have become another one.
            self.machine.talks_in(known);
        }
        if let Some(lent) = lent.filter(|_| aloud && self.machine.lent().is_none()) {
            self.tell_what_was_said(&lent, at, state_dir, &mut told);
        }
        told
    }

    /// Whether the transcript has a message; `None` where there is none to look into.
    fn is_in_transcript(&self, place: &Place, message: MessageId, attempt: Attempt) -> Option<bool> {
        let config_dir = home::read(&place.state_dir).ok()?;
        let path = transcript::find(&config_dir, self.machine.conversation()?)?;
        Some(transcript::mentions(&path, &uuid_of(self.session, message, attempt)))
    }
}

impl Meaning for Protocol {
    const NAME: &'static str = "Claude Code";

    fn read(&mut self, entry: &Entry, state_dir: &Path, aloud: bool) -> Vec<Told> {
        if let Record::Lent(step) = &entry.record {
            self.machine.on_lent(step, entry.observed_at())
        } else if let Record::Written { tag } = &entry.record {
            self.machine.on_written(tag)
        } else if let Record::Line(line) = &entry.record {
            match line.load(state_dir) {
                Ok(text) => self.read_line(&text, entry.observed_at(), state_dir, aloud),
                Err(error) => vec![(AgentReport::Notice { text: format!("a line cannot be read: {error}") }, None)],
            }
        } else {
            // The rest is every agent's, or of a shell.
            Vec::new()
        }
    }

    fn has_begun(&self) -> bool {
        self.machine.is_ready()
    }

    fn is_working(&self) -> bool {
        self.machine.is_working()
    }

    fn knows(&self, message: MessageId, attempt: Attempt) -> bool {
        self.machine.knows(message, attempt)
    }

    fn unsettled(&self) -> Vec<(MessageId, Attempt)> {
        self.machine.unsettled().into_iter().map(|sent| (sent.message, sent.attempt)).collect()
    }

    /// The transcript has those that a turn took. That it does not have one is proof only where Claude Code had the time
    /// to write it.
    fn settled(&self, place: &Place, message: MessageId, attempt: Attempt, orderly: bool) -> AgentReport {
        match self.is_in_transcript(place, message, attempt) {
            Some(true) => {
                let (source, at) = ("transcript".to_owned(), Timestamp::from_millis(wall_ms()));
                let detail = "the transcript has it under its id".to_owned();
                AgentReport::Taken { message, evidence: Evidence { source, detail, at } }
            }
            Some(false) if orderly => {
                let detail = "Claude Code ended, and its transcript does not have it".to_owned();
                AgentReport::NotTaken { message, attempt, detail }
            }
            Some(false) | None => {
                let detail = "it was written to Claude Code, which ended before it said that a turn had taken it";
                let why = UnknownReason::HandoverUnproven { detail: detail.to_owned() };
                AgentReport::Unclear { message, attempt, why }
            }
        }
    }

    fn on_connected(&mut self) {
        self.given.clear();
        self.lending.on_connected();
    }

    async fn stirred(&mut self) {
        self.lending.stirred().await;
    }

    async fn give_own(driver: &mut Driver<Self>, link: &mut Link) -> Driven<io::Result<()>> {
        match give::own(driver, link).await {
            Ok(()) => lend::own(driver, link).await,
            broken => Ok(broken),
        }
    }

    async fn give(driver: &mut Driver<Self>, link: &mut Link, order: Order) -> Driven<io::Result<()>> {
        give::order(driver, link, order).await
    }

    async fn on_notice(driver: &mut Driver<Self>, notice: Notice) -> Driven {
        give::on_notice(driver, notice).await
    }
}
