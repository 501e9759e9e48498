//! `adj daemon`.

use std::time::Duration;

use adjutant_api::types::daemon::{DaemonStatus, StopDaemon};
use adjutant_api::{ErrorCode, ExitCode};
use adjutant_client::ClientError;
use serde_json::json;

use crate::commands::Outcome;
use crate::context::Context;
use crate::duration::{Limit, Span, age};
use crate::error::CommandError;
use crate::house::{self, DaemonCall};
use crate::runtime::interruptible;
use crate::ui::Ui;
use crate::way::Way;

/// Run, see and stop the per-user daemon
///
/// The first command that needs it starts it. Sessions go on without it, and the next daemon takes them over.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DaemonArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Action {
    /// Run the daemon in the foreground
    Run(RunArgs),
    /// Say whether it runs
    Status(StatusArgs),
    /// End it; sessions go on
    Stop(StopArgs),
}

#[derive(clap::Args, Clone, Debug)]
struct RunArgs {
    /// End when no session has lived for this long
    #[arg(long, value_name = "duration")]
    idle_exit: Option<Span>,

    /// A command waits for it on standard output
    #[arg(long, hide = true)]
    detached: bool,
}

#[derive(clap::Args, Clone, Debug)]
struct StatusArgs {}

#[derive(clap::Args, Clone, Debug)]
struct StopArgs {
    /// Wait until no session works
    #[arg(long)]
    drain: bool,

    /// End it although sessions work
    #[arg(long)]
    force: bool,

    /// With `--drain`: give up after this long
    #[arg(short, long, value_name = "duration", requires = "drain")]
    timeout: Option<Limit>,
}

pub(crate) fn run_daemon(context: &mut Context, args: &DaemonArgs) -> Outcome {
    context.without_autostart();
    match &args.action {
        Action::Run(args) => run(context, args),
        Action::Status(_) => interruptible(status(context)),
        Action::Stop(args) => interruptible(stop(context, args)),
    }
}

/// A detached daemon tells what is wrong where the command that started it reads.
fn run(context: &mut Context, args: &RunArgs) -> Outcome {
    if context.ui.json {
        return Err(CommandError::usage("`daemon run` has no JSON form"));
    }
    if let Way::Host(_) = context.way()? {
        return Err(CommandError::usage("`daemon run` runs the daemon of this machine; `--host` names another one"));
    }
    if args.detached {
        house::leave_terminal();
    }
    let call = context.config().cloned().and_then(|config| {
        let idle_exit = args.idle_exit.map(|span| Duration::from_millis(span.millis()));
        Ok(DaemonCall { home: Context::home()?, detached: args.detached, idle_exit, config })
    });
    match call {
        Ok(call) => house::run_daemon(call),
        Err(CommandError::Told(error)) if args.detached => {
            context.ui.line(&error.to_json_line())?;
            Ok(error.exit)
        }
        Err(error) => Err(error),
    }
}

/// What the daemon says; `None` when none runs.
async fn asked(context: &mut Context) -> Result<Option<DaemonStatus>, CommandError> {
    match context.client()?.daemon_status().await {
        Ok(status) => Ok(Some(status)),
        Err(ClientError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn status(context: &mut Context) -> Outcome {
    let found = asked(context).await?;
    let ui = &mut context.ui;
    let code = if found.is_some() { ExitCode::Completed } else { ExitCode::Unreachable };
    match found {
        Some(status) if ui.json => ui.document(&as_document(&status)?)?,
        Some(status) if ui.quiet => ui.line(&status.pid.to_string())?,
        Some(status) => print(ui, &status)?,
        None if ui.json => ui.document(&json!({"running": false}))?,
        None if ui.quiet => {}
        None => ui.line("stopped")?,
    }
    Ok(code.number())
}

fn as_document(status: &DaemonStatus) -> Result<serde_json::Value, CommandError> {
    let mut document = serde_json::to_value(status).map_err(|error| CommandError::internal(&error))?;
    document["running"] = json!(true);
    Ok(document)
}

fn print(ui: &mut Ui, status: &DaemonStatus) -> Result<(), CommandError> {
    let sessions = &status.sessions;
    let up = age(status.uptime_ms);
    ui.line(&format!(
        "running pid {} version {} sessions {} ({} working) up {up} socket {}",
        status.pid, status.version, sessions.live, sessions.working, status.socket
    ))?;
    status.degraded.iter().for_each(|reason| ui.warning(reason));
    Ok(())
}

async fn stop(context: &mut Context, args: &StopArgs) -> Outcome {
    let timeout_ms = args.timeout.and_then(Limit::millis);
    let how = StopDaemon { drain: args.drain, force: args.force, timeout_ms };
    let stopped = context.client()?.daemon_stop(&how).await;
    let ui = &mut context.ui;
    let stopping = match stopped {
        Ok(stopping) => stopping,
        Err(ClientError::NotRunning { .. }) => {
            match (ui.json, ui.quiet) {
                (true, _) => ui.document(&json!(null))?,
                (false, true) => {}
                (false, false) => ui.line("No daemon is running")?,
            }
            return Ok(0);
        }
        Err(error) => return Err(error.into()),
    };
    if !context.client()?.gone().await {
        let message = format!("the daemon (pid {}) was told to end and is still there", stopping.pid);
        return Err(CommandError::new(ErrorCode::OutcomeUnknown, message).with_hint("adj daemon status"));
    }
    let ui = &mut context.ui;
    if ui.json {
        ui.document(&stopping)?;
    } else if !ui.quiet {
        ui.line(&format!("Stopped daemon (pid {}); {} sessions go on", stopping.pid, stopping.sessions))?;
    }
    Ok(0)
}
