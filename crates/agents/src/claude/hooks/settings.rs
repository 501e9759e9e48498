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

/// Heard before every tool, where a rule may refuse one that asks nobody.
const REFUSING: (&str, u32) = ("PreToolUse", TELLING_SECONDS_MAX);

/// The settings as JSON; `refuses` where there are rules that refuse.
pub(crate) fn settings(adj: &Path, state_dir: &Path, refuses: bool) -> Value {
    let command = |event: &str| {
        let (adj, state_dir) = (adj.to_string_lossy(), state_dir.to_string_lossy());
        format!("{} hook {} {event}", shell_quoted(&adj), shell_quoted(&state_dir))
    };
    let hook = |(event, seconds): &(&str, u32)| {
        let call = json!({"type": "command", "command": command(event), "timeout": seconds});
        ((*event).to_owned(), json!([{ "hooks": [call] }]))
    };
    let hooks: serde_json::Map<String, Value> = HOOKS.iter().chain(refuses.then_some(&REFUSING)).map(hook).collect();
    // What is asked while a plan is made is asked by the hook, and not by a dialog of a judge of Claude Code's own.
    json!({ "hooks": hooks, "useAutoModeDuringPlan": false })
}

/// Settings that a caller gives on Claude Code's command line, and the words that are left. Of two such options Claude Code
/// takes one alone, so they are taken together.
///
/// # Errors
/// Why the caller's settings are none.
pub(crate) fn given(arguments: &[String], directory: &Path) -> Result<(Vec<Value>, Vec<String>), String> {
    let (mut given, mut rest) = (Vec::new(), Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix(OPTION) {
            Some("") => words.next().ok_or_else(|| format!("{OPTION} has no value"))?.as_str(),
            Some(value) if value.starts_with('=') => &value[1..],
            Some(_) | None => {
                rest.push(word.clone());
                continue;
            }
        };
        given.push(read(value, directory)?);
    }
    Ok((given, rest))
}

/// The option by which settings are given.
const OPTION: &str = "--settings";

/// Settings as Claude Code takes them: JSON, or the path of a file that holds some.
fn read(value: &str, directory: &Path) -> Result<Value, String> {
    let text = match value.trim_start().starts_with('{') {
        true => value.to_owned(),
        false => std::fs::read_to_string(directory.join(value))
            .map_err(|error| format!("the settings in {value} cannot be read: {error}"))?,
    };
    let settings = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
    settings.ok_or_else(|| format!("the settings that {OPTION} names are no JSON object: {value}"))
}

/// Adds settings to others: lists of hooks one behind the other, of anything else the later word counts.
pub(crate) fn merge(settings: &mut Value, more: Value) {
    match (settings, more) {
        (Value::Object(settings), Value::Object(more)) => {
            for (name, value) in more {
                merge(settings.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(settings), Value::Array(more)) => settings.extend(more),
        (settings, more) => *settings = more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_gives_stands_beside_ours() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f.json"), r#"{"env":{"A":"1"},"hooks":{"Stop":[{"hooks":[]}]}}"#).unwrap();
        let words = ["--add-dir", "/x", "--settings", "f.json", r#"--settings={"env":{"B":"2"}}"#].map(str::to_owned);
        let (given, rest) = super::given(&words, dir.path()).unwrap();
        assert_eq!(rest, ["--add-dir", "/x"]);
        let mut made = settings(Path::new("/adj"), Path::new("/s"), false);
        for more in given {
            merge(&mut made, more);
        }
        assert_eq!(made["env"], json!({"A": "1", "B": "2"}));
        assert_eq!(made["hooks"]["Stop"].as_array().unwrap().len(), 2, "theirs and ours");
        for wrong in [&["--settings"][..], &["--settings", "nowhere"], &["--settings", "{x"]] {
            let words: Vec<String> = wrong.iter().map(|word| (*word).to_owned()).collect();
            assert!(super::given(&words, dir.path()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn commands_are_words_of_a_shell() {
        let made = settings(Path::new("/opt/my adj"), Path::new("/s/it's"), true);
        let stop = &made["hooks"]["Stop"][0]["hooks"][0];
        assert_eq!(stop["command"], r"'/opt/my adj' hook '/s/it'\''s' Stop");
        assert_eq!(made["hooks"]["PermissionRequest"][0]["hooks"][0]["timeout"], 86_400);
        assert!(made["hooks"]["PreToolUse"].is_array());
    }
}
