//! From the records of a runner to what a driver reports.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use adjutant_core::MessageId;
use adjutant_core::agent::{
    AgentReport, AnswerSize, Evidence, NewRequest, RequestEnd, RequestKind, TurnEnd, TurnOrigin,
};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::{ExitStatus, Outcome, UnknownReason};

use crate::limits::GIVEN_KEPT_MAX;
use crate::runner::{Driven, Driver, Entry, Link, Meaning, Notice, Record, RequestEndRecord, Told, TurnEndRecord};
use crate::{Order, Place};

/// Who says that a message was taken.
const EVIDENCE_SOURCE: &str = "control pipe";

/// What a shell's journal has told so far.
#[derive(Debug, Default)]
pub(super) struct Records {
    started: bool,
    working: bool,
    /// The newest messages that were given to the shell.
    given: VecDeque<(MessageId, Attempt)>,
    /// Those of them of which it has not said `start` yet.
    unsettled: Vec<(MessageId, Attempt)>,
}

impl Records {
    fn take(&mut self, record: &Record) {
        if let Record::Given { message, attempt } = record {
            let given = (MessageId::new(*message), Attempt::new(*attempt));
            self.unsettled.push(given);
            self.given.push_back(given);
            if self.given.len() > GIVEN_KEPT_MAX {
                self.given.pop_front();
            }
        } else if let Some(message) = record.hands_over() {
            self.unsettled.retain(|(given, _)| given.get() != message);
        } else if let Record::Started { .. } = record {
            self.started = true;
        } else if let Record::TurnStarted { .. } = record {
            self.working = true;
        } else if let Record::TurnEnded(_) = record {
            self.working = false;
        }
    }
}

impl Meaning for Records {
    const NAME: &'static str = "the shell";

    fn read(&mut self, entry: &Entry, state_dir: &Path, aloud: bool) -> Vec<Told> {
        self.take(&entry.record);
        report_of(entry, state_dir, aloud).into_iter().collect()
    }

    fn has_begun(&self) -> bool {
        self.started
    }

    fn is_working(&self) -> bool {
        self.working
    }

    fn knows(&self, message: MessageId, _attempt: Attempt) -> bool {
        self.given.iter().any(|(given, _)| *given == message)
    }

    fn unsettled(&self) -> Vec<(MessageId, Attempt)> {
        self.unsettled.clone()
    }

    fn settled(&self, _place: &Place, message: MessageId, attempt: Attempt, _orderly: bool) -> AgentReport {
        let detail = "it was given to the shell, which had not said `start` when it was gone".to_owned();
        AgentReport::Unclear { message, attempt, why: UnknownReason::HandoverUnproven { detail } }
    }

    async fn give(driver: &mut Driver<Self>, link: &mut Link, order: Order) -> Driven<io::Result<()>> {
        Ok(super::give(driver, link, order).await)
    }

    async fn on_notice(driver: &mut Driver<Self>, notice: Notice) -> Driven {
        super::on_notice(driver, notice).await
    }
}

/// What a record means; `None` when it is nobody's business but the runner's and the driver's. A final text is read where
/// somebody is to be told of it.
pub(super) fn report_of(entry: &Entry, state_dir: &Path, aloud: bool) -> Option<Told> {
    let report = match &entry.record {
        Record::Ready => AgentReport::Ready,
        Record::Taken { message, .. } => {
            let detail = format!("the shell said `start {message}`");
            let evidence = Evidence { source: EVIDENCE_SOURCE.to_owned(), detail, at: entry.observed_at() };
            AgentReport::Taken { message: MessageId::new(*message), evidence }
        }
        Record::NotTaken { message, attempt, detail } => AgentReport::NotTaken {
            message: MessageId::new(*message),
            attempt: Attempt::new(*attempt),
            detail: detail.clone(),
        },
        Record::TurnStarted { message } => AgentReport::TurnStarted { origin: origin(*message) },
        Record::TurnEnded(end) => return Some(turn_ended(end, state_dir, aloud)),
        Record::InterruptPassed { detail } => AgentReport::InterruptPassed { detail: detail.clone() },
        Record::RequestOpened { native, summary, tool, details } => AgentReport::RequestOpened {
            request: NewRequest {
                native: native.clone(),
                kind: RequestKind::Input,
                tool: tool.clone(),
                summary: summary.clone(),
                options: Vec::new(),
                multiple: false,
                questions: Vec::new(),
                details: details.clone(),
            },
        },
        Record::RequestClosed { native, end } => {
            AgentReport::RequestClosed { native: native.clone(), end: request_end(*end) }
        }
        // A shell is not held by pipes.
        Record::Written { .. } | Record::Line(_) | Record::Lent(_) => return None,
        // The first and the last are every agent's.
        Record::Opened { .. }
        | Record::Withdrawn { .. }
        | Record::Started { .. }
        | Record::StartFailed { .. }
        | Record::Exited { .. } => return None,
        Record::Given { .. } | Record::Lost { .. } | Record::Unknown => return None,
    };
    Some((report, None))
}

fn origin(message: Option<u64>) -> TurnOrigin {
    message.map_or(TurnOrigin::Person, |message| TurnOrigin::Message(MessageId::new(message)))
}

fn request_end(end: RequestEndRecord) -> RequestEnd {
    match end {
        RequestEndRecord::Answered => RequestEnd::Answered,
        RequestEndRecord::AnsweredThere => RequestEnd::AnsweredThere,
        RequestEndRecord::Withdrawn => RequestEnd::Withdrawn,
    }
}

fn turn_ended(record: &TurnEndRecord, state_dir: &Path, aloud: bool) -> Told {
    let loaded = if aloud { record.answer.load(state_dir).map(Some) } else { Ok(None) };
    let (text, unread) = match loaded {
        Ok(text) => (text, None),
        Err(error) => (None, Some(format!("its text cannot be read: {error}"))),
    };
    let size = match &text {
        Some(_) => AnswerSize { bytes: record.answer.bytes, cut_bytes: record.answer.cut_bytes },
        None => AnswerSize { bytes: 0, cut_bytes: record.answer.bytes + record.answer.cut_bytes },
    };
    let exit = record.exit.map(ExitStatus::from);
    let mut end = exit.map_or_else(|| TurnEnd::bare(end_unseen(record)), |exit| TurnEnd::command(exit, size));
    end.answer = size;
    if record.gone {
        end.outcome = Outcome::Exited;
    } else if record.interrupted {
        end.outcome = Outcome::Interrupted;
    }
    let details: Vec<String> = record.detail.clone().into_iter().chain(unread).collect();
    end.detail = (!details.is_empty()).then(|| details.join("; "));
    (AgentReport::TurnEnded { end }, text)
}

fn end_unseen(record: &TurnEndRecord) -> Outcome {
    let detail = record.detail.clone().unwrap_or_else(|| "the runner has no exit status".to_owned());
    Outcome::Unknown { why: UnknownReason::EndUnseen { detail } }
}
