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

/// Asks Claude Code itself by these [`words`], with the session's variables and directory. Only its plain word says that there is no
/// login: a version that does not know the question, or does not answer in time, says nothing.
pub(super) async fn is_missing(
    program: &Path,
    directory: &Path,
    environment: &BTreeMap<String, String>,
    words: &[String],
) -> bool {
    let mut command = command(program, words);
    command.env_clear().envs(environment).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let asked = timeout(Duration::from_millis(LOGIN_MS_MAX), command.output()).await;
    let said = asked.ok().and_then(Result::ok);
    said.and_then(|said| serde_json::from_slice::<Status>(&said.stdout).ok()).is_some_and(|status| !status.logged_in)
}

/// The words of the question: with the session's settings, which may hold a login, and where else to look for some. Other
/// words of the caller's may mean something else before a command.
pub(super) fn words(settings: &Path, arguments: &[String]) -> Vec<String> {
    const SOURCES: &str = "--setting-sources";
    let mut words = vec!["--settings".to_owned(), settings.display().to_string()];
    let mut all = arguments.iter();
    while let Some(word) = all.next() {
        if word == SOURCES {
            words.push(word.clone());
            words.extend(all.next().cloned());
        } else if word.strip_prefix(SOURCES).is_some_and(|rest| rest.starts_with('=')) {
            words.push(word.clone());
        }
    }
    words.extend(["auth", "status"].map(str::to_owned));
    words
}

#[expect(clippy::disallowed_methods, reason = "an agent is asked for its login by running it")]
fn command(program: &Path, words: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_go_along() {
        let line = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let asked = words(Path::new("/s"), &line("--add-dir /x --setting-sources=user --verbose"));
        assert_eq!(asked, line("--settings /s --setting-sources=user auth status"));
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
