//! The settings with which Claude Code is started: our hooks, for this session alone. No file of the user's is written.

use std::path::Path;

use adjutant_core::agent::shell_quoted;
use serde_json::{Value, json};

/// Time for a decision, in seconds: the longest that Claude Code takes.
const DECISION_SECONDS_MAX: u32 = 86_400;

/// Time for a call that only tells, in seconds. It takes milliseconds.
const TELLING_SECONDS_MAX: u32 = 10;

/// What is heard, and for how long it may take.
const HOOKS: [(&str, u32); 10] = [
    ("SessionStart", TELLING_SECONDS_MAX),
    ("UserPromptSubmit", TELLING_SECONDS_MAX),
    ("PermissionRequest", DECISION_SECONDS_MAX),
    ("Elicitation", DECISION_SECONDS_MAX),
    ("Notification", TELLING_SECONDS_MAX),
    ("PreCompact", TELLING_SECONDS_MAX),
    ("PostCompact", TELLING_SECONDS_MAX),
    // Not `async`: the end must be in the spool before the status file says that nothing runs.
    ("Stop", TELLING_SECONDS_MAX),
    ("StopFailure", TELLING_SECONDS_MAX),
    ("SessionEnd", TELLING_SECONDS_MAX),
];

/// The settings as JSON.
pub(crate) fn settings(adj: &Path, state_dir: &Path) -> Value {
    let command = |event: &str| {
        let (adj, state_dir) = (adj.to_string_lossy(), state_dir.to_string_lossy());
        format!("{} hook {} {event}", shell_quoted(&adj), shell_quoted(&state_dir))
    };
    let hook = |(event, seconds): &(&str, u32)| {
        let call = json!({"type": "command", "command": command(event), "timeout": seconds});
        ((*event).to_owned(), json!([{ "hooks": [call] }]))
    };
    let hooks: serde_json::Map<String, Value> = HOOKS.iter().map(hook).collect();
    json!({ "hooks": hooks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_of_a_shell() {
        let made = settings(Path::new("/opt/my adj"), Path::new("/s/it's"));
        let stop = &made["hooks"]["Stop"][0]["hooks"][0];
        assert_eq!(stop["command"], r"'/opt/my adj' hook '/s/it'\''s' Stop");
        assert_eq!(made["hooks"]["PermissionRequest"][0]["hooks"][0]["timeout"], 86_400);
    }
}
