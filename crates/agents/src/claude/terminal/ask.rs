//! What Claude Code asks by its `PermissionRequest` and `Elicitation` hooks, and how it is answered there. What a tool asks
//! is the same as in its protocol; a form of a server's and a dialog are known here alone.

use adjutant_core::agent::{NewRequest, Question, RequestKind};
use serde_json::{Value, json};

use crate::claude::form::{self, Form};
use crate::claude::requests::{Asked as Tool, Decided};
use crate::{RequestAnswer, Verdict};

/// A question as it was put.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::claude) enum Asked {
    /// A tool wants to be used, or asks a person something.
    Tool(Tool),
    /// A server of tools asks for something.
    Form(Form),
    /// A dialog that only the terminal can answer.
    Dialog {
        /// What the status file calls it.
        what: String,
    },
}

/// Reads the payload of a hook that asks; `None` where it asks nothing that can be understood.
pub(super) fn read(payload: &str) -> Option<Asked> {
    let mut payload: Value = serde_json::from_str(payload).ok()?;
    if let Some(form) = Form::read(&payload) {
        return Some(Asked::Form(form));
    }
    let tool = payload["tool_name"].as_str()?.to_owned();
    let (input, suggestions) = (payload["tool_input"].take(), payload["permission_suggestions"].take());
    Some(Asked::Tool(Tool { tool, input, suggestions }))
}

/// A dialog of which no hook tells.
pub(in crate::claude) fn dialog(what: &str) -> Asked {
    Asked::Dialog { what: what.to_owned() }
}

/// What a rule says to a tool, in the hook's words.
pub(super) fn ruled(asked: &Tool, verdict: Verdict) -> String {
    decided(match verdict {
        Verdict::Allow => asked.decided(&RequestAnswer::Allow),
        Verdict::Deny => Decided::refused_by_rule(asked),
    })
}

impl Asked {
    /// The tool, where rules may answer; `None` for what no rule may answer.
    pub(super) fn for_rules(&self) -> Option<&Tool> {
        match self {
            Self::Tool(tool) if !tool.is_question() => Some(tool),
            Self::Tool(_) | Self::Form(_) | Self::Dialog { .. } => None,
        }
    }

    /// Whether it can be answered from elsewhere.
    pub(super) fn is_answerable(&self) -> bool {
        !matches!(self, Self::Dialog { .. })
    }

    /// Whether the agent goes on with its turn when this is refused, so that the turn has to be stopped besides.
    pub(super) fn outlives_refusal(&self) -> bool {
        matches!(self, Self::Form(_))
    }

    /// The refusal that ends the turn as well, where the agent has such a thing.
    pub(super) fn refusal(&self) -> String {
        match self {
            Self::Form(_) => filled(&RequestAnswer::Dismiss),
            Self::Tool(_) | Self::Dialog { .. } => {
                decision(&json!({"behavior": "deny", "message": "the turn was interrupted", "interrupt": true}))
            }
        }
    }

    /// The request that is reported.
    pub(in crate::claude) fn request(&self, id: &str) -> NewRequest {
        match self {
            Self::Tool(tool) => tool.request(id),
            Self::Form(form) => form.request(id),
            Self::Dialog { what } => {
                let text = format!("a dialog is open in the terminal ({what}); a person has to answer it there");
                // It has options that are known at the terminal alone, so no answer from elsewhere is one of them.
                let tool = "terminal".to_owned();
                let (label, summary) = (tool.clone(), text.clone());
                NewRequest {
                    native: id.to_owned(),
                    kind: RequestKind::Choice,
                    tool: Some(tool),
                    summary,
                    options: Vec::new(),
                    multiple: false,
                    questions: vec![Question { label, text, options: Vec::new(), multiple: false, free_text: false }],
                    details: String::new(),
                }
            }
        }
    }

    /// The answer in the hook's words.
    ///
    /// # Errors
    /// Why this answer is none to this question.
    pub(super) fn answer(&self, answer: &RequestAnswer) -> Result<String, String> {
        match (self, answer) {
            (Self::Dialog { .. }, _) => Err("it can only be answered at the terminal: adj attach".to_owned()),
            (Self::Form(_), answer) => Ok(filled(answer)),
            (Self::Tool(tool), answer) if tool.takes(answer) => Ok(decided(tool.decided(answer))),
            (Self::Tool(_), _) => Err("that is no answer to this question".to_owned()),
        }
    }
}

fn decided(decided: Decided) -> String {
    decision(&decided.words())
}

fn decision(decision: &Value) -> String {
    json!({"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}).to_string()
}

/// The answer to a form, in the hook's words.
fn filled(answer: &RequestAnswer) -> String {
    let mut output = form::answered(answer);
    output["hookEventName"] = "Elicitation".into();
    json!({ "hookSpecificOutput": output }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &str = r#"{"tool_name":"AskUserQuestion","tool_input":{"questions":[{"question":"Which?","header":"C",
        "options":[{"label":"Red","description":"r"},{"label":"Blue"}],"multiSelect":true}]}}"#;

    fn json_of(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn questions_are_answered_by_their_text() {
        let asked = read(QUESTION).unwrap();
        let request = asked.request("7");
        assert_eq!((request.kind, request.options.len(), request.multiple), (RequestKind::Choice, 2, true));
        let answer = json_of(&asked.answer(&RequestAnswer::Choose(vec![vec![0, 1]])).unwrap());
        let input = &answer["hookSpecificOutput"]["decision"]["updatedInput"];
        assert_eq!((&input["answers"]["Which?"], input["questions"].is_array()), (&json!("Red, Blue"), true));
        assert!(asked.answer(&RequestAnswer::Allow).is_err() && asked.for_rules().is_none());
    }

    #[test]
    fn permissions() {
        let asked = read(
            r#"{"tool_name":"Bash","tool_input":{"command":"touch a\n b"},"permission_suggestions":[
            {"type":"setMode","mode":"acceptEdits","destination":"session"}]}"#,
        )
        .unwrap();
        assert_eq!(asked.for_rules().unwrap().what(), "touch a\n b", "a rule sees both lines");
        let denied = json_of(&asked.answer(&RequestAnswer::Deny { reason: Some("no".into()) }).unwrap());
        assert_eq!(denied["hookSpecificOutput"]["decision"], json!({"behavior": "deny", "message": "no"}));
        let always = json_of(&asked.answer(&RequestAnswer::Always).unwrap());
        let kept = &always["hookSpecificOutput"]["decision"]["updatedPermissions"];
        assert_eq!(
            (&kept[0]["type"], &kept[0]["destination"], kept.as_array().unwrap().len()),
            (&json!("addRules"), &json!("session"), 1)
        );
        assert!(asked.answer(&RequestAnswer::Text("x".into())).is_err());
    }

    #[test]
    fn a_form_is_filled_or_declined() {
        let asked = read(r#"{"mcp_server_name":"el","message":"Your name?"}"#).unwrap();
        assert_eq!((asked.request("7").summary.as_str(), asked.outlives_refusal()), ("el asks: Your name?", true));
        let filled = json_of(&asked.answer(&RequestAnswer::Text(r#"{"name":"x"}"#.into())).unwrap());
        assert_eq!(filled["hookSpecificOutput"]["content"], json!({"name": "x"}));
        let declined = json_of(&asked.answer(&RequestAnswer::Dismiss).unwrap());
        assert_eq!(declined["hookSpecificOutput"]["action"], "decline");
    }

    #[test]
    fn a_dialog_has_no_answer_from_elsewhere() {
        assert!(dialog("dialog open").answer(&RequestAnswer::Allow).is_err());
        let request = dialog("dialog open").request("7");
        assert!(!request.questions[0].free_text && request.options.is_empty());
        assert_eq!(read("{}"), None);
    }
}
