//! The command line of Claude Code without a terminal.

use adjutant_core::SessionId;
use adjutant_core::agent::Mode;
use adjutant_core::session::Profile;
use serde_json::{Value, json};

use crate::claude::directory::{own_rules, own_settings_only};
use crate::claude::hooks::merge;

/// Beginnings of lines that say nothing that is not said elsewhere: what was sent, and what a turn begins with.
pub(super) const PASSING: [&str; 3] =
    [r#"{"type":"user""#, r#"{"type":"stream_event""#, r#"{"type":"system","subtype":"init""#];

/// A conversation, by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conversation {
    /// It has not begun.
    New(String),
    /// It is taken up.
    Resumed(String),
}

impl Conversation {
    /// What a session talks in: the one that it takes up, or one with its own id.
    pub(super) fn of(session: SessionId, resumed: Option<String>) -> Self {
        resumed.map_or_else(|| Self::New(session.to_string()), Self::Resumed)
    }

    fn option(&self) -> [String; 2] {
        match self {
            Self::New(id) => ["--session-id".to_owned(), id.clone()],
            Self::Resumed(id) => ["--resume".to_owned(), id.clone()],
        }
    }
}

/// The words for a session that is held by its protocol.
pub(super) fn arguments(profile: &Profile, conversation: &Conversation) -> Vec<String> {
    let mut words: Vec<String> = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        .map(str::to_owned)
        .to_vec();
    words.extend(["--permission-prompt-tool", "stdio"].map(str::to_owned));
    words.extend(common(profile, conversation));
    words
}

/// The words for the same session at a terminal, where its rules are Claude Code's own to keep: what goes on when the person
/// has left asks nobody for what they permit.
pub(super) fn lent_arguments(profile: &Profile, conversation: &Conversation) -> Vec<String> {
    let mut words = Vec::new();
    if !profile.policy.allow.is_empty() {
        words.extend(["--allowedTools".to_owned(), profile.policy.allow.join(",")]);
    }
    words.extend(common(profile, conversation));
    words
}

fn common(profile: &Profile, conversation: &Conversation) -> Vec<String> {
    let mut words = Vec::new();
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    option("--permission-mode", permission_mode(profile.mode));
    let [name, id] = conversation.option();
    option(&name, &id);
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
    words.extend(own_settings_only(profile));
    // Of two words of this name Claude Code takes one, and the caller's goes first.
    if !profile.arguments.iter().any(|word| word.starts_with("--settings")) {
        words.extend(["--settings".to_owned(), settings(profile).to_string()]);
    }
    words.extend(profile.arguments.iter().cloned());
    words
}

/// What is to be done while a plan is made is asked of us, and not of a judge of Claude Code's own.
fn settings(profile: &Profile) -> Value {
    let mut settings = json!({ "useAutoModeDuringPlan": false });
    own_rules(profile).into_iter().for_each(|rules| merge(&mut settings, rules));
    settings
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
        let session = SessionId::from_bytes([7; 16]);
        arguments(profile, &Conversation::of(session, resumed.map(str::to_owned))).join(" ")
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

    #[test]
    fn a_session_of_a_token_that_asks_takes_no_settings_of_its_directory() {
        let owned = |mode| Profile { mode, owner: Some(adjutant_core::TokenId::new(1)), ..profile() };
        let guarded = line(&owned(Mode::Guarded), None);
        let words = [r#""ask":["Bash(git *)"]"#, "--setting-sources user --strict-mcp-config"];
        assert!(words.iter().all(|words| guarded.contains(words)), "{guarded}");
        for other in [line(&owned(Mode::Docker), None), line(&Profile { mode: Mode::Guarded, ..profile() }, None)] {
            assert!(!other.contains("--setting-sources"), "{other}");
        }
    }

    #[test]
    fn at_a_terminal_the_session_is_the_same() {
        let policy = adjutant_core::session::Policy { allow: vec!["Read".into()], deny: vec!["Write".into()] };
        let guarded = Profile { mode: Mode::Guarded, model: Some("opus".into()), policy, ..profile() };
        let lent = lent_arguments(&guarded, &Conversation::Resumed("x".into())).join(" ");
        let lent = lent.strip_prefix("--allowedTools Read ").expect("what is permitted asks nobody there either");
        let same = "--permission-mode manual --resume x --model opus --disallowedTools Write --settings";
        assert!(lent.starts_with(same), "{lent}");
        assert!(line(&guarded, Some("x")).ends_with(lent), "the words of both faces are the same");
    }
}
