//! `adj gateway install` and `uninstall`: a service of the user's own, which begins when the user logs in.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use adjutant_api::home::Home;
use adjutant_api::types::gateway::GatewayStatus;
use adjutant_api::{ErrorCode, ExitCode};
use serde_json::json;

use super::run::{Places, RunArgs};
use super::{launchd, systemd};
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::house;
use crate::variables;

/// Time for one answer of the service manager; starting the service is one.
const MANAGER_MAX: Duration = Duration::from_secs(30);

/// Variables that the service needs to be the gateway of this home, and to find the agents.
const KEPT: [&str; 7] = ["PATH", "ADJ_HOME", "ADJ_SOCKET", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "LANG", "ADJ_LOG"];

#[derive(clap::Args, Clone, Debug)]
pub(super) struct UninstallArgs {}

/// What the service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) command: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
}

/// The manager of the user's services on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Systemd,
    Launchd,
}

const MANAGER: Manager = if cfg!(target_os = "macos") { Manager::Launchd } else { Manager::Systemd };

/// A file of the manager, and the name that it has there.
struct Installed {
    file: PathBuf,
    name: String,
}

impl Installed {
    /// Where the service of this home is kept. Each home that is not the user's usual one has a service of its own.
    fn of(home: &Home) -> Result<Self, CommandError> {
        let suffix = if variables::is_set("ADJ_HOME") { format!("-{}", home.mark()) } else { String::new() };
        let (directory, name) = match MANAGER {
            Manager::Systemd => {
                (variables::config_home()?.join("systemd/user"), format!("adjutant-gateway{suffix}.service"))
            }
            Manager::Launchd => {
                (variables::home_directory()?.join("Library/LaunchAgents"), format!("dev.adjutant.gateway{suffix}"))
            }
        };
        let file = match MANAGER {
            Manager::Systemd => name.clone(),
            Manager::Launchd => format!("{name}.plist"),
        };
        Ok(Self { file: directory.join(file), name })
    }

    fn text(&self, service: &Service) -> String {
        match MANAGER {
            Manager::Systemd => systemd::unit(service),
            Manager::Launchd => launchd::plist(&self.name, service),
        }
    }
}

pub(super) async fn install(context: &mut Context, args: &RunArgs) -> Outcome {
    let home = Context::home()?;
    let places = args.places()?;
    if places.address.is_some_and(|(_, port)| port == 0) {
        return Err(CommandError::usage("a service has a port of its own, not any that is free"));
    }
    let running = adjutant_client::gateway_status(&home).await?;
    check_port(&places, running.as_ref())?;
    let installed = Installed::of(&home)?;
    let text = installed.text(&service(&places)?);
    let before = std::fs::read_to_string(&installed.file).ok();
    let changed = before.as_deref() != Some(text.as_str());
    if changed {
        write_whole(&installed.file, &text)?;
    }
    if let Err(error) = start(&installed, changed || running.is_none()).await {
        // Without a manager the file would be one that nobody has ever read.
        if changed && is_unmanaged(&error) {
            put_back(&installed.file, before.as_deref())?;
        }
        return Err(error);
    }
    let status = adjutant_client::gateway_status(&home).await?;
    let status = status.ok_or_else(|| not_started(&installed, "it ended again at once"))?;
    told(context, &installed, &status, changed)
}

/// Whether no manager has answered.
fn is_unmanaged(error: &CommandError) -> bool {
    matches!(error, CommandError::Told(body) if body.code == ErrorCode::NotSupported)
}

/// Makes a file what it was before.
fn put_back(file: &Path, before: Option<&str>) -> Result<(), CommandError> {
    match before {
        Some(text) => write_whole(file, text),
        None => Ok(std::fs::remove_file(file)?),
    }
}

/// A port that somebody else has is told before anything is written.
fn check_port(places: &Places, running: Option<&GatewayStatus>) -> Result<(), CommandError> {
    let Some((bind, port)) = places.address else { return Ok(()) };
    if running.is_some_and(|status| status.port == Some(port)) {
        return Ok(());
    }
    house::check_port(bind, port).map_err(CommandError::from)
}

fn service(places: &Places) -> Result<Service, CommandError> {
    let text = |what: &str, path: &Path| {
        let none = || CommandError::new(ErrorCode::EnvInvalid, format!("{what} is not UTF-8, and a service file is"));
        path.to_str().map(str::to_owned).ok_or_else(none)
    };
    let adj = std::env::current_exe()?;
    let mut command = vec![text("the path of adj", &adj)?, "gateway".to_owned(), "run".to_owned()];
    if let Some((bind, port)) = places.address {
        command.extend(["--bind".to_owned(), bind.to_string(), "--port".to_owned(), port.to_string()]);
    }
    if let Some(socket) = &places.socket {
        command.extend(["--socket".to_owned(), text("the path of the socket", socket)?]);
    }
    let mut variables = Vec::new();
    for name in KEPT {
        if let Some(value) = variables::value(name) {
            variables.push((name.to_owned(), text(name, Path::new(&value))?));
        }
    }
    Ok(Service { command, variables })
}

async fn start(installed: &Installed, again: bool) -> Result<(), CommandError> {
    let name = installed.name.as_str();
    match MANAGER {
        Manager::Systemd => {
            manager("systemctl", &["--user", "daemon-reload"]).await.map_err(|why| no_manager(&why))?;
            manager("systemctl", &["--user", "enable", name]).await.map_err(|why| not_started(installed, &why))?;
            let verb = if again { "restart" } else { "start" };
            manager("systemctl", &["--user", verb, name]).await.map_err(|why| not_started(installed, &why))
        }
        Manager::Launchd => {
            let (domain, file) = (house::launchd_domain(), installed.file.display().to_string());
            if again {
                let _ = manager("launchctl", &["bootout", &format!("{domain}/{name}")]).await;
            }
            manager("launchctl", &["bootstrap", &domain, &file]).await.map_err(|why| not_started(installed, &why))
        }
    }
}

fn no_manager(why: &str) -> CommandError {
    let message = format!("the manager of your services does not answer: {why}");
    CommandError::new(ErrorCode::NotSupported, message).with_hint("adj gateway run")
}

fn not_started(installed: &Installed, why: &str) -> CommandError {
    let message = format!("the service is installed as {}, and did not start: {why}", installed.file.display());
    let hint = match MANAGER {
        Manager::Systemd => format!("systemctl --user status {}", installed.name),
        Manager::Launchd => format!("launchctl print {}/{}", house::launchd_domain(), installed.name),
    };
    CommandError::new(ErrorCode::GatewayUnreachable, message).with_hint(hint)
}

fn told(context: &mut Context, installed: &Installed, status: &GatewayStatus, changed: bool) -> Outcome {
    let ui = &mut context.ui;
    let file = installed.file.display().to_string();
    if ui.json {
        let (port, pid, addresses) = (status.port, status.pid, &status.addresses);
        ui.document(&json!({"file": file, "changed": changed, "port": port, "pid": pid, "addresses": addresses}))?;
        return Ok(0);
    }
    if ui.quiet {
        return Ok(0);
    }
    let place = status.port.map_or_else(|| status.addresses.join(" "), |port| format!("port {port}"));
    ui.line(&format!("Gateway daemon installed and started on {place}"))?;
    ui.line(&format!("{} {file}; it starts when you log in", if changed { "Wrote" } else { "Kept" }))?;
    if MANAGER == Manager::Launchd {
        ui.note(
            "Sessions in Documents, Desktop or Downloads need disk access for adj, in the system's privacy settings.",
        );
    }
    Ok(0)
}

pub(super) async fn uninstall(context: &mut Context) -> Outcome {
    let installed = Installed::of(&Context::home()?)?;
    let there = match std::fs::symlink_metadata(&installed.file) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error.into()),
    };
    if there {
        stop(&installed).await?;
    }
    let ui = &mut context.ui;
    if ui.json {
        ui.document(&json!({"file": installed.file.display().to_string(), "changed": there}))?;
    } else if !ui.quiet {
        ui.line("Gateway daemon uninstalled")?;
        let file = installed.file.display();
        ui.line(&if there { format!("Removed {file}") } else { format!("Nothing was installed as {file}") })?;
    }
    Ok(ExitCode::Completed.number())
}

/// Stops the service and removes its file. Without a manager that answers nothing of it runs.
async fn stop(installed: &Installed) -> Result<(), CommandError> {
    let name = installed.name.as_str();
    match MANAGER {
        Manager::Systemd => {
            let stopped = manager("systemctl", &["--user", "disable", "--now", name]).await;
            std::fs::remove_file(&installed.file)?;
            let reloaded = manager("systemctl", &["--user", "daemon-reload"]).await;
            stopped.and(reloaded).map_err(|why| no_manager(&why))
        }
        Manager::Launchd => {
            let _ = manager("launchctl", &["bootout", &format!("{}/{name}", house::launchd_domain())]).await;
            Ok(std::fs::remove_file(&installed.file)?)
        }
    }
}

/// Runs a command of the service manager to its end; the last line of what it says is why it failed.
#[expect(clippy::disallowed_methods, reason = "the manager of services is asked by its own program")]
async fn manager(program: &str, words: &[&str]) -> Result<(), String> {
    let mut command = tokio::process::Command::new(program);
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(MANAGER_MAX, command.output()).await;
    let output = ended.map_err(|_| format!("{program} did not end within {MANAGER_MAX:?}"))?;
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let line = said.lines().next().map_or_else(|| output.status.to_string(), str::to_owned);
    Err(format!("{program} {}: {line}", words.join(" ")))
}

fn write_whole(path: &Path, text: &str) -> Result<(), CommandError> {
    let unwritable = |error: io::Error| CommandError::new(ErrorCode::Internal, format!("{}: {error}", path.display()));
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(unwritable)?;
    }
    let aside = path.with_extension("new");
    std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, path)).map_err(unwritable)
}
