//! The lines that Claude Code writes, as far as they matter here. Keys and types that are not known are passed over.

use adjutant_core::agent::Usage;
use adjutant_core::outcome::{FailReason, Outcome};
use serde_json::Value;

use crate::claude::form::Form;
use crate::claude::requests::Asked;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// It is ready; and whether it has any way to prove who it is to its model's server.
    Hello {
        /// It is logged in, or has a key, or uses a server that asks for none of these.
        logged_in: bool,
    },
    /// It will not get ready.
    Refused(String),
    /// It has heard that its turn is to stop.
    Stopping,
    /// A message has been taken up by a turn.
    Started(String),
    /// A message was taken back before it was taken up.
    Cancelled(String),
    /// What it is at.
    State(State),
    /// What came of a piece of work.
    Result(Box<Ended>),
    /// A piece of what the model said.
    Text(String),
    /// The model uses a tool: what it said before was no answer yet.
    Tool,
    /// It wants to be permitted something.
    Asked(String, Asked),
    /// A server of tools wants a form filled.
    Form(String, Form),
    /// It wants something else of its host, of this kind, which nobody here can give.
    Wants(String, String),
    /// It wants it no longer.
    Withdrawn(String),
    /// It has refused a tool by a rule of its own, in its own words.
    Refuses(String, String),
    /// So much of its work goes on in the background.
    Background(usize),
    /// Something worth telling.
    Notice(String),
}

/// What Claude Code says it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A turn runs.
    Running,
    /// A turn waits for an answer.
    Waiting,
    /// None runs, and none will by itself.
    Idle,
}

/// What came of a piece of work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ended {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// The final text, where there is one.
    pub(super) text: Option<String>,
    /// Its own words about a failure.
    pub(super) detail: Option<String>,
    /// What it cost.
    pub(super) usage: Usage,
    /// The messages that it covers.
    pub(super) messages: Vec<String>,
}

/// A line, and the conversation that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heard {
    /// What it says; some lines say several things.
    pub(super) said: Vec<Said>,
    /// The id of the conversation, where the line names it.
    pub(super) conversation: Option<String>,
}

/// Reads a line.
pub(super) fn read(line: &str) -> Heard {
    let Ok(line) = serde_json::from_str::<Value>(line) else { return Heard { said: Vec::new(), conversation: None } };
    let conversation = match line["type"].as_str() {
        // These stand for what is just over.
        Some("result" | "system") => line["session_id"].as_str().map(str::to_owned),
        _ => None,
    };
    Heard { said: said(&line), conversation }
}

fn said(line: &Value) -> Vec<Said> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match line["type"].as_str().unwrap_or_default() {
        "control_response" => response(&line["response"]).into_iter().collect(),
        "control_request" if line["request"]["subtype"] == "can_use_tool" => {
            let request = &line["request"];
            let suggestions = request["permission_suggestions"].clone();
            let asked = Asked { tool: text(&request["tool_name"]), input: request["input"].clone(), suggestions };
            vec![Said::Asked(text(&line["request_id"]), asked)]
        }
        "control_request" if line["request"]["subtype"] == "elicitation" => {
            let form = Form::read(&line["request"]);
            form.map(|form| Said::Form(text(&line["request_id"]), form)).into_iter().collect()
        }
        "control_request" => vec![Said::Wants(text(&line["request_id"]), text(&line["request"]["subtype"]))],
        "control_cancel_request" => vec![Said::Withdrawn(text(&line["request_id"]))],
        "command_lifecycle" => match line["state"].as_str() {
            Some("started") => vec![Said::Started(text(&line["command_uuid"]))],
            Some("cancelled") => vec![Said::Cancelled(text(&line["command_uuid"]))],
            _ => Vec::new(),
        },
        "system" => system(line).into_iter().collect(),
        // The words of Claude Code itself about a call that failed; the result has them too.
        "assistant" if line["is_api_error_message"] == true => Vec::new(),
        // What a subagent says is no answer to anybody.
        "assistant" if line["parent_tool_use_id"].is_null() => blocks(&line["message"]["content"]),
        "result" => vec![Said::Result(Box::new(ended(line)))],
        _ => Vec::new(),
    }
}

fn response(response: &Value) -> Option<Said> {
    let id = response["request_id"].as_str()?;
    let failed = response["subtype"] == "error";
    match id {
        "hello" if failed => Some(Said::Refused(response["error"].as_str().unwrap_or("it gives no reason").to_owned())),
        "hello" => Some(Said::Hello { logged_in: is_logged_in(&response["response"]["account"]) }),
        _ if id.starts_with("stop ") => Some(Said::Stopping),
        _ => None,
    }
}

/// Where the account is not told, nothing is claimed of it.
fn is_logged_in(account: &Value) -> bool {
    let nothing = |key: &str| matches!(account[key].as_str(), None | Some("none"));
    account["tokenSource"].is_null()
        || !nothing("tokenSource")
        || !nothing("apiKeySource")
        || account["apiProvider"].as_str().is_some_and(|provider| provider != "firstParty")
}

fn system(line: &Value) -> Option<Said> {
    match line["subtype"].as_str()? {
        "session_state_changed" => match line["state"].as_str()? {
            "running" => Some(Said::State(State::Running)),
            "requires_action" => Some(Said::State(State::Waiting)),
            "idle" => Some(Said::State(State::Idle)),
            _ => None,
        },
        "api_retry" => {
            let status = line["error_status"].as_u64().map_or_else(String::new, |status| format!("{status} "));
            let error = line["error"].as_str().unwrap_or("an error");
            let (attempt, most) = (line["attempt"].as_u64()?, line["max_retries"].as_u64().unwrap_or_default());
            let delay = line["retry_delay_ms"].as_f64().unwrap_or_default();
            Some(Said::Notice(format!(
                "the model answered {status}{error}; retry {attempt} of {most} in {delay:.0} ms"
            )))
        }
        "permission_denied" => {
            let [tool, words] = ["tool_name", "message"].map(|key| line[key].as_str().unwrap_or_default().to_owned());
            Some(Said::Refuses(tool, words))
        }
        "background_tasks_changed" => Some(Said::Background(line["tasks"].as_array().map_or(0, Vec::len))),
        "compact_boundary" => Some(Said::Notice("the conversation was compacted".to_owned())),
        "informational" => line["content"].as_str().map(|text| Said::Notice(text.to_owned())),
        _ => None,
    }
}

fn blocks(content: &Value) -> Vec<Said> {
    let block = |block: &Value| match block["type"].as_str() {
        Some("text") => block["text"].as_str().map(|text| Said::Text(text.to_owned())),
        Some("tool_use") => Some(Said::Tool),
        _ => None,
    };
    content.as_array().into_iter().flatten().filter_map(block).collect()
}

fn ended(line: &Value) -> Ended {
    let outcome = outcome(line);
    let result = line["result"].as_str();
    let errors = line["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let failed = matches!(outcome, Outcome::Failed { .. });
    let words = if errors.is_empty() { result.map(str::to_owned) } else { Some(errors.join("; ")) };
    let messages = line["user_message_uuids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let count = |key: &str| line["usage"][key].as_u64().unwrap_or_default();
    Ended {
        text: result.filter(|_| !failed).map(str::to_owned),
        detail: words.filter(|_| failed),
        usage: Usage {
            input_tokens: count("input_tokens"),
            output_tokens: count("output_tokens"),
            cache_read_tokens: count("cache_read_input_tokens"),
            cache_write_tokens: count("cache_creation_input_tokens"),
        },
        messages: messages.map(str::to_owned).collect(),
        outcome,
    }
}

fn outcome(line: &Value) -> Outcome {
    let ended_by = line["terminal_reason"].as_str().unwrap_or_default();
    if ended_by.starts_with("aborted") {
        return Outcome::Interrupted;
    }
    if line["is_error"] == false && line["stop_reason"] != "refusal" {
        return Outcome::Completed;
    }
    Outcome::Failed { reason: fail_reason(line, ended_by) }
}

fn fail_reason(line: &Value, ended_by: &str) -> FailReason {
    let words = line["result"].as_str().unwrap_or_default().to_lowercase();
    match line["api_error_status"].as_u64() {
        _ if line["stop_reason"] == "refusal" => FailReason::Refused,
        Some(401 | 403) => FailReason::Auth,
        Some(429) => FailReason::RateLimited,
        Some(413) => FailReason::ContextFull,
        _ if words.contains("please run /login") => FailReason::Auth,
        _ if words.contains("prompt is too long") => FailReason::ContextFull,
        Some(_) => FailReason::ApiError,
        None if ended_by == "api_error" => FailReason::ApiError,
        None => FailReason::AgentError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Said {
        let mut said = read(line).said;
        assert_eq!(said.len(), 1, "{line}");
        said.remove(0)
    }

    #[test]
    fn lines_of_a_turn_are_read() {
        let started =
            r#"{"type":"command_lifecycle","command_uuid":"u1","state":"started","uuid":"x","session_id":"s"}"#;
        assert_eq!(one(started), Said::Started("u1".into()));
        let idle = r#"{"type":"system","subtype":"session_state_changed","state":"idle","session_id":"s2"}"#;
        assert_eq!(read(idle), Heard { said: vec![Said::State(State::Idle)], conversation: Some("s2".into()) });
        let said = r#"{"type":"assistant","message":{"content":[{"type":"text","text":"hi"},{"type":"tool_use","name":"Bash"}]},"parent_tool_use_id":null}"#;
        assert_eq!(read(said).said, [Said::Text("hi".into()), Said::Tool]);
        let failed = r#"{"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error"}]},"parent_tool_use_id":null,"is_api_error_message":true}"#;
        assert_eq!(read(failed).said, []);
        let left = r#"{"type":"system","subtype":"background_tasks_changed","tasks":[{"id":"b1"}],"session_id":"s"}"#;
        assert_eq!(one(left), Said::Background(1));
        let wants = r#"{"type":"control_request","request_id":"r","request":{"subtype":"telepathy"}}"#;
        assert_eq!(one(wants), Said::Wants("r".into(), "telepathy".into()));
        let form = r#"{"type":"control_request","request_id":"r","request":{"subtype":"elicitation","mcp_server_name":"el","message":"Who?"}}"#;
        assert!(matches!(one(form), Said::Form(native, _) if native == "r"));
        assert_eq!(read("not json").said, []);
        assert_eq!(read(r#"{"type":"telepathy"}"#).said, []);
    }

    #[test]
    fn results_say_how_it_ended() {
        let cases = [
            (r#"{"type":"result","is_error":false,"terminal_reason":"completed","result":"hi"}"#, Outcome::Completed),
            (
                r#"{"type":"result","is_error":true,"subtype":"error_during_execution","terminal_reason":"aborted_tools"}"#,
                Outcome::Interrupted,
            ),
            (
                r#"{"type":"result","is_error":true,"subtype":"success","terminal_reason":"api_error","api_error_status":429,"result":"x"}"#,
                Outcome::Failed { reason: FailReason::RateLimited },
            ),
            (
                r#"{"type":"result","is_error":true,"terminal_reason":"api_error","result":"Not logged in · Please run /login"}"#,
                Outcome::Failed { reason: FailReason::Auth },
            ),
            (
                r#"{"type":"result","is_error":true,"terminal_reason":"api_error","api_error_status":400,"result":"API Error: 400"}"#,
                Outcome::Failed { reason: FailReason::ApiError },
            ),
        ];
        for (line, outcome) in cases {
            let Said::Result(ended) = one(line) else { panic!("no result") };
            assert_eq!(ended.outcome, outcome, "{line}");
            assert_eq!(ended.detail.is_some(), matches!(outcome, Outcome::Failed { .. }), "{line}");
        }
    }

    #[test]
    fn who_is_not_logged_in_is_told_from_the_account() {
        let hello = |account: &str| {
            one(&format!(
                r#"{{"type":"control_response","response":{{"subtype":"success","request_id":"hello","response":{{"account":{account}}}}}}}"#
            ))
        };
        let cases = [
            (r#"{"tokenSource":"none","apiProvider":"firstParty"}"#, false),
            (r#"{"tokenSource":"none","apiKeySource":"ANTHROPIC_API_KEY","apiProvider":"firstParty"}"#, true),
            (r#"{"tokenSource":"ANTHROPIC_AUTH_TOKEN","apiProvider":"firstParty"}"#, true),
            (r#"{"tokenSource":"none","apiProvider":"bedrock"}"#, true),
            ("{}", true),
        ];
        for (account, logged_in) in cases {
            assert_eq!(hello(account), Said::Hello { logged_in }, "{account}");
        }
    }
}
