//! The variables of the environment that commands read. They are read in this one file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use adjutant_api::ErrorCode;
use adjutant_api::home::HomeVariables;

use crate::error::CommandError;

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
