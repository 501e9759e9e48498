//! What a request of this dialect asks for: the user's texts, and the step to play.

use serde_json::Value;

use crate::record::Request;
use crate::script::{Book, Move, Step, reported};

/// What stands before a message that a person sent during a turn.
const STEERED: &str = "The user sent a new message while you were working:";

/// What the request for a summary of the conversation says.
const COMPACTION: [&str; 2] = ["Respond with TEXT ONLY", "summary"];

const SUMMARY: &str = "<analysis>The fake model looked back.</analysis><summary>What was said before.</summary>";

/// All texts of the user that a request holds, exactly as the model gets them, oldest first: without reminders that the
/// client adds, and without results of tools.
pub fn user_texts(request: &Request) -> Vec<String> {
    texts(&request.json()).into_iter().map(|(text, _)| text.to_owned()).collect()
}

/// The user's texts, each with how often the model has answered since.
fn texts(body: &Value) -> Vec<(&str, usize)> {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut answered = 0;
    let mut found = Vec::new();
    for message in messages.iter().rev() {
        match message["role"].as_str() {
            Some("assistant") => answered += 1,
            Some("user") => {
                found.extend(blocks(message).rev().filter(|text| !is_reminder(text)).map(|text| (text, answered)));
            }
            Some("system") => {
                found.extend(blocks(message).rev().filter(|text| text.starts_with(STEERED)).map(|t| (t, answered)));
            }
            Some(_) | None => {}
        }
    }
    found.reverse();
    found
}

/// The texts of one message.
fn blocks(message: &Value) -> impl DoubleEndedIterator<Item = &str> {
    let whole = message["content"].as_str();
    let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |block: &'_ Value| block["type"] == "text";
    whole.into_iter().chain(blocks.iter().filter(move |block| text(block)).filter_map(|block| block["text"].as_str()))
}

fn is_reminder(text: &str) -> bool {
    text.starts_with("<system-reminder>") && text.trim_end().ends_with("</system-reminder>")
}

/// The step to play, and what tells it from every other.
pub(super) fn step(request: &Request, body: &Value, book: &Book) -> Result<(String, Step), String> {
    let texts = texts(body);
    if texts.last().is_some_and(|(text, _)| COMPACTION.iter().all(|words| text.contains(words))) {
        return Ok(("compaction".to_owned(), vec![Move::Say(SUMMARY.to_owned())]));
    }
    let found = book.step(&texts)?;
    let whose = ["x-claude-code-session-id", "x-claude-code-agent-id"].map(|name| request.header(name).unwrap_or("-"));
    Ok((
        format!("{} {} {} {}", whose[0], whose[1], found.number, found.text),
        reported(found.step, || last_result(body)),
    ))
}

/// What the last tool returned, as text.
fn last_result(body: &Value) -> String {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let blocks = messages.iter().rev().filter_map(|message| message["content"].as_array());
    let result = blocks.flat_map(|blocks| blocks.iter().rev()).find(|block| block["type"] == "tool_result");
    let Some(content) = result.map(|block| &block["content"]) else { return String::new() };
    let parts = content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    content.as_str().map_or_else(|| parts.collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_users_texts() {
        let reminder = "<system-reminder>\nbe kind\n</system-reminder>";
        let body = json!({"messages": [
            {"role": "user", "content": [{"type": "text", "text": reminder}, {"type": "text", "text": "one"}]},
            {"role": "assistant", "content": "hm"},
            {"role": "user", "content": [{"type": "tool_result", "content": "x"}, {"type": "text", "text": "two"}]},
            {"role": "system", "content": "# Environment"},
            {"role": "system", "content": format!("{STEERED}\nthree\n\nThis is how")},
        ]});
        let found: Vec<(&str, usize)> = texts(&body);
        assert_eq!(found[..2], [("one", 1), ("two", 0)]);
        assert!(found[2].0.contains("three") && found.len() == 3);
    }
}
