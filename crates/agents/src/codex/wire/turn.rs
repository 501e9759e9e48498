//! A turn as the app-server tells of it.

use adjutant_core::agent::Usage;
use adjutant_core::outcome::FailReason;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::item::{Item, ItemKind};
use super::words::text;

/// How a turn stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) enum TurnStatus {
    /// It runs.
    InProgress,
    /// It came to its end.
    Completed,
    /// Somebody stopped it, or the app-server died.
    Interrupted,
    /// It failed.
    Failed,
    /// A word that is not known here.
    Unknown(String),
}

/// Why a turn failed, or what is being tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) struct TurnError {
    /// What it says.
    pub(in crate::codex) message: String,
    /// Its kind, in the app-server's word; empty where it gives none.
    pub(in crate::codex) kind: String,
    /// The HTTP status behind it, where there is one.
    pub(in crate::codex) http_status: Option<u64>,
}

impl TurnError {
    /// Reads an error. Its kind is a word, or an object whose one member is the word.
    pub(in crate::codex) fn read(value: &Value) -> Option<Self> {
        let message = value["message"].as_str()?.to_owned();
        let info = &value["codexErrorInfo"];
        let only = info.as_object().and_then(|members| members.iter().next());
        let kind = info.as_str().or(only.map(|(word, _)| word.as_str())).unwrap_or_default().to_owned();
        let http_status = only.and_then(|(_, details)| details["httpStatusCode"].as_u64());
        Some(Self { message, kind, http_status })
    }

    /// The kind of failure that it is.
    pub(in crate::codex) fn reason(&self) -> FailReason {
        match (self.kind.as_str(), self.http_status) {
            ("unauthorized", _) | (_, Some(401 | 403)) => FailReason::Auth,
            // The provider's key. Its kind is the one of anything else.
            _ if self.message.starts_with("Missing environment variable") => FailReason::Auth,
            ("usageLimitExceeded" | "rateLimitExceeded" | "sessionBudgetExceeded", _) | (_, Some(429)) => {
                FailReason::RateLimited
            }
            ("contextWindowExceeded", _) => FailReason::ContextFull,
            ("cyberPolicy" | "misalignmentPolicyViolation" | "inferenceHookDenied" | "tooManyDenials", _) => {
                FailReason::Refused
            }
            ("sandboxError" | "threadRollbackFailed", _) => FailReason::AgentError,
            _ => FailReason::ApiError,
        }
    }
}

/// A turn.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::codex) struct Turn {
    /// Its id.
    pub(in crate::codex) id: String,
    /// How it stands.
    pub(in crate::codex) status: TurnStatus,
    /// Why it failed, if it did.
    pub(in crate::codex) error: Option<TurnError>,
    /// What is in it, as far as the message shows that.
    pub(in crate::codex) items: Vec<Item>,
}

impl Turn {
    /// Reads a turn; `None` without an id.
    pub(in crate::codex) fn read(value: &Value) -> Option<Self> {
        let items = value["items"].as_array().into_iter().flatten();
        Some(Self {
            id: value["id"].as_str()?.to_owned(),
            status: match value["status"].as_str().or(value["status"]["type"].as_str()).unwrap_or_default() {
                "inProgress" => TurnStatus::InProgress,
                "completed" => TurnStatus::Completed,
                "interrupted" => TurnStatus::Interrupted,
                "failed" => TurnStatus::Failed,
                other => TurnStatus::Unknown(other.to_owned()),
            },
            error: TurnError::read(&value["error"]),
            items: items.map(Item::read).collect(),
        })
    }

    /// The words of whoever put something into it: the ids that they gave, `None` for one that gave none.
    pub(in crate::codex) fn client_ids(&self) -> impl Iterator<Item = Option<&str>> {
        self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::UserMessage { client_id, .. } => Some(client_id.as_deref()),
            ItemKind::AgentMessage { .. }
            | ItemKind::Command { .. }
            | ItemKind::FileChange { .. }
            | ItemKind::Other { .. } => None,
        })
    }

    /// The last that the agent said in it.
    pub(in crate::codex) fn last_text(&self) -> Option<&str> {
        self.items.iter().rev().find_map(Item::agent_text)
    }
}

/// Tokens that a thread has used up to some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::codex) struct TokenCount {
    input: u64,
    cached: u64,
    written: u64,
    output: u64,
}

impl TokenCount {
    /// Reads the count of a whole thread.
    pub(in crate::codex) fn read(total: &Value) -> Self {
        let count = |member: &str| total[member].as_u64().unwrap_or(0);
        Self {
            input: count("inputTokens"),
            cached: count("cachedInputTokens"),
            written: count("cacheWriteInputTokens"),
            output: count("outputTokens"),
        }
    }

    /// What was used since an earlier moment. The app-server counts what came from a cache into the input.
    pub(in crate::codex) fn since(self, earlier: Self) -> Usage {
        let input = self.input.saturating_sub(earlier.input);
        let cached = self.cached.saturating_sub(earlier.cached);
        let written = self.written.saturating_sub(earlier.written);
        Usage {
            input_tokens: input.saturating_sub(cached + written),
            output_tokens: self.output.saturating_sub(earlier.output),
            cache_read_tokens: cached,
            cache_write_tokens: written,
        }
    }
}

/// The id of the turn that a message names.
pub(super) fn turn_id(params: &Value) -> String {
    text(params, "turnId")
}
