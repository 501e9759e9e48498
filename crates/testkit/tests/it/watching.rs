//! `watch`: what happens, from where one likes, and until what one likes.

use adjutant_testkit::{Running, World, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;
use crate::look::{Hold, begin, event_types, events, streams, texts};

fn parsed(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("an event per line")).collect()
}

#[test]
fn the_last_events_are_shown_and_the_watch_ends() {
    let world = World::new();
    let (x, y) = (world.shell(), world.shell());
    for id in [&x, &y] {
        let _ = world.adj(["ask", id, "(exit 3)"]).expect_code(3);
    }
    let all = events(&world, &x, "*");
    let told = world.adj(["--json", "watch", "--tail", "3", &x]).expect_code(0);
    assert_eq!(parsed(&told.stdout), all[all.len() - 3..], "a tail is no outcome");
    let told = world.adj(["watch", "--tail", &x]).expect_code(0);
    assert_eq!(told.stdout.lines().count(), all.len().min(20));
    let line = told.stdout.lines().find(|line| line.contains("turn.failed")).unwrap_or_default();
    let at = all.iter().find(|event| event["type"] == "turn.failed").and_then(|event| event["at"].as_str());
    let expected = format!(
        "{} {x} turn.failed turn=1 answer_bytes=0 answer_cut_bytes=0 exit_code=3 outcome=failed",
        at.unwrap_or_default()
    );
    assert_eq!(line, expected);
    let last = world.adj(["--json", "watch", "--tail", "1"]).expect_code(0);
    assert_eq!(parsed(&last.stdout)[0]["session"], y, "without an id it is all sessions");
    let both = world.adj(["watch", "--tail", "100", &x, &y]).expect_code(0);
    assert!(both.stdout.contains(&x) && both.stdout.contains(&y));
    let seq = all[1]["seq"].to_string();
    let since = world.adj(["--json", "watch", "--since", &seq, &x]).expect_code(0);
    assert_eq!(parsed(&since.stdout), all[2..]);
    let some = world.adj(["--json", "watch", "--since", "0", "--types", "turn.*,message.queued", &x]).expect_code(0);
    assert_eq!(texts(&parsed(&some.stdout), "type"), ["message.queued", "turn.started", "turn.failed"]);
    for end in ["*.failed", "t*.*ed"] {
        let ended = ["--json", "watch", "--since", "0", "--types", end, &x];
        let (shown, follower) = (world.adj(ended).expect_code(0), world.start(ended.iter().chain(&["-F"])));
        let shown = texts(&parsed(&shown.stdout), "type");
        assert!(
            shown.contains(&"turn.failed".to_owned()) && !shown.contains(&"turn.completed".to_owned()),
            "{shown:?}"
        );
        follower.await_stdout("the same", SOON, |told| told.lines().count() == shown.len());
        follower.signal(Signal::INT);
        assert_eq!(texts(&parsed(&follower.end().stdout), "type"), shown);
    }
    let none = world.adj(["watch", "--tail", "--types", "goal.*", &x]).expect_code(0);
    assert_eq!(none.stdout, "");
    let _ = world.adj(["--json", "watch"]).expect_error(2, "usage");
}

#[test]
fn a_follower_may_begin_with_the_last_events() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    let last = events(&world, &x, "*").split_off(1);
    let count = last.len().to_string();
    let follower = world.start(["--json", "watch", "-F", "--tail", &count, &x]);
    follower.await_stdout("the last events", SOON, |told| told.lines().count() >= last.len());
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    let all = events(&world, &x, "*").split_off(1);
    follower.await_stdout("and those that come", SOON, |told| told.lines().count() >= all.len());
    assert_eq!(parsed(&follower.stdout_so_far()), all, "each once");
    follower.signal(Signal::INT);
    let _ = follower.end();
    let _ = world.adj(["--json", "watch", "--since", "999999", &x]).expect_error(2, "usage");
}

#[test]
fn a_watch_waits_for_the_run_and_sums_it_up() {
    let world = World::new();
    let x = world.shell();
    let idle = world.adj(["watch", &x]).expect_code(0);
    assert_eq!(idle.stdout, format!("{x} idle (exit 0)\n"));
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("{}; (exit 5)", hold.script()));
    world.send(&x, "(exit 5)");
    hold.await_begun();
    let (terminal, until_idle) = (world.start(["watch", &x]), world.start(["watch", "--until", "idle", &x]));
    let json = world.start(["--json", "watch", "--until", "terminal", &x]);
    await_fact("all watch", SOON, || streams(&world) >= 3);
    hold.let_go();
    let told = terminal.end().expect_code(5).stdout;
    assert!(told.starts_with(&format!("{x} turn ")) && told.ends_with("s (exit 5)\n"), "{told}");
    let told = until_idle.end().expect_code(5).stdout;
    assert!(told.starts_with(&format!("{x} turn 2 failed in ")), "{told}");
    assert_eq!(json.end().expect_code(5).json()["exit_code"], 5);
    let told = world.adj(["ask", &x, "echo third"]).expect_code(0).stdout;
    assert_eq!(told, "third\n");
    // What is not due yet, or held, is no work: nobody waits for it, and nobody spins.
    let _ = world.adj(["send", &x, "echo later", "--delay", "1h"]).expect_code(0);
    let told = world.adj(["watch", "--until", "idle", "-t", "20", &x]).expect_code(0);
    assert!(told.stdout.starts_with(&format!("{x} turn 3 completed in 0.")), "{told:#?}");
    let late = world.adj(["watch", "--until", "input", "-t", "50ms", &x]).expect_code(124);
    assert!(late.took < std::time::Duration::from_millis(1500), "its time is its own: {:?}", late.took);
    let _ = world.adj(["kill", &x]).expect_code(0);
    let told = world.adj(["watch", "--until", "exit", &x]).expect_code(0);
    assert_eq!(told.stdout, format!("{x} exited (exit 0)\n"));
    let _ = world.adj(["watch", "--until", "input", &x]).expect_code(4);
}

#[test]
fn a_watch_that_follows_ends_with_what_it_waits_for() {
    let world = World::new();
    let (x, y) = (world.shell(), world.shell());
    let follow = |words: &[&str]| {
        world.start(["watch", "-F", "--since", "0", "--types", "turn.*,request.*,session.exited"].iter().chain(words))
    };
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("{}; (exit 3)", hold.script()));
    world.send(&x, "read -r x");
    hold.await_begun();
    let watches = [
        (3, follow(&["--until", "terminal", &x])),
        (3, follow(&["--until", "input", &x])),
        (0, follow(&["--until", "exit", &x])),
        (1, follow(&["--until", "next", &x, &y])),
        (4, follow(&["--until", "idle", &x])),
    ];
    await_fact("all watch", SOON, || streams(&world) >= watches.len() as u64);
    hold.let_go();
    let _ = world.adj(["ask", &y, "true"]).expect_code(0);
    let _ = world.adj(["watch", "--until", "input", &x]).expect_code(3);
    let mut told = Vec::new();
    for (i, (code, watch)) in watches.into_iter().enumerate() {
        if i == 2 {
            assert!(watch.runs());
            let _ = world.adj(["kill", "--force", &x]).expect_code(0);
        }
        told.push(watch.end().expect_code(code).stdout);
    }
    assert!(told[0].contains(" turn.failed turn=1 "), "{told:#?}");
    assert!(told[1].lines().last().is_some_and(|line| line.contains("request.opened")), "{told:#?}");
    assert!(told[2].lines().last().is_some_and(|line| line.contains("session.exited")), "{told:#?}");
    // What is there already need not come.
    let there = world.adj(["watch", "-F", "--until", "exit", &x]).expect_code(0);
    assert_eq!(there.stdout, "");
    let there =
        world.adj(["watch", "-F", "--until", "exit", "--since", "0", "--types", "session.exited", &x]).expect_code(0);
    assert_eq!(there.stdout.lines().count(), 1, "with what led to it, where that is asked for");
    let _ = world.adj(["watch", "-F", "--until", "terminal", &y]).expect_code(0);
}

#[test]
fn a_watch_goes_on_with_the_next_daemon_without_a_gap_or_a_double() {
    let world = World::new();
    let x = world.shell();
    let watch = world.start(["--json", "watch", "-F", "--since", "0", &x, "--until", "exit"]);
    let everything = world.start(["--json", "watch", "-F", "--since", "0", "--until", "exit"]);
    for i in 0..3 {
        let _ = world.adj(["ask", &x, &format!("echo {i}")]).expect_code(0);
        watch.await_stdout("the turn is told", SOON, |told| told.matches("turn.completed").count() == i + 1);
        world.kill_daemon();
    }
    let _ = world.adj(["ask", &x, "echo last"]).expect_code(0);
    let _ = world.adj(["kill", &x]).expect_code(0);
    let told = parsed(&watch.end().expect_code(0).stdout);
    assert_eq!(told, events(&world, &x, "*"));
    let _ = everything.end().expect_code(0);
}

#[test]
fn a_watch_is_left_with_a_signal_and_a_closed_pipe() {
    let world = World::new();
    let x = world.shell();
    let watch = world.start(["watch", "-F", "--since", "0", &x]);
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    watch.await_stdout("the turn is told", SOON, |told| told.contains("turn.completed"));
    watch.signal(Signal::INT);
    let ended = watch.end().expect_code(130);
    assert_eq!(ended.stderr, "");
    let adj = world.adj_path().display();
    let mut head = world.command("sh");
    head.arg("-c").arg(format!("{adj} watch -F --since 0 {x} | head -n 2"));
    let head = Running::start(head);
    head.await_stdout("two lines", SOON, |told| told.lines().count() == 2);
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    assert_eq!(head.end().expect_code(0).stderr, "", "it ends with its reader");
    assert_eq!(event_types(&world, &x, "session.exited"), Vec::<String>::new());
}

#[test]
fn what_ends_a_watch_need_not_be_what_it_shows() {
    let world = World::new();
    let (x, y) = (world.shell(), world.shell());
    let next = world.start(["--json", "watch", "-F", &x, "--types", "message.*", "--until", "next"]);
    await_fact("it watches", SOON, || streams(&world) == 1);
    let _ = world.adj(["ask", &x, "(exit 3)"]).expect_code(3);
    let told = next.end();
    assert_eq!(told.code, 3, "{told:#?}");
    let shown = texts(&parsed(&told.stdout), "type");
    assert!(!shown.is_empty() && shown.iter().all(|name| name.starts_with("message.")), "{shown:?}");
    let exit = world.start(["watch", "-F", &y, "--types", "turn.*", "--until", "exit"]);
    await_fact("it watches", SOON, || streams(&world) == 1);
    let _ = world.adj(["kill", &y]).expect_code(0);
    assert_eq!(exit.end().expect_code(0).stdout, "");
    let late = world.adj(["watch", "-F", &x, "--until", "next", "-t", "100ms"]).expect_code(124);
    assert!(late.stderr.contains("is not done after 100ms"), "{late:#?}");
}
