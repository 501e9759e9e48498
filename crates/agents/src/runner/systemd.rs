//! Holding a runner in a scope of systemd's user manager, where there is one: its processes are then a unit of their
//! own, and outlive the unit of the daemon.

use std::process::Stdio;
use std::time::Duration;

use adjutant_core::SessionName;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::limits::SYSTEMD_PROBE_MS_MAX;

/// Longest name of a unit, in bytes.
const UNIT_BYTES_MAX: usize = 180;

/// Digits of the host id in the name of a unit: two homes never meet in one.
const HOST_DIGITS: usize = 8;

/// How a runner is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Supervisor {
    /// By itself: a session and a process group of its own, and the adoption of all orphans.
    Process,
    /// Besides, by a transient scope of this name.
    Scope(String),
}

impl Supervisor {
    /// What is recorded of it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Process => "process",
            Self::Scope(unit) => unit,
        }
    }

    /// The supervisor for a session: a scope where the user manager answers, which is asked once.
    pub(crate) async fn choose(host_id: &str, name: &SessionName) -> Self {
        static MANAGER: OnceCell<bool> = OnceCell::const_new();
        let unit = unit_name(host_id, name.as_str());
        if unit.len() <= UNIT_BYTES_MAX && *MANAGER.get_or_init(manager_answers).await {
            Self::Scope(unit)
        } else {
            Self::Process
        }
    }
}

fn unit_name(host_id: &str, name: &str) -> String {
    let host: String = host_id.chars().filter(char::is_ascii_alphanumeric).take(HOST_DIGITS).collect();
    format!("adj-{host}-{name}.scope")
}

/// Whether the user manager answers a question about itself in time. No answer in time is none.
async fn manager_answers() -> bool {
    let mut ask = program("systemctl");
    ask.args(["--user", "show", "--property=Version"]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match timeout(Duration::from_millis(SYSTEMD_PROBE_MS_MAX), ask.output()).await {
        Ok(Ok(answer)) => answer.status.success() && answer.stdout.starts_with(b"Version="),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// The beginning of a command that runs the rest of its words in a scope. `systemd-run` becomes the runner when the
/// scope is there, and ends without one when it cannot be made: so a dead process is the proof that nothing was
/// started.
pub(super) fn in_scope(unit: &str) -> Command {
    let mut command = program("systemd-run");
    command.env_clear().args(["--user", "--scope", "--quiet", "--collect"]).arg(format!("--unit={unit}")).arg("--");
    for name in ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "PATH"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

#[expect(clippy::disallowed_methods, reason = "systemd is spoken to through its own programs")]
fn program(name: &str) -> Command {
    Command::new(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h302_units_carry_the_host_and_the_session() {
        assert_eq!(unit_name("0123-4567-89ab", "fizz-top"), "adj-01234567-fizz-top.scope");
        assert_eq!(Supervisor::Scope("adj-x.scope".to_owned()).name(), "adj-x.scope");
        assert_eq!(Supervisor::Process.name(), "process");
    }
}
