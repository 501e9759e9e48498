//! `adj mcp`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_mcp::Caller;
use serde_json::{Map, Value, json};

use crate::commands::Outcome;
use crate::commands::create::CreateOptions;
use crate::context::Context;
use crate::error::{CommandError, hinted};
use crate::way::{Way, directory_below};

/// Serve the same verbs as tools of the Model Context Protocol, for agents without a shell
///
/// On standard input and output, until the client goes away. A session that a tool creates gets the environment of this
/// call, and its directory unless the tool names one. Waiting is bounded: when the time is over, the tool says so.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct McpArgs {
    /// Over HTTP on loopback instead; the address, which holds a secret, is the first line of the output
    #[arg(long)]
    http: bool,

    /// The port; any that is free unless given
    #[arg(long, requires = "http", default_value_t = 0)]
    port: u16,
}

pub(crate) async fn run_mcp(context: &mut Context, args: &McpArgs) -> Outcome {
    let caller = caller(context).await?;
    if args.http {
        let told = |address: &str| say_address(context, address);
        adjutant_mcp::serve_http(caller, args.port, told).await?;
    } else {
        adjutant_mcp::serve_stdio(caller).await?;
    }
    Ok(0)
}

fn say_address(context: &mut Context, address: &str) -> Result<(), ErrorBody> {
    let said = match context.ui.json {
        true => context.ui.document(&json!({"url": address})),
        false => context.ui.line(address),
    };
    said.and_then(|()| context.ui.flush()).map_err(body)
}

/// What a create of this caller says where a tool does not.
async fn caller(context: &mut Context) -> Result<Caller, CommandError> {
    let own = CreateOptions::default().session(context).await?;
    let own = serde_json::to_value(own).map_err(|error| CommandError::internal(&error))?;
    let own: BTreeMap<String, Value> = serde_json::from_value(own).map_err(|error| CommandError::internal(&error))?;
    let clients = context.clients()?;
    let way = clients.way.clone();
    let mapped = if let Way::Sandbox(sandbox) = &way { Some(sandbox.map.clone()) } else { None };
    Ok(Caller {
        client: Arc::new(move || clients.make().map_err(body)),
        complete: Arc::new(move |said| complete(&way, &own, said).map_err(body)),
        shown: Arc::new(move |result| mapped.iter().for_each(|map| map.show(result))),
        hinted,
    })
}

/// Fills in what the caller is. A directory may be relative to that of the server, as it may be on the command line.
fn complete(way: &Way, own: &BTreeMap<String, Value>, said: &mut Map<String, Value>) -> Result<(), CommandError> {
    if let Some(Value::String(path)) = said.get("path") {
        let base = own.get("path").and_then(Value::as_str).unwrap_or_default();
        let resolved = directory_below(way, Path::new(path), Path::new(base))?;
        said.insert("path".to_owned(), Value::String(resolved));
    }
    said.retain(|_, value| !value.is_null());
    for (name, value) in own.iter().filter(|(name, value)| !value.is_null() && *name != "key") {
        said.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Ok(())
}

/// An error for a client that reads error objects.
fn body(error: CommandError) -> ErrorBody {
    match error {
        CommandError::Told(body) => body,
        CommandError::ClosedPipe | CommandError::Interrupted => {
            ErrorBody::new(ErrorCode::Internal, "nobody reads the output any more")
        }
    }
}
