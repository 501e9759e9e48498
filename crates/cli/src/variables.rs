//! The variables of the environment that commands read. They are read in this one file.

use std::ffi::OsString;
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
