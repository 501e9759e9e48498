//! What was said in a session, as the agent's own record has it.

use adjutant_core::Timestamp;
use adjutant_core::session::Profile;

use crate::Place;

/// The conversation that is wanted, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct ConversationOf<'a> {
    /// Where the session's files are.
    pub place: &'a Place,
    /// What was fixed at its creation.
    pub profile: &'a Profile,
    /// The agent's own id of the conversation, once it is known.
    pub native: Option<&'a str>,
    /// Entries that are given at the most, the newest.
    pub entries_max: usize,
    /// What was said before is not wanted; reading ends there. A few entries of just before may be given all the same.
    pub since: Option<Timestamp>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// A person, or whoever sent a message.
    Human,
    /// The agent.
    Assistant,
    /// The agent, using a tool.
    Tool,
    /// A tool, with what came of it.
    ToolResult,
    /// The agent's own record, about itself.
    Notice,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationEntry {
    /// Who speaks.
    pub role: Speaker,
    /// What was said.
    pub text: String,
    /// The tool.
    pub tool: Option<String>,
    /// When it was said; to which turn it belongs follows from that.
    pub at: Option<Timestamp>,
}

/// Why there is no conversation to give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConversationError {
    /// The agent keeps no record, or has not begun one.
    #[error("there is no record of it")]
    None,
    /// The record cannot be read.
    #[error("{detail}")]
    Unreadable {
        /// What was tried, and what came of it.
        detail: String,
    },
}

#[cfg(test)]
pub(crate) mod tests {
    use adjutant_core::AgentName;
    use adjutant_core::session::Profile;

    /// A session in which nothing was asked for.
    pub(crate) fn profile() -> Profile {
        Profile::bare(AgentName::new("any"), "/", "/bin/any")
    }
}
