//! The OpenAPI document, made from the table of methods.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::error::ErrorDocument;
use crate::error_code::ErrorCode;
use crate::methods::{COMMON_ERRORS, Callers, METHODS, Method, Reply, Scope, SerialisedOn};
use crate::protocol;
use crate::schema::{Definitions, Schema, TypeRef};

/// The document.
pub fn document() -> Value {
    let mut definitions = Definitions::new();
    let _ = ErrorDocument::reference(&mut definitions);
    let mut paths: Map<String, Value> = Map::new();
    for method in METHODS {
        let item = paths.entry(method.path).or_insert_with(|| json!({}));
        item[method.verb.as_str().to_ascii_lowercase()] = operation(method, &mut definitions);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Adjutant",
            "version": protocol::VERSION,
            "description": "Sessions of coding agents: create, send, wait, watch, answer, end.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        // On the Unix socket the peer's user is proof enough.
        "security": [{}, {"token": []}],
    })
}

fn operation(method: &Method, definitions: &mut Definitions) -> Value {
    let mut operation = json!({
        "operationId": method.name,
        "summary": method.summary,
        "parameters": parameters(method, definitions),
        "responses": responses(method, definitions),
        "x-scope": scope(method),
        "x-callers": callers(method),
        "x-serialised-on": serialised_on(method),
        "x-repeatable": method.repeatable,
    });
    if let Some(body) = &method.body {
        let schema = (body.reference)(definitions);
        let required = has_required_fields(body, definitions);
        operation["requestBody"] = json!({"required": required, "content": {"application/json": {"schema": schema}}});
    }
    operation
}

/// A body all of whose fields may be left out may be left out itself.
fn has_required_fields(body: &TypeRef, definitions: &Definitions) -> bool {
    let described = body.name.and_then(|name| definitions.get(name));
    described.is_none_or(|schema| schema["required"].as_array().is_some_and(|fields| !fields.is_empty()))
}

fn scope(method: &Method) -> &'static str {
    match method.scope {
        Scope::Read => "read",
        Scope::Change => "change",
    }
}

fn callers(method: &Method) -> &'static str {
    match method.callers {
        Callers::User => "user",
        Callers::Inside => "user, sessions",
        Callers::All => "user, sessions, tokens",
    }
}

fn serialised_on(method: &Method) -> &'static str {
    match method.serialised_on {
        SerialisedOn::Nothing => "nothing",
        SerialisedOn::Session => "session",
        SerialisedOn::Host => "host",
    }
}

fn parameters(method: &Method, definitions: &mut Definitions) -> Vec<Value> {
    let in_path = |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let mut parameters: Vec<Value> = method.parameters().map(in_path).collect();
    if let Some(query) = &method.query {
        parameters.extend(query_parameters(query, definitions));
    }
    if is_stream(method) {
        parameters.push(json!({
            "name": "Last-Event-ID", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "The last cursor that was seen; the stream continues after it.",
        }));
    }
    parameters
}

fn is_stream(method: &Method) -> bool {
    matches!(method.reply, Reply::Stream(_) | Reply::Either { .. })
}

/// A query is described as an object; each of its fields becomes a parameter, and the object itself is not kept.
fn query_parameters(query: &TypeRef, definitions: &mut Definitions) -> Vec<Value> {
    let _ = (query.reference)(definitions);
    let described = query.name.and_then(|name| definitions.remove(name)).unwrap_or_default();
    let required: Vec<&str> =
        described["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = described["properties"].as_object().into_iter().flatten();
    fields.map(|(name, schema)| parameter(name, schema, required.contains(&name.as_str()))).collect()
}

fn parameter(name: &str, schema: &Value, required: bool) -> Value {
    let mut schema = schema.clone();
    let description = schema.as_object_mut().and_then(|map| map.remove("description")).unwrap_or_default();
    // A query has no `null`: what is absent is left out.
    let plain = schema["anyOf"][0].clone();
    let schema = if plain.is_null() { schema } else { plain };
    json!({"name": name, "in": "query", "required": required, "description": description, "schema": schema})
}

fn responses(method: &Method, definitions: &mut Definitions) -> Value {
    let mut responses = Map::new();
    let (status, success) = success(method, definitions);
    responses.insert(status.to_owned(), success);
    let of_body: &[ErrorCode] = if method.body.is_some() { &[ErrorCode::MessageTooLarge] } else { &[] };
    let codes = || COMMON_ERRORS.iter().chain(method.errors).chain(of_body);
    let statuses: BTreeSet<u16> = codes().map(|code| code.http_status()).collect();
    for status in statuses {
        let words: BTreeSet<&str> = codes().filter(|c| c.http_status() == status).map(|c| c.as_str()).collect();
        let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
        responses.insert(
            status.to_string(),
            json!({"description": words.join(", "), "content": {"application/json": {"schema": error_schema()}}}),
        );
    }
    Value::Object(responses)
}

fn error_schema() -> Value {
    json!({"$ref": "#/components/schemas/ErrorDocument"})
}

fn success(method: &Method, definitions: &mut Definitions) -> (&'static str, Value) {
    let mut content = Map::new();
    match &method.reply {
        Reply::Upgrade => return ("101", json!({"description": "Switched to frames."})),
        Reply::Json => {
            content.insert("application/json".to_owned(), json!({"schema": {"type": "object"}}));
        }
        Reply::Document(document) => insert_document(&mut content, document, definitions),
        Reply::Stream(stream) => insert_stream(&mut content, stream, definitions),
        Reply::Either { document, stream } => {
            insert_document(&mut content, document, definitions);
            insert_stream(&mut content, stream, definitions);
        }
    }
    ("200", json!({"description": method.summary, "content": content}))
}

fn insert_document(content: &mut Map<String, Value>, document: &TypeRef, definitions: &mut Definitions) {
    let schema = (document.reference)(definitions);
    content.insert("application/json".to_owned(), json!({"schema": schema}));
}

/// A stream is text for HTTP; the schema of its records stands beside it.
/// A stream is described by one of its elements, since it has no end: an event, or a line.
fn insert_stream(content: &mut Map<String, Value>, stream: &TypeRef, definitions: &mut Definitions) {
    let record = (stream.reference)(definitions);
    let event = json!({
        "type": "object",
        "description": "One event of the stream; `id` is the cursor after it.",
        "properties": {
            "id": {"type": "string"},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": record},
        },
        "required": ["data"],
    });
    content.insert(protocol::EVENT_STREAM.to_owned(), json!({"schema": event}));
    let lines = json!({"schema": {"type": "string", "description": "One record on each line."}, "x-record": record});
    content.insert(protocol::NDJSON.to_owned(), lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(name)) = map.get("$ref") {
                    found.insert(name.clone());
                }
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_method_is_in_the_document() {
        let document = document();
        for method in METHODS {
            let operation = &document["paths"][method.path][method.verb.as_str().to_ascii_lowercase()];
            assert_eq!(operation["operationId"], method.name);
            assert!(!operation["summary"].as_str().unwrap().is_empty());
            for code in method.errors {
                let listed = &operation["responses"][code.http_status().to_string()]["description"];
                assert!(listed.as_str().unwrap().contains(code.as_str()), "{} {code}", method.name);
            }
        }
        let operations: usize =
            document["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len()).sum();
        assert_eq!(operations, METHODS.len());
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in &found {
            let name = name.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.get(name).is_some_and(|schema| !schema.is_null()), "{name}");
        }
        for name in schemas.keys() {
            assert!(found.contains(&format!("#/components/schemas/{name}")), "{name} is never used");
        }
    }

    #[test]
    fn query_fields_are_parameters() {
        let document = document();
        let parameters = document["paths"]["/v1/wait"]["get"]["parameters"].as_array().unwrap();
        let names: Vec<_> = parameters.iter().map(|p| p["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"for") && names.contains(&"session") && names.contains(&"Last-Event-ID"), "{names:?}");
    }
}
