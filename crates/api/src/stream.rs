//! The records of streams: one JSON object each, as the data of a server-sent event or as a line.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::ErrorBody;
use crate::schema::{Definitions, Schema, answer, words};
use crate::types::event::Event;
use crate::types::turn::TurnResult;

words! {
    /// Why a wait came to its end.
    pub enum WaitEnd {
        /// As many sessions are done as were asked for.
        Done = "done",
        /// A session waits for an answer.
        Input = "input",
        /// The time was over.
        Timeout = "timeout",
    }
}

answer! {
    /// What a wait found.
    pub struct WaitResult {
        /// Why it came to its end.
        pub ended_by: WaitEnd,
        /// One result per session, in the order of the call; sessions that are not done are left out, or, after a
        /// timeout, have the outcome `timeout`.
        pub results: Vec<TurnResult>,
    }
}

/// One record of the stream of a wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WaitRecord {
    /// What is waited for, first and whenever it changes. The cursor continues the same wait on another connection, also
    /// to a daemon that was started anew; it is the id of the server-sent event as well.
    Waiting {
        /// The opaque cursor.
        cursor: String,
    },
    /// Nothing to say for a while.
    Alive,
    /// The daemon was told to end; the stream breaks, and the same wait can be continued at the next daemon.
    Stopping,
    /// A session is done.
    Session {
        /// What came of it.
        result: TurnResult,
    },
    /// The last record: the wait has come to its end.
    Result(WaitResult),
    /// The last record: the wait cannot go on.
    Error {
        /// Why not.
        error: ErrorBody,
    },
    /// A record of a newer version, to be passed over.
    #[serde(other)]
    Other,
}

/// One record of the stream of events. The id of the server-sent event is the event's `seq`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventRecord {
    /// An event.
    Event {
        /// The event.
        event: Event,
    },
    /// First of all, and whenever there is nothing to say for a while.
    Alive {
        /// The cursor up to which the log has been looked at; a later stream may begin there.
        #[serde(default)]
        seq: Option<u64>,
    },
    /// The daemon was told to end; the stream breaks, and can be continued at the next daemon.
    Stopping,
    /// The last record: the stream has come to its end.
    Result {
        /// The last cursor that was looked at.
        seq: u64,
    },
    /// The last record: the stream cannot go on.
    Error {
        /// Why not.
        error: ErrorBody,
    },
    /// A record of a newer version, to be passed over.
    #[serde(other)]
    Other,
}

fn tagged(tag: &str, fields: Value) -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert("type".to_owned(), json!({"const": tag}));
    if let Value::Object(fields) = fields {
        properties.extend(fields);
    }
    let required: Vec<&String> = properties.keys().collect();
    json!({"type": "object", "required": required, "properties": properties})
}

impl Schema for WaitRecord {
    const NAME: Option<&'static str> = Some("WaitRecord");

    fn describe(definitions: &mut Definitions) -> Value {
        let result = WaitResult::describe(definitions)["properties"].clone();
        json!({"oneOf": [
            tagged("waiting", json!({"cursor": {"type": "string"}})),
            tagged("alive", json!({})),
            tagged("stopping", json!({})),
            tagged("session", json!({"result": TurnResult::reference(definitions)})),
            tagged("result", result),
            tagged("error", json!({"error": ErrorBody::reference(definitions)})),
        ]})
    }
}

impl Schema for EventRecord {
    const NAME: Option<&'static str> = Some("EventRecord");

    fn describe(definitions: &mut Definitions) -> Value {
        json!({"oneOf": [
            tagged("event", json!({"event": Event::reference(definitions)})),
            tagged("alive", json!({"seq": {"type": ["integer", "null"], "minimum": 0}})),
            tagged("stopping", json!({})),
            tagged("result", json!({"seq": {"type": "integer", "minimum": 0}})),
            tagged("error", json!({"error": ErrorBody::reference(definitions)})),
        ]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_tagged_by_type() {
        assert_eq!(serde_json::to_value(WaitRecord::Alive).unwrap(), json!({"type": "alive"}));
        let result = WaitRecord::Result(WaitResult { ended_by: WaitEnd::Done, results: Vec::new() });
        let line = json!({"type": "result", "ended_by": "done", "results": []});
        assert_eq!(serde_json::to_value(&result).unwrap(), line);
        assert_eq!(serde_json::from_value::<WaitRecord>(line).unwrap(), result);
    }

    #[test]
    fn a_record_of_a_newer_version_is_passed_over() {
        let record: EventRecord = serde_json::from_value(json!({"type": "weather", "rain": true})).unwrap();
        assert_eq!(record, EventRecord::Other);
    }
}
