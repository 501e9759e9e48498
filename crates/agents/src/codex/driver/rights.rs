//! What a thread may do, by the session's mode and by what was asked for.

use std::path::Path;

use adjutant_core::agent::{Mode, StartFailure};
use serde_json::{Map, Value, json};

use super::Driver;
use super::thread::failed;
use crate::codex::wire::Link;

/// Who is asked: whoever the session's caller is, and never a model that the user's configuration may name for that.
const REVIEWER: &str = "user";

/// Where a package of Codex has the programs that its commands may use, beside the directory of Codex itself.
const BROUGHT_ALONG: &str = "codex-path";

/// The profile of permissions of a session that reads nothing of the user's besides its directory.
const OWN_DIRECTORY: &str = "adjutant-own-directory";

/// Files of the system that only its administrator may read, who may be the user.
const OF_ADMINISTRATOR: [&str; 8] = [
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/sudoers",
    "/etc/sudoers.d",
];

/// What holds the commands of a thread.
enum Hold<'a> {
    /// A sandbox, by Codex's word for it.
    Sandbox(&'a str),
    /// A profile of permissions, by its name.
    Profile(&'static str),
}

impl Driver {
    fn approval(&self) -> &'static str {
        match self.profile.mode {
            Mode::Native | Mode::Docker => "never",
            Mode::Guarded => "on-request",
        }
    }

    /// A sandbox permits to read everything that the user may read. Whose session belongs to a token is no such reader.
    fn hold(&self) -> Hold<'_> {
        match (&self.profile.sandbox, self.profile.mode) {
            (Some(sandbox), _) => Hold::Sandbox(sandbox),
            (None, Mode::Guarded) if self.profile.distrusts_directory() => Hold::Profile(OWN_DIRECTORY),
            (None, Mode::Guarded) => Hold::Sandbox("workspace-write"),
            (None, Mode::Native | Mode::Docker) => Hold::Sandbox("danger-full-access"),
        }
    }

    /// As a thread is started, or loaded, with it.
    pub(super) fn rights(&self) -> Map<String, Value> {
        let hold = match self.hold() {
            Hold::Sandbox(word) => ("sandbox", word),
            Hold::Profile(name) => ("permissions", name),
        };
        let pairs = [("approvalPolicy", self.approval()), hold, ("approvalsReviewer", REVIEWER)];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
    }

    /// What has to stand in the configuration for them.
    pub(super) fn definitions(&self) -> Option<(String, Value)> {
        match self.hold() {
            Hold::Sandbox(_) => None,
            Hold::Profile(name) => {
                // It goes by its one name without links.
                let program = Path::new(&self.profile.program);
                let program = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
                Some(("permissions".to_owned(), json!({ name: { "filesystem": own_directory(&program) } })))
            }
        }
    }

    /// Refuses a thread that is not held as it has to be: an older Codex knows of no profiles, and says nothing.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn judge_hold(&self, thread: &Value) -> Result<(), StartFailure> {
        match self.hold() {
            Hold::Profile(name) if thread["activePermissionProfile"]["id"] != name => {
                let detail = "this Codex does not keep a session from reading all that the user may read, which a session \
                              of a token that asks must not; use a newer one, or the mode `docker`";
                Err(StartFailure::AgentStartFailed { detail: detail.to_owned() })
            }
            Hold::Profile(_) | Hold::Sandbox(_) => Ok(()),
        }
    }

    /// A thread that somebody has in memory already keeps what it had there, whatever it is resumed with. Here it gets what
    /// was asked for, as from its next turn on.
    ///
    /// # Errors
    /// When the app-server would not.
    pub(super) async fn impose_rights(&self, link: &mut Link, resumed: &Value) -> Result<(), StartFailure> {
        let mut wanted = Map::new();
        let mut want = |name: &str, is_so: bool, value: Value| {
            if !is_so {
                wanted.insert(name.to_owned(), value);
            }
        };
        let approval = self.approval();
        want("approvalPolicy", resumed["approvalPolicy"] == approval, json!(approval));
        want("approvalsReviewer", resumed["approvalsReviewer"] == REVIEWER, json!(REVIEWER));
        match self.hold() {
            Hold::Sandbox(word) => {
                let kind = in_camel_case(word);
                want("sandboxPolicy", resumed["sandbox"]["type"] == kind.as_str(), json!({ "type": kind }));
            }
            Hold::Profile(name) => {
                want("permissions", resumed["activePermissionProfile"]["id"] == name, json!(name));
            }
        }
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

/// The files of a session that has its directory, what the system's programs need, and what Codex brings along.
fn own_directory(program: &Path) -> Value {
    let mut files = Map::from_iter([
        (":minimal".to_owned(), json!("read")),
        (":workspace_roots".to_owned(), json!({ ".": "write" })),
        // It starts itself once more inside.
        (program.display().to_string(), json!("read")),
    ]);
    if let Some(package) = program.parent().and_then(Path::parent) {
        files.insert(package.join(BROUGHT_ALONG).display().to_string(), json!("read"));
    }
    files.extend(OF_ADMINISTRATOR.map(|path| (path.to_owned(), json!("deny"))));
    Value::Object(files)
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
