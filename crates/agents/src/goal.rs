//! Goals: what an agent pursues by itself over several turns.

use adjutant_core::Timestamp;

/// What somebody wants of the goal of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoalWish {
    /// To see it.
    Show,
    /// To set it and begin with it, also where there is one.
    Set {
        /// What is to be reached; `None` for the one that it has.
        objective: Option<String>,
        /// Tokens that it may cost.
        token_budget: Option<u64>,
        /// Turns that it may take.
        max_turns: Option<u32>,
    },
    /// To have it stand as reached.
    Done {
        /// What shows it.
        evidence: Option<String>,
    },
    /// To have it stand as what cannot be reached.
    Blocked {
        /// Why not.
        reason: String,
    },
    /// To let it rest.
    Pause,
    /// To go on with it.
    Resume,
    /// To forget it.
    Clear,
    /// To hear when it is pursued no more, whatever the reason.
    AwaitEnd,
}

/// A goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// What is to be reached.
    pub objective: String,
    /// How it stands, in the agent's word: `active` while it is pursued.
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
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// What came of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoalAnswer {
    /// The goal as it is now; `None` when there is none.
    Goal(Option<Goal>),
    /// Whether there was one to forget.
    Cleared(bool),
    /// The agent would not; its words.
    Refused(String),
}
