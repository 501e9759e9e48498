//! The environment of an app-server, and what each session adds to it for its own commands.
//!
//! The server is shared, so what belongs to one session (its name, its token, what `--env` names) is not in it: that goes
//! along with the session's thread, and the app-server gives it to the commands of that thread alone.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::codex::limits::CONFIG_BYTES_MAX;
use crate::process::Stamp;
use crate::{LaunchPlan, Place};

/// Variables of the caller's that are passed on.
const NAMES: [&str; 33] = [
    "ALL_PROXY",
    "COLORTERM",
    "CURL_CA_BUNDLE",
    "DBUS_SESSION_BUS_ADDRESS",
    "EDITOR",
    "GOPATH",
    "HOME",
    "HOSTNAME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "PATH",
    "PYENV_ROOT",
    "RUSTUP_HOME",
    "CARGO_HOME",
    "SHELL",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
    "all_proxy",
    "https_proxy",
    "no_proxy",
];

/// Beginnings of such names.
const PREFIXES: [&str; 2] = ["LC_", "XDG_"];

/// Beginnings of names of variables that are about a provider of models.
const PROVIDERS: [&str; 2] = ["OPENAI_", "AZURE_OPENAI_"];

/// Variables that Codex itself reads, and that it does not set for its children.
const OWN: [&str; 4] = ["CODEX_HOME", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_CA_CERTIFICATE"];

/// The environment of the server that a session of this caller would start.
pub(super) fn of_server(launch: &LaunchPlan, place: &Place, home: &Path) -> BTreeMap<String, String> {
    let named = variables_of_config(home);
    let is_passed = |name: &str| {
        NAMES.contains(&name)
            || OWN.contains(&name)
            || PREFIXES.iter().chain(&PROVIDERS).any(|prefix| name.starts_with(prefix))
            || named.iter().any(|named| named == name)
    };
    let caller = launch.caller_environment.iter().filter(|(name, _)| is_passed(name));
    let extra = launch.extra_environment.iter().filter(|(name, _)| is_passed(name));
    let mut environment: BTreeMap<_, _> =
        caller.chain(extra).map(|(name, value)| (name.clone(), value.clone())).collect();
    if environment.get("TERM").is_none_or(|term| term == "dumb" || term.is_empty()) {
        environment.insert("TERM".to_owned(), "xterm-256color".to_owned());
    }
    environment.insert("CODEX_HOME".to_owned(), home.display().to_string());
    let path = environment.get("PATH").cloned().unwrap_or_default();
    environment.insert("PATH".to_owned(), crate::path::path_with_adj(&path, &place.adj));
    environment.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    environment
}

/// What the commands of one session have besides: no pager waits for a key that nobody presses, what `--env` names, who
/// the session is, and its stamp.
pub(super) fn of_commands(launch: &LaunchPlan, stamp: &Stamp) -> BTreeMap<String, String> {
    let pagers = ["PAGER", "GIT_PAGER"].map(|name| (name.to_owned(), "cat".to_owned()));
    let mut environment = BTreeMap::from(pagers);
    environment.extend(launch.extra_environment.clone());
    environment.extend(launch.identity.clone());
    environment.insert(Stamp::VARIABLE.to_owned(), stamp.as_str().to_owned());
    environment.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    environment
}

/// The home of the caller's Codex: `CODEX_HOME`, else `.codex` in the home directory; by its one name without links, so
/// that the same home has the same server.
///
/// # Errors
/// Why the caller's Codex has none.
pub(super) fn codex_home(launch: &LaunchPlan) -> Result<PathBuf, String> {
    let value = |name: &str| launch.extra_environment.get(name).or_else(|| launch.caller_environment.get(name));
    let set = |name: &str| value(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = match set("CODEX_HOME") {
        Some(home) if home.is_relative() => {
            return Err(format!("CODEX_HOME is `{}`; it has to be the whole path", home.display()));
        }
        Some(home) => home,
        None => {
            let home = set("HOME").ok_or("neither CODEX_HOME nor HOME is set, so Codex has no home")?;
            real(home).join(".codex")
        }
    };
    Ok(real(home))
}

/// The name without links of what is there; the name as it is of what is not.
fn real(path: PathBuf) -> PathBuf {
    std::fs::canonicalize(&path).unwrap_or(path)
}

/// Whether the user's configuration says of a directory whether it is trusted.
pub(super) fn knows_project(home: &Path, directory: &str) -> bool {
    config(home).is_some_and(|config| config.get("projects").and_then(|all| all.get(directory)).is_some())
}

/// Whether the user's configuration has this key.
pub(super) fn has_key(home: &Path, key: &str) -> bool {
    config(home).is_some_and(|config| config.contains_key(key))
}

/// The user's configuration, where it can be read. What is wrong with it is for Codex to say.
fn config(home: &Path) -> Option<toml::Table> {
    let mut text = String::new();
    let file = std::fs::File::open(home.join("config.toml")).ok()?;
    file.take(CONFIG_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

/// Names of what tells a program how it reaches others.
const NETWORK: [&str; 10] = [
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "https_proxy",
    "no_proxy",
];

/// Whether the app-server itself reads a variable; `named` are those that the configuration names.
pub(super) fn is_of_server(name: &str, named: &[String]) -> bool {
    OWN.contains(&name)
        || NETWORK.contains(&name)
        || PROVIDERS.iter().any(|prefix| name.starts_with(prefix))
        || named.iter().any(|named| named == name)
}

/// The variables that the user's configuration names as the places of keys.
pub(super) fn variables_of_config(home: &Path) -> Vec<String> {
    let mut named = Vec::new();
    if let Some(config) = config(home) {
        collect(&toml::Value::Table(config), "", &mut named);
    }
    named
}

/// Keys of the configuration whose value, or whose values' values, are names of variables.
const NAMING: [&str; 4] = ["env_key", "bearer_token_env_var", "env_http_headers", "env_vars"];

fn collect(value: &toml::Value, key: &str, named: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            for (inner, value) in table {
                let key = if NAMING.contains(&key) { key } else { inner.as_str() };
                collect(value, key, named);
            }
        }
        toml::Value::Array(values) => values.iter().for_each(|value| collect(value, key, named)),
        toml::Value::String(name) if NAMING.contains(&key) => named.push(name.clone()),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => {}
    }
}
