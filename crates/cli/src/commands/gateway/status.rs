//! `adj gateway status`: what the running gateway itself says.

use adjutant_api::ExitCode;
use adjutant_api::types::gateway::GatewayStatus;
use serde_json::json;

use super::run::default_port;
use crate::commands::Outcome;
use crate::context::Context;
use crate::duration::age;
use crate::error::CommandError;
use crate::ui::Ui;

#[derive(clap::Args, Clone, Debug)]
pub(super) struct StatusArgs {}

pub(super) async fn status(context: &mut Context) -> Outcome {
    let found = adjutant_client::gateway_status(&Context::home()?).await?;
    let ui = &mut context.ui;
    match &found {
        Some(status) if ui.json => ui.document(&as_document(status)?)?,
        Some(status) if ui.quiet => ui.line(&status.pid.to_string())?,
        Some(status) => print(ui, status)?,
        None if ui.json => ui.document(&json!({"running": false}))?,
        None if ui.quiet => {}
        None => ui.line(&format!("Gateway daemon: stopped (port {})", default_port()?))?,
    }
    Ok(if found.is_some() { ExitCode::Completed } else { ExitCode::Unreachable }.number())
}

fn as_document(status: &GatewayStatus) -> Result<serde_json::Value, CommandError> {
    let mut document = serde_json::to_value(status).map_err(|error| CommandError::internal(&error))?;
    document["running"] = json!(true);
    Ok(document)
}

fn print(ui: &mut Ui, status: &GatewayStatus) -> Result<(), CommandError> {
    let port = status.port.map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
    ui.line(&format!("Gateway daemon: running ({port})"))?;
    let (pid, version, addresses) = (status.pid, &status.version, status.addresses.join(" "));
    let (up, daemon) = (age(status.uptime_ms), if status.daemon { "answers" } else { "is stopped" });
    ui.line(&format!("pid {pid} version {version} up {up} on {addresses}; the daemon {daemon}"))?;
    let (open, good, bad) = (status.connections, status.requests, status.refused);
    ui.line(&format!("{open} connections, {good} requests answered, {bad} refused"))
}
