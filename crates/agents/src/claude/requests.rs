//! What Claude Code asks, and how it is answered: the same in its hooks and in its headless protocol.

use adjutant_core::agent::{NewRequest, Question, QuestionOption, RequestKind};
use adjutant_core::limits::SUMMARY_CHARS_MAX;
use adjutant_core::request::RequestAnswer;
use serde_json::{Map, Value, json};

/// The tool by which the model asks a person something.
const QUESTION_TOOL: &str = "AskUserQuestion";

/// The tool by which the model wants its plan approved.
const PLAN_TOOL: &str = "ExitPlanMode";

/// Keys of a tool's input that say best what it is to do, in this order.
const TELLING: [&str; 9] =
    ["command", "file_path", "notebook_path", "path", "url", "pattern", "query", "prompt", "description"];

/// A tool that the agent wants to use, and may not without being told so.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    /// The tool.
    pub(super) tool: String,
    /// What it is given.
    pub(super) input: Value,
    /// What Claude Code would remember to ask no more; an array or nothing.
    pub(super) suggestions: Value,
}

/// What a decision is in Claude Code's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decided {
    /// Do it, with this input where it is another, and remember these rules.
    Allow {
        /// The input to use.
        input: Option<Value>,
        /// Rules for the rest of the session.
        remember: Option<Value>,
    },
    /// Do not.
    Deny {
        /// What the model is told.
        message: String,
    },
}

impl Decided {
    /// What a rule says that refuses.
    pub(super) fn refused_by_rule(asked: &Asked) -> Self {
        Self::Deny { message: format!("A rule of this session refuses {}.", asked.tool) }
    }

    /// The decision as Claude Code reads it, in its hooks and in its protocol alike.
    pub(super) fn words(&self) -> Value {
        match self {
            Self::Deny { message } => json!({"behavior": "deny", "message": message}),
            Self::Allow { input, remember } => {
                let mut words = json!({"behavior": "allow"});
                if let Some(input) = input {
                    words["updatedInput"] = input.clone();
                }
                if let Some(remember) = remember {
                    words["updatedPermissions"] = remember.clone();
                }
                words
            }
        }
    }
}

impl Asked {
    /// One line of what the tool is to do.
    pub(super) fn summary(&self) -> String {
        if self.tool == PLAN_TOOL {
            return cut(self.input["plan"].as_str().map_or("its plan is ready", |plan| plan));
        }
        if let Some(first) = questions(&self.input).first() {
            return cut(&first.text);
        }
        let told = TELLING.iter().find_map(|key| self.input[*key].as_str());
        told.map_or_else(|| cut(&self.input.to_string()), cut)
    }

    /// What a rule is held against: the whole of what the tool is to do.
    pub(super) fn what(&self) -> String {
        let told = TELLING.iter().find_map(|key| self.input[*key].as_str());
        told.map_or_else(|| self.input.to_string(), str::to_owned)
    }

    /// Whether it is a question to a person, which no rule can answer.
    pub(super) fn is_question(&self) -> bool {
        self.tool == QUESTION_TOOL
    }

    /// The request for whoever is to answer.
    pub(super) fn request(&self, native: &str) -> NewRequest {
        let questions = if self.is_question() { questions(&self.input) } else { Vec::new() };
        let labels = |question: &Question| question.options.iter().map(|option| option.label.clone()).collect();
        let (options, multiple) = match questions.as_slice() {
            [one] => (labels(one), one.multiple),
            _ => (Vec::new(), false),
        };
        NewRequest {
            native: native.to_owned(),
            kind: if self.is_question() { RequestKind::Choice } else { RequestKind::Permission },
            tool: Some(self.tool.clone()),
            summary: self.summary(),
            options,
            multiple,
            questions,
            details: self.input.to_string(),
        }
    }

    /// Whether an answer is one to what is asked.
    pub(super) fn takes(&self, answer: &RequestAnswer) -> bool {
        match answer {
            RequestAnswer::Allow | RequestAnswer::Always => !self.is_question(),
            RequestAnswer::Choose(_) | RequestAnswer::Text(_) => self.is_question(),
            RequestAnswer::Deny { .. } | RequestAnswer::Dismiss => true,
        }
    }

    /// What an answer is in Claude Code's words.
    pub(super) fn decided(&self, answer: &RequestAnswer) -> Decided {
        match answer {
            RequestAnswer::Allow => Decided::Allow { input: self.shown(), remember: None },
            RequestAnswer::Always => Decided::Allow { input: self.shown(), remember: Some(self.remembered()) },
            RequestAnswer::Deny { reason } => {
                let message = reason.clone().unwrap_or_else(|| "This was not permitted.".to_owned());
                Decided::Deny { message }
            }
            RequestAnswer::Choose(chosen) => self.answered(|at, question| {
                let places = chosen.get(at).map_or(&[][..], Vec::as_slice);
                let labels = places.iter().filter_map(|place| question.options.get(*place));
                labels.map(|option| option.label.as_str()).collect::<Vec<_>>().join(", ")
            }),
            RequestAnswer::Text(text) => self.answered(|_, _| text.to_string()),
            RequestAnswer::Dismiss => {
                Decided::Deny { message: "The question was closed without an answer.".to_owned() }
            }
        }
    }

    /// The input that an answer has to repeat: a plan that is approved without it stays on the screen, unapproved.
    fn shown(&self) -> Option<Value> {
        (self.tool == PLAN_TOOL).then(|| self.input.clone())
    }

    fn answered(&self, answer: impl Fn(usize, &Question) -> String) -> Decided {
        let asked = questions(&self.input);
        let answers =
            asked.iter().enumerate().map(|(at, question)| (question.text.clone(), answer(at, question).into()));
        let answers: Map<String, Value> = answers.collect();
        let mut input = self.input.clone();
        input["answers"] = Value::Object(answers);
        Decided::Allow { input: Some(input), remember: None }
    }

    /// Rules for the rest of this session: what Claude Code itself suggests to remember, kept out of the user's files.
    fn remembered(&self) -> Value {
        let rules = self.suggestions.as_array().into_iter().flatten().filter(|one| one["type"] == "addRules");
        let mut rules: Vec<Value> = rules.cloned().collect();
        if rules.is_empty() {
            rules.push(json!({"type": "addRules", "rules": [{"toolName": self.tool}], "behavior": "allow"}));
        }
        for rule in &mut rules {
            rule["destination"] = "session".into();
        }
        Value::Array(rules)
    }
}

/// The questions of a tool's input that asks some.
fn questions(input: &Value) -> Vec<Question> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let option = |value: &Value| QuestionOption {
        label: text(&value["label"]),
        description: value["description"].as_str().map(str::to_owned),
    };
    let question = |value: &Value| Question {
        label: text(&value["header"]),
        text: text(&value["question"]),
        options: value["options"].as_array().into_iter().flatten().map(option).collect(),
        multiple: value["multiSelect"].as_bool().unwrap_or_default(),
        free_text: true,
    };
    input["questions"].as_array().into_iter().flatten().map(question).collect()
}

/// A text as one line, not too long.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SUMMARY_CHARS_MAX).collect()
}

/// All lines in one, not too long: whoever answers has to see that there is a second command.
fn cut(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.join(" ⏎ ");
    if line.chars().count() <= SUMMARY_CHARS_MAX {
        return line;
    }
    let kept: String = line.chars().take(SUMMARY_CHARS_MAX - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bash() -> Asked {
        let suggestions = json!([
            {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "touch a"}], "behavior": "allow", "destination": "localSettings"},
            {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
        ]);
        Asked { tool: "Bash".into(), input: json!({"command": "touch a", "description": "make a"}), suggestions }
    }

    fn colour() -> Asked {
        let options = json!([{"label": "Red", "description": "red one"}, {"label": "Blue"}]);
        let second = json!({"question": "Which sizes?", "header": "Size", "options": options, "multiSelect": true});
        let first = json!({"question": "Which colour?", "header": "Colour", "options": options, "multiSelect": false});
        let input = json!({"questions": [first, second]});
        Asked { tool: QUESTION_TOOL.into(), input, suggestions: Value::Null }
    }

    #[test]
    fn a_permission_is_told_in_a_line() {
        let request = bash().request("n1");
        assert_eq!((request.kind, request.summary.as_str()), (RequestKind::Permission, "touch a"));
        assert_eq!(request.tool.as_deref(), Some("Bash"));
        let long = Asked { input: json!({"command": format!("echo {}\nrm x", "é".repeat(400))}), ..bash() };
        assert_eq!(long.summary().chars().count(), SUMMARY_CHARS_MAX);
        assert!(long.what().ends_with("\nrm x"), "a rule sees all of it");
        let two = Asked { input: json!({"command": "mkdir a\n\n  rm -rf b\n"}), ..bash() };
        assert_eq!(two.summary(), "mkdir a ⏎ rm -rf b");
    }

    #[test]
    fn always_is_for_the_session_alone() {
        let Decided::Allow { input: None, remember: Some(rules) } = bash().decided(&RequestAnswer::Always) else {
            panic!("not allowed")
        };
        let expected = json!([{"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "touch a"}], "behavior": "allow", "destination": "session"}]);
        assert_eq!(rules, expected);
    }

    #[test]
    fn questions_are_answered_by_their_text() {
        let request = colour().request("n2");
        assert_eq!((request.kind, request.questions.len()), (RequestKind::Choice, 2));
        let answer = RequestAnswer::Choose(vec![vec![1], vec![0, 1]]);
        let Decided::Allow { input: Some(input), .. } = colour().decided(&answer) else { panic!("not answered") };
        assert_eq!(input["answers"], json!({"Which colour?": "Blue", "Which sizes?": "Red, Blue"}));
        assert_eq!(input["questions"], colour().input["questions"]);
    }
}
