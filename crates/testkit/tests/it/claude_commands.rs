//! Commands of Claude Code's own, and what it does with its conversation by itself, in both of its faces.

use adjutant_testkit::fakemodel::anthropic::user_texts;
use adjutant_testkit::{AGENT_MAX, ClaudeWorld, Process, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::claude_asking::{FACES, create};

fn conversation(world: &ClaudeWorld, session: &str) -> Value {
    world.adj(["--json", "inspect", session]).expect_code(0).json()["agent_session"].clone()
}

/// Sends a command and gives how the wait for it ended.
fn command(world: &ClaudeWorld, session: &str, line: &str) -> adjutant_testkit::Ended {
    let sent = world.adj(["send", "-q", session, "--as-command", line]).expect_code(0);
    world.adj(["wait", session, "--for", sent.word()])
}

/// The texts of the user that the model got last.
fn newest_texts(world: &ClaudeWorld) -> Vec<String> {
    user_texts(&world.model().recorder().requests().pop().expect("a request").0)
}

#[test]
fn a_command_clears_or_shortens_the_conversation() {
    for face in FACES {
        let world = ClaudeWorld::new();
        let x = create(&world, &["--mode", "native"], face);
        assert_eq!(world.answer(&x, "[[say one]]"), "one");
        let before = conversation(&world, &x);
        let _ = command(&world, &x, "/clear").expect_code(0);
        await_fact("another conversation", AGENT_MAX, || conversation(&world, &x) != before);
        assert_eq!(world.answer(&x, "[[say two]]"), "two");
        assert!(!newest_texts(&world).iter().any(|text| text.contains("[[say one]]")), "{face:?}");
        let before = world.model().recorder().count();
        let _ = command(&world, &x, "/compact").expect_code(0);
        assert_eq!(world.model().recorder().count(), before + 1, "{face:?}: the model was asked for the short form");
        assert_eq!(world.answer(&x, "[[say three]]"), "three");
    }
}

#[test]
fn what_is_no_command_is_told_and_holds_nothing_up() {
    for face in FACES {
        let world = ClaudeWorld::new();
        let x = create(&world, &["--mode", "native"], face);
        let refused = command(&world, &x, "hello");
        assert_eq!(refused.code, 1, "{face:?}: {refused:?}");
        assert_eq!(world.model().recorder().count(), 0, "{face:?}: nothing was sent");
        let unknown = command(&world, &x, "/nosuchcommand");
        // Without a terminal it is a text like any other, and the model says what it thinks of it.
        let is_text = face.contains(&"--headless");
        assert_eq!(unknown.code, if is_text { 0 } else { 1 }, "{face:?}: {unknown:?}");
        assert!(is_text || unknown.stderr.contains("Unknown command: /nosuchcommand"), "{unknown:?}");
        assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
    }
}

/// Gives the agent, which takes commands.
fn agent(world: &ClaudeWorld, session: &str) -> Process {
    let statuses = world.root().join("home/.claude/sessions");
    await_fact("it says that it is idle", AGENT_MAX, || {
        let files = std::fs::read_dir(&statuses).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).any(|text| text.contains(r#""idle""#))
    });
    let shown = world.adj(["--json", "inspect", session]).expect_code(0).json();
    let pid = shown["agent"]["pid"].as_u64().expect("an agent");
    Process::open(u32::try_from(pid).expect("a pid")).expect("it lives")
}

/// That nothing runs is no word of what became of a command: an agent that is slow looks the same.
#[test]
fn a_command_that_is_read_late_is_told_as_what_it_was() {
    let world = ClaudeWorld::new();
    let x = create(&world, &["--mode", "native"], &[]);
    let slow = agent(&world, &x);
    slow.signal(Signal::STOP);
    let sent = world.adj(["send", "-q", &x, "--as-command", "/absent now"]).expect_code(0);
    let early = world.adj(["wait", &x, "--for", sent.word(), "--timeout", "7s"]);
    assert_eq!(early.code, 124, "nothing is known of it: {early:?}");
    slow.signal(Signal::CONT);
    let late = world.adj(["wait", &x, "--for", sent.word()]);
    assert_eq!(late.code, 1, "{late:?}");
    assert!(late.stderr.contains("Unknown command: /absent"), "{late:?}");
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
}

/// What nobody can know is said to be so.
#[test]
fn a_command_of_which_nothing_tells_is_unknown() {
    let world = ClaudeWorld::new();
    let x = create(&world, &["--mode", "native"], &[]);
    let stuck = agent(&world, &x);
    stuck.signal(Signal::STOP);
    let ended = command(&world, &x, "/context");
    assert_eq!(ended.code, 5, "{ended:?}");
    stuck.signal(Signal::CONT);
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
}

#[test]
fn a_command_that_opens_a_dialog_is_done_when_that_is_closed() {
    let world = ClaudeWorld::new();
    let x = create(&world, &["--mode", "native"], &[]);
    let sent = world.adj(["send", "-q", &x, "--as-command", "/cost"]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", sent.word()]).expect_code(3);
    world.tmux(["send-keys", "-t", "%0", "Escape"]);
    let _ = world.adj(["wait", "--through-input", &x, "--for", sent.word()]).expect_code(0);
    assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
}

#[test]
fn a_conversation_is_shortened_by_itself_and_loses_no_turn() {
    let world = ClaudeWorld::new();
    let x = create(&world, &["--mode", "native"], &["--headless"]);
    assert_eq!(world.answer(&x, "[[usage 990000 10]][[say full]]"), "full");
    assert_eq!(world.answer(&x, "[[say short again]]"), "short again");
    let told = world.adj(["--json", "watch", "--tail", "50", "--types", "session.notice", &x]).stdout;
    assert!(told.contains("compacted"), "{told}");
}

#[test]
fn a_shell_in_the_background_of_a_headless_session_holds_nothing_up() {
    let world = ClaudeWorld::new();
    let x = create(&world, &["--mode", "native"], &["--headless"]);
    let script = r#"[[tool Bash {"command":"while [ ! -e go ]; do read -t 0.1 < /dev/zero; sleep 0.1; done","description":"server","run_in_background":true}]][[then]][[say started]]"#;
    assert_eq!(world.answer(&x, script), "started");
    assert_eq!(world.answer(&x, "[[say meanwhile]]"), "meanwhile");
    std::fs::write(world.work().join("go"), "").expect("a file in the world");
    await_fact("its end is a turn of the agent's own", AGENT_MAX, || {
        world.adj(["--json", "watch", "--tail", "50", "--types", "turn.started", &x]).stdout.contains("\"agent\"")
    });
    let _ = world.adj(["wait", &x]).expect_code(0);
}
