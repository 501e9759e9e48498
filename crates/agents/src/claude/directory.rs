//! What Claude Code takes from a directory that whoever writes there may not use to decide anything.

use adjutant_core::session::Profile;
use serde_json::{Value, json};

/// With it Claude Code leaves `@` and the name of a file in a message as they are, whoever writes them.
pub(super) const NO_MENTIONS: &str = "CLAUDE_CODE_DISABLE_FILE_MENTIONS";

/// Settings, hooks, instructions and tool servers of the user alone, where the directory is not to be trusted. Tool servers
/// that are named for a project stand in the user's own file, so that all of them are left out.
pub(super) fn own_settings_only(profile: &Profile) -> impl Iterator<Item = String> {
    let words: &[&str] = match profile.distrusts_directory() {
        true => &["--setting-sources", "user", "--strict-mcp-config"],
        false => &[],
    };
    words.iter().map(|word| (*word).to_owned())
}

/// Settings besides ours, where the directory is not to be trusted: `git` asks even for what only reads, because it runs what
/// the repository's own configuration names.
pub(super) fn own_rules(profile: &Profile) -> Option<Value> {
    profile.distrusts_directory().then(|| json!({ "permissions": { "ask": ["Bash(git *)"] } }))
}
