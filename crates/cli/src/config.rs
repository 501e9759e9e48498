//! The configuration file: every key known, every type checked, every error with its line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use adjutant_api::{ErrorCode, limits};
use adjutant_client::{RemoteProgram, SshTarget};
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
    /// How people are told what happens.
    pub(crate) notify: Notify,
    /// Other machines, by the names that `--host` takes.
    pub(crate) hosts: BTreeMap<String, HostEntry>,
    /// What a container knows of its host.
    pub(crate) sandbox: SandboxConfig,
}

/// Another machine: where it is, or that and more.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum HostEntry {
    /// Where `ssh` is to go.
    Target(String),
    /// That and what `adj` is called there.
    Table(HostTable),
}

/// Another machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostTable {
    target: String,
    adj: Option<String>,
}

impl HostEntry {
    /// Where `ssh` is to go.
    pub(crate) fn target(&self) -> &str {
        match self {
            Self::Target(target) | Self::Table(HostTable { target, .. }) => target,
        }
    }

    /// What `adj` is called there.
    pub(crate) fn program(&self) -> Option<RemoteProgram> {
        match self {
            Self::Target(_) => None,
            Self::Table(table) => table.adj.as_ref()?.parse().ok(),
        }
    }

    fn check(&self) -> Result<(), String> {
        self.target().parse::<SshTarget>()?;
        match self {
            Self::Table(HostTable { adj: Some(adj), .. }) => adj.parse::<RemoteProgram>().map(|_| ()),
            Self::Table(HostTable { adj: None, .. }) | Self::Target(_) => Ok(()),
        }
    }
}

/// What a container knows of its host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SandboxConfig {
    /// Directories of the container, and what the host calls them.
    pub(crate) paths: BTreeMap<PathBuf, PathBuf>,
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

/// How people are told what happens: by a command, by a web hook, or by both.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Notify {
    /// A program and its arguments; the event is on its standard input, as JSON.
    pub(crate) command: Vec<String>,
    /// An `http://` address to which the event is posted, as JSON.
    pub(crate) webhook: Option<String>,
    /// The types of events, as `adj watch --types` takes them.
    pub(crate) events: Vec<String>,
    /// Time for one attempt.
    pub(crate) timeout: String,
}

impl Default for Notify {
    fn default() -> Self {
        let events = ["request.opened", "turn.failed", "turn.exited", "turn.unknown"];
        let events = events.map(str::to_owned).to_vec();
        Self { command: Vec::new(), webhook: None, events, timeout: "10s".to_owned() }
    }
}

impl Notify {
    /// What the daemon is told of it; `None` where nobody is to be told.
    pub(crate) fn parts(&self) -> Result<Option<NotifyParts>, String> {
        let webhook = self.webhook.as_ref().map(|text| crate::house::webhook(text)).transpose();
        let webhook = webhook.map_err(|why| format!("`notify.webhook` {why}"))?;
        let attempt = self.timeout.parse::<crate::duration::Span>();
        let attempt = attempt.map_err(|why| format!("`notify.timeout` {why}"))?.millis();
        if attempt == 0 {
            return Err("`notify.timeout` is 0".to_owned());
        }
        let parts =
            NotifyParts { command: self.command.clone(), webhook, events: self.events.clone(), attempt_ms: attempt };
        Ok((!parts.command.is_empty() || parts.webhook.is_some()).then_some(parts))
    }
}

/// The parts of [`Notify`], read.
pub(crate) struct NotifyParts {
    pub(crate) command: Vec<String>,
    pub(crate) webhook: Option<crate::house::Webhook>,
    pub(crate) events: Vec<String>,
    pub(crate) attempt_ms: u64,
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
            notify: Notify::default(),
            hosts: BTreeMap::new(),
            sandbox: SandboxConfig::default(),
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
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
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
        if let Err(why) = self.notify.parts() {
            return Err(invalid(path, line("[notify]"), &why));
        }
        for (name, host) in &self.hosts {
            let named = name.parse::<SshTarget>().map(|_| ());
            if let Err(why) = named.and_then(|()| host.check()) {
                return Err(invalid(path, line(name).or(line("[hosts")), &format!("`hosts.{name}`: {why}")));
            }
        }
        for (container, host) in &self.sandbox.paths {
            if let Err(why) = crate::translate::mapping(container, host) {
                return Err(invalid(path, line("[sandbox"), &format!("`sandbox.paths`: {why}")));
            }
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
            [notify]
            command = ["notify-send", "adj"]
            webhook = "http://127.0.0.1:9/x"
            events = ["turn.*"]
            timeout = "5s"
            [hosts]
            box = "ssh://user@box.example"
            far = { target = "far", adj = "/opt/adj" }
            [sandbox]
            paths = { "/data:x" = "/mnt/data" }
        "#;
        let config = Config::read(text, Path::new("/c.toml")).unwrap();
        assert_eq!(config.default_cli, "shell");
        assert_eq!(config.default_timeout(), Limit::Millis(600_000));
        assert_eq!(config.agents["gemini"].arguments, ["--acp"]);
        assert_eq!(config.sessions_may_kill, MayKill::Any);
        assert_eq!((config.hosts["box"].target(), config.hosts["box"].program()), ("ssh://user@box.example", None));
        assert_eq!(config.hosts["far"].program().unwrap().as_str(), "/opt/adj");
        assert_eq!(config.sandbox.paths[Path::new("/data:x")], Path::new("/mnt/data"));
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
        assert!(error("[notify]\nwebhook = \"https://x/\"").starts_with("/c.toml:1: `notify.webhook` does not begin"));
        assert!(error("[hosts]\nbox = \"-oProxyCommand=id\"").starts_with("/c.toml:2: `hosts.box`"));
        assert!(error("[hosts.box]\ntarget = \"box\"\nadj = \"a; b\"").starts_with("/c.toml:1: `hosts.box`"));
        assert!(error("[sandbox]\npaths = { rel = \"/x\" }").starts_with("/c.toml:1: `sandbox.paths`"));
        assert!(error("[notify]\ntimeout = \"0s\"").starts_with("/c.toml:1: `notify.timeout`"));
    }

    #[test]
    fn a_file_that_is_missing_says_nothing() {
        let config = Config::load(Path::new("/nowhere/config.toml")).unwrap();
        assert_eq!((config.default_timeout(), config.keep_days), (Limit::Millis(300_000), 30));
    }
}
