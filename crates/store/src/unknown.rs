//! Fields that a newer version has put into a row. An older one that rewrites the row puts them back.

use std::collections::BTreeMap;

use adjutant_core::id::{MessageId, RequestId, SessionId, TurnNumber};
use serde_json::{Map, Value};

/// The unknown fields of one row, at the places where they stood.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Unknown {
    here: Map<String, Value>,
    within: BTreeMap<String, Unknown>,
}

/// The unknown fields of every row that may still be rewritten. There are none, unless a newer version was here.
#[derive(Debug, Default)]
pub(crate) struct UnknownFields {
    pub(crate) sessions: BTreeMap<SessionId, Unknown>,
    pub(crate) messages: BTreeMap<MessageId, Unknown>,
    pub(crate) requests: BTreeMap<RequestId, Unknown>,
    /// Ended turns are never rewritten but by a rebuild, which alone fills this.
    pub(crate) turns: BTreeMap<(SessionId, TurnNumber), Unknown>,
}

impl Unknown {
    /// What stands in a row and is lost when the row is written again as it was understood.
    pub(crate) fn find(stored: &str, understood: &str) -> Option<Self> {
        if stored == understood {
            return None;
        }
        let objects = (serde_json::from_str(stored).ok()?, serde_json::from_str(understood).ok()?);
        let (Value::Object(stored), Value::Object(understood)) = objects else { return None };
        Self::beyond(&stored, &understood)
    }

    fn beyond(stored: &Map<String, Value>, understood: &Map<String, Value>) -> Option<Self> {
        let mut unknown = Self::default();
        for (name, value) in stored {
            match (value, understood.get(name)) {
                // An absent part and `null` mean the same.
                (Value::Null, None) => {}
                (_, None) => drop(unknown.here.insert(name.clone(), value.clone())),
                (Value::Object(stored), Some(Value::Object(understood))) => {
                    if let Some(inner) = Self::beyond(stored, understood) {
                        unknown.within.insert(name.clone(), inner);
                    }
                }
                (_, Some(_)) => {}
            }
        }
        (unknown != Self::default()).then_some(unknown)
    }

    /// The row with these fields in it, where the parts that had them are still there.
    pub(crate) fn put_back(&self, row: String) -> String {
        let Ok(Value::Object(mut object)) = serde_json::from_str(&row) else { return row };
        self.fill(&mut object);
        Value::Object(object).to_string()
    }

    fn fill(&self, object: &mut Map<String, Value>) {
        for (name, value) in &self.here {
            object.entry(name).or_insert_with(|| value.clone());
        }
        for (name, inner) in &self.within {
            if let Some(Value::Object(part)) = object.get_mut(name) {
                inner.fill(part);
            }
        }
    }
}

/// The row with the unknown fields that are known of it.
pub(crate) fn complete(row: String, unknown: Option<&Unknown>) -> String {
    match unknown {
        None => row,
        Some(unknown) => unknown.put_back(row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_return_to_their_places() {
        let stored = r#"{"a":1,"b":{"c":2,"new":[3]},"newer":{"x":4},"gone":null}"#;
        let unknown = Unknown::find(stored, r#"{"a":1,"b":{"c":2}}"#).unwrap();
        assert_eq!(
            unknown.put_back(r#"{"a":9,"b":{"c":8}}"#.to_owned()),
            r#"{"a":9,"b":{"c":8,"new":[3]},"newer":{"x":4}}"#
        );
    }

    #[test]
    fn fields_of_a_state_that_was_left_do_not_return() {
        let unknown =
            Unknown::find(r#"{"state":{"delivering":{"n":1,"new":2}}}"#, r#"{"state":{"delivering":{"n":1}}}"#)
                .unwrap();
        for row in [r#"{"state":{"running":{"n":1}}}"#, r#"{"state":"ready"}"#] {
            assert_eq!(unknown.put_back(row.to_owned()), row);
        }
    }

    #[test]
    fn known_rows_have_none() {
        assert_eq!(Unknown::find(r#"{"a":1}"#, r#"{"a":1}"#), None);
        assert_eq!(Unknown::find(r#"{"b":2,"a":1}"#, r#"{"a":1,"b":2}"#), None);
    }
}
