//! Tools that rules of the session refuse, also where Claude Code would ask nobody. The call of the hook decides that by
//! itself: every tool waits for it, and no daemon need be there.

use std::io;
use std::path::Path;

use adjutant_core::session::Policy;
use serde_json::{Value, json};

use crate::claude::requests::{Asked, Decided};
use crate::{Verdict, verdict};

/// The refusing rules' name in a session's state directory.
const RULES: &str = "refused.json";

/// Keeps the rules that refuse for the calls of hooks.
///
/// # Errors
/// When the disk does not take them.
pub(crate) fn keep_rules(state_dir: &Path, policy: &Policy) -> io::Result<()> {
    std::fs::write(state_dir.join(RULES), serde_json::to_vec(&policy.deny)?)
}

/// The tool of a call that comes before its use, where the session's rules refuse it.
pub(super) fn by_rules(state_dir: &Path, payload: &str) -> Option<Asked> {
    let deny = serde_json::from_slice(&std::fs::read(state_dir.join(RULES)).ok()?).ok()?;
    let asked = refused(payload)?;
    let policy = Policy { allow: Vec::new(), deny };
    (verdict(&policy, &asked.tool, &asked.what()) == Some(Verdict::Deny)).then_some(asked)
}

/// The tool of such a call; only those that were refused are taken down.
pub(crate) fn refused(payload: &str) -> Option<Asked> {
    let mut payload: Value = serde_json::from_str(payload).ok()?;
    let tool = payload["tool_name"].as_str()?.to_owned();
    Some(Asked { tool, input: payload["tool_input"].take(), suggestions: Value::Null })
}

/// The refusal in the hook's words.
pub(super) fn words(asked: &Asked) -> String {
    let Decided::Deny { message } = Decided::refused_by_rule(asked) else { return String::new() };
    let decision =
        json!({"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": message});
    json!({ "hookSpecificOutput": decision }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_refuses_is_refused_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let echo = r#"{"tool_name":"Bash","tool_input":{"command":"echo a; ls"}}"#;
        assert_eq!(by_rules(dir.path(), echo), None, "there are no rules");
        let deny = vec!["Bash(echo *)".to_owned(), "Read".to_owned()];
        keep_rules(dir.path(), &Policy { allow: Vec::new(), deny }).unwrap();
        assert!(words(&by_rules(dir.path(), echo).unwrap()).contains("refuses Bash"));
        assert!(by_rules(dir.path(), r#"{"tool_name":"Read","tool_input":{"file_path":"/x"}}"#).is_some());
        for other in [r#"{"tool_name":"Bash","tool_input":{"command":"ls"}}"#, r#"{"tool_name":"Edit"}"#, "{}", "x"] {
            assert_eq!(by_rules(dir.path(), other), None, "{other}");
        }
    }
}
