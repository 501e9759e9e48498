//! Goals that Codex pursues by itself.

use adjutant_fakemodel::script::{Book, Rule};
use serde_json::Value;

use super::Codex;
use crate::look::{events, status, texts};

/// A model that works for two turns and then does `last`: its turns are told from one another by what they have cost.
fn pursuing(last: &str) -> Codex {
    let rule = |contains: &str, script: &str| Rule { contains: contains.to_owned(), script: script.to_owned() };
    let goal = |used: u32, script: &str| rule(&format!("- Tokens used: {used}\n"), script);
    Codex::with_book(Book {
        rules: vec![goal(0, "[[say first]]"), goal(30, "[[say second]]"), goal(60, last)],
        otherwise: "[[say lost]]".to_owned(),
    })
}

/// How the goal of a session came to stand, one after the other; empty where there was none any more.
#[track_caller]
fn goals(codex: &Codex, session: &str) -> Vec<String> {
    let changes = events(&codex.world, session, "goal.changed");
    changes.iter().map(|event| event["data"]["goal"]["status"].as_str().unwrap_or_default().to_owned()).collect()
}

fn update(status: &str) -> String {
    format!("[[tool update_goal {{\"status\":\"{status}\"}}]] [[then]] [[say ended]]")
}

#[test]
fn a_goal_is_pursued_over_several_turns_until_it_is_complete() {
    let codex = pursuing(&update("complete"));
    let x = codex.native();
    assert_eq!(codex.world.adj(["goal", &x]).expect_code(0).stdout, format!("No goal set for {x}\n"));
    let set = codex.world.adj(["goal", &x, "the", "tests pass"]).expect_code(0).stdout;
    assert!(set.starts_with("objective: the tests pass\nstatus: active\n"), "{set}");
    assert!(set.ends_with("turns used: 0\nmax turns: none\n"), "{set}");
    assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(0).stdout, "complete\n");
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    let answers = codex.world.adj(["--json", "last-message", "-n", "9", &x]).expect_code(0).json();
    assert_eq!(texts(answers.as_array().expect("answers"), "text"), ["first", "second", "ended"]);
    let begun = events(&codex.world, &x, "turn.started");
    assert!(begun.iter().all(|turn| turn["data"]["origin"] == "agent"), "the agent's own turns: {begun:#?}");
    assert_eq!(goals(&codex, &x), ["active", "complete"], "each change once");
    let told = crate::look::record(&codex.world, &x)["goal"].clone();
    let status_told = codex.world.adj(["--json", "status", &x]).expect_code(0).json()["goal"].clone();
    let expected = serde_json::json!({"objective": "the tests pass", "status": "complete", "token_budget": null});
    assert_eq!((&told, &status_told), (&expected, &expected));
    let goal = codex.world.adj(["--json", "goal", &x]).expect_code(0).json();
    assert_eq!((&goal["session"], &goal["status"]), (&x.as_str().into(), &"complete".into()), "{goal:#}");
    assert_eq!((&goal["turns_used"], &goal["max_turns"]), (&3.into(), &serde_json::Value::Null), "{goal:#}");
    assert_eq!(codex.world.adj(["goal", "--clear", &x]).expect_code(0).stdout, format!("Cleared goal for {x}\n"));
    assert_eq!(codex.world.adj(["goal", "--clear", &x]).expect_code(0).stdout, format!("No goal to clear for {x}\n"));
    assert_eq!(status(&codex.world, &x), "idle");
    codex.world.kill_daemon();
    assert_eq!(codex.ask(&x, "[[say by hand]]"), "by hand\n");
    assert_eq!(goals(&codex, &x), ["active", "complete", ""], "nothing is told twice");
    codex.assert_sound();
}

#[test]
fn a_goal_that_is_stuck_or_too_dear_is_told_as_that() {
    let codex = pursuing(&update("blocked"));
    let x = codex.native();
    let _ = codex.world.adj(["goal", &x, "the impossible"]).expect_code(0);
    assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(1).stdout, "blocked\n");
    let codex = pursuing("[[say third]]");
    let x = codex.native();
    let _ = codex.world.adj(["goal", &x, "something dear", "--budget", "80"]).expect_code(0);
    assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(1).stdout, "budgetLimited\n");
    let told = codex.world.adj(["--json", "goal", &x]).expect_code(0).json();
    assert_eq!(told["token_budget"], 80, "{told:#}");
}

#[test]
fn who_waits_for_a_goal_hears_of_its_end_from_the_next_daemon() {
    let codex = pursuing(&format!("[[hold gate]] {}", update("complete")));
    let x = codex.native();
    let _ = codex.world.adj(["goal", &x, "go on"]).expect_code(0);
    assert!(codex.model.await_held("gate", crate::SOON));
    let wait = codex.world.start(["wait", "--goal", &x]);
    // The answer to another call of the same kind shows that the daemon has had time for this one.
    let after_another = || drop(codex.world.adj(["wait", "--goal", "-t", "1", &x]).expect_code(124));
    after_another();
    codex.world.kill_daemon();
    after_another();
    let _ = codex.world.adj(["daemon", "stop", "--force"]).expect_code(0);
    after_another();
    assert!(wait.runs());
    codex.model.open("gate");
    assert_eq!(wait.end().expect_code(0).stdout, "complete\n");
    codex.assert_sound();
}

#[test]
fn a_goal_is_ended_by_whoever_knows_better() {
    let codex = pursuing("[[hold gate]] [[say third]]");
    let x = codex.native();
    std::fs::write(codex.world.work().join("objective"), "from a file").expect("a file in the world");
    for change in [&["--pause"][..], &["--resume"], &["--done"], &["--blocked", "so"], &["--max-turns", "3"]] {
        let told = codex.world.adj([&["--json", "goal", &x], change].concat()).expect_error(2, "not_supported");
        assert!(told.stderr.contains("there is no goal"), "{told:#?}");
    }
    let set = codex.world.adj(["goal", &x, "-f", "objective"]).expect_code(0).stdout;
    assert!(set.starts_with("objective: from a file\nstatus: active\n"), "{set}");
    let told = codex.world.adj(["goal", &x, "--blocked", "no such thing"]).expect_code(0).stdout;
    assert!(told.contains("status: blocked\n") && told.ends_with("reason: no such thing\n"), "{told}");
    assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(1).stdout, "blocked\n");
    let set = codex.world.adj(["goal", &x, "--condition", "--another"]).expect_code(0).stdout;
    assert!(set.starts_with("objective: --another\nstatus: active\n"), "{set}");
    let told = codex.world.adj(["goal", &x, "--done", "--evidence", "I saw it"]).expect_code(0).stdout;
    assert!(told.contains("status: complete\n"), "{told}");
    assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(0).stdout, "complete\n");
    let notices = events(&codex.world, &x, "session.notice");
    let notices = serde_json::json!(notices).to_string();
    assert!(notices.contains("blocked: no such thing") && notices.contains("complete: I saw it"), "{notices}");
    for two in [&["--done", "--pause"][..], &["--blocked", "so", "--done"], &["--evidence", "so"], &["x", "-f", "x"]] {
        let _ = codex.world.adj([&["--json", "goal", &x], two].concat()).expect_error(2, "usage");
    }
    codex.model.open("gate");
    codex.assert_sound();
}

#[test]
fn each_turn_of_a_goal_can_be_waited_for_and_the_goal_rests_when_told_to() {
    let codex = pursuing("[[hold gate]] [[say third]]");
    let x = codex.native();
    let next = codex.world.start(["wait", "--next-turn", "--print", &x]);
    // The answer to another call of the same kind shows that the daemon has had time for this one.
    let _ = codex.world.adj(["wait", "--next-turn", "-t", "1", &x]).expect_code(124);
    let _ = codex.world.adj(["goal", &x, "go on"]).expect_code(0);
    assert_eq!(next.end().expect_code(0).stdout, "first\n");
    assert!(codex.model.await_held("gate", crate::SOON));
    assert!(codex.world.adj(["goal", "--pause", &x]).expect_code(0).stdout.contains("status: paused\n"));
    assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(1).stdout, "paused\n");
    codex.model.open("gate");
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert_eq!(status(&codex.world, &x), "idle");
    let _ = codex.world.adj(["--json", "goal", "--pause", "--clear", &x]).expect_error(2, "usage");
    let shell = codex.world.shell();
    let _ = codex.world.adj(["--json", "goal", &shell]).expect_error(2, "not_supported");
}

/// The goal of a session, when the daemon has told of so many of its turns.
#[track_caller]
fn after_turns(codex: &Codex, session: &str, turns: u32) -> serde_json::Value {
    let goal = || codex.world.adj(["--json", "goal", session]).expect_code(0).json();
    adjutant_testkit::await_fact("the turn is counted", crate::SOON, || goal()["turns_used"] == turns);
    goal()
}

#[test]
fn a_goal_takes_no_more_turns_than_it_may() {
    let rule =
        |used: u32, script: &str| Rule { contains: format!("- Tokens used: {used}\n"), script: script.to_owned() };
    let codex = Codex::with_book(Book {
        rules: vec![
            rule(0, "[[say first]]"),
            rule(30, "[[hold last]] [[say second]]"),
            rule(60, &format!("[[hold reached]] {}", update("complete"))),
        ],
        otherwise: "[[say one too many]]".to_owned(),
    });
    let x = codex.native();
    let set = codex.world.adj(["goal", &x, "--max-turns", "2", "go on"]).expect_code(0).stdout;
    assert!(set.ends_with("turns used: 0\nmax turns: 2\n"), "{set}");
    assert!(codex.model.await_held("last", crate::SOON));
    assert_eq!(after_turns(&codex, &x, 2)["status"], "active", "its last turn runs");
    codex.world.kill_daemon();
    assert_eq!(after_turns(&codex, &x, 2)["status"], "active", "nor is it counted twice");
    let wait = codex.world.start(["wait", "--goal", &x]);
    codex.model.open("last");
    assert_eq!(wait.end().expect_code(1).stdout, "budgetLimited\n");
    let over = after_turns(&codex, &x, 2);
    assert_eq!((&over["reason"], &over["tokens_used"]), (&"it has taken 2 of 2 turns".into(), &60.into()), "{over:#}");
    let spent = codex.world.adj(["--json", "goal", "--resume", &x]).expect_error(2, "not_supported");
    assert!(spent.stderr.contains("--max-turns"), "{spent:#?}");
    let _ = codex.world.adj(["goal", "--max-turns", "3", &x]).expect_code(0);
    let _ = codex.world.adj(["goal", "--resume", &x]).expect_code(0);
    assert!(codex.model.await_held("reached", crate::SOON));
    assert_eq!(after_turns(&codex, &x, 3)["status"], "active");
    codex.model.open("reached");
    assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(0).stdout, "complete\n", "in its last turn");
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    assert_eq!(goals(&codex, &x), ["active", "budgetLimited", "active", "complete"]);
    assert_eq!(codex.ask(&x, "[[say by hand]]"), "by hand\n");
    let all = codex.turn_events(&x).len();
    assert_eq!(all, 8, "three turns of the goal, and no other but the last");
    codex.assert_sound();
}

#[test]
fn a_goal_whose_turn_is_stopped_rests() {
    let codex = pursuing("[[hold gate]] [[say third]]");
    let x = codex.native();
    let _ = codex.world.adj(["goal", &x, "go on"]).expect_code(0);
    assert!(codex.model.await_held("gate", crate::SOON));
    codex.await_events(&x, "turn.started", 3);
    let wait = codex.world.start(["wait", "--goal", &x]);
    let _ = codex.world.adj(["interrupt", &x]).expect_code(0);
    assert_eq!(wait.end().expect_code(1).stdout, "paused\n");
    let _ = codex.world.adj(["wait", &x]).expect_code(130);
    let goal = codex.world.adj(["--json", "goal", &x]).expect_code(0).json();
    assert_eq!((&goal["status"], &goal["reason"]), (&"paused".into(), &"interrupted".into()), "{goal:#}");
    assert_eq!(status(&codex.world, &x), "idle");
    let _ = codex.world.adj(["goal", "--resume", &x]).expect_code(0);
    assert!(codex.model.await_held("gate", crate::SOON), "it goes on");
    codex.model.open("gate");
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    codex.assert_sound();
}

#[test]
fn a_goal_goes_on_after_a_crash_and_is_stuck_after_an_error() {
    let codex = pursuing("[[hold gate]] [[status 400]]");
    let x = codex.native();
    let _ = codex.world.adj(["goal", &x, "go on"]).expect_code(0);
    assert!(codex.model.await_held("gate", crate::SOON));
    let wait = codex.world.start(["wait", "--goal", &x]);
    let server = codex.server(&x);
    server.signal(rustix::process::Signal::KILL);
    assert!(server.ends_within(crate::SOON));
    codex.await_events(&x, "turn.started", 4);
    codex.model.open("gate");
    assert_eq!(wait.end().expect_code(1).stdout, "blocked\n");
    let why = || codex.world.adj(["--json", "goal", &x]).expect_code(0).json()["reason"].to_string();
    adjutant_testkit::await_fact("the error is told", crate::SOON, || why().contains("the script says so"));
    codex.assert_sound();
}

#[test]
fn another_goal_begins_with_nothing_used_and_no_bounds_of_the_one_before() {
    // After a goal that was too dear, after one that was called done, and instead of one that is pursued.
    for (first, is_dear, change) in [
        ("[[say more]]", true, None),
        ("[[hold gate]] [[say more]]", false, Some("--done")),
        ("[[hold gate]] [[say more]]", false, None),
    ] {
        let second = Rule { contains: "- Token budget: none\n".to_owned(), script: update("complete") };
        let codex = Codex::with_book(Book { rules: vec![second], otherwise: first.to_owned() });
        let x = codex.native();
        let budget = if is_dear { "50" } else { "9000" };
        let _ = codex.world.adj(["goal", &x, "one", "--budget", budget, "--max-turns", "7"]).expect_code(0);
        if is_dear {
            assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(1).stdout, "budgetLimited\n");
            let _ = codex.world.adj(["wait", &x]).expect_code(0);
        } else {
            assert!(codex.model.await_held("gate", crate::SOON));
        }
        if let Some(change) = change {
            let _ = codex.world.adj(["goal", &x, change]).expect_code(0);
        }
        let wait = (!is_dear && change.is_none()).then(|| codex.world.start(["wait", "--goal", &x]));
        let told = codex.world.adj(["--json", "goal", &x, "two"]).expect_code(0).json();
        assert_eq!((&told["objective"], &told["status"]), (&"two".into(), &"active".into()), "{told:#}");
        for (member, value) in [("tokens_used", 0.into()), ("turns_used", 0.into()), ("token_budget", Value::Null)] {
            assert_eq!(told[member], value, "{told:#}");
        }
        assert_eq!(told["max_turns"], Value::Null, "{told:#}");
        let wait = wait.unwrap_or_else(|| codex.world.start(["wait", "--goal", &x]));
        codex.model.open("gate");
        assert_eq!(wait.end().expect_code(0).stdout, "complete\n", "{first} {change:?}");
        assert!(!goals(&codex, &x).contains(&String::new()), "nobody is told that there is none");
        codex.assert_sound();
    }
}

#[test]
fn a_goal_that_is_refused_leaves_the_one_that_is_there() {
    let codex = pursuing("[[hold gate]] [[say third]]");
    let x = codex.native();
    let _ = codex.world.adj(["goal", &x, "go on", "--max-turns", "9"]).expect_code(0);
    assert!(codex.model.await_held("gate", crate::SOON));
    let before = after_turns(&codex, &x, 3);
    let _ = codex.world.adj(["--json", "goal", &x, &"x".repeat(4_001)]).expect_error(2, "not_supported");
    let after = codex.world.adj(["--json", "goal", &x]).expect_code(0).json();
    for kept in ["objective", "status", "tokens_used", "turns_used", "max_turns"] {
        assert_eq!(after[kept], before[kept], "{after:#}");
    }
    codex.model.open("gate");
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    codex.assert_sound();
}

#[test]
fn an_interrupt_between_two_turns_of_a_goal_has_it_rest() {
    // Its turns are short and many: most interrupts come between two, and whichever they meet, no other turn begins.
    let codex = Codex::with_book(Book { rules: Vec::new(), otherwise: "[[say on and on]]".to_owned() });
    let x = codex.native();
    for _ in 0..4 {
        let _ = codex.world.adj(["goal", &x, "without an end"]).expect_code(0);
        let _ = codex.world.adj(["wait", "--next-turn", &x]).expect_code(0);
        let told = codex.world.adj(["interrupt", &x]).expect_code(0).stdout;
        let paused = format!("Interrupted {x}: its goal is paused\n");
        assert!(told == paused || told == format!("Interrupted {x}\n"), "{told}");
        assert_eq!(codex.world.adj(["wait", "--goal", &x]).expect_code(1).stdout, "paused\n");
        let goal = codex.world.adj(["--json", "goal", &x]).expect_code(0).json();
        assert_eq!((&goal["status"], &goal["reason"]), (&"paused".into(), &"interrupted".into()), "{goal:#}");
        // A turn that was begun in that very moment may have come to either end.
        let _ = codex.world.adj(["wait", &x]);
        assert_eq!(status(&codex.world, &x), "idle");
    }
    codex.assert_sound();
}
