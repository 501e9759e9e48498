//! What was said in a session, as the app-server has it.

use std::io;
use std::time::Duration;

use adjutant_core::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::driver::Notes;
use super::limits::{CONVERSATION_MS_MAX, ENTRY_BYTES_MAX, PAGE_ITEMS};
use super::server::Servers;
use super::wire::{AskError, Item, ItemKind, Link};
use crate::{ConversationEntry, ConversationError, ConversationOf, Speaker};

/// The newest entries, oldest first. Asks the app-server over a connection of its own; where there is no server, the
/// session's messages and answers are what is left.
pub(super) fn read(of: ConversationOf<'_>) -> Result<Vec<ConversationEntry>, ConversationError> {
    let unreadable = |error: io::Error| ConversationError::Unreadable { detail: error.to_string() };
    let Some(Notes { server, thread: Some(thread), .. }) = Notes::load(of.place).map_err(unreadable)? else {
        return Err(ConversationError::None);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unreadable)?;
    let reading = async {
        let mut link = Link::open(&Servers::socket(&server)).await.map_err(|_| ConversationError::None)?;
        newest(&mut link, &thread, &of).await
    };
    let late = || ConversationError::Unreadable { detail: "the app-server did not answer in time".to_owned() };
    let within = Duration::from_millis(CONVERSATION_MS_MAX);
    runtime.block_on(async { timeout(within, reading).await.unwrap_or_else(|_| Err(late())) })
}

async fn newest(
    link: &mut Link,
    thread: &str,
    of: &ConversationOf<'_>,
) -> Result<Vec<ConversationEntry>, ConversationError> {
    let mut found = Vec::new();
    let mut cursor = Value::Null;
    let before = |entry: &ConversationEntry| entry.at.is_some() && entry.at < of.since;
    while found.len() < of.entries_max && !found.last().is_some_and(before) {
        let params = json!({"threadId": thread, "limit": PAGE_ITEMS, "sortDirection": "desc", "cursor": cursor});
        let page = link.ask("thread/items/list", params).await.map_err(|error| match error {
            // A thread in which nothing was said yet has no list.
            AskError::Refused(_) => ConversationError::None,
            AskError::Unsent(error) | AskError::Lost(error) => {
                ConversationError::Unreadable { detail: error.to_string() }
            }
        })?;
        for entry in page["data"].as_array().into_iter().flatten() {
            // The last of an item first, as all of this.
            found.extend(entries(entry).into_iter().rev());
        }
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    found.truncate(of.entries_max);
    found.reverse();
    Ok(found)
}

/// One item as what is said in it.
fn entries(listed: &Value) -> Vec<ConversationEntry> {
    let at = |member: &str| listed[member].as_i64().or(listed["item"][member].as_i64()).map(Timestamp::from_millis);
    let began = at("startedAtMs");
    let entry = |role, text: &str, tool: Option<&str>, at| ConversationEntry {
        role,
        text: bounded(text),
        tool: tool.map(str::to_owned),
        at,
    };
    match Item::read(&listed["item"]).kind {
        ItemKind::UserMessage { text, .. } => vec![entry(Speaker::Human, &text, None, began)],
        ItemKind::AgentMessage { text } => vec![entry(Speaker::Assistant, &text, None, began)],
        ItemKind::Command { command, output, exit } => {
            let ended = exit.map(|_| entry(Speaker::ToolResult, &output, Some("command"), at("completedAtMs")));
            std::iter::once(entry(Speaker::Tool, &command, Some("command"), began)).chain(ended).collect()
        }
        ItemKind::FileChange { changes } => {
            let change = |change: &super::wire::Change| format!("{} {}\n{}", change.kind, change.path, change.diff);
            let text = changes.iter().map(change).collect::<Vec<_>>().join("\n");
            vec![entry(Speaker::Tool, &text, Some("file_change"), began)]
        }
        // What the agent thought, and what it noted for itself.
        ItemKind::Other { .. } => Vec::new(),
    }
}

fn bounded(text: &str) -> String {
    if text.len() <= ENTRY_BYTES_MAX {
        return text.to_owned();
    }
    let cut = text.floor_char_boundary(ENTRY_BYTES_MAX);
    format!("{}\n[… {} bytes left out]", &text[..cut], text.len() - cut)
}
