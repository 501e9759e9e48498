//! Finding Claude Code on the caller's PATH.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use adjutant_core::agent::StartFailure;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::Program;
use crate::path::{find_on, is_executable};

/// The oldest version whose hooks and status file are as this driver reads them.
const VERSION_MIN: (u64, u64, u64) = (2, 1, 300);

/// Time for it to say its version, in seconds.
const VERSION_SECONDS_MAX: i64 = 10;

/// Looks for `claude` where the caller would find it, and asks it for its version.
pub(super) fn claude(environment: &BTreeMap<String, String>) -> Result<Program, StartFailure> {
    let path = environment.get("PATH").map_or("", String::as_str);
    let program = find_on(path, "claude").ok_or_else(|| StartFailure::AgentNotFound {
        detail: format!(
            "claude is not on the caller's PATH (`{path}`); install it with `npm install -g @anthropic-ai/claude-code`"
        ),
    })?;
    let version = version_of(&program, environment);
    match version.as_deref().and_then(parse) {
        Some(found) if found < VERSION_MIN => Err(StartFailure::AgentNotFound {
            detail: format!(
                "{} is version {}, and {}.{}.{} or newer is needed; run `claude update`",
                program.display(),
                version.unwrap_or_default(),
                VERSION_MIN.0,
                VERSION_MIN.1,
                VERSION_MIN.2
            ),
        }),
        Some(_) | None => Ok(Program { path: program, version }),
    }
}

/// Looks for the program that starts Claude Code in a container, where the caller would find it. It is not asked for a
/// version: that would start a container.
pub(super) fn wrapper(environment: &BTreeMap<String, String>, name: &str) -> Result<Program, StartFailure> {
    let path = environment.get("PATH").map_or("", String::as_str);
    let absolute = Some(PathBuf::from(name)).filter(|file| file.is_absolute());
    let found = match absolute {
        Some(file) => is_executable(&file).then_some(file),
        None => find_on(path, name),
    };
    let missing = || StartFailure::AgentNotFound {
        detail: format!(
            "`{name}`, which starts Claude Code in a container, is not on the caller's PATH (`{path}`); name the program \
             by `docker.command` in the configuration"
        ),
    };
    found.map(|path| Program { path, version: None }).ok_or_else(missing)
}

#[expect(clippy::disallowed_methods, reason = "an agent is asked for its version by running it")]
fn version_of(program: &Path, environment: &BTreeMap<String, String>) -> Option<String> {
    let mut command = std::process::Command::new(program);
    command.arg("--version").env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.envs(environment.iter().filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "LANG")));
    let mut child = command.spawn().ok()?;
    if !ends_in_time(&child) {
        // One that cannot be ended is no concern of a create; its version stays unknown.
        let _ = child.kill();
    }
    let said = child.wait_with_output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.split_whitespace().next().map(str::to_owned)
}

fn ends_in_time(child: &Child) -> bool {
    let Ok(pidfd) = pidfd_open(Pid::from_child(child), PidfdFlags::empty()) else { return true };
    let limit = Timespec { tv_sec: VERSION_SECONDS_MAX, tv_nsec: 0 };
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit)).is_ok_and(|ready| ready > 0)
}

fn parse(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.split(['.', '-']).map(str::parse::<u64>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse("2.1.328"), Some((2, 1, 328)));
        assert!(parse("2.1.99").unwrap() < VERSION_MIN && parse("2.2.0").unwrap() > VERSION_MIN);
        assert_eq!(parse("new"), None);
    }

    #[test]
    fn a_missing_claude_is_told_with_what_to_do() {
        let Err(StartFailure::AgentNotFound { detail }) = claude(&BTreeMap::new()) else { panic!("found") };
        assert!(detail.contains("npm install"), "{detail}");
    }

    #[test]
    fn a_wrapper_is_found_by_name_or_by_path() {
        let path = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let by_name = wrapper(&path, "env").unwrap();
        assert!(by_name.path.ends_with("env") && by_name.version.is_none(), "{by_name:?}");
        assert_eq!(wrapper(&BTreeMap::new(), "/bin/sh").unwrap().path, PathBuf::from("/bin/sh"));
        for missing in ["no-such-wrapper", "/no/such/wrapper", "", "bin/sh"] {
            let Err(StartFailure::AgentNotFound { detail }) = wrapper(&path, missing) else { panic!("{missing}") };
            assert!(detail.contains("docker.command"), "{detail}");
        }
    }
}
