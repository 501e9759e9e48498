//! Answers, in the app-server's forms.

use adjutant_core::request::RequestAnswer;
use serde_json::{Map, Value, json};

use super::Asked;

/// The answer in the app-server's form.
pub(in super::super) fn answer(asked: &Asked, given: &RequestAnswer) -> Value {
    match asked {
        Asked::Command | Asked::FileChange => json!({ "decision": decision(given) }),
        Asked::Permissions(wanted) => match given {
            RequestAnswer::Allow | RequestAnswer::Choose(_) | RequestAnswer::Text(_) => {
                json!({"permissions": wanted, "scope": "turn"})
            }
            RequestAnswer::Always => json!({"permissions": wanted, "scope": "session"}),
            RequestAnswer::Deny { .. } | RequestAnswer::Dismiss => json!({"permissions": {}, "scope": "turn"}),
        },
        Asked::Questions(form) => json!({ "answers": answers(form, given) }),
        Asked::ToolQuestions(form) => json!({ "answers": permitted(form, given) }),
        Asked::ToolForm { lasting } => match given {
            RequestAnswer::Always if *lasting => {
                json!({"action": "accept", "content": {}, "_meta": {"persist": "session"}})
            }
            RequestAnswer::Allow | RequestAnswer::Always => json!({"action": "accept", "content": {}}),
            RequestAnswer::Deny { .. } | RequestAnswer::Choose(_) | RequestAnswer::Text(_) => {
                json!({"action": "decline", "content": null})
            }
            RequestAnswer::Dismiss => json!({"action": "cancel", "content": null}),
        },
        Asked::Elicitation => match given {
            RequestAnswer::Allow | RequestAnswer::Always | RequestAnswer::Choose(_) => {
                json!({"action": "accept", "content": {}})
            }
            RequestAnswer::Text(text) => json!({"action": "accept", "content": content(text)}),
            RequestAnswer::Deny { .. } => json!({"action": "decline", "content": null}),
            RequestAnswer::Dismiss => json!({"action": "cancel", "content": null}),
        },
    }
}

fn decision(given: &RequestAnswer) -> &'static str {
    match given {
        RequestAnswer::Allow | RequestAnswer::Choose(_) | RequestAnswer::Text(_) => "accept",
        RequestAnswer::Always => "acceptForSession",
        RequestAnswer::Deny { .. } => "decline",
        RequestAnswer::Dismiss => "cancel",
    }
}

/// What is answered to each question; one that nobody answered has no answer.
fn answers(form: &[(String, Vec<String>)], given: &RequestAnswer) -> Map<String, Value> {
    let one = |at: usize, (id, labels): &(String, Vec<String>)| {
        let words: Vec<String> = match given {
            RequestAnswer::Choose(chosen) => {
                let places = chosen.get(at).map(Vec::as_slice).unwrap_or_default();
                places.iter().filter_map(|place| labels.get(*place).cloned()).collect()
            }
            RequestAnswer::Text(text) => vec![text.to_string()],
            RequestAnswer::Deny { reason } => reason.iter().cloned().collect(),
            RequestAnswer::Allow | RequestAnswer::Always | RequestAnswer::Dismiss => Vec::new(),
        };
        (id.clone(), json!({ "answers": words }))
    };
    form.iter().enumerate().map(|(at, question)| one(at, question)).collect()
}

/// A permission as an option of each question: the first permits once, one that names the session for so long, the last not
/// at all.
fn permitted(form: &[(String, Vec<String>)], given: &RequestAnswer) -> Map<String, Value> {
    let lasting = |labels: &[String]| labels.iter().find(|label| label.to_lowercase().contains("session")).cloned();
    let one = |(id, labels): &(String, Vec<String>)| {
        let word = match given {
            RequestAnswer::Allow => labels.first().cloned(),
            RequestAnswer::Always => lasting(labels).or_else(|| labels.first().cloned()),
            RequestAnswer::Deny { .. } | RequestAnswer::Choose(_) | RequestAnswer::Text(_) | RequestAnswer::Dismiss => {
                labels.last().filter(|_| labels.len() > 1).cloned()
            }
        };
        (id.clone(), json!({ "answers": Vec::from_iter(word) }))
    };
    form.iter().map(one).collect()
}

/// A form that was filled in as JSON, or one word for all of it.
fn content(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(form)) => Value::Object(form),
        Ok(_) | Err(_) => json!({ "value": text }),
    }
}
