//! Words: enums of the domain as the wire writes them.

use adjutant_api::types::request::RequestKindWord;
use adjutant_api::types::session::{EndWord, ModeWord, SourceWord, StatusWord};
use adjutant_api::types::turn::{FailWord, OutcomeWord};
use adjutant_core::agent::{Mode, RequestKind, SessionEnd, Source};
use adjutant_core::outcome::{FailReason, Outcome, UnknownReason};
use adjutant_core::session::Status;

pub(crate) fn outcome(outcome: &Outcome) -> OutcomeWord {
    match outcome {
        Outcome::Completed => OutcomeWord::Completed,
        Outcome::Failed { .. } => OutcomeWord::Failed,
        Outcome::Interrupted => OutcomeWord::Interrupted,
        Outcome::Exited => OutcomeWord::Exited,
        Outcome::Unknown { .. } => OutcomeWord::Unknown,
    }
}

pub(crate) fn fail_reason(reason: FailReason) -> FailWord {
    match reason {
        FailReason::ApiError => FailWord::ApiError,
        FailReason::RateLimited => FailWord::RateLimited,
        FailReason::Auth => FailWord::Auth,
        FailReason::ContextFull => FailWord::ContextFull,
        FailReason::Refused => FailWord::Refused,
        FailReason::CommandFailed => FailWord::CommandFailed,
        FailReason::AgentError => FailWord::AgentError,
    }
}

pub(crate) fn status(status: Status) -> StatusWord {
    match status {
        Status::Starting => StatusWord::Starting,
        Status::Idle => StatusWord::Idle,
        Status::Working => StatusWord::Working,
        Status::WaitingForInput => StatusWord::WaitingForInput,
        Status::Unknown => StatusWord::Unknown,
        Status::Exited => StatusWord::Exited,
    }
}

pub(crate) fn mode(mode: Mode) -> ModeWord {
    match mode {
        Mode::Native => ModeWord::Native,
        Mode::Guarded => ModeWord::Guarded,
        Mode::Docker => ModeWord::Docker,
    }
}

pub(crate) fn source(source: Source) -> SourceWord {
    match source {
        Source::Daemon => SourceWord::Daemon,
        Source::ControlPipe => SourceWord::ControlPipe,
        Source::Runner => SourceWord::Runner,
        Source::Process => SourceWord::Process,
        Source::Protocol => SourceWord::Protocol,
        Source::Hook => SourceWord::Hook,
        Source::StatusFile => SourceWord::StatusFile,
    }
}

pub(crate) fn end(end: &SessionEnd) -> EndWord {
    match end {
        SessionEnd::Ended { .. } => EndWord::Ended,
        SessionEnd::Killed => EndWord::Killed,
        SessionEnd::Lost { .. } => EndWord::Lost,
        SessionEnd::StartFailed { .. } => EndWord::StartFailed,
    }
}

pub(crate) fn request_kind(kind: RequestKind) -> RequestKindWord {
    match kind {
        RequestKind::Permission => RequestKindWord::Permission,
        RequestKind::Choice => RequestKindWord::Choice,
        RequestKind::Input => RequestKindWord::Input,
    }
}

/// Why something is unknown, in words.
pub(crate) fn unknown_text(why: &UnknownReason) -> String {
    match why {
        UnknownReason::Reattaching => {
            "the daemon has restarted and is attaching to the session's runner again".to_owned()
        }
        UnknownReason::RunnerUnreachable { detail } => format!("the session's runner cannot be reached: {detail}"),
        UnknownReason::JournalUnreadable { detail } => format!("the session's journal cannot be read: {detail}"),
        UnknownReason::HandoverUnproven { detail } => format!("nobody can know whether it was taken: {detail}"),
        UnknownReason::EndUnseen { detail } => format!("nobody saw how it ended: {detail}"),
    }
}
