//! From the records of a runner to what a driver reports.

use std::path::Path;
use std::sync::Arc;

use adjutant_core::MessageId;
use adjutant_core::agent::{
    AgentReport, AnswerSize, Evidence, NewRequest, RequestEnd, RequestKind, SessionEnd, StartFailure, TurnEnd,
    TurnOrigin,
};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::{ExitStatus, Outcome, UnknownReason};

use crate::runner::{AnswerRecord, Entry, Record, RequestEndRecord, TurnEndRecord};

/// Who says that a message was taken.
const EVIDENCE_SOURCE: &str = "control pipe";

/// What a record means; `None` when it is nobody's business but the runner's and the driver's.
pub(super) fn report_of(entry: &Entry, state_dir: &Path) -> Option<(AgentReport, Option<Arc<str>>)> {
    let report = match &entry.record {
        Record::Started { runner, agent, supervisor } => AgentReport::Started {
            runner: runner.incarnation()?,
            agent: agent.incarnation()?,
            supervisor: supervisor.clone(),
        },
        Record::StartFailed { detail } => {
            AgentReport::StartFailed { why: StartFailure::AgentStartFailed { detail: detail.clone() } }
        }
        Record::Withdrawn { .. } => AgentReport::StartFailed { why: StartFailure::Withdrawn },
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
        Record::TurnEnded(end) => return Some(turn_ended(end, state_dir)),
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
        Record::Exited { exit, killed, detail } => {
            let exit = exit.map(ExitStatus::from);
            AgentReport::Exited { end: session_end(exit, *killed, detail.as_deref()) }
        }
        // A shell is not held by pipes.
        Record::Written { .. } | Record::Line(_) => return None,
        Record::Opened { .. } | Record::Given { .. } | Record::Lost { .. } | Record::Unknown => return None,
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

fn session_end(exit: Option<ExitStatus>, killed: bool, detail: Option<&str>) -> SessionEnd {
    match exit {
        _ if killed => SessionEnd::Killed,
        Some(exit) => SessionEnd::Ended { exit },
        None => SessionEnd::Lost { detail: detail.unwrap_or("the runner did not see how its shell ended").to_owned() },
    }
}

fn turn_ended(record: &TurnEndRecord, state_dir: &Path) -> (AgentReport, Option<Arc<str>>) {
    let (text, unread) = match load(&record.answer, state_dir) {
        Ok(text) => (Some(text), None),
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

fn load(answer: &AnswerRecord, state_dir: &Path) -> std::io::Result<Arc<str>> {
    match (&answer.text, &answer.file) {
        (Some(text), _) => Ok(text.as_str().into()),
        (None, Some(file)) => Ok(std::fs::read_to_string(state_dir.join(file))?.into()),
        (None, None) => Ok("".into()),
    }
}
