//! What the app-server asks, as a request that people understand, and answers as it understands them.

mod answer;
mod approval;

pub(super) use answer::answer;

use adjutant_core::agent::{NewRequest, Question, QuestionOption, RequestKind};
use adjutant_core::limits::SUMMARY_CHARS_MAX;
use serde_json::{Value, json};

use self::approval::{command, file_change, permission, permissions};
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
    /// Whether a tool of some tool server may be used, put as questions with these ids and options.
    ToolQuestions(Vec<(String, Vec<String>)>),
    /// The same, put as an empty form; and whether the permission may hold for the rest of the session.
    ToolForm {
        /// Whether it may.
        lasting: bool,
    },
    /// A form of some tool server.
    Elicitation,
}

impl Asked {
    /// Whether a refusal carries words.
    pub(super) fn takes_words(&self) -> bool {
        match self {
            Self::Questions(_) => true,
            Self::Command
            | Self::FileChange
            | Self::Permissions(_)
            | Self::ToolQuestions(_)
            | Self::ToolForm { .. }
            | Self::Elicitation => false,
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

/// What the ids of questions begin with that are no questions of the model's, but whether a tool may be used.
const APPROVAL_ID: &str = "mcp_tool_call_approval";

fn questions(native: &str, params: &Value) -> Ask {
    let asked = params["questions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let questions: Vec<Question> = asked.iter().map(question).collect();
    let labels =
        |question: &Question| -> Vec<String> { question.options.iter().map(|option| option.label.clone()).collect() };
    let ids = asked.iter().map(|question| text(question, "id"));
    let form: Vec<(String, Vec<String>)> = ids.zip(questions.iter().map(labels)).collect();
    let is_open = questions.iter().any(|question| question.options.is_empty());
    let kind = if is_open { RequestKind::Input } else { RequestKind::Choice };
    let summary = questions.iter().map(|question| question.text.as_str()).collect::<Vec<_>>().join(" / ");
    if form.iter().any(|(id, _)| id.starts_with(APPROVAL_ID)) {
        let request = permission(native, TOOL_OF_SERVER, &summary, &json!({ "questions": asked }));
        return Ask { asked: Asked::ToolQuestions(form), request, subjects: vec![summary] };
    }
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

/// The word for a permission that names no tool more exactly.
const TOOL_OF_SERVER: &str = "mcp_tool";

/// A form, or, where Codex itself has marked it so, a permission.
fn elicitation(native: &str, params: &Value) -> Ask {
    let server = params["serverName"].as_str().unwrap_or("a tool server");
    let summary = format!("{server}: {}", params["message"].as_str().unwrap_or_default());
    let meta = &params["_meta"];
    if !meta["codex_approval_kind"].is_null() {
        let details = kept(params, &["serverName", "message", "_meta"]);
        let offers =
            |word: &Value| word == "session" || word.as_array().is_some_and(|all| all.contains(&json!("session")));
        let asked = Asked::ToolForm { lasting: offers(&meta["persist"]) };
        return match meta["tool_name"].as_str().filter(|_| meta["codex_approval_kind"] == "mcp_tool_call") {
            Some(tool) => {
                let request = permission(native, &format!("mcp__{server}__{tool}"), &summary, &details);
                Ask { asked, request, subjects: vec![meta["tool_params"].to_string()] }
            }
            None => {
                Ask { asked, request: permission(native, TOOL_OF_SERVER, &summary, &details), subjects: vec![summary] }
            }
        };
    }
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
    fn whether_a_tool_of_a_server_may_be_used_is_a_permission_however_it_is_put() {
        let form = json!({"serverName": "files", "mode": "form", "message": "Allow it?", "requestedSchema": {},
            "_meta": {"codex_approval_kind": "mcp_tool_call", "persist": ["session", "always"], "tool_params": {"a": 1}}});
        let ask = read("n", "mcpServer/elicitation/request", &form, None).unwrap();
        assert_eq!((ask.request.kind, ask.request.summary.as_str()), (RequestKind::Permission, "files: Allow it?"));
        assert!(ask.request.details.contains("tool_params"), "{}", ask.request.details);
        let said = |given| answer(&ask.asked, &given)["action"].clone();
        assert_eq!(answer(&ask.asked, &RequestAnswer::Always)["_meta"]["persist"], "session");
        assert_eq!(answer(&ask.asked, &RequestAnswer::Allow)["_meta"], Value::Null);
        assert_eq!(said(RequestAnswer::Allow), "accept");
        assert_eq!(
            (said(RequestAnswer::Deny { reason: None }), said(RequestAnswer::Dismiss)),
            ("decline".into(), "cancel".into())
        );
        let option = |label: &str| json!({"label": label, "description": ""});
        let asked = json!({"questions": [{"id": "mcp_tool_call_approval_call-7", "header": "h", "question": "Allow it?",
            "isOther": false, "options": [option("Allow"), option("Allow for this session"), option("Cancel")]}]});
        let ask = read("n", "item/tool/requestUserInput", &asked, None).unwrap();
        assert_eq!((ask.request.kind, ask.request.questions.len()), (RequestKind::Permission, 0));
        let said = |given| answer(&ask.asked, &given)["answers"]["mcp_tool_call_approval_call-7"]["answers"][0].clone();
        assert_eq!(
            (said(RequestAnswer::Allow), said(RequestAnswer::Always)),
            ("Allow".into(), "Allow for this session".into())
        );
        assert_eq!(
            (said(RequestAnswer::Deny { reason: None }), said(RequestAnswer::Dismiss)),
            ("Cancel".into(), "Cancel".into())
        );
        let plain = json!({"serverName": "files", "message": "Your name?"});
        assert_eq!(read("n", "mcpServer/elicitation/request", &plain, None).unwrap().request.kind, RequestKind::Input);
    }

    #[test]
    fn what_nobody_can_answer_is_no_request() {
        assert_eq!(read("n", "telepathy/request", &json!({}), None), None);
    }
}
