//! What a turn is made of.

use serde_json::Value;

use super::words::text;

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) struct Change {
    /// Its path.
    pub(in crate::codex) path: String,
    /// Its kind, in the app-server's word.
    pub(in crate::codex) kind: String,
    /// What changes.
    pub(in crate::codex) diff: String,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) enum ItemKind {
    /// Somebody said something to the agent.
    UserMessage {
        /// The id that whoever sent it gave it.
        client_id: Option<String>,
        /// The words.
        text: String,
    },
    /// The agent said something.
    AgentMessage {
        /// The words.
        text: String,
    },
    /// A command.
    Command {
        /// The whole command.
        command: String,
        /// What it printed.
        output: String,
        /// Its exit code, once it has one.
        exit: Option<i64>,
    },
    /// Changes of files.
    FileChange {
        /// Each file's.
        changes: Vec<Change>,
    },
    /// Anything else, in the app-server's word.
    Other {
        /// The word.
        kind: String,
    },
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) struct Item {
    /// Its id.
    pub(in crate::codex) id: String,
    /// What it is.
    pub(in crate::codex) kind: ItemKind,
}

impl Item {
    /// Reads an item.
    pub(in crate::codex) fn read(value: &Value) -> Self {
        let kind = match value["type"].as_str().unwrap_or_default() {
            "userMessage" => {
                let client_id = value["clientId"].as_str().map(str::to_owned);
                ItemKind::UserMessage { client_id, text: words_of(&value["content"]) }
            }
            "agentMessage" => ItemKind::AgentMessage { text: text(value, "text") },
            "commandExecution" => ItemKind::Command {
                command: text(value, "command"),
                output: text(value, "aggregatedOutput"),
                exit: value["exitCode"].as_i64(),
            },
            "fileChange" => {
                let changes = value["changes"].as_array().into_iter().flatten().map(change).collect();
                ItemKind::FileChange { changes }
            }
            other => ItemKind::Other { kind: other.to_owned() },
        };
        Self { id: text(value, "id"), kind }
    }

    /// What the agent said, if it is that.
    pub(in crate::codex) fn agent_text(&self) -> Option<&str> {
        match &self.kind {
            ItemKind::AgentMessage { text } => Some(text),
            ItemKind::UserMessage { .. }
            | ItemKind::Command { .. }
            | ItemKind::FileChange { .. }
            | ItemKind::Other { .. } => None,
        }
    }
}

fn change(value: &Value) -> Change {
    let kind = value["kind"]["type"].as_str().or(value["kind"].as_str()).unwrap_or("change");
    Change { path: text(value, "path"), kind: kind.to_owned(), diff: text(value, "diff") }
}

fn words_of(content: &Value) -> String {
    let texts = content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}
