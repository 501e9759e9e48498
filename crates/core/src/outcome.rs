//! How work ends: the outcome of a turn and the exit of a process.

/// How a process ended, as its parent saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It ended by itself with this code, 0 to 255.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
}

impl ExitStatus {
    /// The number a shell would show: the code itself, or 128 plus the signal.
    pub const fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// Why a turn failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailReason {
    /// The agent's model answered with an error.
    ApiError,
    /// The agent's model asked to come back later.
    RateLimited,
    /// The agent is not logged in.
    Auth,
    /// The conversation no longer fits.
    ContextFull,
    /// The model refused.
    Refused,
    /// A shell command ended with a code other than 0.
    CommandFailed,
    /// Anything else that the agent itself called an error.
    AgentError,
}

/// Why nobody can say how something went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownReason {
    /// The daemon has restarted and is not attached to the session's runner again.
    Reattaching,
    /// The runner's channel broke while its process still lives, or may live.
    RunnerUnreachable {
        /// What the attempt to reach it answered.
        detail: String,
    },
    /// The journal that would tell cannot be read.
    JournalUnreadable {
        /// What reading it answered.
        detail: String,
    },
    /// It was handed over, and nothing shows whether it was taken.
    HandoverUnproven {
        /// What was looked at, and what it showed.
        detail: String,
    },
    /// The process ended and nobody saw how.
    EndUnseen {
        /// What was looked at, and what it showed.
        detail: String,
    },
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work was done.
    Completed,
    /// The agent says that it did not succeed.
    Failed {
        /// Which kind of failure.
        reason: FailReason,
    },
    /// Somebody stopped it.
    Interrupted,
    /// The agent's process ended in the middle.
    Exited,
    /// Nobody could see how it ended.
    Unknown {
        /// Why not.
        why: UnknownReason,
    },
}
