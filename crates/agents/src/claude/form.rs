//! A form that a server of tools wants filled by a person: the same in Claude Code's hooks and in its headless protocol.

use adjutant_core::agent::{NewRequest, Question, RequestKind};
use adjutant_core::request::RequestAnswer;
use serde_json::{Value, json};

use super::requests::one_line;

/// A form as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// The server.
    server: String,
    /// What it asks.
    summary: String,
}

impl Form {
    /// Reads one; `None` where there is none.
    pub(super) fn read(asked: &Value) -> Option<Self> {
        let server = asked["mcp_server_name"].as_str()?;
        let summary = one_line(&format!("{server} asks: {}", asked["message"].as_str().unwrap_or_default()));
        Some(Self { server: server.to_owned(), summary })
    }

    /// The request that is reported.
    pub(super) fn request(&self, native: &str) -> NewRequest {
        let (label, text) = (self.server.clone(), self.summary.clone());
        NewRequest {
            native: native.to_owned(),
            kind: RequestKind::Input,
            tool: Some(self.server.clone()),
            summary: self.summary.clone(),
            options: Vec::new(),
            multiple: false,
            questions: vec![Question { label, text, options: Vec::new(), multiple: false, free_text: true }],
            details: String::new(),
        }
    }
}

/// What an answer to a form is in Claude Code's words: a text fills it, by its JSON or as its only value; anything else
/// declines it.
pub(super) fn answered(answer: &RequestAnswer) -> Value {
    let RequestAnswer::Text(text) = answer else { return json!({"action": "decline"}) };
    let content = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    json!({"action": "accept", "content": content.unwrap_or_else(|| json!({"value": &**text}))})
}
