//! The daemon's process as its caller starts it: nothing of the caller but a few variables.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use adjutant_api::{ErrorBody, ErrorCode};

use crate::endpoint::Local;

/// Variables that a daemon needs to find its places, its user's programs and its user's services.
const KEPT: [&str; 15] = [
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "TMPDIR",
    "TZ",
    "LANG",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "RUST_BACKTRACE",
];

/// Variables of ours that say who the caller is, or that are secret: a daemon belongs to no session.
const OF_THE_CALLER: [&str; 6] =
    ["ADJ_SESSION", "ADJ_PARENT", "ADJ_SESSION_TOKEN", "ADJ_GATEWAY_TOKEN", "ADJ_GATEWAY_TOKEN_FILE", STAMP];

/// The variable by which a session's processes are known, also those that have left it.
const STAMP: &str = "ADJ_STAMP";

/// The stamp of a daemon: that of no session, so that the end of the session which happened to start it spares it.
const STAMP_OF_A_DAEMON: &str = "daemon";

/// Starts the daemon with a pipe on which it will say that it serves.
pub(crate) fn daemon(local: &Local) -> Result<Child, ErrorBody> {
    let closer = SHELLS.iter().find(|shell| Path::new(shell).is_file()).copied();
    let mut command = command(&local.adj, closer, &inherited_descriptors());
    command.env_clear().envs(local.environment.iter().filter(|(name, _)| is_kept(name)).cloned());
    command.env(STAMP, STAMP_OF_A_DAEMON);
    let log = open_log(&local.home.daemon_log())?;
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    command.spawn().map_err(|error| {
        let message = format!("cannot start {}: {error}", local.adj.display());
        ErrorBody::new(ErrorCode::DaemonUnreachable, message)
    })
}

/// The system's own shells that can close any descriptor. What the caller's PATH calls so may be anything.
const SHELLS: [&str; 3] = ["/bin/bash", "/usr/bin/bash", "/run/current-system/sw/bin/bash"];

/// The command, behind a shell that closes what the caller's own shell left open: a daemon that holds a pipe or a lock
/// of whoever happened to start it would hang that caller for as long as it lives. Without a shell it is started as it is.
#[expect(clippy::disallowed_methods, reason = "the one process that a client starts is the daemon")]
fn command(adj: &Path, closer: Option<&str>, inherited: &[u32]) -> Command {
    let arguments = ["daemon", "run", "--detached"];
    let Some(closer) = closer.filter(|_| !inherited.is_empty()) else {
        let mut command = Command::new(adj);
        command.args(arguments);
        return command;
    };
    let closing: String = inherited.iter().map(|fd| format!(" {fd}>&-")).collect();
    let mut command = Command::new(closer);
    let script = format!("exec{closing}; exec \"$@\"");
    command.args(["--norc", "--noprofile", "-c"]).arg(script).arg("adj").arg(adj).args(arguments);
    command
}

fn is_kept(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let ours = name.starts_with("ADJ_") && !OF_THE_CALLER.contains(&name);
    ours || name.starts_with("LC_") || KEPT.contains(&name)
}

fn open_log(path: &Path) -> Result<File, ErrorBody> {
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    opened.map_err(|error| {
        ErrorBody::new(ErrorCode::StateDirUnusable, format!("cannot write {}: {error}", path.display()))
    })
}

/// Descriptors beyond the standard three that a child would inherit. Where `/proc` does not say, none are known.
fn inherited_descriptors() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fdinfo") else {
        return Vec::new();
    };
    let names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
    numbers.filter(|fd| *fd > 2 && is_inheritable(*fd).unwrap_or(false)).collect()
}

fn is_inheritable(fd: u32) -> io::Result<bool> {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    Ok(flags.is_some_and(|flags| flags & CLOSE_ON_EXEC == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_belongs_to_no_session() {
        for name in ["HOME", "PATH", "LC_ALL", "ADJ_HOME", "ADJ_SOCKET"] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
        for name in ["ADJ_SESSION", "ADJ_SESSION_TOKEN", "CLAUDECODE", "ANTHROPIC_API_KEY", "LD_PRELOAD"] {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_shell_closes_what_was_left_open() {
        let words = |command: &Command| {
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let adj = Path::new("/x/adj");
        let closing = ["/bin/bash", "--norc", "--noprofile", "-c", "exec 5>&- 12>&-; exec \"$@\"", "adj"];
        let plain = ["/x/adj", "daemon", "run", "--detached"];
        assert_eq!(words(&command(adj, Some("/bin/bash"), &[5, 12])), [closing.as_slice(), &plain].concat());
        assert_eq!(words(&command(adj, Some("/bin/bash"), &[])), plain);
        assert_eq!(words(&command(adj, None, &[5, 12])), plain, "no shell is no reason not to start");
    }
}
