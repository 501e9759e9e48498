//! The environment of Claude Code: a listed base of the caller's variables and those that are Claude Code's own, without
//! what a surrounding agent sets for its children.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::claude::directory::NO_MENTIONS;
use crate::path::path_with_adj;
use crate::process::Stamp;
use crate::variables::is_common_variable;
use crate::{LaunchPlan, Place};

/// Variables of the user's desktop and keys, which tools that an agent runs ask for.
const DESKTOP: [&str; 6] =
    ["SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"];

/// The caller's terminal is not the one that Claude Code gets.
const CALLERS_OWN: &str = "TERM";

/// Names, and beginnings of names, by which Claude Code is told how to reach its model, and git what to do for it.
const OWN_PREFIXES: [&str; 4] = ["ANTHROPIC_", "DISABLE_", "VERTEX_REGION_", "GIT_"];
/// See [`OWN_PREFIXES`].
const OWN: [&str; 25] = [
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_TMPDIR",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    "IS_SANDBOX",
    "AWS_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "CLOUD_ML_REGION",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "MAX_THINKING_TOKENS",
];

/// Builds the environment: the caller's by these lists, then what `--env` names, last the session's identity.
pub(super) fn environment(launch: &LaunchPlan, place: &Place, stamp: &Stamp) -> BTreeMap<String, String> {
    let chosen = launch.caller_environment.iter().filter(|(name, _)| is_passed_on(name));
    let mut environment: BTreeMap<String, String> = chosen.map(|(name, value)| (name.clone(), value.clone())).collect();
    environment.extend(launch.extra_environment.clone());
    if launch.trust {
        // Trust for this process alone: no file of the user's says so afterwards.
        environment.insert("CLAUDE_CODE_SANDBOXED".to_owned(), "1".to_owned());
    }
    if launch.profile.distrusts_directory() {
        environment.insert(NO_MENTIONS.to_owned(), "1".to_owned());
    }
    let path = environment.get("PATH").cloned().unwrap_or_default();
    environment.insert("PATH".to_owned(), path_with_adj(&path, &place.adj));
    environment.extend(launch.identity.clone());
    environment.insert(Stamp::VARIABLE.to_owned(), stamp.as_str().to_owned());
    // Neither a name without letters nor a zero byte can be handed to a process.
    environment.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    environment
}

fn is_passed_on(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    is_common_variable(name) && name != CALLERS_OWN
        || DESKTOP.contains(&name)
        || OWN.contains(&upper.as_str())
        || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Where Claude Code has its own files, for a process with this environment.
pub(super) fn config_dir(environment: &BTreeMap<String, String>) -> PathBuf {
    let home = || environment.get("HOME").map_or_else(PathBuf::new, PathBuf::from).join(".claude");
    environment.get("CLAUDE_CONFIG_DIR").map_or_else(home, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_surrounding_agent_goes_along() {
        for name in [
            "CLAUDECODE",
            "CLAUDE_CODE_SESSION_ID",
            "CLAUDE_PID",
            "CLAUDE_EFFORT",
            "AI_AGENT",
            "TMUX",
            "ADJ_SESSION",
            "OPENAI_API_KEY",
            "CLAUDE_CODE_ENTRYPOINT",
            "LINES",
            "TERM",
        ] {
            assert!(!is_passed_on(name), "{name}");
        }
        for name in ["HOME", "LC_ALL", "ANTHROPIC_BASE_URL", "CLAUDE_CONFIG_DIR", "https_proxy"] {
            assert!(is_passed_on(name), "{name}");
        }
    }

    #[test]
    fn its_files_are_where_it_was_told() {
        let home = BTreeMap::from([("HOME".to_owned(), "/h".to_owned())]);
        assert_eq!(config_dir(&home), PathBuf::from("/h/.claude"));
        let told = BTreeMap::from([("CLAUDE_CONFIG_DIR".to_owned(), "/c".to_owned())]);
        assert_eq!(config_dir(&told), PathBuf::from("/c"));
    }
}
