//! What Claude Code asks by its `PermissionRequest` and `Elicitation` hooks, and how it is answered there.

use adjutant_core::agent::{NewRequest, Question, QuestionOption, RequestKind};
use serde_json::{Value, json};

use crate::RequestAnswer;
use crate::limits::SUMMARY_CHARS_MAX;

/// A question as it was put.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    what: What,
    tool: String,
    summary: String,
    payload: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Permission,
    Questions,
    /// A server of tools asks for something.
    Form,
    /// A dialog that only the terminal can answer.
    Dialog,
}

/// The tool by which the model asks the user.
const QUESTIONS: &str = "AskUserQuestion";

/// Where a tool's input says what it is about, in the order in which it is looked for.
const TELLING: [&str; 9] =
    ["command", "file_path", "path", "url", "query", "pattern", "notebook_path", "description", "prompt"];

/// Reads the payload of a hook that asks; `None` where it asks nothing that can be understood.
pub(super) fn read(payload: &str) -> Option<Asked> {
    let payload: Value = serde_json::from_str(payload).ok()?;
    if let Some(server) = payload["mcp_server_name"].as_str() {
        let summary = format!("{server} asks: {}", payload["message"].as_str().unwrap_or_default());
        return Some(Asked { what: What::Form, tool: server.to_owned(), summary: line(&summary), payload });
    }
    let tool = payload["tool_name"].as_str()?.to_owned();
    let input = &payload["tool_input"];
    let what = if tool == QUESTIONS { What::Questions } else { What::Permission };
    let about = TELLING.iter().find_map(|key| input[*key].as_str());
    let about = match what {
        What::Questions => input["questions"][0]["question"].as_str().unwrap_or_default().to_owned(),
        What::Permission | What::Form | What::Dialog => about.map_or_else(|| input.to_string(), str::to_owned),
    };
    Some(Asked { what, summary: line(&about), tool, payload })
}

/// A dialog of which no hook tells.
pub(super) fn dialog(what: &str) -> Asked {
    let summary = format!("a dialog is open in the terminal ({what}); a person has to answer it there");
    Asked { what: What::Dialog, tool: "terminal".to_owned(), summary, payload: Value::Null }
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SUMMARY_CHARS_MAX).collect()
}

impl Asked {
    /// The tool and what it is to do, for rules; `None` for what no rule may answer.
    pub(super) fn rule_words(&self) -> Option<(&str, &str)> {
        (self.what == What::Permission).then_some((self.tool.as_str(), self.summary.as_str()))
    }

    /// Whether it can be answered from elsewhere.
    pub(super) fn is_answerable(&self) -> bool {
        self.what != What::Dialog
    }

    /// Whether the agent goes on with its turn when this is refused, so that the turn has to be stopped besides.
    pub(super) fn outlives_refusal(&self) -> bool {
        self.what == What::Form
    }

    /// The refusal that ends the turn as well, where the agent has such a thing.
    pub(super) fn refusal(&self) -> String {
        match self.what {
            What::Form => declined(),
            What::Permission | What::Questions | What::Dialog => deny(Some("the turn was interrupted"), true),
        }
    }

    /// The request that is reported.
    pub(super) fn request(&self, id: &str) -> NewRequest {
        let questions = self.questions();
        let options = questions.first().map(|first| first.options.iter().map(|option| option.label.clone()).collect());
        NewRequest {
            native: id.to_owned(),
            kind: match self.what {
                What::Permission => RequestKind::Permission,
                // A dialog has options that are known at the terminal alone, so no answer from elsewhere is one of them.
                What::Questions | What::Dialog => RequestKind::Choice,
                What::Form => RequestKind::Input,
            },
            tool: Some(self.tool.clone()),
            summary: self.summary.clone(),
            options: options.unwrap_or_default(),
            multiple: questions.first().is_some_and(|first| first.multiple),
            questions,
            details: self.payload["tool_input"].to_string(),
        }
    }

    fn questions(&self) -> Vec<Question> {
        if self.what == What::Dialog {
            let (label, text) = (self.tool.clone(), self.summary.clone());
            return vec![Question { label, text, options: Vec::new(), multiple: false, free_text: false }];
        }
        let asked = self.payload["tool_input"]["questions"].as_array().map(Vec::as_slice).unwrap_or_default();
        asked.iter().map(question).collect()
    }

    /// The answer in the hook's words.
    ///
    /// # Errors
    /// Why this answer is none to this question.
    pub(super) fn answer(&self, answer: &RequestAnswer) -> Result<String, String> {
        match (self.what, answer) {
            (What::Dialog, _) => Err("it can only be answered at the terminal: adj attach".to_owned()),
            (What::Permission, RequestAnswer::Allow) => Ok(allow()),
            (What::Permission, RequestAnswer::Always) => Ok(self.always()),
            (What::Questions, RequestAnswer::Choose(chosen)) => Ok(self.answered(&self.chosen(chosen))),
            (What::Questions, RequestAnswer::Text(text)) => {
                let texts = vec![text.to_string(); self.questions().len()];
                Ok(self.answered(&texts))
            }
            (What::Form, RequestAnswer::Text(text)) => Ok(filled(text)),
            (What::Form, _) => Ok(declined()),
            (What::Permission | What::Questions, RequestAnswer::Deny { reason }) => Ok(deny(reason.as_deref(), false)),
            (What::Permission | What::Questions, RequestAnswer::Dismiss) => {
                Ok(deny(Some("nobody wants to answer"), false))
            }
            (What::Permission, RequestAnswer::Choose(_) | RequestAnswer::Text(_))
            | (What::Questions, RequestAnswer::Allow | RequestAnswer::Always) => {
                Err("that is no answer to this question".to_owned())
            }
        }
    }

    /// A permission that the agent keeps as it would have proposed to a person.
    fn always(&self) -> String {
        let kept = self.payload.get("permission_suggestions").cloned().unwrap_or_else(|| json!([]));
        decision(&json!({"behavior": "allow", "updatedPermissions": kept}))
    }

    fn chosen(&self, chosen: &[Vec<usize>]) -> Vec<String> {
        let label = |question: &Question, at: &usize| question.options.get(*at).map(|option| option.label.clone());
        let of = |(question, places): (&Question, &Vec<usize>)| {
            places.iter().filter_map(|at| label(question, at)).collect::<Vec<_>>().join(", ")
        };
        self.questions().iter().zip(chosen).map(of).collect()
    }

    fn answered(&self, texts: &[String]) -> String {
        let mut input = self.payload["tool_input"].clone();
        let questions = self.questions().into_iter().zip(texts);
        input["answers"] = questions.map(|(question, text)| (question.text, Value::from(text.as_str()))).collect();
        decision(&json!({"behavior": "allow", "updatedInput": input}))
    }
}

fn question(asked: &Value) -> Question {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let option = |option: &Value| QuestionOption {
        label: word(&option["label"]),
        description: option["description"].as_str().map(str::to_owned),
    };
    Question {
        label: word(&asked["header"]),
        text: word(&asked["question"]),
        options: asked["options"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(option).collect(),
        multiple: asked["multiSelect"] == true,
        free_text: true,
    }
}

/// A permission.
pub(super) fn allow() -> String {
    decision(&json!({"behavior": "allow"}))
}

/// A refusal, which may end the turn as well.
pub(super) fn deny(reason: Option<&str>, interrupt: bool) -> String {
    let message = reason.unwrap_or("the user refused it");
    if interrupt {
        return decision(&json!({"behavior": "deny", "message": message, "interrupt": true}));
    }
    decision(&json!({"behavior": "deny", "message": message}))
}

fn decision(decision: &Value) -> String {
    json!({"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}).to_string()
}

fn declined() -> String {
    json!({"hookSpecificOutput": {"hookEventName": "Elicitation", "action": "decline"}}).to_string()
}

/// A form that a text fills: its JSON, or the text itself as the only value.
fn filled(text: &str) -> String {
    let content = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    let content = content.unwrap_or_else(|| json!({"value": text}));
    json!({"hookSpecificOutput": {"hookEventName": "Elicitation", "action": "accept", "content": content}}).to_string()
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
        assert!(asked.answer(&RequestAnswer::Allow).is_err() && asked.rule_words().is_none());
    }

    #[test]
    fn permissions() {
        let asked = read(r#"{"tool_name":"Bash","tool_input":{"command":"touch a\n b"},"permission_suggestions":[1]}"#)
            .unwrap();
        assert_eq!(asked.rule_words(), Some(("Bash", "touch a b")));
        let denied = json_of(&asked.answer(&RequestAnswer::Deny { reason: Some("no".into()) }).unwrap());
        assert_eq!(denied["hookSpecificOutput"]["decision"], json!({"behavior": "deny", "message": "no"}));
        let always = json_of(&asked.answer(&RequestAnswer::Always).unwrap());
        assert_eq!(always["hookSpecificOutput"]["decision"]["updatedPermissions"], json!([1]));
        assert!(asked.answer(&RequestAnswer::Text("x".into())).is_err());
    }

    #[test]
    fn a_dialog_has_no_answer_from_elsewhere() {
        assert!(dialog("dialog open").answer(&RequestAnswer::Allow).is_err());
        let request = dialog("dialog open").request("7");
        assert!(!request.questions[0].free_text && request.options.is_empty());
        assert_eq!(read("{}"), None);
    }
}
