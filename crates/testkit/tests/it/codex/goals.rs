//! Goals that Codex pursues by itself.

use adjutant_fakemodel::script::{Book, Rule};

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
    let none = codex.world.adj(["--json", "goal", &x, "x", "--max-turns", "3"]).expect_error(2, "not_supported");
    assert!(none.stderr.contains("--budget"), "{none:#?}");
    let set = codex.world.adj(["goal", &x, "-f", "objective"]).expect_code(0).stdout;
    assert!(set.starts_with("objective: from a file\nstatus: active\n"), "{set}");
    let told = codex.world.adj(["goal", &x, "--blocked", "no such thing"]).expect_code(0).stdout;
    assert!(told.contains("status: blocked\n"), "{told}");
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
