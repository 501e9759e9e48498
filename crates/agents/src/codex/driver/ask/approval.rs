//! What Codex wants to be permitted.

use adjutant_core::agent::{NewRequest, RequestKind};
use serde_json::{Value, json};

use super::{Ask, Asked, bounded, kept, one_line};
use crate::codex::wire::Change;

/// Stands for the end of a line in a summary, so that a second command is not read as words of the first.
const LINE_END: &str = " ⏎ ";

/// A request for a permission.
pub(super) fn permission(native: &str, tool: &str, summary: &str, details: &Value) -> NewRequest {
    NewRequest {
        native: native.to_owned(),
        kind: RequestKind::Permission,
        tool: Some(tool.to_owned()),
        summary: one_line(summary),
        options: Vec::new(),
        multiple: false,
        questions: Vec::new(),
        details: bounded(details),
    }
}

/// A command, input for one that runs, or a way out into the network.
pub(super) fn command(native: &str, params: &Value) -> Ask {
    const SHOWN: [&str; 8] = [
        "kind",
        "command",
        "cwd",
        "reason",
        "networkApprovalContext",
        "additionalPermissions",
        "proposedExecpolicyAmendment",
        "proposedNetworkPolicyAmendments",
    ];
    let (tool, subject) = wanted(params);
    let shown = subject.lines().collect::<Vec<_>>().join(LINE_END);
    let request = permission(native, tool, &shown, &kept(params, &SHOWN));
    Ask { asked: Asked::Command, request, subjects: vec![subject] }
}

/// The word for what is to be done, and that itself.
fn wanted(params: &Value) -> (&str, String) {
    let network = &params["networkApprovalContext"];
    if let Some(host) = network["host"].as_str() {
        let protocol = network["protocol"].as_str().unwrap_or("any protocol");
        return ("network", format!("{host} over {protocol}"));
    }
    let tool = match params["kind"].as_str() {
        None | Some("command") => "command",
        Some("writeStdin") => "stdin",
        Some(other) => other,
    };
    (tool, script(params["command"].as_str().unwrap_or_default()))
}

/// What a shell is to run, or else the whole command. What Codex itself makes of it for showing (`commandActions`) leaves
/// out what it takes for decoration, such as `| tee file` and `| xargs rm`.
fn script(whole: &str) -> String {
    match shlex::split(whole).as_deref() {
        Some([shell, flag, script]) if is_shell(shell) && ["-c", "-lc"].contains(&flag.as_str()) => script.clone(),
        Some(_) | None => whole.to_owned(),
    }
}

fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    ["bash", "sh", "zsh", "dash"].contains(&name)
}

/// Changes of files; `changes` are `None` when nobody here has seen them.
pub(super) fn file_change(native: &str, params: &Value, changes: Option<&[Change]>) -> Ask {
    let unseen = || vec!["changes of files, whose text the app-server did not send again".to_owned()];
    let mut subjects = changes.map_or_else(unseen, |changes| changes.iter().map(one_change).collect());
    let root = params["grantRoot"].as_str();
    subjects.extend(root.map(|root| format!("anything below {root}, for the rest of the session")));
    let mut details = kept(params, &["reason", "grantRoot"]);
    let change = |change: &Change| json!({"path": change.path, "kind": change.kind, "diff": change.diff});
    details["changes"] = changes.map(|changes| changes.iter().map(change).collect::<Vec<_>>()).into();
    let request = permission(native, "file_change", &subjects.join(", "), &details);
    Ask { asked: Asked::FileChange, request, subjects }
}

fn one_change(change: &Change) -> String {
    format!("{} {}", change.kind, change.path)
}

/// Rights beyond those that the session has.
pub(super) fn permissions(native: &str, params: &Value) -> Ask {
    let wanted = params["permissions"].clone();
    let reason = params["reason"].as_str().unwrap_or("more rights");
    let details = kept(params, &["permissions", "reason", "cwd"]);
    let request = permission(native, "permissions", &format!("{reason}: {wanted}"), &details);
    Ask { asked: Asked::Permissions(wanted.clone()), request, subjects: vec![wanted.to_string()] }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn asked(params: &Value) -> Ask {
        read("n", "item/commandExecution/requestApproval", params, None).unwrap()
    }

    fn change(path: &str) -> Change {
        Change { path: path.to_owned(), kind: "add".to_owned(), diff: "hello\n".to_owned() }
    }

    #[test]
    fn a_command_is_shown_without_the_shell_around_it() {
        let params = json!({"command": "/bin/bash -lc 'echo two'", "commandActions": [{"command": "echo two"}], "reason": "why"});
        let ask = asked(&params);
        assert_eq!(ask.request.summary, "echo two");
        assert!(ask.request.details.contains("why"), "what it says for itself is beside that: {ask:?}");
        assert_eq!(ask.subjects, ["echo two"]);
        assert!(ask.request.details.contains("/bin/bash"));
    }

    #[test]
    fn nothing_of_a_command_is_left_out() {
        let params = json!({
            "command": "/bin/bash -lc 'cat list | xargs rm\nrm -f \"two words\"'", "commandActions": [{"command": "cat list"}],
        });
        let ask = asked(&params);
        assert_eq!(ask.subjects, ["cat list | xargs rm\nrm -f \"two words\""]);
        assert_eq!(ask.request.summary, "cat list | xargs rm ⏎ rm -f \"two words\"");
        for odd in ["python3 -c 'import os'", "/bin/bash -lc 'open", "/bin/bash -lc echo two"] {
            assert_eq!(asked(&json!({ "command": odd })).subjects, [odd]);
        }
    }

    #[test]
    fn what_is_no_command_is_not_taken_for_one() {
        let network =
            json!({"command": "curl x", "networkApprovalContext": {"host": "example.org", "protocol": "https"}});
        let ask = asked(&network);
        assert_eq!(
            (ask.request.tool.as_deref(), ask.request.summary.as_str()),
            (Some("network"), "example.org over https")
        );
        let typed = asked(&json!({"kind": "writeStdin", "command": "yes"}));
        assert_eq!(typed.request.tool.as_deref(), Some("stdin"));
    }

    #[test]
    fn changes_of_files_are_shown_with_their_text_and_judged_one_by_one() {
        let changes = [change("/a"), change("/b")];
        let ask = read("n", "item/fileChange/requestApproval", &json!({}), Some(&changes)).unwrap();
        assert_eq!(ask.request.summary, "add /a, add /b");
        assert_eq!(ask.subjects, ["add /a", "add /b"]);
        assert!(ask.request.details.contains("hello"));
        let ask = read("n", "item/fileChange/requestApproval", &json!({"grantRoot": "/etc"}), None).unwrap();
        assert!(ask.request.summary.contains("did not send again"));
        assert!(ask.subjects[1].contains("/etc"));
    }
}
