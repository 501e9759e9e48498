//! Rows of ends, reasons, processes and moments to come.

use adjutant_core::outcome::{ExitStatus, FailReason, Outcome, UnknownReason};
use adjutant_core::process::Incarnation;
use adjutant_core::time::{BootId, BootMoment, Due, Timestamp};

mirror! {
    enum ExitStatusRow = ExitStatus {
        Code(code: i32),
        Signal(signal: i32),
    }
}

mirror! {
    enum FailReasonRow = FailReason {
        ApiError,
        RateLimited,
        Auth,
        ContextFull,
        Refused,
        CommandFailed,
        AgentError,
    }
}

mirror! {
    enum UnknownReasonRow = UnknownReason {
        Reattaching,
        RunnerUnreachable { detail: String, },
        JournalUnreadable { detail: String, },
        HandoverUnproven { detail: String, },
        EndUnseen { detail: String, },
    }
}

mirror! {
    enum OutcomeRow = Outcome {
        Completed,
        Failed { reason: FailReason, },
        Interrupted,
        Exited,
        Unknown { why: UnknownReason, },
    }
}

mirror! {
    struct IncarnationRow = Incarnation {
        boot: BootId,
        pid: u32,
        start_ticks: u64,
    }
}

mirror! {
    struct BootMomentRow = BootMoment {
        boot: BootId,
        millis: u64,
    }
}

mirror! {
    enum DueRow = Due {
        At(at: Timestamp),
        Elapsed { boot: BootMoment, wall: Timestamp, },
    }
}
