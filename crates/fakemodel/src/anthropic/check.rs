//! Whether a request keeps to the protocol. What the real API would refuse is a fault.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::record::Request;

const VERSION: &str = "2023-06-01";

/// Every fault of a request for a turn.
pub(super) fn faults(request: &Request, body: &Value) -> Vec<String> {
    let mut faults = head_faults(request);
    faults.extend(message_faults(body));
    if body["max_tokens"].as_u64().is_none_or(|max| max == 0) {
        faults.push("max_tokens is no positive number".to_owned());
    }
    if body.get("stream").is_some_and(|stream| !stream.is_boolean()) {
        faults.push("stream is neither true nor false".to_owned());
    }
    faults.extend(tool_faults(body));
    faults
}

/// Faults of the headers.
pub(super) fn head_faults(request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    if request.header("anthropic-version") != Some(VERSION) {
        faults.push(format!("anthropic-version is not {VERSION}"));
    }
    let bearer = request.header("authorization").is_some_and(|value| value.len() > 7 && value.starts_with("Bearer "));
    if !bearer && request.header("x-api-key").is_none_or(str::is_empty) {
        faults.push("there is neither a key nor a token".to_owned());
    }
    if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        faults.push("content-type is not application/json".to_owned());
    }
    faults
}

/// Faults of the model's name and the messages.
pub(super) fn message_faults(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if body["model"].as_str().is_none_or(str::is_empty) {
        faults.push("model is missing".to_owned());
    }
    let Some(messages) = body["messages"].as_array().filter(|messages| !messages.is_empty()) else {
        faults.push("messages is no list with something in it".to_owned());
        return faults;
    };
    if messages[0]["role"] != "user" {
        faults.push("the first message is not the user's".to_owned());
    }
    for (at, message) in messages.iter().enumerate() {
        faults.extend(one_message(message).into_iter().map(|fault| format!("message {at}: {fault}")));
    }
    faults.extend(pairing(messages));
    faults
}

fn one_message(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if !matches!(message["role"].as_str(), Some("user" | "assistant" | "system")) {
        faults.push(format!("its role is {}", message["role"]));
    }
    let may_be_empty = message["role"] == "system";
    match &message["content"] {
        Value::String(text) => faults.extend(text.trim().is_empty().then(|| "its text is empty".to_owned())),
        // Claude Code says by such a message what else has changed, and may have nothing to say beside it.
        Value::Array(blocks) if may_be_empty || !blocks.is_empty() => {
            faults.extend(blocks.iter().filter_map(block_fault))
        }
        Value::Null => faults.push("its content is missing".to_owned()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            faults.push("its content is empty or odd".to_owned());
        }
    }
    faults
}

fn block_fault(block: &Value) -> Option<String> {
    match block["type"].as_str() {
        Some("text") => {
            let said = block["text"].as_str().is_some_and(|text| !text.trim().is_empty());
            (!said).then(|| "a text block is empty".to_owned())
        }
        Some("tool_use") => {
            let whole = block["id"].is_string() && block["name"].is_string() && block["input"].is_object();
            (!whole).then(|| "a tool_use lacks its id, name or input".to_owned())
        }
        Some("tool_result") => {
            (!block["tool_use_id"].is_string()).then(|| "a tool_result lacks its tool_use_id".to_owned())
        }
        Some(_) => None,
        None => Some("a block has no type".to_owned()),
    }
}

/// Each call of a tool is answered in the user's next message, and nothing else is.
fn pairing(messages: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for message in messages.iter().filter(|message| message["role"] != "system") {
        let results: BTreeSet<&str> = ids(message, "tool_result", "tool_use_id").collect();
        faults.extend(results.difference(&open).map(|id| format!("a result without its call: {id}")));
        faults.extend(open.difference(&results).map(|id| format!("a call without its result: {id}")));
        open = ids(message, "tool_use", "id").collect();
    }
    faults.extend(open.iter().map(|id| format!("a call without its result: {id}")));
    faults
}

fn ids<'a>(message: &'a Value, kind: &'a str, field: &'a str) -> impl Iterator<Item = &'a str> {
    let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().filter(move |block| block["type"] == kind).filter_map(move |block| block[field].as_str())
}

fn tool_faults(body: &Value) -> Vec<String> {
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut names = BTreeSet::new();
    let mut faults = Vec::new();
    for tool in tools {
        match tool["name"].as_str() {
            Some(name) if !names.insert(name) => faults.push(format!("the tool {name} is there twice")),
            Some(_) => {}
            None => faults.push("a tool has no name".to_owned()),
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(messages: Value) -> Vec<String> {
        message_faults(&json!({"model": "m", "messages": messages}))
    }

    #[test]
    fn calls_and_results_are_paired() {
        let ask = json!({"role": "user", "content": "do"});
        let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "B", "input": {}}]});
        let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]});
        assert_eq!(of(json!([ask, call, result])), Vec::<String>::new());
        assert_eq!(of(json!([ask, call])), ["a call without its result: a"]);
        assert_eq!(of(json!([ask, result])), ["a result without its call: a"]);
        assert_eq!(of(json!([ask, call, ask])), ["a call without its result: a"]);
    }

    #[test]
    fn what_the_api_refuses() {
        assert_eq!(of(json!([{"role": "assistant", "content": "x"}])), ["the first message is not the user's"]);
        assert_eq!(of(json!([{"role": "user", "content": " "}])), ["message 0: its text is empty"]);
        assert_eq!(of(json!([{"role": "user", "content": [{"type": "text", "text": ""}]}])).len(), 1);
        assert_eq!(of(json!([])).len(), 1);
        assert_eq!(of(json!([{"role": "tool", "content": "x"}])).len(), 2);
        assert_eq!(of(json!([{"role": "user", "content": []}])), ["message 0: its content is empty or odd"]);
    }

    #[test]
    fn a_message_of_the_system_may_say_nothing_beside_what_it_sets() {
        let ask = json!({"role": "user", "content": "do"});
        let sets = json!({"role": "system", "content": [], "output_config": {"effort": "high"}});
        assert_eq!(of(json!([ask, sets])), Vec::<String>::new());
        assert_eq!(of(json!([ask, {"role": "system", "content": {}}])), ["message 1: its content is empty or odd"]);
    }
}
