//! Goals: what an agent pursues by itself over several turns.

use crate::schema::{answer, call};
use crate::time::WireTime;

answer! {
    /// A goal.
    pub struct Goal {
        /// The session that pursues it.
        pub session: String,
        /// What is to be reached.
        pub objective: String,
        /// `active`, `paused`, `blocked`, `usageLimited`, `budgetLimited` or `complete`.
        pub status: String,
        /// Tokens that it may cost.
        pub token_budget: Option<u64>,
        /// Tokens that it has cost.
        pub tokens_used: u64,
        /// Time that it has taken, in seconds.
        pub time_used_seconds: u64,
        /// Turns that it may take.
        pub max_turns: Option<u32>,
        /// Turns that the agent has begun for it.
        pub turns_used: u32,
        /// Why it stands as it does, where that is known.
        pub reason: Option<String>,
        /// When it was set.
        pub created_at: WireTime,
        /// When it changed last.
        pub updated_at: WireTime,
    }

    /// The goal of a session after a call.
    pub struct GoalState {
        /// The goal; `null` without one.
        pub goal: Option<Goal>,
        /// Where it was to be cleared: whether there was one.
        pub cleared: Option<bool>,
    }
}

call! {
    /// How a goal is looked at.
    pub struct GoalQuery {
        /// Answer only when it is pursued no more.
        #[serde(default)]
        pub await_end: bool,
        /// After so many milliseconds answer all the same.
        pub timeout_ms: Option<u64>,
    }

    /// What is to become of a goal; exactly one of an objective or bounds, and the others.
    pub struct SetGoal {
        /// What is to be reached; it is pursued at once.
        pub objective: Option<String>,
        /// Tokens that it may cost.
        pub token_budget: Option<u64>,
        /// Turns that it may take.
        pub max_turns: Option<u32>,
        /// It is to rest.
        #[serde(default)]
        pub pause: bool,
        /// It is to go on.
        #[serde(default)]
        pub resume: bool,
        /// It is to be forgotten.
        #[serde(default)]
        pub clear: bool,
        /// It is reached.
        #[serde(default)]
        pub done: bool,
        /// With `done`: what shows it.
        pub evidence: Option<String>,
        /// It cannot be reached; why not.
        pub blocked: Option<String>,
    }
}
