//! The tools: every method of the table that an agent has a use for.

use std::sync::Arc;

use adjutant_api::methods::{self, METHODS, Method, Reply, Scope};
use adjutant_api::schema::{Definitions, TypeRef};
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use crate::limits::{WAIT_MS_DEFAULT, WAIT_MS_MAX};

/// Methods that are no tools, each with its reason.
const NO_TOOLS: [(&str, &str); 8] = [
    (methods::HEALTH.name, "a client of the daemon asks it by itself"),
    (methods::OPENAPI.name, "the tools say the same"),
    (methods::DAEMON_STATUS.name, "the house is the user's"),
    (methods::DAEMON_STOP.name, "the house is the user's"),
    (methods::DAEMON_CHECK.name, "the house is the user's"),
    (methods::TERMINAL.name, "a terminal is for people"),
    (methods::ATTACH.name, "a terminal is for people"),
    (methods::HOOK.name, "agents' hooks call it, not agents"),
];

/// Fields of a create that whoever starts the server says, and no call.
pub(crate) const OF_THE_CALLER: [&str; 3] = ["environment", "umask", "soft_limits"];

/// Fields of a create that are the caller's where a call does not give them.
const COMPLETED: [&str; 2] = ["cli", "path"];

/// The field by which a reply would be a stream; a tool replies once.
pub(crate) const FOLLOW: &str = "follow";

/// The field that says how long to wait.
pub(crate) const TIMEOUT: &str = "timeout_ms";

/// The methods that are tools.
pub(crate) fn methods() -> impl Iterator<Item = &'static Method> {
    METHODS.iter().filter(|method| NO_TOOLS.iter().all(|(name, _)| *name != method.name))
}

/// The name of a tool: clients take no points in it.
pub(crate) fn tool_name(method: &Method) -> String {
    method.name.replace('.', "_")
}

/// Finds the method of a tool.
pub(crate) fn find(tool: &str) -> Option<&'static Method> {
    methods().find(|method| tool_name(method) == tool)
}

/// All tools, in the order of the table.
pub(crate) fn all() -> Vec<Tool> {
    methods().map(tool).collect()
}

fn tool(method: &Method) -> Tool {
    let reads = method.scope == Scope::Read;
    let hints = ToolAnnotations::new().read_only(reads).idempotent(method.repeatable).open_world(false);
    Tool::new_with_raw(tool_name(method), Some(method.summary.into()), Arc::new(input_schema(method)))
        .with_annotations(hints)
}

/// One object with all that the method takes: from its path, its query and its body.
fn input_schema(method: &Method) -> Map<String, Value> {
    let mut definitions = Definitions::new();
    let mut properties = Map::new();
    let mut required: Vec<String> = Vec::new();
    for name in method.parameters() {
        properties.insert(name.to_owned(), json!({"type": "string", "description": parameter_words(name)}));
        required.push(name.to_owned());
    }
    for part in [method.query, method.body].into_iter().flatten() {
        add_fields(&part, &mut definitions, &mut properties, &mut required);
    }
    properties.retain(|name, _| is_said(method, name));
    required.retain(|name| properties.contains_key(name) && !(is_create(method) && COMPLETED.contains(&name.as_str())));
    bound_waiting(method, &mut properties);
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), json!(required));
    schema.insert("additionalProperties".to_owned(), json!(false));
    put_definitions(&mut schema, definitions);
    schema
}

/// What a name in a path stands for.
fn parameter_words(name: &str) -> &'static str {
    match name {
        "id" => "The session: its id, `self` or `parent`.",
        "m" => "The message, such as `m42`.",
        "r" => "The request, such as `r3`.",
        _ => "Its name.",
    }
}

fn add_fields(
    part: &TypeRef,
    definitions: &mut Definitions,
    properties: &mut Map<String, Value>,
    required: &mut Vec<String>,
) {
    let _ = (part.reference)(definitions);
    let described = part.name.and_then(|name| definitions.remove(name)).unwrap_or_default();
    properties.extend(described["properties"].as_object().cloned().unwrap_or_default());
    let names = described["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.extend(names.map(str::to_owned));
}

fn is_create(method: &Method) -> bool {
    method.name == methods::CREATE.name
}

fn is_said(method: &Method, name: &str) -> bool {
    name != FOLLOW && !(is_create(method) && OF_THE_CALLER.contains(&name))
}

/// Whether a call of it waits although it only reads: then it has a limit that nobody has to name.
pub(crate) fn waits(method: &Method) -> bool {
    let has_timeout = |query: &TypeRef| {
        let mut definitions = Definitions::new();
        let _ = (query.reference)(&mut definitions);
        query
            .name
            .and_then(|name| definitions.remove(name))
            .is_some_and(|schema| !schema["properties"][TIMEOUT].is_null())
    };
    matches!(method.reply, Reply::Stream(_)) || method.query.as_ref().is_some_and(has_timeout)
}

fn bound_waiting(method: &Method, properties: &mut Map<String, Value>) {
    let Some(timeout) = properties.get_mut(TIMEOUT) else { return };
    let mut words = timeout["description"].as_str().unwrap_or_default().to_owned();
    let mut bounded = json!({"type": "integer", "minimum": 0, "maximum": WAIT_MS_MAX});
    if waits(method) {
        words = "How long to wait, in milliseconds; 0 looks once. When it is over (124), call again.".to_owned();
        bounded["default"] = json!(WAIT_MS_DEFAULT);
    }
    bounded["description"] = json!(words);
    *timeout = bounded;
}

/// The table's documents refer to the definitions of OpenAPI; a schema that stands alone has them inside.
fn put_definitions(schema: &mut Map<String, Value>, mut definitions: Definitions) {
    let mut used = Definitions::new();
    let mut wanted = references(&Value::Object(schema.clone()));
    while let Some(name) = wanted.pop() {
        if let Some(definition) = definitions.remove(&name) {
            wanted.extend(references(&definition));
            used.insert(name, definition);
        }
    }
    if !used.is_empty() {
        schema.insert("$defs".to_owned(), json!(used));
    }
    schema.values_mut().for_each(relocate);
}

/// Where OpenAPI has its definitions.
const OPENAPI_PLACE: &str = "#/components/schemas/";

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(OPENAPI_PLACE));
            own.map(str::to_owned).into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn relocate(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(relocate),
        Value::Array(items) => items.iter_mut().for_each(relocate),
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(OPENAPI_PLACE) {
                *text = format!("#/$defs/{name}");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_the_table_is_a_tool_unless_there_is_a_reason() {
        let tools = all();
        assert_eq!(tools.len() + NO_TOOLS.len(), METHODS.len());
        for method in methods() {
            let tool = tools.iter().find(|tool| tool.name == tool_name(method)).expect("it is there");
            assert_eq!(tool.description.as_deref(), Some(method.summary));
            assert!(tool.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')), "{}", tool.name);
            assert_eq!(find(&tool.name).map(|found| found.name), Some(method.name));
        }
        assert!(NO_TOOLS.iter().all(|(_, reason)| !reason.is_empty()));
    }

    #[test]
    fn every_schema_stands_alone() {
        for tool in all() {
            let schema = Value::Object((*tool.input_schema).clone());
            let text = schema.to_string();
            assert!(!text.contains(OPENAPI_PLACE), "{}: {text}", tool.name);
            for name in text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(schema["$defs"][name].is_object(), "{}: {name}", tool.name);
            }
        }
    }

    #[test]
    fn what_is_the_callers_is_not_asked_for() {
        let create = input_schema(&methods::CREATE);
        let properties = create["properties"].as_object().unwrap();
        assert!(OF_THE_CALLER.iter().all(|name| !properties.contains_key(*name)));
        assert!(properties.contains_key("path") && create["required"] == json!([]));
        assert!(!input_schema(&methods::EVENTS)["properties"].as_object().unwrap().contains_key(FOLLOW));
    }

    #[test]
    fn waiting_is_bounded() {
        let timeout = &input_schema(&methods::WAIT)["properties"][TIMEOUT];
        assert_eq!((&timeout["default"], &timeout["maximum"]), (&json!(WAIT_MS_DEFAULT), &json!(WAIT_MS_MAX)));
        assert!(waits(&methods::GOAL) && !waits(&methods::SESSION));
        assert_eq!(input_schema(&methods::CREATE)["properties"][TIMEOUT]["default"], Value::Null);
    }
}
