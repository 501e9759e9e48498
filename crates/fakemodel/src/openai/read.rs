//! What a request of this dialect asks for: the user's texts, and the step to play.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::record::Request;
use crate::script::{Book, Step, reported};

/// Beginnings of what the client itself adds as a message of the user.
const ADDED: [&str; 8] = [
    "<environment_context",
    "<turn_aborted",
    "<hook_prompt",
    "<user_instructions",
    "<skills",
    "<permissions",
    "<codex_internal_context",
    "# AGENTS.md",
];

/// The beginning of a message by which the client pursues a goal: the model is to work, and nobody said anything.
const GOAL: &str = "<codex_internal_context source=\"goal\">";

/// All texts of the user that a request holds, exactly as the model gets them, oldest first.
pub fn user_texts(request: &Request) -> Vec<String> {
    texts(&request.json()).into_iter().map(|(text, _)| text.to_owned()).collect()
}

/// The thread of the client that a request belongs to.
pub fn thread_of(request: &Request) -> Option<&str> {
    request.header("thread-id")
}

/// What the client says about a request beside it.
pub(super) fn metadata(request: &Request) -> Value {
    let header = request.header("x-codex-turn-metadata").unwrap_or_default();
    serde_json::from_str(header).unwrap_or_default()
}

/// The user's texts, each with how many answers with calls of tools there were since. An answer without a call ends the
/// turn, so these are all that matter.
fn texts(body: &Value) -> Vec<(&str, usize)> {
    let items = body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut answers = BTreeSet::new();
    let mut found = Vec::new();
    for item in items.iter().rev() {
        if let Some(answer) = item["call_id"].as_str().and_then(answer_of) {
            answers.insert(answer);
        } else if item["role"] == "user" {
            let parts = item["content"].as_array().map(Vec::as_slice).unwrap_or_default();
            let texts = parts.iter().rev().filter_map(|part| part["text"].as_str());
            found.extend(texts.filter(|text| is_words(text)).map(|text| (text, answers.len())));
        }
    }
    found.reverse();
    found
}

/// The answer to which a call belongs, by the form that calls are given here: `call_<answer>_<number>`.
fn answer_of(call: &str) -> Option<&str> {
    call.strip_prefix("call_")?.rsplit_once('_').map(|(answer, _)| answer)
}

fn is_words(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(GOAL) || !ADDED.iter().any(|added| text.starts_with(added))
}

/// The step to play, and what tells it from every other.
pub(super) fn step(request: &Request, body: &Value, book: &Book) -> Result<(String, Step), String> {
    let found = book.step(&texts(body))?;
    let turn = metadata(request)["turn_id"].as_str().unwrap_or_default().to_owned();
    let thread = thread_of(request).unwrap_or("-");
    Ok((format!("{thread} {turn} {} {}", found.number, found.text), reported(found.step, || last_result(body))))
}

/// What the last tool returned, as text.
fn last_result(body: &Value) -> String {
    let items = body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
    let output = items.iter().rev().map(|item| &item["output"]).find(|output| !output.is_null());
    let Some(output) = output else { return String::new() };
    let parts = output.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    output.as_str().map_or_else(|| parts.collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_users_texts_and_the_answers_since() {
        let user =
            |text: &str| json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]});
        let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "x", "arguments": "{}"});
        let output = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "y"});
        let body = json!({"input": [
            user("<environment_context>\n"), user("one"), call("call_a_0"), call("call_a_1"), output("call_a_0"),
            output("call_a_1"), user("<turn_aborted>"), user("two"), call("call_b_0"), output("call_b_0"),
        ]});
        assert_eq!(texts(&body), [("one", 2), ("two", 1)]);
    }
}
