//! `adj doctor`.

use std::collections::BTreeMap;

use adjutant_api::protocol::VERSION;
use adjutant_api::types::daemon::{Check, CheckDaemon, CheckStatus};
use adjutant_api::{ErrorBody, ErrorCode, ExitCode};

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::sandbox::Sandbox;
use crate::table::{self, Column};
use crate::ui::Ui;
use crate::way::Way;
use crate::{house, variables};

/// Check the installation: places, configuration, agents, daemon and store
///
/// Exit 1 if a check failed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DoctorArgs {
    /// Fold the log anew: compare with what is kept of it, or write that anew when no daemon serves
    #[arg(long)]
    rebuild: bool,

    /// Bring a damaged or missing store back to its last good state; the damaged file is kept
    #[arg(long, conflicts_with = "rebuild")]
    repair: bool,
}

pub(crate) async fn run_doctor(context: &mut Context, args: &DoctorArgs) -> Outcome {
    if (args.repair || args.rebuild) && !matches!(context.way()?, Way::Here) {
        return Err(CommandError::usage(
            "`--repair` and `--rebuild` are for the store of this machine; call them there",
        ));
    }
    if args.repair {
        let told = house::repair(&Context::home()?)?;
        context.ui.note(&told);
    }
    // A daemon that serves compares; without one the projections are written anew.
    if args.rebuild
        && let Some(told) = house::rebuild(&Context::home()?)?
    {
        context.ui.note(&told);
    }
    let mut checks = vec![check_home(), check_config(context)];
    checks.extend(check_old_names());
    // Agents of a container's calls run on the host, with the PATH of whoever made the token.
    if !matches!(context.way(), Ok(Way::Sandbox(_))) {
        checks.extend(check_agents());
    }
    match context.way() {
        Ok(Way::Sandbox(sandbox)) => {
            let mapped = check_paths(sandbox);
            checks.extend([mapped, check_gateway(context).await]);
        }
        Ok(Way::Host(_)) => checks.extend(check_daemon(context, args.rebuild).await),
        Ok(Way::Here) => {
            checks.extend(check_daemon(context, args.rebuild).await);
            checks.extend(check_own_gateway().await);
        }
        Err(error) => checks.push(failed("environment", &error)),
    }
    let failed = checks.iter().any(|check| check.status == CheckStatus::Failed);
    print(&mut context.ui, &checks)?;
    Ok(if failed { ExitCode::Refused } else { ExitCode::Completed }.number())
}

fn check(name: &str, status: CheckStatus, detail: impl Into<String>) -> Check {
    Check { check: name.to_owned(), status, detail: detail.into(), hint: None }
}

fn failed(name: &str, error: &CommandError) -> Check {
    let body = match error {
        CommandError::Told(body) => body.clone(),
        CommandError::ClosedPipe | CommandError::Interrupted => ErrorBody::new("internal".into(), "interrupted"),
    };
    let mendable = matches!(body.code, ErrorCode::StoreCorrupt | ErrorCode::StoreMissing);
    let hint = if mendable { Some("adj doctor --repair".to_owned()) } else { body.hint };
    // Whoever reads this has called doctor already.
    let hint = hint.filter(|hint| hint != "adj doctor");
    Check { hint, ..check(name, CheckStatus::Failed, body.message) }
}

fn check_home() -> Check {
    match Context::home() {
        Ok(home) => check(
            "home",
            CheckStatus::Ok,
            format!("state in {}, sockets in {}", home.state.display(), home.run.display()),
        ),
        Err(error) => failed("home", &error),
    }
}

fn check_config(context: &mut Context) -> Check {
    match (context.config().map(|_| ()), Context::home()) {
        (Ok(()), Ok(home)) => check("config", CheckStatus::Ok, home.config.display().to_string()),
        (Err(error), _) | (_, Err(error)) => failed("config", &error),
    }
}

/// Names that older tools have read and that say nothing here.
fn check_old_names() -> Option<Check> {
    let names: Vec<String> = variables::all()
        .into_iter()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("CONTROLLER_"))
        .collect();
    let detail = format!("not read: {}", names.join(", "));
    (!names.is_empty()).then(|| check("environment", CheckStatus::Warning, detail))
}

/// The agents as a session that is created from here would find them.
fn check_agents() -> Vec<Check> {
    let environment: BTreeMap<String, String> = variables::all()
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let found = house::find_agents(&environment).into_iter();
    let judged = found.map(|(name, found)| match found {
        Ok(program) => check(&format!("agent {name}"), CheckStatus::Ok, program),
        Err(missing) => check(&format!("agent {name}"), CheckStatus::Warning, missing),
    });
    judged.collect()
}

/// Whether this directory has a name on the host.
fn check_paths(sandbox: &Sandbox) -> Check {
    let here = std::env::current_dir().map_err(CommandError::from);
    match here
        .and_then(|here| sandbox.to_host(&here).map(|host| format!("{} is {} there", here.display(), host.display())))
    {
        Ok(detail) => check("paths", CheckStatus::Ok, detail),
        Err(error) => Check { status: CheckStatus::Warning, ..failed("paths", &error) },
    }
}

/// Whether the gateway can be reached from this container, and takes its token.
async fn check_gateway(context: &mut Context) -> Check {
    let asked = async {
        let client = context.client()?;
        client.health().await?;
        Ok::<_, CommandError>(client.whoami().await?.caller)
    };
    match asked.await {
        Ok(caller) => check("gateway", CheckStatus::Ok, format!("it answers, and knows this container as {caller}")),
        Err(error) => {
            let hint = "adj gateway run --socket <path>  # on the host; mount the path into the container".to_owned();
            let told = failed("gateway", &error);
            Check { hint: told.hint.clone().or(Some(hint)), ..told }
        }
    }
}

/// Whether the gateway of this machine, where one runs, can be reached from containers: those on a bridge network of Linux
/// come from another address than this machine's own.
async fn check_own_gateway() -> Option<Check> {
    let asked = async { Ok::<_, CommandError>(adjutant_client::gateway_status(&Context::home()?).await?) };
    let status = match asked.await {
        Ok(found) => found?,
        Err(error) => return Some(failed("gateway", &error)),
    };
    let detail = format!("pid {}, on {}", status.pid, status.addresses.join(" "));
    let loopback = |address: &String| address.starts_with("http://127.") || address.starts_with("http://[::1]");
    if cfg!(target_os = "linux") && status.addresses.iter().all(loopback) {
        let detail = format!("{detail}; a container on a bridge network does not reach that");
        let hint = "adj gateway run --socket <path>, to be mounted; or --bind <address of the bridge>".to_owned();
        return Some(Check { hint: Some(hint), ..check("gateway", CheckStatus::Warning, detail) });
    }
    Some(check("gateway", CheckStatus::Ok, detail))
}

async fn check_daemon(context: &mut Context, rebuild: bool) -> Vec<Check> {
    let checked = match context.client() {
        Ok(client) => match client.daemon_status().await {
            Ok(status) => client.daemon_check(&CheckDaemon { rebuild }).await.map(|checks| (status, checks)),
            Err(error) => Err(error),
        },
        Err(error) => return vec![failed("daemon", &error)],
    };
    let (status, checks) = match checked {
        Ok(answers) => answers,
        Err(error) => return vec![failed("daemon", &error.into())],
    };
    let detail = format!("pid {}, version {}, {} sessions live", status.pid, status.version, status.sessions.live);
    let mut daemon = check("daemon", CheckStatus::Ok, detail);
    if status.version != VERSION {
        daemon.status = CheckStatus::Warning;
        daemon.detail.push_str(&format!("; this is {VERSION}"));
        daemon.hint = Some("adj daemon stop".to_owned());
    }
    std::iter::once(daemon).chain(checks).collect()
}

const COLUMNS: [Column; 3] = [Column::Left("CHECK"), Column::Left("STATUS"), Column::Free("DETAIL")];

fn print(ui: &mut Ui, checks: &[Check]) -> Result<(), CommandError> {
    if ui.json {
        return ui.document(&checks);
    }
    let row = |check: &Check| vec![check.check.clone(), check.status.to_string(), table::first_line(&check.detail)];
    let rows: Vec<Vec<String>> = checks.iter().map(row).collect();
    ui.text(&table::set(&COLUMNS, &rows, None))?;
    ui.flush()?;
    checks.iter().filter_map(|check| check.hint.as_ref()).for_each(|hint| ui.hint(hint));
    Ok(())
}
