//! The configuration file: every key known, every type checked, every error with its line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use adjutant_api::{ErrorCode, limits};
use serde::Deserialize;

use crate::duration::Limit;
use crate::error::CommandError;

/// What the file may say. Some keys are read by parts that are not there yet; they are checked all the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The agent of a session that names none.
    pub(crate) default_cli: String,
    /// The mode of a session that names none.
    pub(crate) default_mode: Option<String>,
    /// How long `ask` and `wait` wait: seconds, or a duration.
    default_timeout: Option<TimeoutValue>,
    /// Largest message, in bytes.
    pub(crate) message_max_bytes: u64,
    /// Messages that may wait in one session's queue.
    pub(crate) queue_max: usize,
    /// How long logs of ended sessions are kept, in days.
    pub(crate) keep_days: u32,
    /// The wrapper for containers.
    pub(crate) docker: Docker,
    /// Agents that speak the Agent Client Protocol.
    pub(crate) agents: BTreeMap<String, AgentCommand>,
    /// Names of directories.
    pub(crate) projects: BTreeMap<String, PathBuf>,
    /// Which sessions a session may end.
    pub(crate) sessions_may_kill: MayKill,
    /// The gateway.
    pub(crate) gateway: Gateway,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum TimeoutValue {
    Seconds(u32),
    Text(String),
}

/// The wrapper for containers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Docker {
    /// Its command; `clauded` unless given.
    pub(crate) command: Option<String>,
}

/// How an agent is started.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "checked from the first version on, read by the agents that speak ACP when they are there"
)]
pub(crate) struct AgentCommand {
    /// Its program.
    pub(crate) command: String,
    /// Its arguments.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// Its own variables.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// Which sessions a session may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MayKill {
    /// Its own descendants.
    #[default]
    Descendants,
    /// Any.
    Any,
}

/// The gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Further names that are accepted in `Host`.
    pub(crate) hosts: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_cli: "claude".to_owned(),
            default_mode: None,
            default_timeout: None,
            message_max_bytes: limits::MESSAGE_BYTES_MAX,
            queue_max: limits::QUEUE_MESSAGES_MAX,
            keep_days: 30,
            docker: Docker::default(),
            agents: BTreeMap::new(),
            projects: BTreeMap::new(),
            sessions_may_kill: MayKill::default(),
            gateway: Gateway::default(),
        }
    }
}

/// How long `ask` and `wait` wait unless they are told.
const TIMEOUT_MS_DEFAULT: u64 = 300_000;

impl Config {
    /// Reads the file; one that is missing says nothing.
    pub(crate) fn load(path: &Path) -> Result<Self, CommandError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(invalid(path, None, &error.to_string())),
        };
        Self::read(&text, path)
    }

    fn read(text: &str, path: &Path) -> Result<Self, CommandError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            invalid(path, line, error.message())
        })?;
        config.checked(text, path)
    }

    /// What types cannot say.
    fn checked(self, text: &str, path: &Path) -> Result<Self, CommandError> {
        let line = |key: &str| text.lines().position(|line| line.trim_start().starts_with(key)).map(|at| at + 1);
        if let Some(TimeoutValue::Text(value)) = &self.default_timeout
            && let Err(error) = value.parse::<Limit>()
        {
            return Err(invalid(path, line("default_timeout"), &format!("`default_timeout` {error}")));
        }
        if let Some(mode) = &self.default_mode
            && crate::commands::create::mode(mode).is_none()
        {
            let message = "`default_mode` is none of native, guarded, docker";
            return Err(invalid(path, line("default_mode"), message));
        }
        for (key, value) in [("message_max_bytes", self.message_max_bytes), ("queue_max", self.queue_max as u64)] {
            if value == 0 {
                return Err(invalid(path, line(key), &format!("`{key}` is 0")));
            }
        }
        Ok(self)
    }

    /// How long `ask` and `wait` wait unless they are told.
    pub(crate) fn default_timeout(&self) -> Limit {
        match &self.default_timeout {
            None => Limit::Millis(TIMEOUT_MS_DEFAULT),
            Some(TimeoutValue::Seconds(seconds)) => Limit::Millis(u64::from(*seconds) * 1_000),
            Some(TimeoutValue::Text(text)) => text.parse().unwrap_or(Limit::Millis(TIMEOUT_MS_DEFAULT)),
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

fn invalid(path: &Path, line: Option<usize>, what: &str) -> CommandError {
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    let what = what.replace('\n', "; ");
    CommandError::new(ErrorCode::ConfigInvalid, format!("{}{line}: {}", path.display(), what.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        match Config::read(text, Path::new("/c.toml")) {
            Err(CommandError::Told(body)) => body.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_key_of_the_page_is_known() {
        let text = r#"
            default_cli = "shell"
            default_mode = "guarded"
            default_timeout = "10m"
            message_max_bytes = 1000
            queue_max = 5
            keep_days = 7
            sessions_may_kill = "any"
            [docker]
            command = "boxed"
            [agents.gemini]
            command = "gemini"
            arguments = ["--acp"]
            environment = { KEY = "x" }
            [projects]
            app = "/srv/app"
            [gateway]
            hosts = ["box"]
        "#;
        let config = Config::read(text, Path::new("/c.toml")).unwrap();
        assert_eq!(config.default_cli, "shell");
        assert_eq!(config.default_timeout(), Limit::Millis(600_000));
        assert_eq!(config.agents["gemini"].arguments, ["--acp"]);
        assert_eq!(config.sessions_may_kill, MayKill::Any);
    }

    #[test]
    fn an_error_names_file_and_line() {
        assert!(error("default_cli = \"x\"\ndefalt_mode = \"native\"\n").starts_with("/c.toml:2: unknown field"));
        assert!(error("keep_days = \"many\"").starts_with("/c.toml:1: invalid type"));
        assert_eq!(
            error("\ndefault_timeout = \"5 parsec\""),
            "/c.toml:2: `default_timeout` has the unknown unit `parsec`"
        );
        assert_eq!(error("default_mode = \"x\""), "/c.toml:1: `default_mode` is none of native, guarded, docker");
        assert_eq!(error("queue_max = 0"), "/c.toml:1: `queue_max` is 0");
        assert!(error("[docker]\nx = 1").starts_with("/c.toml:2: unknown field"));
        assert!(error("default_cli = ").starts_with("/c.toml:1: "));
    }

    #[test]
    fn a_file_that_is_missing_says_nothing() {
        let config = Config::load(Path::new("/nowhere/config.toml")).unwrap();
        assert_eq!((config.default_timeout(), config.keep_days), (Limit::Millis(300_000), 30));
    }
}
