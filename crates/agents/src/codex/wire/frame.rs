//! One message of the protocol, told apart by its members.

use serde_json::{Value, json};

/// The id of a request of the app-server's. Its ids are its own: they overlap with ours, and begin anew with each life of
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) struct RequestKey(Value);

impl RequestKey {
    /// The id as it goes back in an answer.
    pub(in crate::codex) fn value(&self) -> &Value {
        &self.0
    }

    /// The id in a word.
    pub(in crate::codex) fn word(&self) -> String {
        match &self.0 {
            Value::String(text) => text.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => self.0.to_string(),
        }
    }

    /// The id out of a notification that names it.
    pub(in crate::codex) fn from_value(value: &Value) -> Self {
        Self(value.clone())
    }
}

/// An error that the app-server answered with. Nearly all have the same code, so the message tells them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) struct Refusal {
    /// The code.
    pub(in crate::codex) code: i64,
    /// What it says.
    pub(in crate::codex) message: String,
}

/// A message of the app-server.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::codex) enum Incoming {
    /// It asks something, and waits for an answer.
    Request {
        /// Its id of it.
        id: RequestKey,
        /// What it asks.
        method: String,
        /// About what.
        params: Value,
    },
    /// It answers a request of ours.
    Answer {
        /// Our id of the request.
        id: u64,
        /// The answer.
        result: Result<Value, Refusal>,
    },
    /// It tells something.
    Notification {
        /// What.
        method: String,
        /// About what.
        params: Value,
    },
    /// A form that no version known here has.
    Unknown,
}

impl Incoming {
    /// Reads a message. What has a method and an id is a request, whatever the id: the two sides count alike.
    pub(in crate::codex) fn read(text: &str) -> Self {
        let Ok(Value::Object(mut members)) = serde_json::from_str::<Value>(text) else { return Self::Unknown };
        let id = members.remove("id").filter(|id| !id.is_null());
        let params = members.remove("params").unwrap_or(Value::Null);
        match (members.remove("method"), id) {
            (Some(Value::String(method)), Some(id)) => Self::Request { id: RequestKey(id), method, params },
            (Some(Value::String(method)), None) => Self::Notification { method, params },
            (None, Some(id)) => match (id.as_u64(), members.remove("error")) {
                (Some(id), Some(error)) => Self::Answer { id, result: Err(refusal(&error)) },
                (Some(id), None) => Self::Answer { id, result: Ok(members.remove("result").unwrap_or(Value::Null)) },
                (None, _) => Self::Unknown,
            },
            (Some(_), _) | (None, None) => Self::Unknown,
        }
    }
}

fn refusal(error: &Value) -> Refusal {
    let message = error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned);
    Refusal { code: error["code"].as_i64().unwrap_or(0), message }
}

/// A request of ours, as text.
pub(super) fn request_text(id: u64, method: &str, params: &Value) -> String {
    json!({"id": id, "method": method, "params": params}).to_string()
}

/// A notification of ours, as text.
pub(super) fn notification_text(method: &str) -> String {
    json!({ "method": method }).to_string()
}

/// The answer to a request of the app-server's, as text.
pub(super) fn answer_text(id: &RequestKey, result: &Value) -> String {
    json!({"id": id.value(), "result": result}).to_string()
}

/// The refusal of a request of the app-server's, as text.
pub(super) fn refusal_text(id: &RequestKey, message: &str) -> String {
    json!({"id": id.value(), "error": {"code": -32601, "message": message}}).to_string()
}
