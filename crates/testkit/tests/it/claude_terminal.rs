//! The real Claude Code in a terminal, against a model server that plays scripts.

use std::time::{Duration, Instant};

use adjutant_testkit::fakemodel::anthropic::user_texts;
use adjutant_testkit::fakemodel::record::Answered;
use adjutant_testkit::{AGENT_MAX, ClaudeWorld, Process, await_fact};
use rustix::process::Signal;
use serde_json::Value;

/// How long a `wait` may take after the last byte of the model's answer, in the middle of many.
const WAIT_MS_MEDIAN: u64 = 150;

/// When a key is pressed again that a dialog has not taken.
const PRESS_AGAIN: Duration = Duration::from_secs(2);

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock that is set");
    u64::try_from(since.as_millis()).expect("a number of this century")
}

/// The newest text of the user in the newest request, as the model got it.
fn newest_text(world: &ClaudeWorld) -> String {
    let (request, _) = world.model().recorder().requests().pop().expect("a request");
    user_texts(&request).pop().expect("a text")
}

fn pid_of(world: &ClaudeWorld, session: &str, of: &str) -> Process {
    let shown = world.adj(["--json", "inspect", session]).expect_code(0).json();
    let pid = find(&shown, of).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {of}: {shown:#}"));
    Process::open(u32::try_from(pid).expect("a pid")).expect("it lives")
}

/// The first `pid` below a key of this name.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let within = value.get(key).and_then(|found| found.get("pid"));
    let fields = || value.as_object()?.values().find_map(|value| find(value, key));
    let items = || value.as_array()?.iter().find_map(|value| find(value, key));
    within.or_else(fields).or_else(items)
}

#[test]
fn fifty_messages_in_a_row_and_every_wait_is_prompt() {
    let world = ClaudeWorld::new();
    let x = world.claude("guarded");
    let mut late: Vec<u64> = Vec::new();
    for number in 1..=50 {
        let message = world.send(&x, &format!("number {number} [[say answer {number}]]"));
        let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
        let back = now_ms();
        let (_, answered) = world.model().recorder().requests().pop().expect("a request");
        let Answered::Whole { at_ms, .. } = answered else { panic!("{answered:?}") };
        late.push(back.saturating_sub(at_ms));
        assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, format!("answer {number}\n"));
    }
    let texts: Vec<String> = (1..=50).map(|number| format!("number {number} [[say answer {number}]]")).collect();
    let (last, _) = world.model().recorder().requests().pop().expect("a request");
    assert_eq!(user_texts(&last), texts, "nothing is lost, doubled or out of order");
    assert_eq!(world.model().recorder().count(), 50);
    late.sort_unstable();
    println!("wait after the last byte: median {} ms, most {} ms", late[25], late[49]);
    assert!(late[25] <= WAIT_MS_MEDIAN, "{late:?}");
}

#[test]
fn six_sessions_at_once_lose_nothing() {
    let world = ClaudeWorld::new();
    let created: Vec<_> =
        (0..6).map(|_| world.start(["create", "-q", "--cli", "claude", "--mode", "guarded"])).collect();
    let sessions: Vec<String> = created.into_iter().map(|it| it.end().expect_code(0).word().to_owned()).collect();
    for round in 1..=5 {
        let sent: Vec<_> =
            sessions.iter().map(|x| world.start(["ask", x, &format!("[[say {x} round {round}]]")])).collect();
        for (x, ask) in sessions.iter().zip(sent) {
            assert_eq!(ask.end().expect_code(0).stdout, format!("{x} round {round}\n"));
        }
    }
    assert_eq!(world.model().recorder().count(), 30);
}

#[test]
fn texts_arrive_byte_for_byte_or_with_what_the_receipt_names() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let long = "All work and no play; ".repeat(2_000) + "end";
    let lines: String = (1..=300).map(|line| format!("line {line}\n")).collect::<String>() + "end";
    for text in ["hello", "-5", "#x", "@x", "  lead", "a;", "ü 🦀 👨‍👩‍👧", "$(date) `x`", "a\n\nb", &long, &lines]
    {
        let _ = world.adj(["ask", &x, "--", text]).expect_code(0);
        assert_eq!(newest_text(&world), text);
    }
    for (text, arrived) in [
        ("/clear", "[message]\n/clear"),
        ("!ls", "[message]\n!ls"),
        ("exit", "[message]\nexit"),
        ("ends in \\", "ends in \\\n[end of message]"),
        ("a\tb \n", "a    b"),
        ("e\u{301}", "\u{e9}"),
    ] {
        let message = world.send(&x, text);
        let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
        assert_eq!(newest_text(&world), arrived);
        let receipt = world.adj(["--json", "inspect", &x]).expect_code(0).stdout;
        assert!(receipt.contains("arrives") || receipt.contains("stands") || receipt.contains("NFC"), "{receipt}");
    }
    let before = world.model().recorder().count();
    let refused = world.adj(["ask", &x, "zero\u{200b}width"]);
    assert!(refused.code != 0 && refused.stderr.contains("U+200B"), "{refused:?}");
    assert_eq!(world.model().recorder().count(), before, "nothing was sent");
}

#[test]
fn a_permission_is_answered_from_another_shell() {
    let world = ClaudeWorld::new();
    let x = world.claude("guarded");
    let script = r#"[[tool Bash {"command":"touch made","description":"m"}]][[then]][[say done]]"#;
    let _ = world.turn(&x, script).expect_code(3);
    let waiting = world.send(&x, "[[say later]]");
    let _ = world.adj(["respond", &x, "--allow"]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &waiting]).expect_code(0);
    assert!(world.has_file("made"));
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, "later\n");
    let denied = script.replace("made", "never");
    let _ = world.turn(&x, &denied).expect_code(3);
    let _ = world.adj(["respond", &x, "--deny", "--reason", "not today"]).expect_code(0);
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert!(!world.has_file("never"));
    let (last, _) = world.model().recorder().requests().pop().expect("a request");
    assert!(String::from_utf8_lossy(&last.body).contains("not today"));
}

#[test]
fn a_person_at_the_terminal_answers_first() {
    let world = ClaudeWorld::new();
    let x = world.claude("guarded");
    let script = r#"[[tool Bash {"command":"touch made","description":"m"}]][[then]][[say done]]"#;
    let _ = world.turn(&x, script).expect_code(3);
    world.await_screen("Do you want to proceed?");
    // A dialog takes no key in its first moments.
    let mut pressed = Instant::now() - PRESS_AGAIN;
    await_fact("the dialog has taken the key", AGENT_MAX, || {
        if pressed.elapsed() >= PRESS_AGAIN && world.screen().contains("Do you want to proceed?") {
            world.tmux(["send-keys", "-t", "%0", "1"]);
            pressed = Instant::now();
        }
        world.has_file("made")
    });
    let _ = world.adj(["wait", "--through-input", &x]).expect_code(0);
    assert!(world.has_file("made"));
    let late = world.adj(["respond", &x, "--allow"]);
    assert_ne!(late.code, 0, "it was answered before: {late:?}");
    let events = world.adj(["--json", "watch", "--tail", "20", "--types", "request.*", &x]);
    assert!(events.stdout.contains("there"), "{events:?}");
}

#[test]
fn rules_answer_without_anybody() {
    let world = ClaudeWorld::new();
    let created = world.adj([
        "create",
        "-q",
        "--cli",
        "claude",
        "--mode",
        "guarded",
        "--allow-tool",
        "Bash(touch good*)",
        "--deny-tool",
        "Write",
    ]);
    let x = created.expect_code(0).word().to_owned();
    let _ = world.turn(&x, r#"[[tool Bash {"command":"touch good1"}]][[then]][[say ok]]"#).expect_code(0);
    let path = world.work().join("bad").display().to_string();
    let write = format!(r#"[[tool Write {{"file_path":"{path}","content":"x"}}]][[then]][[say refused]]"#);
    let _ = world.turn(&x, &write).expect_code(0);
    assert!(world.has_file("good1") && !world.has_file("bad"));
}

#[test]
fn a_question_is_answered_by_choice_and_by_text() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let ask = r#"[[tool AskUserQuestion {"questions":[{"question":"Which colour?","header":"Colour","multiSelect":false,"options":[{"label":"Red","description":"r"},{"label":"Blue","description":"b"}]}]}]][[then]][[say thanks]]"#;
    for (answer, expected) in [(["--choose", "2"].as_slice(), "Blue"), (["mauve, please"].as_slice(), "mauve, please")]
    {
        let _ = world.turn(&x, ask).expect_code(3);
        let words: Vec<&str> = ["respond", &x].into_iter().chain(answer.iter().copied()).collect();
        let _ = world.adj(words).expect_code(0);
        let _ = world.adj(["wait", &x]).expect_code(0);
        let (last, _) = world.model().recorder().requests().pop().expect("a request");
        let body = String::from_utf8_lossy(&last.body).into_owned();
        assert!(body.contains(&format!(r#"\"Which colour?\"=\"{expected}\""#)), "{expected}");
    }
}

#[test]
fn a_permission_stays_open_over_a_restart_of_the_daemon() {
    let world = ClaudeWorld::new();
    let x = world.claude("guarded");
    let script = r#"[[tool Bash {"command":"touch made","description":"m"}]][[then]][[say done]]"#;
    let _ = world.turn(&x, script).expect_code(3);
    world.kill_daemon();
    let _ = world.adj(["wait", &x]).expect_code(3);
    let _ = world.adj(["respond", &x, "--allow"]).expect_code(0);
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert!(world.has_file("made"));
    world.assert_sound();
}

#[test]
fn errors_of_the_model_are_told_as_they_are() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    for (script, code, outcome) in [
        ("[[status 400]]", 1, "failed"),
        ("[[status 429]]", 1, "failed"),
        ("[[status 500]]", 1, "failed"),
        ("[[status 529 x1]][[say after]]", 0, "completed"),
        ("[[say begun]][[drop x1]] then whole", 0, "completed"),
        ("[[say begun]][[error overloaded_error x1]]", 0, "completed"),
    ] {
        let ended = world.turn(&x, script);
        assert_eq!((ended.code, ended.word()), (code, outcome), "{script}: {ended:?}");
    }
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
}

#[test]
fn an_interrupt_is_proven_before_and_after_the_first_word() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    for (script, gate) in [("[[hold first]][[say a]]", "first"), ("[[say begun]][[hold second]]", "second")] {
        let message = world.send(&x, script);
        assert!(world.model().await_held(gate, AGENT_MAX));
        let _ = world.adj(["interrupt", &x]).expect_code(0);
        let _ = world.adj(["wait", &x, "--for", &message]).expect_code(130);
        await_fact("it does not stay in the line", AGENT_MAX, || !world.line().contains("[["));
    }
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
    assert_eq!(newest_text(&world), "[[say alive]]", "nothing of the interrupted prompt is typed in front of it");
}

#[test]
fn escape_in_the_terminal_is_an_interrupt() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let message = world.send(&x, "[[say begun]][[hold here]]");
    assert!(world.model().await_held("here", AGENT_MAX));
    world.await_screen("begun");
    world.tmux(["send-keys", "-t", "%0", "Escape"]);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(130);
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
}

#[test]
fn a_draft_is_kept_and_a_typed_turn_is_a_persons() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    world.tmux(["send-keys", "-t", "%0", "-l", "half a line"]);
    world.await_screen("half a line");
    assert_eq!(world.answer(&x, "[[say delivered]]"), "delivered");
    assert_eq!(newest_text(&world), "[[say delivered]]");
    world.await_screen("half a line");
    world.tmux(["send-keys", "-t", "%0", "-l", " [[say typed]]"]);
    world.tmux(["send-keys", "-t", "%0", "Enter"]);
    await_fact("the turn has ended", AGENT_MAX, || world.adj(["last-message", &x]).stdout == "typed\n");
    let shown = world.adj(["--json", "watch", "--tail", "20", "--types", "turn.started", &x]).stdout;
    assert!(shown.contains("person"), "{shown}");
}

#[test]
fn whoever_kills_what_is_told_the_truth() {
    for (what, mid_turn) in [("agent", false), ("agent", true), ("runner", true)] {
        let world = ClaudeWorld::new();
        let x = world.claude("native");
        let message = mid_turn.then(|| world.send(&x, "[[say begun]][[hold gate]]"));
        if mid_turn {
            assert!(world.model().await_held("gate", AGENT_MAX));
        }
        pid_of(&world, &x, what).signal(Signal::KILL);
        await_fact("the session is over", AGENT_MAX, || world.adj(["status", &x]).word() == "exited");
        if let Some(message) = message {
            let _ = world.adj(["wait", &x, "--for", &message]).expect_code(4);
        }
    }
}

#[test]
fn a_killed_terminal_is_the_end_of_its_session() {
    for mid_turn in [false, true] {
        let world = ClaudeWorld::new();
        let x = world.claude("native");
        let message = mid_turn.then(|| world.send(&x, "[[say begun]][[hold gate]]"));
        if mid_turn {
            assert!(world.model().await_held("gate", AGENT_MAX));
        }
        let pid = world.tmux(["display-message", "-p", "#{pid}"]).trim().parse().unwrap();
        Process::open(pid).expect("it lives").signal(Signal::KILL);
        await_fact("the session is over", AGENT_MAX, || world.adj(["status", &x]).word() == "exited");
        if let Some(message) = message {
            let _ = world.adj(["wait", &x, "--for", &message]).expect_code(4);
        }
    }
}

#[test]
fn a_daemon_that_is_killed_loses_nothing() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    world.kill_daemon();
    assert_eq!(world.answer(&x, "[[say at rest]]"), "at rest");
    let message = world.send(&x, "[[say begun]][[hold gate]][[say \" and ended\"]]");
    assert!(world.model().await_held("gate", AGENT_MAX));
    world.kill_daemon();
    world.model().open("gate");
    let recorder = world.model().recorder();
    let ended = recorder.await_found(AGENT_MAX, |request, answered| {
        (request.number == 2 && matches!(answered, Answered::Whole { .. })).then_some(())
    });
    assert!(ended.is_some());
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, "begun and ended\n");
    assert_eq!(world.answer(&x, "[[say on]]"), "on");
    assert_eq!(world.model().recorder().count(), 3, "nothing was sent twice");
    world.assert_sound();
}

#[test]
fn a_conversation_is_taken_up_again_and_never_by_two() {
    let world = ClaudeWorld::new();
    let x = world.claude("guarded");
    assert_eq!(world.answer(&x, "[[say one]]"), "one");
    let shown = world.adj(["--json", "inspect", &x]).expect_code(0).json();
    let native = shown["agent_session"].as_str().expect("a conversation").to_owned();
    let create = ["--json", "create", "--cli", "claude", "--mode", "guarded", "--resume", &native];
    let second = world.adj(create);
    assert!(second.error()["message"].as_str().unwrap().contains("is open"), "{second:?}");
    let _ = world.adj(["kill", &x]).expect_code(0);
    for words in [["--resume", &native].as_slice(), &["--continue"]] {
        let create = ["create", "-q", "--cli", "claude", "--mode", "guarded"].into_iter().chain(words.iter().copied());
        let again = world.adj(create).expect_code(0).word().to_owned();
        assert_eq!(world.answer(&again, "[[say two]]"), "two");
        let (last, _) = world.model().recorder().requests().pop().expect("a request");
        assert_eq!(user_texts(&last)[0], "[[say one]]", "it goes on with what was said");
        let _ = world.adj(["kill", &again]).expect_code(0);
    }
}

#[test]
fn what_was_said_is_read_from_the_transcript() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let _ =
        world.turn(&x, r#"[[tool Bash {"command":"echo yo"}]][[then]][[usage 100 50 7 8]][[say said]]"#).expect_code(0);
    // It is written in batches, a moment after the end was told.
    await_fact("the transcript has it", AGENT_MAX, || {
        let logs = world.adj(["--json", "logs", &x]).stdout;
        ["assistant", "said", "yo", "Bash"].iter().all(|part| logs.contains(part))
    });
    let answers = world.adj(["--json", "last-message", &x]).expect_code(0).json();
    println!("{answers:#}");
}

#[test]
fn commands_of_the_agent_are_sent_on_purpose() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    assert_eq!(world.answer(&x, "[[say one]]"), "one");
    let before = world.adj(["--json", "inspect", &x]).expect_code(0).json()["agent_session"].clone();
    let _ = world.adj(["send", &x, "--as-command", "/clear"]).expect_code(0);
    let _ = world.adj(["wait", &x]).expect_code(0);
    await_fact("another conversation", AGENT_MAX, || {
        world.adj(["--json", "inspect", &x]).expect_code(0).json()["agent_session"] != before
    });
    assert_eq!(world.answer(&x, "[[say two]]"), "two");
    let (last, _) = world.model().recorder().requests().pop().expect("a request");
    let texts = user_texts(&last);
    assert!(!texts.iter().any(|text| text.contains("[[say one]]")), "what was said before is gone: {texts:?}");
}

#[test]
fn a_message_joins_the_running_turn() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let first = world.send(&x, r#"[[say begun]][[hold gate]][[tool Bash {"command":"echo yo"}]][[then]][[say done]]"#);
    assert!(world.model().await_held("gate", AGENT_MAX));
    let steer = world.start(["send", &x, "--steer", "and mind this"]);
    world.await_screen("and mind this");
    world.model().open("gate");
    let _ = steer.end().expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &first]).expect_code(0);
    let (last, _) = world.model().recorder().requests().pop().expect("a request");
    assert!(user_texts(&last).iter().any(|text| text.contains("and mind this")), "{:?}", user_texts(&last));
}

#[test]
fn a_subagent_in_the_background_is_part_of_the_turn() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let script = r#"[[tool Agent {"description":"look","prompt":"[[hold sub]][[say sub result]]","subagent_type":"general-purpose"}]][[then]][[say started]]"#;
    let message = world.send(&x, script);
    assert!(world.model().await_held("sub", AGENT_MAX));
    let early = world.adj(["wait", &x, "--for", &message, "--timeout", "2s"]);
    assert_eq!(early.code, 124, "a turn is not over while its subagent works: {early:?}");
    world.model().open("sub");
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
}

/// The socket of the tmux in which a person sits.
fn outer(world: &ClaudeWorld) -> std::path::PathBuf {
    world.root().join("outer")
}

/// A person in a tmux of their own, who has attached to the session; what it is given are words for that tmux.
fn attached<'a>(world: &'a ClaudeWorld, session: &str) -> impl Fn(&[&str]) -> String + 'a {
    let person = move |words: &[&str]| {
        let mut tmux = world.command("tmux");
        tmux.env("TERM", "xterm-256color").args(["-u", "-f", "/dev/null", "-S"]).arg(outer(world)).args(words);
        adjutant_testkit::Running::start(tmux).end().expect_code(0).stdout
    };
    let adj = world.adj_path().display().to_string();
    person(&["new-session", "-d", "-x", "150", "-y", "45", "--", &adj, "attach", session]);
    await_fact("the person sees it", AGENT_MAX, || person(&["capture-pane", "-p"]).contains("Claude Code"));
    person
}

#[test]
fn a20_a_person_attaches_types_half_a_line_and_leaves_it() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let person = attached(&world, &x);
    person(&["send-keys", "-l", "half a line"]);
    world.await_screen("half a line");
    person(&["send-keys", "C-b", "d"]);
    await_fact("the person has left", AGENT_MAX, || {
        let mut tmux = world.command("tmux");
        tmux.arg("-S").arg(outer(&world)).arg("list-sessions");
        adjutant_testkit::Running::start(tmux).end().code != 0
    });
    assert_eq!(world.answer(&x, "[[say delivered]]"), "delivered");
    assert_eq!(newest_text(&world), "[[say delivered]]");
    world.await_screen("half a line");
}

/// A name stands in the frame of the line.
#[test]
fn a_draft_is_kept_in_a_conversation_with_a_name() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let renamed = world.adj(["send", "-q", &x, "--as-command", "/rename fizz top"]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", renamed.word()]).expect_code(0);
    world.await_screen("fizz top ─");
    world.tmux(["send-keys", "-t", "%0", "-l", "half a line"]);
    world.await_screen("half a line");
    assert_eq!(world.answer(&x, "[[say delivered]]"), "delivered");
    assert_eq!(newest_text(&world), "[[say delivered]]");
}

/// Nobody is there who would type `fg`.
#[test]
fn an_agent_that_a_person_suspends_is_brought_back() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    // Its start is behind it then, in which it takes the terminal more than once.
    assert_eq!(world.answer(&x, "[[say one]]"), "one");
    world.tmux(["send-keys", "-t", "%0", "-l", "half a line"]);
    world.await_screen("half a line");
    // As by another way than a person's keyboard.
    world.tmux(["send-keys", "-t", "%0", "C-z"]);
    world.await_screen("suspended");
    assert_eq!(world.answer(&x, "[[say delivered]]"), "delivered");
    assert_eq!(newest_text(&world), "[[say delivered]]");
    world.await_screen("half a line");
    let message = world.send(&x, "[[say begun]][[hold here]]");
    assert!(world.model().await_held("here", AGENT_MAX));
    world.await_screen("begun");
    world.tmux(["send-keys", "-t", "%0", "C-z"]);
    world.await_screen("suspended");
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(130);
}

#[test]
fn a_person_who_attaches_cannot_suspend_the_agent() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let person = attached(&world, &x);
    person(&["send-keys", "C-z"]);
    person(&["send-keys", "-l", "and goes on"]);
    world.await_screen("and goes on");
    assert!(!world.screen().contains("suspended"), "{}", world.screen());
    person(&["kill-server"]);
}

#[test]
fn a11_a_message_waits_while_a_person_has_a_dialog_open() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    world.tmux(["send-keys", "-t", "%0", "-l", "/help"]);
    world.await_screen("/help");
    world.tmux(["send-keys", "-t", "%0", "Enter"]);
    await_fact("the dialog is told of", AGENT_MAX, || world.adj(["requests"]).stdout.contains("terminal"));
    let message = world.send(&x, "[[say after]]");
    assert_eq!(world.model().recorder().count(), 0);
    assert_ne!(world.adj(["respond", &x, "yes"]).code, 0, "only the terminal can answer it");
    world.tmux(["send-keys", "-t", "%0", "Escape"]);
    let _ = world.adj(["wait", "--through-input", &x, "--for", &message]).expect_code(0);
    assert_eq!(newest_text(&world), "[[say after]]");
}

#[test]
fn copy_mode_is_left_before_a_message_is_typed() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    world.tmux(["copy-mode", "-t", "%0"]);
    assert_eq!(world.answer(&x, "[[say seen]]"), "seen");
}

#[test]
fn an_interrupt_refuses_an_open_question_without_a_key() {
    let world = ClaudeWorld::new();
    let x = world.claude("guarded");
    let script = r#"[[tool Bash {"command":"touch made","description":"m"}]][[then]][[say done]]"#;
    let message = world.send(&x, script);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(3);
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(130);
    assert!(!world.has_file("made"));
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
}

#[test]
fn escape_at_a_question_is_an_interrupt_by_a_person() {
    let world = ClaudeWorld::new();
    let x = world.claude("guarded");
    let script = r#"[[tool Bash {"command":"touch made","description":"m"}]][[then]][[say done]]"#;
    let message = world.send(&x, script);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(3);
    world.await_screen("Do you want to proceed?");
    let mut pressed = Instant::now() - PRESS_AGAIN;
    await_fact("the dialog has taken the key", AGENT_MAX, || {
        let open = world.screen().contains("Do you want to proceed?");
        if open && pressed.elapsed() >= PRESS_AGAIN {
            world.tmux(["send-keys", "-t", "%0", "Escape"]);
            pressed = Instant::now();
        }
        !open
    });
    let _ = world.adj(["wait", "--through-input", &x, "--for", &message]).expect_code(130);
    assert!(!world.has_file("made"));
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
}

#[test]
fn a_conversation_that_is_shortened_loses_no_turn() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    assert_eq!(world.answer(&x, "[[usage 990000 10]][[say full]]"), "full");
    assert_eq!(world.answer(&x, "[[say short again]]"), "short again");
    let told = world.adj(["--json", "watch", "--tail", "50", "--types", "session.notice", &x]).stdout;
    assert!(told.contains("shortened"), "{told}");
}

#[test]
fn a_shell_in_the_background_ends_no_turn_and_holds_none_up() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let script = r#"[[tool Bash {"command":"while [ ! -e go ]; do read -t 0.1 < /dev/zero; sleep 0.1; done","description":"server","run_in_background":true}]][[then]][[say started]]"#;
    assert_eq!(world.answer(&x, script), "started");
    assert_eq!(world.answer(&x, "[[say meanwhile]]"), "meanwhile");
    std::fs::write(world.work().join("go"), "").unwrap();
    await_fact("its end is a turn of the agent's own", AGENT_MAX, || {
        world.adj(["--json", "watch", "--tail", "50", "--types", "turn.started", &x]).stdout.contains("\"agent\"")
    });
    let _ = world.adj(["wait", &x]).expect_code(0);
}

#[test]
fn a_typed_message_is_taken_at_most_once_wherever_the_daemon_is_killed() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    // The first passes of some are those of the daemon's own beginning.
    let points = [
        ("before_commit", 3..=6),
        ("after_commit", 3..=6),
        ("before_deliver", 1..=1),
        ("after_deliver", 1..=1),
        ("after_report_commit", 2..=4),
    ];
    let (mut killed, mut unknown) = (0, 0);
    for (point, pass) in points.into_iter().flat_map(|(point, passes)| passes.map(move |pass| (point, pass))) {
        let _ = world.adj(["daemon", "stop"]);
        let kill = format!("{point}:{pass}");
        let mut list = world.adj_command(["list"]);
        list.env("ADJ_TESTPOINT_KILL", &kill);
        let _ = adjutant_testkit::Running::start(list).end();
        let daemon = world.daemon_pid();
        let (tag, key) = (format!("<{point} {pass}>"), format!("key of {kill}"));
        let text = format!("{tag} [[hold {kill}]] [[say answer to {pass}]]");
        let send = ["send", "-q", "--key", &key, &x, "--message", &text];
        let sent = (0..4).map(|_| world.adj(send)).find(|sent| sent.code == 0).expect("the message is accepted");
        world.model().open(&kill);
        let waited = ["wait", "--print", "--for", sent.word(), &x];
        let ended = (0..4).map(|_| world.adj(waited)).find(|ended| matches!(ended.code, 0 | 5)).expect("an end");
        killed += usize::from(world.daemon_pid() != daemon);
        let requests = world.model().recorder().requests();
        let times = requests.iter().filter(|(request, _)| user_texts(request).last().is_some_and(|t| t.contains(&tag)));
        match (ended.code, times.count()) {
            (0, 1) => assert_eq!(ended.stdout, format!("answer to {pass}\n"), "{kill}"),
            (5, 0 | 1) => unknown += 1,
            other => panic!("{kill}: {other:?}"),
        }
    }
    println!("{killed} daemons killed, {unknown} messages unknown");
    assert!(killed >= 8, "only {killed} of 13 daemons were killed");
    assert!(unknown <= 2, "{unknown} of 13 messages are unknown");
    world.assert_sound();
}

#[test]
fn a_start_is_whole_or_nothing_wherever_the_daemon_is_killed() {
    for (point, pass) in [("before_launch", 1), ("after_launch", 1), ("after_commit", 3), ("after_report_commit", 1)] {
        let world = ClaudeWorld::new();
        let kill = format!("{point}:{pass}");
        let mut create = world.adj_command(["create", "-q", "--cli", "claude", "--key", "one", "--mode", "guarded"]);
        create.env("ADJ_TESTPOINT_KILL", &kill);
        let first = adjutant_testkit::Running::start(create).end();
        // Asked again with the same key, it is the same session or a new one, and never two.
        let again = ["create", "-q", "--cli", "claude", "--key", "one", "--mode", "guarded"];
        let created = if first.code == 0 { first } else { world.adj(again) };
        let created = if created.code == 0 { created } else { world.adj(again).expect_code(0) };
        // Where it was not killed yet it is no more.
        let _ = world.adj(["daemon", "stop"]);
        assert_eq!(world.answer(created.word(), "[[say in]]"), "in", "{kill}");
        let live = world.adj(["list", "-q"]).expect_code(0);
        assert_eq!(live.stdout.lines().count(), 1, "{kill}: {live:?}");
        let servers = world.processes().iter().filter(|(_, shown)| shown.contains("/tmux -u ")).count();
        assert_eq!(servers, 1, "{kill}: {:?}", world.processes());
        world.assert_sound();
    }
}

#[test]
fn a_hook_never_fails_and_needs_no_daemon() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    world.kill_daemon();
    let sessions = std::fs::read_dir(world.state().join("sessions")).unwrap();
    let state = sessions.flatten().next().expect("a session").path();
    let mut times = Vec::new();
    for _ in 0..21 {
        let words = ["hook", state.to_str().unwrap(), "Telepathy"];
        let called = world.adj_with_input(words, br#"{"session_id":"s"}"#).expect_code(0);
        assert_eq!((called.stdout.as_str(), called.stderr.as_str()), ("", ""));
        times.push(called.took);
    }
    times.sort_unstable();
    println!("a call takes {:?} in the middle, {:?} at most", times[10], times[20]);
    for (words, input) in [
        (vec!["hook"], &b""[..]),
        (vec!["hook", "/nowhere/at/all", "Stop"], b"{}"),
        (vec!["hook", state.to_str().unwrap(), "Stop"], b"no json"),
        (vec!["hook", "/nowhere/at/all", "PermissionRequest"], b"{}"),
    ] {
        let called = world.adj_with_input(words, input).expect_code(0);
        assert_eq!((called.stdout.as_str(), called.stderr.as_str()), ("", ""));
    }
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
    world.assert_sound();
}

#[test]
fn a_start_that_cannot_be_is_told_with_its_cause() {
    let mut world = ClaudeWorld::new();
    let began = Instant::now();
    world.write_home(".claude.json", r#"{"hasCompletedOnboarding":true}"#);
    let create = ["--json", "create", "--cli", "claude", "--mode", "guarded"];
    let asked = world.adj(create);
    assert!(asked.error()["message"].as_str().unwrap().contains("--trust"), "{asked:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let trusted = world.adj(["create", "-q", "--cli", "claude", "--mode", "guarded", "--trust"]).expect_code(0);
    assert_eq!(world.answer(trusted.word(), "[[say in]]"), "in");
    world.write_home(".claude/settings.json", "{}");
    let bypass = world.adj(["--json", "create", "--cli", "claude", "--mode", "native"]);
    assert!(bypass.error()["message"].as_str().unwrap().contains("--trust"), "{bypass:?}");
    let resume = world.adj([
        "--json",
        "create",
        "--cli",
        "claude",
        "--mode",
        "guarded",
        "--trust",
        "--resume",
        "00000000-0000-4000-8000-000000000000",
    ]);
    assert!(resume.error()["message"].as_str().unwrap().contains("00000000-0000"), "{resume:?}");
    world.set_variable("PATH", "/usr/bin:/bin");
    let missing = world.adj(create);
    assert!(
        missing.error()["hint"].to_string().contains("npm") || missing.stderr.contains("npm install"),
        "{missing:?}"
    );
}

/// Without a login Claude Code starts all the same, and only its first turn would fail.
#[test]
fn a_missing_login_is_told_before_there_is_a_session() {
    let mut world = ClaudeWorld::new();
    world.set_variable("ANTHROPIC_AUTH_TOKEN", "");
    for headless in [false, true] {
        let words = ["--json", "create", "--cli", "claude", "--mode", "native"];
        let began = Instant::now();
        let refused = world.adj(words.into_iter().chain(headless.then_some("--headless")));
        assert_eq!(refused.error()["code"], "auth_required", "{refused:#?}");
        assert!(refused.stderr.contains("not logged in"), "{refused:#?}");
        assert!(began.elapsed() < AGENT_MAX, "{:?}", began.elapsed());
    }
    assert_eq!(world.adj(["--json", "list", "-a"]).expect_code(0).json(), serde_json::json!([]), "nothing is left");
    // A login that settings give is one.
    world.write_home("given.json", r#"{"env":{"ANTHROPIC_AUTH_TOKEN":"fake"}}"#);
    let given = world.root().join("home/given.json").display().to_string();
    let made = ["create", "-q", "--cli", "claude", "--", "--settings", &given];
    let x = world.adj(made).expect_code(0).word().to_owned();
    assert_eq!(world.answer(&x, "[[say in]]"), "in");
}

/// The transcript has it a moment after the end, and then so has the turn.
#[test]
fn each_turn_tells_what_it_has_cost() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    for _ in 0..5 {
        assert_eq!(world.answer(&x, "[[say counted]]"), "counted");
        await_fact("what it has cost is told", AGENT_MAX, || {
            let last = world.adj(["--json", "wait", &x]).expect_code(0).json();
            last["usage"]["input_tokens"] == 20 && last["usage"]["output_tokens"] == 10
        });
    }
    let killed = world.adj(["kill", &x]).expect_code(0);
    assert_eq!(killed.code, 0);
}

/// A daemon that dies between the end of a turn and the word of its cost leaves that to the next one.
#[test]
fn the_cost_of_a_turn_is_told_by_the_next_daemon() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    for number in 1..=3 {
        let _ = world.turn(&x, &format!("[[say counted {number}]]")).expect_code(0);
        world.kill_daemon();
        await_fact("what it has cost is told", AGENT_MAX, || {
            let last = world.adj(["--json", "wait", &x]).expect_code(0).json();
            last["usage"]["input_tokens"] == 20 && last["usage"]["output_tokens"] == 10
        });
    }
    let told = world.adj(["watch", "--json", "--since", "0", "--types", "turn.usage,turn.ended", &x]).stdout;
    let late = told.lines().filter(|line| line.contains("turn.usage")).count();
    println!("{late} of 3 were told by the next daemon: {told}");
    assert!(late <= 3, "each is told once");
    world.assert_sound();
}

/// A rule that refuses holds in a mode in which nothing is asked, too.
#[test]
fn a_rule_refuses_where_nobody_is_asked() {
    let world = ClaudeWorld::new();
    let words = ["create", "-q", "--cli", "claude", "--mode", "native", "--deny-tool", "Bash(touch *)"];
    let x = world.adj(words).expect_code(0).word().to_owned();
    let tool = |command: &str| {
        let input = serde_json::json!({"command": command, "description": "d"});
        format!("[[tool Bash {input}]][[then]][[say done]]")
    };
    assert_eq!(world.answer(&x, &tool("touch refused")), "done");
    assert_eq!(world.answer(&x, &tool("echo x > allowed")), "done");
    assert!(!world.has_file("refused") && world.has_file("allowed"));
}

/// What is refused is refused once: the same text would be no better the next time.
#[test]
fn a_refused_text_fails_at_once_and_is_not_tried_again() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let m = world.send(&x, "zero\u{200b}width");
    let waited = world.adj(["wait", &x, "--for", &m]);
    assert_eq!(waited.code, 1, "{waited:#?}");
    let log = world.adj(["watch", "--json", "--since", "0", "--types", "message.handed,message.returned", &x]);
    assert_eq!(log.stdout.lines().filter(|line| line.contains("message.handed")).count(), 1, "{log:#?}");
    assert!(!log.stdout.contains("message.returned"), "{log:#?}");
}

/// A long message takes its time to be pasted; who wants the end of the session does not wait for that.
#[test]
fn the_end_does_not_wait_for_a_paste() {
    let mut world = ClaudeWorld::new();
    let hangs = world.root().join("hangs");
    let real = ["/usr/bin/tmux", "/usr/local/bin/tmux", "/bin/tmux"];
    let real = real.into_iter().find(|path| std::path::Path::new(path).try_exists().unwrap_or(false)).expect("tmux");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *source-file*) echo > '{}'; exec sleep 1000 ;; esac\nexec {real} \"$@\"\n",
        hangs.display()
    );
    let bin = world.root().join("slow");
    std::fs::create_dir(&bin).expect("a directory in the world");
    std::fs::write(bin.join("tmux"), script).expect("a file in the world");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(bin.join("tmux"), mode).expect("a file in the world");
    let path = std::env::var("PATH").unwrap_or_default();
    let claude = world.root().join("bin");
    world.set_variable("PATH", &format!("{}:{}:{path}", bin.display(), claude.display()));
    let x = world.claude("native");
    let _ = world.send(&x, "a word");
    await_fact("it is being pasted", AGENT_MAX, || hangs.try_exists().unwrap_or(false));
    let began = Instant::now();
    let interrupted = world.adj(["kill", &x]).expect_code(0);
    // tmux itself would be given ten seconds.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?} {interrupted:#?}", began.elapsed());
    assert_eq!(world.adj(["status", &x]).expect_code(0).word(), "exited");
}

/// A long message for the running turn is no faster typed than it is read; who wants the turn to end does not wait for that,
/// and no part of the message is sent.
#[test]
fn an_interrupt_does_not_wait_for_a_long_message() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let first = world.send(&x, "[[say begun]][[hold gate]]");
    assert!(world.model().await_held("gate", AGENT_MAX));
    let agent = pid_of(&world, &x, "agent");
    let statuses = world.root().join("home/.claude/sessions");
    await_fact("it says that it is busy", AGENT_MAX, || {
        let files = std::fs::read_dir(&statuses).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).any(|text| text.contains(r#""busy""#))
    });
    agent.signal(Signal::STOP);
    let long: String = (1..=2_000).map(|line| format!("line {line}\n")).collect::<String>() + "[[say whole]]";
    let steer = world.start(["send", "-q", &x, "--steer", &long]);
    let handed = ["watch", "--json", "--since", "0", "--types", "message.handed", &x];
    await_fact("it is being typed", AGENT_MAX, || {
        world.adj(handed).stdout.lines().filter(|line| line.contains("message.handed")).count() == 2
    });
    let interrupt = world.start(["interrupt", &x]);
    let passed = ["watch", "--json", "--since", "0", "--types", "turn.interrupt_passed", &x];
    await_fact("the key is pressed", AGENT_MAX, || world.adj(passed).stdout.contains("Esc in its terminal"));
    agent.signal(Signal::CONT);
    let _ = interrupt.end().expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &first]).expect_code(130);
    let steered = steer.end().expect_code(0).word().to_owned();
    assert_eq!(world.model().recorder().count(), 1, "no part of it is sent");
    await_fact("no part of it stays in the line", AGENT_MAX, || !world.screen().contains("line "));
    let _ = world.adj(["queue", "release", &x]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &steered]).expect_code(0);
    assert_eq!(newest_text(&world), long);
    assert_eq!(world.model().recorder().count(), 2, "it is sent once");
    world.assert_sound();
}

/// A daemon that dies while it types a long message has sent nothing of it; the next one types it again.
#[test]
fn a_long_message_is_sent_whole_or_not_at_all_when_the_daemon_dies() {
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let agent = pid_of(&world, &x, "agent");
    agent.signal(Signal::STOP);
    let long: String = (1..=1_000).map(|line| format!("line {line}\n")).collect::<String>() + "[[say whole]]";
    let message = world.send(&x, &long);
    let handed = ["watch", "--json", "--since", "0", "--types", "message.handed", &x];
    await_fact("it is being typed", AGENT_MAX, || world.adj(handed).stdout.contains("message.handed"));
    world.kill_daemon();
    agent.signal(Signal::CONT);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    assert_eq!(newest_text(&world), long);
    assert_eq!(world.model().recorder().count(), 1, "it is sent once");
    world.assert_sound();
}

/// What hooks have told does not stay on the disk for ever, and a daemon that comes later knows what it has to.
#[test]
fn the_spool_gives_back_what_is_on_record() {
    use std::os::unix::fs::MetadataExt;
    let world = ClaudeWorld::new();
    let x = world.claude("native");
    let long = "All work and no play makes Jack a dull boy. ".repeat(2_000);
    for number in 1..=6 {
        assert_eq!(world.answer(&x, &format!("{long}[[say {number}]]")), number.to_string());
    }
    // The transcript may not have it yet.
    let said = world.adj(["logs", &x, "-n", "1"]).expect_code(0).stdout;
    assert!(said.trim_end().ends_with("[ASSISTANT]\n6"), "{}", &said[said.len() - 200..]);
    let uuid = world.adj(["--json", "status", &x]).expect_code(0).json()["uuid"].as_str().expect("an id").to_owned();
    let mut below = vec![world.state()];
    let mut spool = None;
    while let Some(directory) = below.pop() {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.ends_with(format!("{uuid}/hooks")) {
                spool = Some(path);
            } else if path.is_dir() {
                below.push(path);
            }
        }
    }
    let spool = spool.expect("the session has a spool");
    let file = std::fs::metadata(spool).expect("a spool");
    assert!(file.blocks() * 512 + 100_000 < file.len(), "{} bytes on disk of {}", file.blocks() * 512, file.len());
    world.kill_daemon();
    assert_eq!(world.answer(&x, "[[say seven]]"), "seven");
    assert_eq!(world.adj(["last-message", "-n", "2", &x]).expect_code(0).stdout, "6\n\nseven\n");
    let taken = world.adj(["--json", "queue", "list", "-a", &x]).expect_code(0).json();
    let done = taken.as_array().expect("messages").iter().filter(|one| one["state"] == "done").count();
    assert_eq!(done, 7, "{taken:#}");
    world.assert_sound();
}
