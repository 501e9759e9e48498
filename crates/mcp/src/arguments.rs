//! From the arguments of a call to what the method takes: values in its path, a query, a body.

use adjutant_api::methods::{self, Method};
use adjutant_api::schema::{Definitions, TypeRef};
use adjutant_api::{ErrorBody, ErrorCode};
use serde_json::{Map, Value, json};

use crate::limits::{WAIT_MS_DEFAULT, WAIT_MS_MAX};
use crate::tools::{FOLLOW, OF_THE_CALLER, TIMEOUT, waits};

/// What a method is called with.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    /// The values in its path, in order.
    pub(crate) path: Vec<String>,
    /// Its query.
    pub(crate) query: Map<String, Value>,
    /// Its body.
    pub(crate) body: Map<String, Value>,
}

impl Arguments {
    /// Sorts what a call says. What is wrong with a value, the daemon says.
    pub(crate) fn read(method: &Method, mut said: Map<String, Value>) -> Result<Self, ErrorBody> {
        let mut arguments = Self::default();
        for name in method.parameters() {
            match said.remove(name) {
                Some(Value::String(value)) => arguments.path.push(value),
                Some(_) | None => return Err(usage(format!("`{name}` is missing, or is no text"))),
            }
        }
        bound(method, &mut said)?;
        let unsaid =
            |name: &str| name == FOLLOW || (method.name == methods::CREATE.name && OF_THE_CALLER.contains(&name));
        let (query, body) = (fields(method.query), fields(method.body));
        for (name, value) in said {
            match (query.contains_key(&name), body.contains_key(&name)) {
                (true, _) if !unsaid(&name) => drop(arguments.query.insert(name, value)),
                (false, true) if !unsaid(&name) => drop(arguments.body.insert(name, value)),
                (true, _) | (false, _) => return Err(usage(format!("there is no `{name}` here"))),
            }
        }
        Ok(arguments)
    }

    /// How long the call asks to wait, in milliseconds.
    pub(crate) fn wait_ms(&self) -> u64 {
        let said = self.query.get(TIMEOUT).or_else(|| self.body.get(TIMEOUT));
        said.and_then(Value::as_u64).unwrap_or(0)
    }
}

fn usage(message: String) -> ErrorBody {
    ErrorBody::new(ErrorCode::Usage, message)
}

fn fields(part: Option<TypeRef>) -> Map<String, Value> {
    let mut definitions = Definitions::new();
    let described = part.and_then(|part| {
        let _ = (part.reference)(&mut definitions);
        definitions.remove(part.name?)
    });
    described.and_then(|described| described["properties"].as_object().cloned()).unwrap_or_default()
}

/// A call that waits has a limit, and no call has a larger one than a client would wait for.
fn bound(method: &Method, said: &mut Map<String, Value>) -> Result<(), ErrorBody> {
    match said.get(TIMEOUT) {
        None | Some(Value::Null) if waits(method) => drop(said.insert(TIMEOUT.to_owned(), json!(WAIT_MS_DEFAULT))),
        Some(value) if value.as_u64().is_some_and(|given| given > WAIT_MS_MAX) => {
            return Err(usage(format!("`{TIMEOUT}` is at most {WAIT_MS_MAX}; when the time is over, call again")));
        }
        Some(_) | None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &Method, said: Value) -> Result<Arguments, ErrorBody> {
        Arguments::read(method, said.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn they_go_where_the_method_wants_them() {
        let edit = read(&methods::EDIT, json!({"id": "fizz-top", "m": "m4", "text": "x"})).unwrap();
        assert_eq!(
            (edit.path, edit.body),
            (vec!["fizz-top".into(), "m4".into()], json!({"text": "x"}).as_object().unwrap().clone())
        );
        let list = read(&methods::SESSIONS, json!({"all": true})).unwrap();
        assert_eq!((list.query.len(), list.body.len()), (1, 0));
    }

    #[test]
    fn what_does_not_belong_there_is_refused() {
        for (method, said) in [
            (&methods::SESSION, json!({})),
            (&methods::SESSION, json!({"id": 4})),
            (&methods::SEND, json!({"id": "x", "text": "y", "file": "/etc/hostname"})),
            (&methods::CREATE, json!({"environment": {"PATH": "/x"}})),
            (&methods::EVENTS, json!({"follow": true})),
            (&methods::WAIT, json!({"session": ["x"], "timeout_ms": WAIT_MS_MAX + 1})),
        ] {
            assert_eq!(read(method, said).unwrap_err().code, ErrorCode::Usage, "{}", method.name);
        }
    }

    #[test]
    fn nobody_waits_without_a_limit() {
        assert_eq!(read(&methods::WAIT, json!({"session": ["x"]})).unwrap().wait_ms(), WAIT_MS_DEFAULT);
        assert_eq!(read(&methods::WAIT, json!({"session": ["x"], "timeout_ms": 0})).unwrap().wait_ms(), 0);
        assert_eq!(read(&methods::CREATE, json!({})).unwrap().wait_ms(), 0);
    }
}
