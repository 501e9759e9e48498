//! One call of a tool: the method, and what came of it.

use std::time::Duration;

use adjutant_api::exit_code::number_of;
use adjutant_api::methods::{self, Method};
use adjutant_api::stream::WaitResult;
use adjutant_api::types::session::Killed;
use adjutant_api::types::turn::WaitQuery;
use adjutant_api::{ErrorBody, ErrorCode, ExitCode};
use adjutant_client::Client;
use serde_json::{Map, Value, json};

use crate::arguments::Arguments;
use crate::{Caller, limits};

/// A result, and the number that the command line would end with.
pub(crate) struct Called {
    pub(crate) exit: u8,
    pub(crate) result: Value,
}

/// Calls a method with the arguments of a tool.
pub(crate) async fn call(
    caller: &Caller,
    method: &'static Method,
    said: Map<String, Value>,
) -> Result<Called, ErrorBody> {
    let mut arguments = Arguments::read(method, said)?;
    let mut client = (caller.client)()?;
    if method.name == methods::CREATE.name {
        (caller.complete)(&mut arguments.body)?;
    }
    if method.name == methods::WAIT.name {
        return wait(&mut client, arguments).await;
    }
    let deadline = limits::CALL + Duration::from_millis(arguments.wait_ms());
    let path: Vec<&str> = arguments.path.iter().map(String::as_str).collect();
    let (query, body) = (Value::Object(arguments.query), Value::Object(arguments.body));
    let mut result = client.document(method, &path, &query, &body, deadline).await?;
    let exit = exit(method, &result);
    (caller.shown)(&mut result);
    Ok(Called { exit, result })
}

async fn wait(client: &mut Client, arguments: Arguments) -> Result<Called, ErrorBody> {
    let read = serde_json::from_value::<WaitQuery>(Value::Object(arguments.query));
    let query = read.map_err(|error| ErrorBody::new(ErrorCode::Usage, error.to_string()))?;
    let found = client.wait(&query, |_| {}).await?;
    let exit = found.as_ref().map_or(ExitCode::Timeout.number(), |found| exit_of_wait(&query, found));
    Ok(Called { exit, result: json!(found) })
}

/// One session gives its own number, several give the first in their order.
fn exit_of_wait(query: &WaitQuery, found: &WaitResult) -> u8 {
    match found.results.as_slice() {
        [] => ExitCode::Timeout.number(),
        [one] if query.session.len() < 2 => number_of(one),
        all => ExitCode::of_several(all.iter().map(|one| ExitCode::of_outcome(&one.outcome))).number(),
    }
}

/// A list of sessions that were to end says of each whether it did; of everything else an answer is a success.
fn exit(method: &Method, result: &Value) -> u8 {
    if method.name != methods::KILL.name {
        return ExitCode::Completed.number();
    }
    let killed: Vec<Killed> = serde_json::from_value(result.clone()).unwrap_or_default();
    let failed = killed.iter().filter_map(|one| one.error.as_ref()).map(ErrorBody::exit_code);
    ExitCode::of_several(failed).number()
}
