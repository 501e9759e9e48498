//! The entries of a transcript, as far as they are ours to read.

use std::path::Path;

use adjutant_core::Timestamp;
use adjutant_core::agent::Usage;
use serde::Deserialize;
use serde_json::Value;

use super::backwards::Backwards;
use super::time::millis;
use super::{CLOCK_SLACK_MS, CommandEnd};
use crate::limits::ENTRY_BYTES_MAX;
use crate::{ConversationEntry, Speaker};

/// How the note begins that the client leaves where a turn was stopped.
const INTERRUPTION: &str = "[Request interrupted by user";

/// How it says that there is no such command.
const UNKNOWN_COMMAND: &str = "Unknown command";

/// How the note begins of what a command has said; there is one even where that is nothing.
const COMMAND_OUTPUT: [&str; 2] = ["<local-command-stdout>", "<local-command-stderr>"];

/// One entry.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Entry {
    r#type: String,
    subtype: String,
    timestamp: String,
    is_meta: bool,
    is_sidechain: bool,
    is_compact_summary: bool,
    operation: String,
    content: Value,
    message: Message,
    attachment: Attachment,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    id: String,
    content: Value,
    usage: Option<Counted>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attachment {
    r#type: String,
    prompt: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counted {
    input_tokens: u64,
    output_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
}

impl Entry {
    /// When it was written, in milliseconds since 1970.
    pub(super) fn at(&self) -> Option<i64> {
        millis(&self.timestamp)
    }

    /// What kind of entry it is, for people.
    pub(super) fn kind(&self) -> &str {
        &self.r#type
    }

    /// The prompts that it holds, whoever sent them.
    pub(super) fn prompts(&self) -> Vec<&str> {
        match self.r#type.as_str() {
            "user" => texts(&self.message.content),
            "queue-operation" if self.operation == "enqueue" => texts(&self.content),
            "attachment" if self.attachment.r#type == "queued_command" => texts(&self.attachment.prompt),
            _ => Vec::new(),
        }
    }

    pub(super) fn is_interruption(&self) -> bool {
        self.r#type == "user" && texts(&self.message.content).iter().any(|text| text.starts_with(INTERRUPTION))
    }

    /// What it says of the end of a command.
    pub(super) fn command_end(&self) -> Option<CommandEnd> {
        let said = match (self.r#type.as_str(), self.subtype.as_str()) {
            ("system", "informational" | "local_command") => self.content.as_str(),
            ("user", _) => self.message.content.as_str(),
            _ => None,
        }?;
        if self.subtype == "informational" {
            let words = said.to_owned();
            return said.starts_with(UNKNOWN_COMMAND).then_some(CommandEnd::Unknown { words });
        }
        COMMAND_OUTPUT.iter().any(|tag| said.starts_with(tag)).then_some(CommandEnd::Done)
    }

    /// Whether the model said it after a moment.
    pub(super) fn is_answer_since(&self, at: i64) -> bool {
        self.r#type == "assistant" && !self.is_sidechain && self.at().is_some_and(|then| then >= at)
    }

    /// Whether it is a text and that text is this.
    pub(super) fn says(&self, text: &str) -> bool {
        texts(&self.message.content).last().is_some_and(|said| said.trim() == text.trim())
    }

    /// The answer to which it belongs, and what that cost.
    pub(super) fn usage(&self) -> Option<(String, Usage)> {
        let counted =
            self.message.usage.as_ref().filter(|_| self.r#type == "assistant" && !self.message.id.is_empty())?;
        let usage = Usage {
            input_tokens: counted.input_tokens,
            output_tokens: counted.output_tokens,
            cache_read_tokens: counted.cache_read_input_tokens,
            cache_write_tokens: counted.cache_creation_input_tokens,
        };
        Some((self.message.id.clone(), usage))
    }

    /// What it says, in order; nothing for what is bookkeeping.
    fn said(&self) -> Vec<ConversationEntry> {
        if self.is_sidechain {
            return Vec::new();
        }
        match self.r#type.as_str() {
            "user" if self.is_compact_summary => {
                vec![self.entry(Speaker::Notice, "the conversation was shortened", None)]
            }
            "user" if self.is_interruption() => vec![self.entry(Speaker::Notice, "the turn was interrupted", None)],
            "user" if self.is_meta => Vec::new(),
            "user" => self.user(),
            "assistant" => self.assistant(),
            "attachment" if self.attachment.r#type == "queued_command" => {
                texts(&self.attachment.prompt).into_iter().map(|text| self.entry(Speaker::Human, text, None)).collect()
            }
            "system" if matches!(self.subtype.as_str(), "informational" | "local_command") => {
                let told =
                    texts(&self.content).into_iter().map(|text| within(text, "local-command-stdout").unwrap_or(text));
                told.filter(|text| !text.is_empty()).map(|text| self.entry(Speaker::Notice, text, None)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn user(&self) -> Vec<ConversationEntry> {
        let blocks = self.message.content.as_array().map(Vec::as_slice).unwrap_or_default();
        let results = blocks.iter().filter(|block| block["type"] == "tool_result");
        let results = results.map(|block| self.entry(Speaker::ToolResult, &texts(&block["content"]).join("\n"), None));
        let human = |text: &str| self.entry(Speaker::Human, &command(text).unwrap_or_else(|| text.to_owned()), None);
        let said = texts(&self.message.content).into_iter().map(human);
        results.chain(said).collect()
    }

    fn assistant(&self) -> Vec<ConversationEntry> {
        let Some(blocks) = self.message.content.as_array() else { return Vec::new() };
        let of = |block: &Value| match block["type"].as_str() {
            Some("text") => Some(self.entry(Speaker::Assistant, block["text"].as_str()?, None)),
            Some("tool_use") => Some(self.entry(Speaker::Tool, &block["input"].to_string(), block["name"].as_str())),
            Some(_) | None => None,
        };
        blocks.iter().filter_map(of).collect()
    }

    fn entry(&self, role: Speaker, text: &str, tool: Option<&str>) -> ConversationEntry {
        let mut text = text.to_owned();
        if text.len() > ENTRY_BYTES_MAX {
            let at = text.floor_char_boundary(ENTRY_BYTES_MAX);
            let cut = text.len() - at;
            text.truncate(at);
            text.push_str(&format!("\n[… {cut} bytes left out]"));
        }
        ConversationEntry { role, text, tool: tool.map(str::to_owned), at: self.at().map(Timestamp::from_millis) }
    }
}

/// A command as it was typed, where a text tells of one.
fn command(text: &str) -> Option<String> {
    let name = within(text, "command-name").filter(|name| name.starts_with('/') && text.starts_with('<'))?;
    let words = within(text, "command-args").unwrap_or_default();
    Some(format!("{name} {words}").trim_end().to_owned())
}

/// What stands between a tag and its end.
fn within<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(&format!("<{tag}>"))?;
    Some(behind.split_once(&format!("</{tag}>"))?.0)
}

/// The texts of a content, which is one string or a list of blocks.
fn texts(content: &Value) -> Vec<&str> {
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |block: &'_ Value| block["type"] == "text";
    let texts = blocks.iter().filter(|block| text(block)).filter_map(|block| block["text"].as_str());
    content.as_str().into_iter().chain(texts).collect()
}

/// The newest entries of a conversation, oldest first, at most so many, and none from long before a moment.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn conversation(
    path: &Path,
    entries_max: usize,
    since: Option<Timestamp>,
) -> std::io::Result<Vec<ConversationEntry>> {
    let before =
        |entry: &Entry| since.is_some_and(|since| entry.at().is_some_and(|at| at < since.as_millis() - CLOCK_SLACK_MS));
    let mut newest: Vec<ConversationEntry> = Vec::new();
    for line in Backwards::open(path)? {
        if newest.len() >= entries_max {
            break;
        }
        let Ok(entry) = serde_json::from_slice::<Entry>(&line) else { continue };
        if before(&entry) {
            break;
        }
        newest.extend(entry.said().into_iter().rev());
    }
    newest.truncate(entries_max);
    newest.reverse();
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conversation_without_its_bookkeeping() {
        let lines = [
            r#"{"type":"user","message":{"content":"please look"},"timestamp":"2026-11-20T04:38:42.778Z"}"#,
            r#"{"type":"assistant","message":{"id":"a","content":[{"type":"tool_use","name":"Bash","input":{"command":"ls"}}]}}"#,
            r#"{"type":"user","message":{"content":[{"type":"tool_result","content":"hi","is_error":false}]}}"#,
            r#"{"type":"attachment","attachment":{"type":"queued_command","prompt":"and this"}}"#,
            r#"{"type":"user","isMeta":true,"message":{"content":"meta"}}"#,
            r#"{"type":"assistant","isSidechain":true,"message":{"content":[{"type":"text","text":"sub"}]}}"#,
            r#"{"type":"assistant","message":{"content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"done"}]}}"#,
            r#"{"type":"file-history-snapshot","messageId":"x","snapshot":{}}"#,
            r#"{"type":"user","message":{"content":"<command-name>/model</command-name>\n  <command-message>model</command-message>\n  <command-args>opus</command-args>"}}"#,
            r#"{"type":"system","subtype":"local_command","content":"<local-command-stdout>Set</local-command-stdout>"}"#,
            r#"{"type":"system","subtype":"local_command","content":"<local-command-stdout></local-command-stdout>"}"#,
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n") + "\n").unwrap();
        let all = conversation(file.path(), 100, None).unwrap();
        let told: Vec<(Speaker, &str)> = all.iter().map(|entry| (entry.role, entry.text.as_str())).collect();
        let expected = [
            (Speaker::Human, "please look"),
            (Speaker::Tool, r#"{"command":"ls"}"#),
            (Speaker::ToolResult, "hi"),
            (Speaker::Human, "and this"),
            (Speaker::Assistant, "done"),
            (Speaker::Human, "/model opus"),
            (Speaker::Notice, "Set"),
        ];
        assert_eq!(told, expected);
        assert_eq!(conversation(file.path(), 2, None).unwrap(), all[5..]);
    }

    #[test]
    fn reading_ends_where_nothing_more_is_wanted() {
        let said = |minute: u32, text: &str| {
            format!(
                r#"{{"type":"user","message":{{"content":"{text}"}},"timestamp":"2026-11-20T04:{minute}:00.000Z"}}"#
            )
        };
        // Were it read, this line would be one more entry, because it has no time.
        let untimed = r#"{"type":"user","message":{"content":"beyond"}}"#.to_owned();
        let lines = [untimed, said(30, "old"), said(40, "new"), said(41, "newer")];
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n") + "\n").unwrap();
        let since = super::super::time::millis("2026-11-20T04:35:00.000Z").map(Timestamp::from_millis);
        let told = conversation(file.path(), 100, since).unwrap();
        assert_eq!(told.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>(), ["new", "newer"]);
    }
}
