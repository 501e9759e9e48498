//! What the app-server asks, as a request that people understand, and answers as it understands them.

use adjutant_core::agent::{NewRequest, Question, QuestionOption, RequestKind};
use adjutant_core::limits::SUMMARY_CHARS_MAX;
use adjutant_core::request::RequestAnswer;
use serde_json::{Map, Value, json};

use crate::codex::limits::DETAILS_BYTES_MAX;
use crate::codex::wire::Change;

/// What a request is about, and so which form its answer has.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// A command.
    Command,
    /// Changes of files.
    FileChange,
    /// Rights beyond those that it has; these.
    Permissions(Value),
    /// Questions to whoever gave the task; their ids and what can be chosen.
    Questions(Vec<(String, Vec<String>)>),
    /// A form of some tool server.
    Elicitation,
}

/// A request that can be put to people.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    /// Its kind.
    pub(super) asked: Asked,
    /// As people see it.
    pub(super) request: NewRequest,
    /// What a rule is held against.
    pub(super) subject: String,
}

/// Reads a request; `None` for one that nobody here can answer. `changes` are those of the item that it names.
pub(super) fn read(native: &str, method: &str, params: &Value, changes: Option<&[Change]>) -> Option<Ask> {
    match method {
        "item/commandExecution/requestApproval" => Some(command(native, params)),
        "item/fileChange/requestApproval" => Some(file_change(native, params, changes)),
        "item/permissions/requestApproval" => Some(permissions(native, params)),
        "item/tool/requestUserInput" => Some(questions(native, params)),
        "mcpServer/elicitation/request" => Some(elicitation(native, params)),
        _ => None,
    }
}

fn permission(native: &str, tool: &str, summary: &str, details: &Value) -> NewRequest {
    NewRequest {
        native: native.to_owned(),
        kind: RequestKind::Permission,
        tool: Some(tool.to_owned()),
        summary: one_line(summary),
        options: Vec::new(),
        multiple: false,
        questions: Vec::new(),
        details: bounded(details),
    }
}

fn command(native: &str, params: &Value) -> Ask {
    let actions = params["commandActions"].as_array().into_iter().flatten();
    let plain: Vec<&str> = actions.filter_map(|action| action["command"].as_str()).collect();
    let whole = params["command"].as_str().unwrap_or_default();
    let subject = if plain.is_empty() { whole.to_owned() } else { plain.join(" && ") };
    let reason = params["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let details = kept(params, &["command", "cwd", "reason", "proposedExecpolicyAmendment", "availableDecisions"]);
    let request = permission(native, "command", &format!("{subject}{reason}"), &details);
    Ask { asked: Asked::Command, request, subject }
}

fn file_change(native: &str, params: &Value, changes: Option<&[Change]>) -> Ask {
    let paths = |changes: &[Change]| {
        changes.iter().map(|change| format!("{} {}", change.kind, change.path)).collect::<Vec<_>>().join(", ")
    };
    let summary = match changes {
        Some(changes) => paths(changes),
        None => "changes of files, whose text the app-server did not send again".to_owned(),
    };
    let mut details = kept(params, &["reason", "grantRoot"]);
    let change = |change: &Change| json!({"path": change.path, "kind": change.kind, "diff": change.diff});
    details["changes"] = changes.map(|changes| changes.iter().map(change).collect::<Vec<_>>()).into();
    let request = permission(native, "file_change", &summary, &details);
    Ask { asked: Asked::FileChange, request, subject: summary }
}

fn permissions(native: &str, params: &Value) -> Ask {
    let wanted = params["permissions"].clone();
    let reason = params["reason"].as_str().unwrap_or("more rights");
    let details = kept(params, &["permissions", "reason", "cwd"]);
    let request = permission(native, "permissions", &format!("{reason}: {wanted}"), &details);
    Ask { asked: Asked::Permissions(wanted.clone()), request, subject: wanted.to_string() }
}

fn questions(native: &str, params: &Value) -> Ask {
    let asked = params["questions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let questions: Vec<Question> = asked.iter().map(question).collect();
    let labels =
        |question: &Question| -> Vec<String> { question.options.iter().map(|option| option.label.clone()).collect() };
    let ids = asked.iter().map(|question| text(question, "id"));
    let form = ids.zip(questions.iter().map(labels)).collect();
    let is_open = questions.iter().any(|question| question.options.is_empty());
    let kind = if is_open { RequestKind::Input } else { RequestKind::Choice };
    let summary = questions.iter().map(|question| question.text.as_str()).collect::<Vec<_>>().join(" / ");
    let request = NewRequest {
        native: native.to_owned(),
        kind,
        tool: None,
        summary: one_line(&summary),
        options: questions.first().map(labels).unwrap_or_default(),
        multiple: false,
        questions,
        details: bounded(&json!({ "questions": asked })),
    };
    Ask { asked: Asked::Questions(form), request, subject: summary }
}

fn question(asked: &Value) -> Question {
    let option = |option: &Value| QuestionOption {
        label: text(option, "label"),
        description: option["description"].as_str().map(str::to_owned),
    };
    Question {
        label: text(asked, "header"),
        text: text(asked, "question"),
        options: asked["options"].as_array().into_iter().flatten().map(option).collect(),
        multiple: false,
        free_text: asked["isOther"].as_bool().unwrap_or(true),
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn elicitation(native: &str, params: &Value) -> Ask {
    let server = params["serverName"].as_str().unwrap_or("a tool server");
    let summary = format!("{server}: {}", params["message"].as_str().unwrap_or_default());
    let request = NewRequest {
        native: native.to_owned(),
        kind: RequestKind::Input,
        tool: Some(server.to_owned()),
        summary: one_line(&summary),
        options: Vec::new(),
        multiple: false,
        questions: Vec::new(),
        details: bounded(&kept(params, &["mode", "message", "requestedSchema", "url"])),
    };
    Ask { asked: Asked::Elicitation, request, subject: summary }
}

/// The answer in the app-server's form.
pub(super) fn answer(asked: &Asked, given: &RequestAnswer) -> Value {
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

/// A form that was filled in as JSON, or one word for all of it.
fn content(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(form)) => Value::Object(form),
        Ok(_) | Err(_) => json!({ "value": text }),
    }
}

fn kept(params: &Value, members: &[&str]) -> Value {
    let members = members.iter().filter(|member| !params[**member].is_null());
    Value::Object(members.map(|member| ((*member).to_owned(), params[*member].clone())).collect())
}

/// A text as one line that is not too long.
pub(super) fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SUMMARY_CHARS_MAX) {
        Some(_) => line.chars().take(SUMMARY_CHARS_MAX - 1).chain(['…']).collect(),
        None => line,
    }
}

/// Details as text; of those that are too long only the beginning, as a text.
fn bounded(details: &Value) -> String {
    let text = details.to_string();
    if text.len() <= DETAILS_BYTES_MAX {
        return text;
    }
    let cut = text.floor_char_boundary(DETAILS_BYTES_MAX / 2);
    json!({"cut_bytes": text.len() - cut, "beginning": &text[..cut]}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        Change { path: "/a".to_owned(), kind: "add".to_owned(), diff: "hello\n".to_owned() }
    }

    #[test]
    fn a_command_is_shown_without_the_shell_around_it() {
        let params = json!({"command": "/bin/bash -lc 'echo two'", "commandActions": [{"command": "echo two"}], "reason": "why"});
        let ask = read("n", "item/commandExecution/requestApproval", &params, None).unwrap();
        assert_eq!(ask.request.summary, "echo two (why)");
        assert_eq!(ask.subject, "echo two");
        assert!(ask.request.details.contains("/bin/bash"));
    }

    #[test]
    fn a_file_change_is_shown_with_its_text() {
        let ask = read("n", "item/fileChange/requestApproval", &json!({}), Some(&[change()])).unwrap();
        assert_eq!(ask.request.summary, "add /a");
        assert!(ask.request.details.contains("hello"));
        let ask = read("n", "item/fileChange/requestApproval", &json!({}), None).unwrap();
        assert!(ask.request.summary.contains("did not send again"));
    }

    #[test]
    fn every_answer_has_its_form() {
        let deny = || RequestAnswer::Deny { reason: None };
        for (given, word) in [
            (RequestAnswer::Allow, "accept"),
            (RequestAnswer::Always, "acceptForSession"),
            (deny(), "decline"),
            (RequestAnswer::Dismiss, "cancel"),
        ] {
            assert_eq!(answer(&Asked::Command, &given), json!({ "decision": word }));
        }
        let form = Asked::Questions(vec![("q1".to_owned(), vec!["Red".to_owned(), "Blue".to_owned()])]);
        let chosen = answer(&form, &RequestAnswer::Choose(vec![vec![1]]));
        assert_eq!(chosen, json!({"answers": {"q1": {"answers": ["Blue"]}}}));
        let text = answer(&form, &RequestAnswer::Text("neither".into()));
        assert_eq!(text, json!({"answers": {"q1": {"answers": ["neither"]}}}));
        let wanted = json!({"network": {"enabled": true}});
        let granted = answer(&Asked::Permissions(wanted.clone()), &RequestAnswer::Always);
        assert_eq!(granted, json!({"permissions": wanted, "scope": "session"}));
        assert_eq!(answer(&Asked::Permissions(wanted), &deny()), json!({"permissions": {}, "scope": "turn"}));
    }

    #[test]
    fn what_nobody_can_answer_is_no_request() {
        assert_eq!(read("n", "telepathy/request", &json!({}), None), None);
    }
}
