//! The conversation of a session.

use crate::schema::{answer, call, words};
use crate::time::WireTime;

words! {
    /// Who speaks.
    pub enum Role {
        /// A person, or the session that sent the message.
        Human = "human",
        /// The agent.
        Assistant = "assistant",
        /// A tool of the agent.
        Tool = "tool",
        /// The agent's own record, about itself.
        Notice = "notice",
    }
}

answer! {
    /// One entry of a conversation.
    pub struct LogEntry {
        /// Who speaks.
        pub role: Role,
        /// What was said.
        pub text: String,
        /// The turn that it belongs to.
        pub turn: Option<u32>,
        /// When it was said.
        pub at: Option<WireTime>,
        /// Who sent the message: a session's id, or `human`.
        pub from: Option<String>,
        /// The message.
        pub message: Option<String>,
        /// The tool.
        pub tool: Option<String>,
        /// What the message had waited for, as it was put beside its text for the agent.
        pub appended: Option<String>,
    }
}

call! {
    /// Which part of a conversation is wanted.
    pub struct LogQuery {
        /// The last turns, this many.
        pub n: Option<u32>,
        /// From this turn on.
        pub since: Option<u32>,
        /// With what tools returned.
        #[serde(default)]
        pub tools: bool,
    }
}
