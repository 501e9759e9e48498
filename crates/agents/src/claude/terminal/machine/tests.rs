//! The machine on lines as they stand in a spool.

use adjutant_core::agent::{AgentReport, RequestEnd, TurnOrigin};
use adjutant_core::outcome::{FailReason, Outcome, UnknownReason};
use adjutant_core::session::Policy;
use serde_json::{Value, json};

use super::*;
use crate::claude::hooks::Line;
use crate::claude::terminal::text::bones;

/// A spool that is told line by line.
struct Heard {
    machine: Machine,
    at: i64,
}

impl Heard {
    fn ready() -> Self {
        let mut this = Self { machine: Machine::new(Policy::default()), at: 1_000 };
        let told = this.hear("SessionStart", &json!({"session_id": "s1", "source": "startup"}));
        assert!(matches!(told[..], [AgentReport::Conversation { .. }, AgentReport::Ready]), "{told:?}");
        this
    }

    fn hear(&mut self, event: &str, payload: &Value) -> Vec<AgentReport> {
        self.at += 10;
        let payload = serde_json::value::to_raw_value(payload).unwrap();
        let line = Line { at: self.at, id: format!("c{}", self.at), event: event.to_owned(), payload };
        self.machine.take(&line).into_iter().map(|(report, _)| report).collect()
    }

    fn types(&mut self, message: u64, text: &str) {
        let note = TypedNote {
            message,
            attempt: 1,
            mark: mark(text),
            bones: bones(text),
            changes: Vec::new(),
            command: false,
            long: false,
        };
        assert!(self.hear(TYPED, &json!(note)).is_empty());
    }

    fn prompt(&mut self, id: &str, text: &str) -> Vec<AgentReport> {
        self.hear("UserPromptSubmit", &json!({"prompt_id": id, "prompt": text}))
    }

    fn stop(&mut self, tasks: &Value) -> Vec<AgentReport> {
        self.hear("Stop", &json!({"last_assistant_message": "said", "background_tasks": tasks}))
    }
}

fn outcome(told: &[AgentReport]) -> &Outcome {
    match told {
        [AgentReport::TurnEnded { end }] => &end.outcome,
        other => panic!("not the end of a turn: {other:?}"),
    }
}

#[test]
fn a_message_is_taken_by_its_text_and_its_turn_ends_by_the_hook() {
    let mut spool = Heard::ready();
    spool.types(7, "do it");
    let told = spool.prompt("p1", "do it");
    assert!(matches!(&told[..], [AgentReport::Taken { message, .. }] if message.get() == 7), "{told:?}");
    assert_eq!(outcome(&spool.stop(&json!([]))), &Outcome::Completed);
    assert!(spool.machine.turn.is_none() && spool.machine.pending.is_none());
}

#[test]
fn a_persons_prompt_is_not_ours() {
    let mut spool = Heard::ready();
    spool.types(7, "do it");
    let told = spool.prompt("p1", "something else");
    assert!(matches!(told[..], [AgentReport::TurnStarted { origin: TurnOrigin::Person }]), "{told:?}");
    assert!(spool.machine.pending.is_some(), "ours may still come");
    let told = spool.prompt("p1", "do  it!");
    assert!(matches!(told[..], [AgentReport::Taken { .. }]), "changed on its way, and ours: {told:?}");
}

#[test]
fn what_was_given_up_may_still_be_taken() {
    let mut spool = Heard::ready();
    spool.types(7, "do it");
    assert!(spool.hear(NOT_SEEN, &Value::Null).is_empty() && spool.machine.pending.is_none());
    assert!(matches!(spool.prompt("p1", "do it")[..], [AgentReport::Taken { .. }]));
}

#[test]
fn a_stop_is_not_the_end_while_a_subagent_runs() {
    let mut spool = Heard::ready();
    spool.prompt("p1", "x");
    assert!(spool.stop(&json!([{"type": "subagent", "status": "running"}])).is_empty());
    assert!(spool.prompt("p2", "<task-notification>done").is_empty(), "it goes over into its turn");
    assert_eq!(outcome(&spool.stop(&json!([{"type": "shell", "status": "running"}]))), &Outcome::Completed);
}

#[test]
fn a_queued_prompt_keeps_the_turn_open_until_the_agent_rests() {
    let mut spool = Heard::ready();
    spool.prompt("p1", "x");
    assert!(spool.prompt("p1", "and y").is_empty());
    assert!(spool.stop(&json!([])).is_empty());
    assert_eq!(outcome(&spool.hear(LEVEL, &json!(LevelNote::Rested))), &Outcome::Completed);
}

#[test]
fn failures_have_their_reasons() {
    for (payload, reason) in [
        (json!({"error": "rate_limit"}), FailReason::RateLimited),
        (json!({"error": "authentication_failed"}), FailReason::Auth),
        (json!({"error": "server_error"}), FailReason::ApiError),
        (json!({"error": "max_output_tokens"}), FailReason::ApiError),
        (json!({"error": "invalid_request", "error_details": "request_too_large: 413"}), FailReason::ContextFull),
        (json!({"error": "invalid_request", "last_assistant_message": "safeguards flagged this"}), FailReason::Refused),
        (json!({"error": "new"}), FailReason::AgentError),
    ] {
        let mut spool = Heard::ready();
        spool.prompt("p1", "x");
        assert_eq!(outcome(&spool.hear("StopFailure", &payload)), &Outcome::Failed { reason }, "{payload}");
    }
}

#[test]
fn an_end_without_a_word_is_what_is_known_of_it() {
    for (end, expected) in [
        (QuietEnd::Interrupted, Outcome::Interrupted),
        (QuietEnd::Command, Outcome::Completed),
        (QuietEnd::Unknown, Outcome::Unknown { why: UnknownReason::EndUnseen { detail: "d".to_owned() } }),
    ] {
        let mut spool = Heard::ready();
        spool.prompt("p1", "x");
        let note = LevelNote::Quiet { end, detail: "d".to_owned() };
        assert_eq!(outcome(&spool.hear(LEVEL, &json!(note))), &expected);
    }
}

#[test]
fn a_question_is_open_until_somebody_answers() {
    let bash = json!({"tool_name": "Bash", "tool_input": {"command": "touch a"}});
    let mut spool = Heard::ready();
    spool.prompt("p1", "x");
    let told = spool.hear("PermissionRequest", &bash);
    let [AgentReport::RequestOpened { request }] = &told[..] else { panic!("{told:?}") };
    let closed = spool.hear(ANSWERED, &json!({"id": request.native}));
    assert!(matches!(closed[..], [AgentReport::RequestClosed { end: RequestEnd::Answered, .. }]), "{closed:?}");
    assert!(spool.machine.released.is_empty(), "its call has its answer");
    spool.hear("PermissionRequest", &bash);
    let closed = spool.hear(LEVEL, &json!(LevelNote::AnsweredThere));
    assert!(matches!(closed[..], [AgentReport::RequestClosed { end: RequestEnd::AnsweredThere, .. }]), "{closed:?}");
    assert_eq!(spool.machine.released.len(), 1, "its call is let go");
}

#[test]
fn rules_answer_and_are_told_of() {
    let policy = Policy { allow: vec!["Bash(touch *)".to_owned()], deny: Vec::new() };
    let mut spool = Heard { machine: Machine::new(policy), ..Heard::ready() };
    let told = spool.hear("PermissionRequest", &json!({"tool_name": "Bash", "tool_input": {"command": "touch a"}}));
    assert!(matches!(&told[..], [AgentReport::PolicyApplied { decision, .. }] if decision == "allow"), "{told:?}");
    assert_eq!(spool.machine.decided.len(), 1);
}

#[test]
fn a_cleared_conversation_is_another_one() {
    let mut spool = Heard::ready();
    spool.hear("SessionEnd", &json!({"session_id": "s1", "reason": "clear"}));
    assert!(!spool.machine.leaving);
    let told = spool.hear("SessionStart", &json!({"session_id": "s2", "source": "clear"}));
    assert!(matches!(&told[0], AgentReport::Conversation { native } if native == "s2"), "{told:?}");
    spool.hear("SessionEnd", &json!({"reason": "prompt_input_exit"}));
    assert!(spool.machine.leaving);
}

#[test]
fn a_line_that_is_none_of_this_version_changes_nothing() {
    let mut spool = Heard::ready();
    for (event, payload) in [("Telepathy", json!({"x": 1})), ("Stop", json!([])), (LEVEL, json!({"level": "new"}))] {
        assert!(spool.hear(event, &payload).is_empty(), "{event}");
    }
}

#[test]
fn what_is_noted_at_rest_stands_for_all_before_it() {
    let mut heard = Heard::ready();
    heard.types(7, "first");
    heard.prompt("p1", "first");
    heard.hear("Stop", &json!({"last_assistant_message": "a", "transcript_path": "/t.jsonl"}));
    heard.types(8, "second");
    assert!(heard.machine.rested(5).is_none(), "a message is on its way");
    heard.hear(NOT_SEEN, &Value::Null);
    let note = heard.machine.rested(5).expect("nothing runs");
    let mut later = Heard { machine: Machine::new(Policy::default()), at: heard.at };
    // What is left of the lines before it means nothing.
    later.stop(&json!([]));
    assert!(later.hear(RESTED, &json!(note)).is_empty());
    assert_eq!(later.machine.rested(5), Some(note));
    // And what comes behind it means the same to both: here, that a message was taken after all.
    for heard in [&mut heard, &mut later] {
        let told = heard.prompt("p2", "second");
        assert!(matches!(&told[..], [AgentReport::Taken { message, .. }] if message.get() == 8), "{told:?}");
        assert!(heard.machine.rested(9).is_none(), "a turn runs");
    }
}

#[test]
fn a_question_closes_the_dialog_before_it() {
    let mut spool = Heard::ready();
    spool.types(7, "do it");
    spool.prompt("p1", "do it");
    let note = LevelNote::Dialog { id: "dialog-1".to_owned(), what: "permission prompt".to_owned() };
    let told = spool.hear(LEVEL, &json!(note));
    assert!(matches!(&told[..], [AgentReport::RequestOpened { .. }]), "{told:?}");
    let told = spool.hear("PermissionRequest", &json!({"tool_name": "Bash", "tool_input": {"command": "ls"}}));
    let [AgentReport::RequestClosed { native, end }, AgentReport::RequestOpened { .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((native.as_str(), end), ("dialog-1", &RequestEnd::AnsweredThere));
    assert_eq!(spool.machine.requests.len(), 1);
}

#[test]
fn a_long_message_is_on_its_way_until_its_end_is_typed() {
    let mut spool = Heard::ready();
    spool.types(7, "do it");
    if let Some(typed) = &mut spool.machine.pending {
        typed.long = true;
    }
    assert!(spool.hear(ENTERING, &json!(null)).is_empty());
    assert!(spool.machine.pending.as_ref().is_some_and(|typed| !typed.long), "from here on it may have been sent");
    assert!(spool.hear(TAKEN_BACK, &json!(null)).is_empty());
    assert!(spool.machine.pending.is_none() && spool.machine.last_typed.is_none(), "it was not sent");
}

#[test]
fn what_a_rule_has_refused_is_told() {
    let mut spool = Heard::ready();
    let told = spool.hear("PreToolUse", &json!({"tool_name": "Bash", "tool_input": {"command": "echo a"}}));
    let [AgentReport::PolicyApplied { tool, decision, summary }] = &told[..] else { panic!("{told:?}") };
    assert_eq!([tool.as_str(), decision, summary], ["Bash", "deny", "echo a"]);
}
