//! What a thread may do, by the session's mode and by what was asked for.

use adjutant_core::agent::{Mode, StartFailure};
use serde_json::{Map, Value, json};

use super::Driver;
use super::thread::failed;
use crate::codex::wire::Link;

/// Who is asked: whoever the session's caller is, and never a model that the user's configuration may name for that.
const REVIEWER: &str = "user";

impl Driver {
    /// The approval policy and the word of the sandbox.
    fn policy(&self) -> (&'static str, &str) {
        let (approval, sandbox) = match self.profile.mode {
            Mode::Native | Mode::Docker => ("never", "danger-full-access"),
            Mode::Guarded => ("on-request", "workspace-write"),
        };
        (approval, self.profile.sandbox.as_deref().unwrap_or(sandbox))
    }

    /// As a thread is started, or loaded, with it.
    pub(super) fn rights(&self) -> Map<String, Value> {
        let (approval, sandbox) = self.policy();
        let pairs = [("approvalPolicy", approval), ("sandbox", sandbox), ("approvalsReviewer", REVIEWER)];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
    }

    /// A thread that somebody has in memory already keeps what it had there, whatever it is resumed with. Here it gets what
    /// was asked for, as from its next turn on.
    ///
    /// # Errors
    /// When the app-server would not.
    pub(super) async fn impose_rights(&self, link: &mut Link, resumed: &Value) -> Result<(), StartFailure> {
        let (approval, sandbox) = self.policy();
        let mut wanted = Map::new();
        let mut want = |name: &str, is_so: bool, value: Value| {
            if !is_so {
                wanted.insert(name.to_owned(), value);
            }
        };
        want("approvalPolicy", resumed["approvalPolicy"] == approval, json!(approval));
        want("approvalsReviewer", resumed["approvalsReviewer"] == REVIEWER, json!(REVIEWER));
        let kind = in_camel_case(sandbox);
        want("sandboxPolicy", resumed["sandbox"]["type"] == kind.as_str(), json!({ "type": kind }));
        want("cwd", resumed["cwd"] == self.profile.path.as_str(), json!(self.profile.path));
        if let Some(model) = &self.profile.model {
            want("model", resumed["model"] == model.as_str(), json!(model));
        }
        if let Some(effort) = &self.profile.effort {
            want("effort", resumed["reasoningEffort"] == effort.as_str(), json!(effort));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        wanted.insert("threadId".to_owned(), json!(self.thread()));
        link.ask("thread/settings/update", Value::Object(wanted)).await.map_err(failed).map(drop)
    }
}

/// `workspace-write` as `workspaceWrite`: the protocol has the same words in both forms.
fn in_camel_case(word: &str) -> String {
    let mut parts = word.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |so_far, part| {
        let (initial, rest) = part.split_at(part.chars().next().map_or(0, char::len_utf8));
        so_far + &initial.to_uppercase() + rest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_has_two_forms_of_one_word() {
        for (word, form) in
            [("read-only", "readOnly"), ("danger-full-access", "dangerFullAccess"), ("", ""), ("x-", "x")]
        {
            assert_eq!(in_camel_case(word), form);
        }
    }
}
