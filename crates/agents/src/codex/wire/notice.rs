//! What the app-server tells without being asked.

use serde_json::Value;

use super::frame::RequestKey;
use super::item::Item;
use super::turn::{TokenCount, Turn, TurnError, turn_id};
use super::words::{ThreadStatus, text};

/// Something about one thread.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::codex) enum Notice {
    /// The thread does something else now.
    Status(ThreadStatus),
    /// The app-server has put it out of memory.
    Closed,
    /// It was archived or deleted.
    Archived,
    /// A turn has begun.
    TurnStarted(Turn),
    /// A turn has ended. Nothing else says so.
    TurnCompleted(Turn),
    /// An item of a turn has begun.
    ItemStarted { turn: String, item: Item },
    /// An item of a turn is whole. Of some that began it is never said.
    ItemCompleted { turn: String, item: Item },
    /// Something went wrong in a turn.
    Error { error: TurnError, will_retry: bool },
    /// A request needs no answer any more.
    Resolved(RequestKey),
    /// Tokens that the thread has used.
    Tokens(TokenCount),
    /// A remark for people.
    Warning(String),
    /// The thread's goal stands otherwise, or may.
    Goal,
    /// Nothing that anything here follows from.
    Nothing,
    /// A method that is not known here.
    Unknown(String),
}

impl Notice {
    /// Reads a notification; the first value is the thread that it is about, empty for all.
    pub(in crate::codex) fn read(method: &str, params: &Value) -> (String, Self) {
        let thread = params["threadId"].as_str().or(params["thread"]["id"].as_str()).unwrap_or_default().to_owned();
        (thread, Self::of(method, params))
    }

    fn of(method: &str, params: &Value) -> Self {
        let turn = || Turn::read(&params["turn"]);
        let item = || Item::read(&params["item"]);
        match method {
            "thread/status/changed" => Self::Status(ThreadStatus::read(&params["status"])),
            "thread/closed" => Self::Closed,
            "thread/archived" | "thread/deleted" => Self::Archived,
            "turn/started" => turn().map_or(Self::Nothing, Self::TurnStarted),
            "turn/completed" => turn().map_or(Self::Nothing, Self::TurnCompleted),
            "item/started" => Self::ItemStarted { turn: turn_id(params), item: item() },
            "item/completed" => Self::ItemCompleted { turn: turn_id(params), item: item() },
            "error" => TurnError::read(&params["error"]).map_or(Self::Nothing, |error| Self::Error {
                error,
                will_retry: params["willRetry"].as_bool().unwrap_or(false),
            }),
            "serverRequest/resolved" => Self::Resolved(RequestKey::from_value(&params["requestId"])),
            "thread/tokenUsage/updated" => Self::Tokens(TokenCount::read(&params["tokenUsage"]["total"])),
            "warning" => Self::Warning(text(params, "message")),
            "thread/goal/updated" | "thread/goal/cleared" => Self::Goal,
            other if is_ignored(other) => Self::Nothing,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// What is known and of no account here.
fn is_ignored(method: &str) -> bool {
    const KNOWN: [&str; 13] = [
        "account/",
        "configWarning",
        "deprecationNotice",
        "fs/",
        "hook/",
        "item/",
        "mcpServer/",
        "model/",
        "rawResponseItem/",
        "remoteControl/",
        "thread/",
        "turn/",
        "windows",
    ];
    KNOWN.iter().any(|known| method.starts_with(known))
}
