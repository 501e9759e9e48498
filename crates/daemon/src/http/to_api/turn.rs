//! Turns and their results on the wire.

use adjutant_api::types::request::Request as WireRequest;
use adjutant_api::types::turn::{Answer, FailWord, OutcomeWord, TurnResult, Usage};
use adjutant_core::ExitStatus;
use adjutant_core::message::{MessageEnd, Undeliverable};
use adjutant_core::outcome::Outcome;
use adjutant_core::turn::EndedTurn;
use adjutant_core::wait::{Fallen, fallen_reason};

use super::{time, words};

/// The result of a turn that ended.
pub(crate) fn turn_result(session: &str, turn: &EndedTurn, text: Option<String>) -> TurnResult {
    let reason = match &turn.end.outcome {
        Outcome::Failed { reason } => Some(words::fail_reason(*reason)),
        Outcome::Completed | Outcome::Interrupted | Outcome::Exited | Outcome::Unknown { .. } => None,
    };
    let doubt = match &turn.end.outcome {
        Outcome::Unknown { why } => Some(words::unknown_text(why)),
        Outcome::Completed | Outcome::Failed { .. } | Outcome::Interrupted | Outcome::Exited => None,
    };
    TurnResult {
        outcome: words::outcome(&turn.end.outcome),
        turn: Some(turn.number.get()),
        messages: turn.messages.iter().map(ToString::to_string).collect(),
        started_at: Some(time(turn.started_at)),
        ended_at: Some(time(turn.ended_at)),
        duration_ms: Some(turn.ended_at.millis_since(turn.started_at)),
        exit_code: turn.end.exit.map(ExitStatus::shell_code),
        reason,
        error: turn.end.detail.clone().or(doubt),
        answer: text,
        answer_cut_bytes: turn.end.answer.cut_bytes,
        usage: turn.end.usage.map(usage),
        ..TurnResult::idle(session)
    }
}

/// One answer of a session.
pub(crate) fn answer(turn: &EndedTurn, text: &str) -> Answer {
    Answer {
        turn: turn.number.get(),
        outcome: words::outcome(&turn.end.outcome),
        ended_at: Some(time(turn.ended_at)),
        text: text.to_owned(),
        cut_bytes: turn.end.answer.cut_bytes,
        usage: turn.end.usage.map(usage),
    }
}

/// What a turn cost.
pub(crate) fn usage(usage: adjutant_core::agent::Usage) -> Usage {
    Usage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_tokens: usage.cache_read_tokens,
        cache_write_tokens: usage.cache_write_tokens,
    }
}

/// The session never had a turn, and nothing was to be waited for.
pub(crate) fn idle(session: &str) -> TurnResult {
    TurnResult::idle(session)
}

/// The time was over, and the session is not done.
pub(crate) fn timed_out(session: &str) -> TurnResult {
    TurnResult { outcome: OutcomeWord::Timeout, ..TurnResult::idle(session) }
}

/// The session ended without a turn.
pub(crate) fn exited(session: &str, error: Option<String>) -> TurnResult {
    TurnResult { outcome: OutcomeWord::Exited, error, ..TurnResult::idle(session) }
}

/// Somebody has to answer first.
pub(crate) fn input(session: &str, turn: Option<u32>, pending: Vec<WireRequest>) -> TurnResult {
    TurnResult { outcome: OutcomeWord::WaitingForInput, turn, pending, ..TurnResult::idle(session) }
}

/// What the last attempt showed, behind the reason.
fn detail_of(end: &MessageEnd) -> String {
    match end {
        MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail } } => format!(": {detail}"),
        MessageEnd::Undeliverable { why: Undeliverable::SessionExited }
        | MessageEnd::Settled { .. }
        | MessageEnd::Cancelled
        | MessageEnd::Expired
        | MessageEnd::Unknown { .. } => String::new(),
    }
}

/// A message that ended without a turn.
pub(crate) fn fallen(session: &str, fallen: &Fallen) -> TurnResult {
    let outcome = match &fallen.end {
        MessageEnd::Undeliverable { why: Undeliverable::SessionExited } => OutcomeWord::Exited,
        MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { .. } } | MessageEnd::Expired => {
            OutcomeWord::Failed
        }
        MessageEnd::Cancelled => OutcomeWord::Interrupted,
        MessageEnd::Unknown { .. } => OutcomeWord::Unknown,
        MessageEnd::Settled { outcome, .. } => words::outcome(outcome),
    };
    // An agent is at fault only where it was asked: one that expired never came to it.
    let asked = matches!(&fallen.end, MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { .. } });
    let reason = asked.then_some(FailWord::AgentError);
    TurnResult {
        outcome,
        reason,
        messages: vec![fallen.message.to_string()],
        error: Some(format!("{}: {}{}", fallen.message, fallen_reason(&fallen.end), detail_of(&fallen.end))),
        ..TurnResult::idle(session)
    }
}
