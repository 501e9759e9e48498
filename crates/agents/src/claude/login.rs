//! Whether Claude Code has a login, before it is given work: in a terminal it starts without one, and its first turn fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use adjutant_core::agent::StartFailure;
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::limits::LOGIN_MS_MAX;

/// What is said where there is none, in either face.
pub(super) fn missing() -> StartFailure {
    let detail = "Claude Code is not logged in; run `claude` once and log in, or give it a key".to_owned();
    StartFailure::AuthRequired { detail }
}

/// What `claude auth status` says, as far as it is ours to read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    logged_in: bool,
}

/// Asks Claude Code itself, with the session's variables, directory and settings. Only its plain word says that there is no
/// login: a version that does not know the question, or does not answer in time, says nothing.
pub(super) async fn is_missing(
    program: &Path,
    directory: &Path,
    environment: &BTreeMap<String, String>,
    arguments: &[String],
) -> bool {
    let mut command = command(program, &settings_of(arguments));
    command.env_clear().envs(environment).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let asked = timeout(Duration::from_millis(LOGIN_MS_MAX), command.output()).await;
    let said = asked.ok().and_then(Result::ok);
    said.and_then(|said| serde_json::from_slice::<Status>(&said.stdout).ok()).is_some_and(|status| !status.logged_in)
}

/// The words for settings that a caller gave, which may hold a login. Others may mean something else before a command.
fn settings_of(arguments: &[String]) -> Vec<String> {
    const NAMES: [&str; 2] = ["--settings", "--setting-sources"];
    let mut words = Vec::new();
    let mut all = arguments.iter();
    while let Some(word) = all.next() {
        if NAMES.contains(&word.as_str()) {
            words.push(word.clone());
            words.extend(all.next().cloned());
        } else if NAMES.iter().any(|name| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))) {
            words.push(word.clone());
        }
    }
    words
}

#[expect(clippy::disallowed_methods, reason = "an agent is asked for its login by running it")]
fn command(program: &Path, settings: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(settings).args(["auth", "status"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_go_along() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let given = words("--add-dir /x --settings f.json --verbose --setting-sources=user");
        assert_eq!(settings_of(&given), words("--settings f.json --setting-sources=user"));
        assert!(settings_of(&words("--add-dir /x")).is_empty());
    }

    #[tokio::test]
    async fn only_a_plain_word_counts() {
        let dir = tempfile::tempdir().unwrap();
        let asked = async |script: &str| {
            let program = dir.path().join("claude");
            // Another process may hold the file open for a moment, which was just being made when this one began.
            std::fs::write(dir.path().join("new"), format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(dir.path().join("new"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
                .unwrap();
            std::fs::rename(dir.path().join("new"), &program).unwrap();
            is_missing(&program, dir.path(), &BTreeMap::new(), &[]).await
        };
        assert!(asked(r#"echo '{"loggedIn": false, "more": 1}'; exit 1"#).await);
        assert!(!asked(r#"echo '{"loggedIn": true}'"#).await);
        assert!(!asked("echo unknown command >&2; exit 1").await);
    }
}
