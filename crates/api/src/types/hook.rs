//! Hooks: what an agent calls while it works.

use serde_json::Value;

use crate::schema::{answer, call};

call! {
    /// A hook that an agent called, passed on by `adj hook`. The calling session is the agent's.
    pub struct HookCall {
        /// What the agent calls the event.
        pub event: String,
        /// What it told.
        pub payload: Value,
    }
}

answer! {
    /// What a hook is to answer.
    pub struct HookAnswer {
        /// The answer; `null` for no opinion.
        pub answer: Value,
    }
}
