//! The environment of a session whose creator, or whoever revives it, brings none along.

use std::collections::BTreeMap;

use adjutant_api::ErrorCode;

use crate::http::error::Failure;

/// The caller's environment, or the base where the caller names no variable: a person with `curl` has none to send.
pub(super) fn or_base(
    callers: &BTreeMap<String, String>,
    extra: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Failure> {
    if callers.is_empty() {
        return Ok(base(std::env::vars_os()));
    }
    if !callers.contains_key("PATH") && !extra.contains_key("PATH") {
        let message = "`environment` names variables and no `PATH`, so that no agent can be found; leave it out for a base of \
            the daemon's own variables";
        return Err(Failure::new(ErrorCode::EnvInvalid, message));
    }
    Ok(callers.clone())
}

/// What is taken from the daemon's own environment: what every program needs to find its way, and nothing else of whoever
/// happened to start the daemon.
fn base(own: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>) -> BTreeMap<String, String> {
    let text = own.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    text.filter(|(name, _)| adjutant_agents::is_common_variable(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_a_list() {
        let own = ["PATH=/bin", "LC_ALL=C", "XDG_RUNTIME_DIR=/run/x", "ADJ_SESSION_TOKEN=x", "ANTHROPIC_API_KEY=x"];
        let own =
            own.into_iter().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), value.into()));
        assert_eq!(base(own).into_keys().collect::<Vec<_>>(), ["LC_ALL", "PATH", "XDG_RUNTIME_DIR"]);
    }
}
