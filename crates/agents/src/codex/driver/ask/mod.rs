//! What the app-server asks, as a request that people understand, and answers as it understands them.

mod answer;
mod approval;

pub(super) use answer::answer;

use adjutant_core::agent::{NewRequest, Question, QuestionOption, RequestKind};
use adjutant_core::limits::SUMMARY_CHARS_MAX;
use serde_json::{Value, json};

use self::approval::{command, file_change, permissions};
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

impl Asked {
    /// Whether a refusal carries words.
    pub(super) fn takes_words(&self) -> bool {
        match self {
            Self::Questions(_) => true,
            Self::Command | Self::FileChange | Self::Permissions(_) | Self::Elicitation => false,
        }
    }
}

/// A request that can be put to people.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    /// Its kind.
    pub(super) asked: Asked,
    /// As people see it.
    pub(super) request: NewRequest,
    /// What rules are held against. One that permits has to permit each of them.
    pub(super) subjects: Vec<String>,
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
    Ask { asked: Asked::Questions(form), request, subjects: vec![summary] }
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
    Ask { asked: Asked::Elicitation, request, subjects: vec![summary] }
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
    use adjutant_core::request::RequestAnswer;

    use super::*;

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
