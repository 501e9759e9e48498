//! The command line of Claude Code without a terminal.

use adjutant_core::SessionId;
use adjutant_core::agent::Mode;
use adjutant_core::session::Profile;

/// Beginnings of lines that say nothing that is not said elsewhere: what was sent, and what a turn begins with.
pub(super) const PASSING: [&str; 3] =
    [r#"{"type":"user""#, r#"{"type":"stream_event""#, r#"{"type":"system","subtype":"init""#];

/// What is to be done while a plan is made is asked of us, and not of a judge of Claude Code's own.
const SETTINGS: &str = r#"{"useAutoModeDuringPlan":false}"#;

/// The words for a session; a new conversation gets the session's own id. `resumed` is one that is taken up.
pub(super) fn arguments(profile: &Profile, session: SessionId, resumed: Option<&str>) -> Vec<String> {
    let mut words: Vec<String> = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        .map(str::to_owned)
        .to_vec();
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    option("--permission-prompt-tool", "stdio");
    option("--permission-mode", permission_mode(profile.mode));
    match resumed {
        None => option("--session-id", &session.to_string()),
        Some(native) => option("--resume", native),
    }
    if let Some(model) = &profile.model {
        option("--model", model);
    }
    if let Some(effort) = &profile.effort {
        option("--effort", effort);
    }
    // In every mode there are tools that ask nobody; what asks nobody, Claude Code itself has to refuse.
    if !profile.policy.deny.is_empty() {
        option("--disallowedTools", &profile.policy.deny.join(","));
    }
    // Of two words of this name Claude Code takes one, and the caller's goes first.
    if !profile.arguments.iter().any(|word| word.starts_with("--settings")) {
        words.extend(["--settings", SETTINGS].map(str::to_owned));
    }
    words.extend(profile.arguments.iter().cloned());
    words
}

fn permission_mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Native | Mode::Docker => "bypassPermissions",
        Mode::Guarded => "manual",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::tests::profile;

    fn line(profile: &Profile, resumed: Option<&str>) -> String {
        arguments(profile, SessionId::from_bytes([7; 16]), resumed).join(" ")
    }

    #[test]
    fn what_was_asked_for_is_on_the_line() {
        let new = line(&Profile { model: Some("opus".into()), effort: Some("high".into()), ..profile() }, None);
        assert!(new.contains("--session-id 07070707-0707-0707-0707-070707070707 --model opus --effort high"), "{new}");
        assert!(new.contains("--permission-mode bypassPermissions"), "{new}");
        let more = Profile { mode: Mode::Guarded, ..profile() };
        let resumed = line(&Profile { arguments: vec!["--add-dir".into(), "/d".into()], ..more }, Some("x"));
        assert!(resumed.contains("--permission-mode manual --resume x"), "{resumed}");
        assert!(resumed.ends_with("--add-dir /d") && !resumed.contains("--session-id"), "{resumed}");
    }
}
