//! Turns and their results.

use crate::schema::{answer, call, words};
use crate::time::WireTime;
use crate::types::request::Request;

words! {
    /// How a turn ended, or what a wait for it found instead.
    pub enum OutcomeWord {
        /// The work was done.
        Completed = "completed",
        /// The agent says that it did not succeed.
        Failed = "failed",
        /// Somebody stopped it.
        Interrupted = "interrupted",
        /// The agent's process ended in the middle, or the session has ended.
        Exited = "exited",
        /// Nobody could see how it ended.
        Unknown = "unknown",
        /// It runs, and a request must be answered.
        WaitingForInput = "waiting_for_input",
        /// The time was over; the work goes on.
        Timeout = "timeout",
        /// The session never had a turn.
        Idle = "idle",
    }

    /// Why a turn failed.
    pub enum FailWord {
        /// The agent's model answered with an error.
        ApiError = "api_error",
        /// The agent's model asked to come back later.
        RateLimited = "rate_limited",
        /// The agent is not logged in.
        Auth = "auth",
        /// The conversation no longer fits.
        ContextFull = "context_full",
        /// The model refused.
        Refused = "refused",
        /// A shell command ended with a code other than 0.
        CommandFailed = "command_failed",
        /// Anything else that the agent itself called an error.
        AgentError = "agent_error",
    }
}

answer! {
    /// What came of a turn, or of waiting for one.
    pub struct TurnResult {
        /// The session.
        pub session: String,
        /// How it ended.
        pub outcome: OutcomeWord,
        /// Its number within the session.
        pub turn: Option<u32>,
        /// The messages that it ran.
        pub messages: Vec<String>,
        /// When it began.
        pub started_at: Option<WireTime>,
        /// When it ended.
        pub ended_at: Option<WireTime>,
        /// How long it took.
        pub duration_ms: Option<u64>,
        /// The command's exit code, 128 plus the number for a signal; shell sessions only.
        pub exit_code: Option<i32>,
        /// Why it failed.
        pub reason: Option<FailWord>,
        /// The agent's own words about a failure, or why the outcome is unknown.
        pub error: Option<String>,
        /// The final text.
        pub answer: Option<String>,
        /// Bytes that were left out of the middle of the answer, or, where many turns are asked for at once, its whole size
        /// with no text; 0 when it is whole.
        pub answer_cut_bytes: u64,
        /// What it cost, where the agent counts that.
        pub usage: Option<Usage>,
        /// The requests that are open.
        pub pending: Vec<Request>,
    }

    /// What a turn cost.
    pub struct Usage {
        /// Tokens that the model read and that were in no cache.
        pub input_tokens: u64,
        /// Tokens that the model wrote.
        pub output_tokens: u64,
        /// Tokens that were read from a cache.
        pub cache_read_tokens: u64,
        /// Tokens that were put into a cache.
        pub cache_write_tokens: u64,
    }

    /// The final text of one turn.
    pub struct Answer {
        /// The turn's number.
        pub turn: u32,
        /// How it ended.
        pub outcome: OutcomeWord,
        /// When it ended.
        pub ended_at: Option<WireTime>,
        /// The text.
        pub text: String,
        /// Bytes that were left out of its middle, or, where many are asked for at once, its whole size with no text; 0 when
        /// it is whole.
        pub cut_bytes: u64,
        /// What the turn cost, where the agent counts that.
        pub usage: Option<Usage>,
    }
}

impl TurnResult {
    /// The result of a session that never had a turn.
    pub fn idle(session: impl Into<String>) -> Self {
        Self {
            session: session.into(),
            outcome: OutcomeWord::Idle,
            turn: None,
            messages: Vec::new(),
            started_at: None,
            ended_at: None,
            duration_ms: None,
            exit_code: None,
            reason: None,
            error: None,
            answer: None,
            answer_cut_bytes: 0,
            usage: None,
            pending: Vec::new(),
        }
    }
}

call! {
    /// Which answers are wanted.
    pub struct AnswersQuery {
        /// How many, the newest; 1 unless given.
        pub n: Option<u32>,
        /// All text of each turn, also what was written between tool calls.
        #[serde(default)]
        pub full: bool,
        /// One entry per text block instead of one per turn.
        #[serde(default)]
        pub blocks: bool,
    }

    /// Which ended turns are wanted.
    pub struct TurnsQuery {
        /// From this one on; the newest unless given.
        pub since: Option<u32>,
        /// At most this many; a thousand are the most.
        pub n: Option<u32>,
    }

    /// What is waited for. Without `for` and `next_turn`: everything that the sessions had accepted when the call arrived.
    pub struct WaitQuery {
        /// The sessions.
        #[serde(default)]
        pub session: Vec<String>,
        /// Return as soon as this many sessions are done; all of them unless given.
        pub count: Option<u32>,
        /// The next turn that ends after the call, even if none runs yet.
        #[serde(default)]
        pub next_turn: bool,
        /// The turn that runs, and only that; the last ended one where none runs.
        #[serde(default)]
        pub running: bool,
        /// Until this message is terminal, and only that.
        pub r#for: Option<String>,
        /// Do not return on an open request.
        #[serde(default)]
        pub through_input: bool,
        /// Also wait for messages with a later start.
        #[serde(default)]
        pub include_delayed: bool,
        /// Until the goal has ended.
        #[serde(default)]
        pub goal: bool,
        /// How long; 0 looks once, no limit unless given.
        pub timeout_ms: Option<u64>,
    }
}
