//! The daemon ends on purpose, and the next one takes over what lives: the agents do not notice, and nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use adjutant_testkit::{Bell, Running, World, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;
use crate::look::{Hold, begin, record, streams};

/// How a daemon is ended.
#[derive(Clone, Copy, Debug)]
enum Way {
    Stop,
    Terminate,
    Kill,
}

fn end_daemon(world: &World, way: Way) {
    let daemon = world.daemon();
    match way {
        Way::Stop => drop(world.adj(["daemon", "stop", "--force"]).expect_code(0)),
        Way::Terminate => daemon.signal(Signal::TERM),
        Way::Kill => daemon.signal(Signal::KILL),
    }
    assert!(daemon.ends_within(SOON), "the daemon ends by {way:?}");
}

/// The state is told rightly, and until it is known it is told as unknown.
fn assert_comes_to(world: &World, session: &str, expected: &str) {
    await_fact(&format!("{session} is {expected}"), SOON, || {
        let seen = world.adj(["status", session]).expect_code(0);
        assert!([expected, "unknown"].contains(&seen.word()), "it is {expected}: {seen:#?}");
        seen.word() == expected
    });
}

#[test]
fn sessions_at_work_at_rest_and_waiting_are_taken_over() {
    let world = World::new();
    let sessions = world.shells(4);
    let [working, idle, waiting, exited] = &sessions[..] else { unreachable!("there are four") };
    let gate = world.bell("gate");
    let mut begun = world.bell("begun");
    let first = world.send(working, "echo first > begun; read -r _ < gate; echo through; (exit 3)");
    let second = world.send(working, "echo second");
    begun.line(SOON);
    let _ = world.adj(["ask", idle, "cd / && here=remembered"]).expect_code(0);
    world.send(waiting, "read -r answer; echo got $answer");
    let _ = world.adj(["wait", waiting]).expect_code(3);
    let _ = world.adj(["ask", exited, "exit 9"]);
    // The turn's end is told before the session's, which waits until nothing of it is left.
    let _ = world.adj(["watch", exited, "--until", "exit"]);
    assert_comes_to(&world, exited, "exited");

    let before = world.session_processes();
    for way in [Way::Stop, Way::Terminate, Way::Kill] {
        end_daemon(&world, way);
        assert_comes_to(&world, working, "working");
        assert_comes_to(&world, idle, "idle");
        assert_comes_to(&world, waiting, "waiting_for_input");
        assert_comes_to(&world, exited, "exited");
        assert_eq!(world.session_processes(), before, "no process of a session has noticed {way:?}");
    }

    gate.release(1);
    let through = world.adj(["wait", working, "--for", &first, "--print"]).expect_code(3);
    assert_eq!(through.stdout, "through\n", "{through:#?}");
    let second = world.adj(["wait", working, "--for", &second, "--print"]).expect_code(0);
    assert_eq!(second.stdout, "second\n", "{second:#?}");
    let kept = world.adj(["ask", idle, "pwd; echo $here"]).expect_code(0);
    assert_eq!(kept.stdout, "/\nremembered\n", "{kept:#?}");
    let _ = world.adj(["respond", waiting, "hello"]).expect_code(0);
    let got = world.adj(["wait", "--print", waiting]).expect_code(0);
    assert!(got.stdout.contains("got hello"), "{got:#?}");
    world.assert_sound();
}

#[test]
fn a_graceful_stop_refuses_while_sessions_work() {
    let world = World::new();
    let session = world.shell();
    let gate = world.bell("gate");
    let mut begun = world.bell("begun");
    world.send(&session, "echo x > begun; read -r _ < gate");
    begun.line(SOON);
    let refused = world.adj(["--json", "daemon", "stop"]).expect_error(1, "sessions_working");
    assert_eq!(refused.error()["details"]["sessions"], serde_json::json!([session]), "{refused:#?}");
    let drained = world.start(["daemon", "stop", "--drain"]);
    gate.release(1);
    let _ = drained.end().expect_code(0);
    let _ = world.adj(["wait", &session]).expect_code(0);
}

const RESTARTS: usize = 20;

/// Each session is in the middle of a command at every restart, with the next one already sent.
#[test]
fn twenty_restarts_in_a_row_lose_and_double_nothing() {
    let world = World::new();
    let sessions = world.shells(3);
    let gates: Vec<Bell> = (0..sessions.len()).map(|i| world.bell(&format!("gate-{i}"))).collect();
    let mut begun = world.bell("begun");
    let words = ["--json", "watch", "-F", "--since", "0"].into_iter().chain(sessions.iter().map(String::as_str));
    let watch = world.start(words);
    let mut ids = Vec::new();
    for restart in 0..RESTARTS {
        for (i, session) in sessions.iter().enumerate() {
            let script =
                format!("echo {restart} >> ran-{i}; echo x > begun; read -r _ < gate-{i}; (exit {})", restart % 3);
            ids.push((session, world.send(session, &script), restart % 3));
        }
        if restart > 0 {
            gates.iter().for_each(|gate| gate.release(1));
        }
        sessions.iter().for_each(|_| drop(begun.line(SOON)));
        end_daemon(&world, [Way::Stop, Way::Terminate, Way::Kill][restart % 3]);
    }
    gates.iter().for_each(|gate| gate.release(1));
    for (session, message, exit) in &ids {
        let _ = world.adj(["wait", session, "--for", message]).expect_code(i32::try_from(*exit).unwrap_or(-1));
    }

    let expected: Vec<String> = (0..RESTARTS).map(|restart| restart.to_string()).collect();
    for i in 0..sessions.len() {
        assert_eq!(world.lines_of(&format!("ran-{i}")), expected, "each command ran once, in order");
    }
    let all = ["--json", "watch", "--since", "0"].into_iter().chain(sessions.iter().map(String::as_str));
    let logged = seqs(&world.adj(all).expect_code(0).stdout);
    let last = logged.last().copied().unwrap_or(0);
    watch.await_stdout("the watch has told all", SOON, |said| seqs(said).last() == Some(&last));
    let told = watch.stdout_so_far();
    watch.signal(Signal::INT);
    let _ = watch.end();
    assert_eq!(seqs(&told), logged, "the watch that saw {RESTARTS} restarts told every event once:\n{told}");
    assert_eq!(logged.len(), logged.iter().collect::<BTreeSet<_>>().len(), "no event is logged twice");
    world.assert_sound();
}

fn seqs(lines: &str) -> Vec<u64> {
    // The last line may not be whole yet.
    let whole = lines.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["seq"].as_u64()).collect()
}

fn is_there(path: &Path) -> bool {
    path.try_exists().expect("it can be looked for")
}

#[test]
fn what_forgotten_sessions_have_left_is_removed_by_the_next_daemon() {
    let world = World::new();
    let (lives, ended) = (world.shell(), world.shell());
    let _ = world.adj(["kill", &ended]).expect_code(0);
    let uuid = |id: &str| record(&world, id)["uuid"].as_str().expect("a uuid").to_owned();
    let known = [uuid(&lives), uuid(&ended)];
    world.kill_daemon();
    // As a daemon leaves it that dies between forgetting a session and removing its files.
    let (sessions, run) = (world.state().join("sessions"), world.state().join("run/s"));
    let forgotten = "019a0000-0000-7000-8000-000000000001";
    for directory in [sessions.join(forgotten), sessions.join("notes"), run.join(forgotten.replace('-', ""))] {
        fs::create_dir(&directory).expect("a directory");
        fs::write(directory.join("output.log"), "x").expect("a file");
    }
    let _ = world.adj(["list"]).expect_code(0);
    await_fact("what nobody knows any more is gone", SOON, || {
        !is_there(&sessions.join(forgotten)) && !is_there(&run.join(forgotten.replace('-', "")))
    });
    assert!(is_there(&sessions.join("notes")), "what has no name of a session is somebody else's");
    assert!(known.iter().all(|uuid| is_there(&sessions.join(uuid))));
    assert_eq!(world.adj(["ask", &lives, "echo still"]).expect_code(0).stdout, "still\n");
}

#[test]
fn a_wait_that_a_stop_leaves_without_a_daemon_says_so() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let mut said = world.bell("said");
    let mut wait = world.command("bash");
    wait.args(["-c", "exec \"$0\" wait \"$1\" 2>said"]).arg(world.adj_path()).arg(&x);
    let wait = Running::start(wait);
    await_fact("the wait is connected", SOON, || streams(&world) >= 1);
    let _ = world.adj(["daemon", "stop", "--force"]).expect_code(0);
    assert!(said.line(SOON).contains("was told to end"));
    hold.let_go();
    let _ = world.adj(["list"]).expect_code(0);
    assert_eq!(wait.end().expect_code(0).stdout, "completed\n");
}
