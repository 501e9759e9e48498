//! The variables of the environment that commands read. They are read in this one file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use adjutant_api::ErrorCode;
use adjutant_api::home::HomeVariables;
use adjutant_client::RemoteProgram;

use crate::error::CommandError;
use crate::sandbox::{SandboxVariables, Variable};

fn get(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What decides where the host's files are.
pub(crate) fn home() -> HomeVariables {
    HomeVariables {
        adj_home: get("ADJ_HOME"),
        adj_socket: get("ADJ_SOCKET"),
        home: get("HOME"),
        xdg_state_home: get("XDG_STATE_HOME"),
        xdg_config_home: get("XDG_CONFIG_HOME"),
        xdg_runtime_dir: get("XDG_RUNTIME_DIR"),
    }
}

/// The token that proves which session calls.
///
/// # Errors
/// When it is no text: nobody takes a session for its user because its token is broken.
pub(crate) fn token() -> Result<Option<String>, CommandError> {
    let no_text = |_| CommandError::new(ErrorCode::EnvInvalid, "`ADJ_SESSION_TOKEN` is no token");
    get("ADJ_SESSION_TOKEN").map(OsString::into_string).transpose().map_err(no_text)
}

/// The value of a variable that is not empty.
pub(crate) fn value(name: &str) -> Option<OsString> {
    get(name)
}

/// Whether a variable has a value.
pub(crate) fn is_set(name: &str) -> bool {
    get(name).is_some()
}

/// The user's home directory.
///
/// # Errors
/// When `HOME` is not set.
pub(crate) fn home_directory() -> Result<PathBuf, CommandError> {
    let missing = || CommandError::new(ErrorCode::HomeMissing, "HOME is not set");
    get("HOME").map(PathBuf::from).filter(|path| path.is_absolute()).ok_or_else(missing)
}

/// The directory of the user's configuration files.
///
/// # Errors
/// When neither `XDG_CONFIG_HOME` nor `HOME` is set.
pub(crate) fn config_home() -> Result<PathBuf, CommandError> {
    let given = get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    given.map_or_else(|| home_directory().map(|home| home.join(".config")), Ok)
}

/// What a container's environment says of its host; each by our name, or else by the one that users of an older tool have
/// set already.
pub(crate) fn sandbox() -> SandboxVariables {
    let first = |names: &[&'static str]| names.iter().find_map(|name| get(name).map(|value| Variable { name, value }));
    SandboxVariables {
        sandbox: first(&["ADJ_SANDBOX", "DEV_SESSIONS_SANDBOX"]),
        url: first(&["ADJ_GATEWAY_URL", "DEV_SESSIONS_GATEWAY_URL"]),
        port: first(&["ADJ_GATEWAY_PORT", "DEV_SESSIONS_GATEWAY_PORT"]),
        host_path: first(&["ADJ_HOST_PATH", "HOST_PATH"]),
        workspace: first(&["ADJ_CONTAINER_WORKSPACE", "CONTAINER_WORKSPACE"]),
        path_map: first(&["ADJ_PATH_MAP"]),
        token: first(&["ADJ_GATEWAY_TOKEN"]),
        token_file: first(&["ADJ_GATEWAY_TOKEN_FILE"]),
    }
}

/// How long an older tool was told to wait for an agent to get ready, in milliseconds.
pub(crate) fn ready_ms() -> Result<Option<u64>, CommandError> {
    const NAME: &str = "DEV_SESSIONS_TRANSCRIPT_TIMEOUT_MS";
    let Some(value) = get(NAME) else { return Ok(None) };
    let text = value.to_string_lossy();
    let number = text.parse().ok().filter(|millis| *millis > 0);
    let wrong = || CommandError::new(ErrorCode::EnvInvalid, format!("`{NAME}={text}` is no number of milliseconds"));
    number.map(Some).ok_or_else(wrong)
}

/// What `adj` is called on other machines.
pub(crate) fn remote_program() -> Result<Option<RemoteProgram>, CommandError> {
    for name in ["ADJ_REMOTE_BIN", "DEV_SESSIONS_REMOTE_BIN"] {
        if let Some(value) = get(name) {
            let read = value.to_string_lossy().parse::<RemoteProgram>();
            return read.map(Some).map_err(|why| CommandError::new(ErrorCode::EnvInvalid, format!("`{name}`: {why}")));
        }
    }
    Ok(None)
}

/// All variables as they are.
pub(crate) fn all() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// The default that a variable gives to an option.
pub(crate) fn default<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Result<Option<T>, CommandError> {
    let Some(value) = get(name) else {
        return Ok(None);
    };
    let text = value.to_string_lossy();
    match text.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error) => Err(CommandError::new(ErrorCode::EnvInvalid, format!("`{name}={text}` {error}"))),
    }
}
