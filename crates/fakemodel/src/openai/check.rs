//! Whether a request keeps to the protocol. What the real API would refuse is a fault.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::record::Request;

/// Every fault of a request for a turn.
pub(super) fn faults(request: &Request, body: &Value) -> Vec<String> {
    let mut faults = head_faults(request);
    if body["model"].as_str().is_none_or(str::is_empty) {
        faults.push("model is missing".to_owned());
    }
    if body["stream"] != true {
        faults.push("stream is not true".to_owned());
    }
    match body["input"].as_array().filter(|items| !items.is_empty()) {
        Some(items) => faults.extend(input_faults(items)),
        None => faults.push("input is no list with something in it".to_owned()),
    }
    faults
}

fn head_faults(request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    if !request.header("authorization").is_some_and(|value| value.len() > 7 && value.starts_with("Bearer ")) {
        faults.push("there is no key".to_owned());
    }
    if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        faults.push("content-type is not application/json".to_owned());
    }
    if request.header("thread-id").is_none_or(str::is_empty) {
        faults.push("thread-id is missing".to_owned());
    }
    faults
}

fn input_faults(items: &[Value]) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        faults.extend(item_fault(item).map(|fault| format!("item {at}: {fault}")));
    }
    let ids = |is_wanted: fn(&str) -> bool| -> Vec<&str> {
        let of_kind = items.iter().filter(|item| item["type"].as_str().is_some_and(is_wanted));
        of_kind.filter_map(|item| item["call_id"].as_str()).collect()
    };
    let (calls, outputs) = (ids(|kind| kind.ends_with("_call")), ids(|kind| kind.ends_with("_call_output")));
    for (what, all) in [("call", &calls), ("output", &outputs)] {
        let mut known = BTreeSet::new();
        faults.extend(all.iter().filter(|id| !known.insert(**id)).map(|id| format!("a second {what} {id}")));
    }
    let (calls, outputs): (BTreeSet<_>, BTreeSet<_>) = (calls.into_iter().collect(), outputs.into_iter().collect());
    faults.extend(outputs.difference(&calls).map(|id| format!("an output without its call: {id}")));
    faults.extend(calls.difference(&outputs).map(|id| format!("a call without its output: {id}")));
    faults
}

fn item_fault(item: &Value) -> Option<String> {
    match item["type"].as_str() {
        Some("message") => {
            let role = item["role"].as_str().unwrap_or_default();
            if !matches!(role, "user" | "assistant" | "developer" | "system") {
                return Some(format!("its role is {role}"));
            }
            let parts = item["content"].as_array().filter(|parts| !parts.is_empty());
            parts.is_none().then(|| "it has no content".to_owned())
        }
        Some(kind) if kind.ends_with("_call") || kind.ends_with("_call_output") => {
            let known = item["call_id"].is_string() || item["id"].is_string();
            (!known).then(|| format!("a {kind} lacks its id"))
        }
        Some(_) => None,
        None => Some("it has no type".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_and_outputs_are_paired() {
        let call = json!({"type": "function_call", "call_id": "a", "name": "x", "arguments": "{}"});
        let output = json!({"type": "function_call_output", "call_id": "a", "output": "y"});
        assert_eq!(input_faults(&[call.clone(), output.clone()]), Vec::<String>::new());
        assert_eq!(input_faults(std::slice::from_ref(&call)), ["a call without its output: a"]);
        assert_eq!(input_faults(std::slice::from_ref(&output)), ["an output without its call: a"]);
        assert_eq!(input_faults(&[call, output.clone(), output]), ["a second output a"]);
    }
}
