use super::*;
use crate::claude::headless::speak::uuid_of;
use crate::conversation::tests::profile;

const SESSION: SessionId = SessionId::from_bytes([7; 16]);
const AT: Timestamp = Timestamp::from_millis(5);

fn machine(allow: &[&str], deny: &[&str]) -> Machine {
    let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
    let profile = Profile { policy: Policy { allow: owned(allow), deny: owned(deny) }, ..profile() };
    let mut machine = Machine::new(SESSION, &profile, Some("s".to_owned()));
    machine.on_written("hello");
    let hello = r#"{"type":"control_response","response":{"subtype":"success","request_id":"hello","response":{}}}"#;
    assert_eq!(machine.on_line(hello, AT), [(AgentReport::Ready, None)]);
    machine
}

fn uuid(message: u64) -> String {
    uuid_of(SESSION, MessageId::new(message), Attempt::FIRST)
}

fn lifecycle(message: u64, state: &str) -> String {
    format!(r#"{{"type":"command_lifecycle","command_uuid":"{}","state":"{state}","session_id":"s"}}"#, uuid(message))
}

fn state(state: &str) -> String {
    format!(r#"{{"type":"system","subtype":"session_state_changed","state":"{state}","session_id":"s"}}"#)
}

fn result(text: &str) -> String {
    let usage = r#"{"input_tokens":20,"output_tokens":10,"cache_read_input_tokens":1,"cache_creation_input_tokens":2}"#;
    format!(
        r#"{{"type":"result","is_error":false,"terminal_reason":"completed","result":"{text}","usage":{usage},"session_id":"s"}}"#
    )
}

fn asks(native: &str, command: &str) -> String {
    let input = format!(r#"{{"command":"{command}"}}"#);
    let request = format!(r#"{{"subtype":"can_use_tool","tool_name":"Bash","input":{input}}}"#);
    format!(r#"{{"type":"control_request","request_id":"{native}","request":{request}}}"#)
}

/// Words for what is told; every report is told in one of these, or by its own name.
fn words(told: &[Told]) -> Vec<String> {
    let word = |(report, text): &Told| {
        if let AgentReport::Taken { message, .. } = report {
            format!("taken {message}")
        } else if let AgentReport::NotTaken { message, .. } = report {
            format!("not taken {message}")
        } else if let AgentReport::TurnStarted { origin } = report {
            format!("began {origin:?}")
        } else if let AgentReport::TurnEnded { end } = report {
            format!("{:?} {}", end.outcome, text.as_deref().unwrap_or_default())
        } else if let AgentReport::RequestOpened { request } = report {
            format!("asks {}", request.native)
        } else if let AgentReport::RequestClosed { native, end } = report {
            format!("{end:?} {native}")
        } else if let AgentReport::PolicyApplied { decision, summary, .. } = report {
            format!("rule {decision} {summary}")
        } else if let AgentReport::Conversation { native } = report {
            format!("conversation {native}")
        } else {
            format!("{report:?}")
        }
    };
    told.iter().map(word).collect()
}

fn play(machine: &mut Machine, lines: &[String]) -> Vec<String> {
    lines.iter().flat_map(|line| words(&machine.on_line(line, AT))).collect()
}

#[test]
fn a_turn_lasts_until_it_is_at_rest() {
    let mut machine = machine(&[], &[]);
    machine.on_written("message 1 1");
    let lines = [state("running"), lifecycle(1, "queued"), lifecycle(1, "started")];
    assert_eq!(play(&mut machine, &lines), ["taken m1"]);
    assert!(machine.is_working() && machine.unsettled().is_empty());
    let lines = [result("launched"), lifecycle(1, "completed"), result("done"), state("idle")];
    assert_eq!(play(&mut machine, &lines), ["Completed done"]);
    assert!(!machine.is_working());
}

#[test]
fn what_a_turn_costs_is_summed_up() {
    let mut machine = machine(&[], &[]);
    machine.on_written("message 1 1");
    play(&mut machine, &[lifecycle(1, "started"), result("a"), result("b")]);
    let told = machine.on_line(&state("idle"), AT);
    let Some((AgentReport::TurnEnded { end }, _)) = told.first() else { panic!("{told:?}") };
    let expected = Usage { input_tokens: 40, output_tokens: 20, cache_read_tokens: 2, cache_write_tokens: 4 };
    assert_eq!(end.usage, Some(expected));
}

#[test]
fn work_of_its_own_is_a_turn_of_its_own() {
    let mut machine = machine(&[], &[]);
    let lines = [state("running"), result("a task ended"), state("idle")];
    assert_eq!(play(&mut machine, &lines), ["began Agent", "Completed a task ended"]);
}

#[test]
fn an_interrupt_leaves_what_was_said() {
    let mut machine = machine(&[], &[]);
    machine.on_written("message 1 1");
    machine.on_written("message 2 1");
    let part =
        r#"{"type":"assistant","message":{"content":[{"type":"text","text":"part"}]},"parent_tool_use_id":null}"#;
    let aborted = r#"{"type":"result","is_error":true,"subtype":"error_during_execution","terminal_reason":"aborted_streaming","session_id":"s"}"#;
    play(&mut machine, &[lifecycle(1, "started"), part.to_owned()]);
    machine.on_written("stop 1");
    assert_eq!(machine.next_stop(), 2);
    let lines = [aborted.to_owned(), lifecycle(2, "cancelled"), lifecycle(1, "cancelled"), state("idle")];
    assert_eq!(play(&mut machine, &lines), ["not taken m2", "Interrupted part"]);
}

#[test]
fn rules_answer_and_are_told_of() {
    let mut machine = machine(&["Bash(git *)"], &["Bash(rm *)"]);
    machine.on_written("message 1 1");
    let lines = [lifecycle(1, "started"), asks("a", "git status"), asks("b", "rm x"), asks("c", "touch y")];
    assert_eq!(play(&mut machine, &lines), ["taken m1", "asks c"]);
    let ruled: Vec<_> = machine.ruled().into_iter().map(|(native, _, verdict)| (native, verdict)).collect();
    assert_eq!(ruled, [("a".to_owned(), Verdict::Allow), ("b".to_owned(), Verdict::Deny)]);
    assert_eq!(words(&machine.on_written("rule a")), ["rule allow git status"]);
    assert_eq!(words(&machine.on_written("rule b")), ["rule deny rm x"]);
    assert!(machine.ruled().is_empty());
    assert_eq!(words(&machine.on_written("answer c")), ["Answered c"]);
    assert!(machine.asked("c").is_none());
}

#[test]
fn what_nobody_can_give_is_refused_once() {
    let mut machine = machine(&[], &[]);
    let wants = r#"{"type":"control_request","request_id":"r","request":{"subtype":"telepathy"}}"#.to_owned();
    assert_eq!(play(&mut machine, &[wants]).len(), 1);
    assert_eq!(machine.refused(), ["r"]);
    machine.on_written("refusal r");
    assert!(machine.refused().is_empty());
}

#[test]
fn a_form_is_open_until_it_is_answered_or_withdrawn() {
    let mut machine = machine(&["*"], &[]);
    machine.on_written("message 1 1");
    let form = |native: &str| {
        format!(
            r#"{{"type":"control_request","request_id":"{native}","request":{{"subtype":"elicitation","mcp_server_name":"el","message":"Who?"}}}}"#
        )
    };
    let told = play(&mut machine, &[lifecycle(1, "started"), form("f"), form("g")]);
    assert_eq!(told, ["taken m1", "asks f", "asks g"], "no rule fills a form");
    assert!(machine.has_form("f") && machine.ruled().is_empty() && machine.refused().is_empty());
    assert_eq!(words(&machine.on_written("answer f")), ["Answered f"]);
    let cancel = r#"{"type":"control_cancel_request","request_id":"g"}"#.to_owned();
    assert_eq!(play(&mut machine, &[cancel]), ["Withdrawn g"]);
    assert!(!machine.has_form("f") && !machine.has_form("g"));
}

#[test]
fn a_request_that_is_withdrawn_is_closed() {
    let mut machine = machine(&[], &[]);
    machine.on_written("message 1 1");
    let cancel = r#"{"type":"control_cancel_request","request_id":"c"}"#.to_owned();
    let lines = [lifecycle(1, "started"), asks("c", "touch y"), cancel];
    assert_eq!(play(&mut machine, &lines), ["taken m1", "asks c", "Withdrawn c"]);
}

#[test]
fn another_conversation_is_told_of() {
    let mut machine = machine(&[], &[]);
    let other = state("idle").replace("\"s\"", "\"t\"");
    assert_eq!(play(&mut machine, &[other]), ["conversation t"]);
}

fn step(machine: &mut Machine, record: LentRecord) -> Vec<String> {
    words(&machine.on_lent(&record, AT))
}

#[test]
fn what_is_lent_is_one_turn_of_a_persons_until_it_is_ready_again() {
    let mut machine = machine(&[], &[]);
    assert_eq!(machine.cannot_be_lent(), None);
    assert_eq!(step(&mut machine, LentRecord::Begun), ["began Person"]);
    assert!(machine.is_working() && machine.cannot_be_lent().is_some());
    for record in [LentRecord::Shown, LentRecord::Watched { by_anybody: false }] {
        assert_eq!(step(&mut machine, record), [] as [&str; 0]);
    }
    assert_eq!(machine.lent().map(|lent| &lent.step), Some(&LentStep::There { watched: false }));
    assert!(!machine.is_to_be_greeted());
    assert_eq!(step(&mut machine, LentRecord::Back { cut: false, unseen: false }), [] as [&str; 0]);
    // What a program says of itself on being taken up is no work, and it is not ready before it says so.
    assert_eq!(play(&mut machine, &[state("running"), state("idle")]), [] as [&str; 0]);
    assert!(machine.is_to_be_greeted() && machine.is_working());
    machine.on_written("hello 1");
    let hello = r#"{"type":"control_response","response":{"subtype":"success","request_id":"hello","response":{}}}"#;
    assert_eq!(play(&mut machine, &[hello.to_owned()]), ["Ready", "Completed "]);
    assert!(!machine.is_working() && machine.cannot_be_lent().is_none());
    step(&mut machine, LentRecord::Begun);
    step(&mut machine, LentRecord::Back { cut: true, unseen: false });
    assert_eq!(play(&mut machine, &[hello.to_owned()]), ["Ready", "Interrupted "]);
    assert_eq!(machine.lendings(), 2);
}

#[test]
fn a_persons_turn_ends_as_its_program_did() {
    let hello = r#"{"type":"control_response","response":{"subtype":"success","request_id":"hello","response":{}}}"#;
    let over = |detail: &str, killed| LentRecord::Over { detail: detail.to_owned(), killed };
    for (record, cut, unseen, outcome) in [
        (over("signal 9", true), false, false, Outcome::Exited),
        (over("code 1", false), true, true, Outcome::Failed { reason: FailReason::AgentError }),
        (over("", false), false, false, Outcome::Completed),
        (LentRecord::Watched { by_anybody: false }, true, false, Outcome::Interrupted),
    ] {
        let mut machine = machine(&[], &[]);
        step(&mut machine, LentRecord::Begun);
        step(&mut machine, record);
        step(&mut machine, LentRecord::Back { cut, unseen });
        assert_eq!(play(&mut machine, &[hello.to_owned()]), ["Ready".to_owned(), format!("{outcome:?} ")]);
    }
    let mut machine = machine(&[], &[]);
    step(&mut machine, LentRecord::Begun);
    step(&mut machine, LentRecord::Back { cut: false, unseen: true });
    let told = play(&mut machine, &[hello.to_owned()]);
    assert!(told[1].starts_with("Unknown"), "{told:?}");
}

#[test]
fn what_is_at_work_asks_or_left_work_behind_is_not_lent() {
    let mut machine = machine(&[], &[]);
    machine.on_written("message 1 1");
    assert_eq!(machine.cannot_be_lent(), Some("it is at work"), "nobody knows yet whether it was taken");
    play(&mut machine, &[lifecycle(1, "started"), asks("a", "touch x")]);
    assert_eq!(machine.cannot_be_lent(), Some("it waits for an answer"));
    machine.on_written("answer a");
    assert_eq!(machine.cannot_be_lent(), Some("it is at work"));
    let tasks = |tasks: &str| format!(r#"{{"type":"system","subtype":"background_tasks_changed","tasks":[{tasks}]}}"#);
    play(&mut machine, &[tasks(r#"{"id":"b"}"#), result("x"), state("idle")]);
    assert_eq!(machine.cannot_be_lent(), Some("work that it began goes on in the background"));
    play(&mut machine, &[tasks("")]);
    assert_eq!(machine.cannot_be_lent(), None);
}
