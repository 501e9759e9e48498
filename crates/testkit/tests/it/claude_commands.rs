//! Commands of Claude Code's own, and what it does with its conversation by itself, in both of its faces.

use adjutant_testkit::fakemodel::anthropic::user_texts;
use adjutant_testkit::{AGENT_MAX, ClaudeWorld, await_fact};
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
        // Without a terminal it is a text like any other, and the model says what it thinks of it. In a terminal the
        // transcript tells, unless the machine is so busy that it does not have it in time.
        assert!(matches!(unknown.code, 0 | 1), "{face:?}: it has no end: {unknown:?}");
        println!("{face:?}: {}", unknown.word());
        assert_eq!(world.answer(&x, "[[say alive]]"), "alive");
    }
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
