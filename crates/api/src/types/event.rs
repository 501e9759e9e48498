//! Events of the host's log.

use serde_json::Value;

use crate::schema::{answer, call};
use crate::time::WireTime;

answer! {
    /// An immutable record in the host's log.
    pub struct Event {
        /// Its place in the log; the cursor of every stream.
        pub seq: u64,
        /// The session that it is about.
        pub session: Option<String>,
        /// When it happened.
        pub at: WireTime,
        /// What happened, such as `turn.completed`.
        pub r#type: String,
        /// The turn that it belongs to.
        pub turn: Option<u32>,
        /// Facts, by name.
        pub data: Value,
    }
}

call! {
    /// Which events are wanted; those of all sessions unless some are named.
    pub struct EventsQuery {
        /// Only of these sessions.
        #[serde(default)]
        pub session: Vec<String>,
        /// Only after this cursor.
        pub since: Option<u64>,
        /// Only of these types; `*` stands for anything.
        #[serde(default)]
        pub types: Vec<String>,
        /// Begin with this many of the newest.
        pub tail: Option<u64>,
        /// Go on with those to come, as a stream.
        #[serde(default)]
        pub follow: bool,
    }
}

/// Types of events that scripts may rely on.
pub const STABLE_TYPES: &[&str] = &[
    "session.created",
    "session.ready",
    "session.exited",
    "message.queued",
    "message.delivered",
    "message.ended",
    "turn.started",
    "turn.completed",
    "turn.failed",
    "turn.interrupted",
    "request.opened",
    "request.closed",
    "text",
    "tool.started",
    "tool.ended",
    "goal.changed",
    "child.created",
    "child.ended",
    "log.gap",
];
