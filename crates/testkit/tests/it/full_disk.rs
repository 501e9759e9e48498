//! A state directory on a disk that fills up: the calls made meanwhile are refused clearly, and nothing else is lost.

use adjutant_testkit::{Ended, World, await_fact};
use serde_json::Value;

use crate::SOON;

/// Room for a store, its log and a few messages.
const DISK_BYTES: u64 = 24 * 1024 * 1024;

/// A text that no page which happens to be left over can hold.
fn large_script() -> Vec<u8> {
    format!(": {}\n", "x".repeat(1_000_000)).into_bytes()
}

fn fill(world: &World) {
    // Whole pages of zeros until there is no room, down to the last one.
    let state = world.state();
    let filled = world.inside(&format!("cat /dev/zero > {}/filler", state.display()));
    assert!(filled.code != 0 && filled.stderr.contains("No space left"), "{filled:#?}");
}

fn empty(world: &World) {
    std::fs::remove_file(world.state_here().join("filler")).expect("the filler is there");
}

/// The way in which a command says that the disk is full: one error, its reason in the system's words, and a hint.
#[track_caller]
fn assert_told(ended: &Ended) {
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:#?}");
    let error = ended.error();
    assert_eq!(error["code"], "store_unwritable", "{ended:#?}");
    assert!(
        error["message"].as_str().is_some_and(|text| text.contains("full") || text.contains("No space")),
        "{ended:#?}"
    );
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{ended:#?}");
}

fn list(world: &World) -> Value {
    world.adj(["--json", "list", "-a"]).expect_code(0).json()
}

#[test]
fn a_full_disk_costs_the_calls_made_while_it_is_full() {
    let world = World::with_small_disk(DISK_BYTES);
    let session = world.shell();
    let daemon = world.daemon();
    let gate = world.bell("gate");
    let mut bell = world.bell("bell");
    let first = world.send(&session, "echo begun > bell; read -r _ < gate; echo ended > bell; echo through; (exit 3)");
    let second = world.send(&session, "echo second >> ran; echo second");
    assert_eq!(bell.line(SOON), "begun");
    let waiter = world.start(["wait", &session, "--for", &first, "--print", "-t", "none"]);

    fill(&world);
    let sent = world.adj_with_input(["--json", "send", &session, "-f", "-"], &large_script());
    assert_told(&sent);
    let created = world.adj_with_input(["--json", "create", "--cli", "shell", "-f", "-"], &large_script());
    assert_told(&created);
    let in_words = world.adj_with_input(["send", &session, "-f", "-"], &large_script()).expect_code(1);
    let lines: Vec<&str> = in_words.stderr.lines().collect();
    assert!(
        matches!(lines[..], [one, two] if one.starts_with("adj: ") && two.starts_with("hint: adj ")),
        "{in_words:#?}"
    );

    // What runs goes on, and what can be seen is told as it is.
    gate.release(1);
    assert_eq!(bell.line(SOON), "ended");
    let seen = world.adj(["status", &session]).expect_code(0);
    assert!(["working", "unknown", "idle"].contains(&seen.word()), "{seen:#?}");
    assert_eq!(list(&world).as_array().map(Vec::len), Some(1), "no create is half done");

    empty(&world);
    let ended = waiter.end().expect_code(3);
    assert_eq!(ended.stdout, "through\n", "{ended:#?}");
    let ended = world.adj(["wait", &session, "--for", &second, "--print", "-t", "60"]).expect_code(0);
    assert_eq!(ended.stdout, "second\n", "{ended:#?}");
    assert!(!daemon.has_ended(), "nobody had to start anything again");
    let queue = world.adj(["--json", "queue", "list", "-a", &session]).expect_code(0).json();
    assert_eq!(queue.as_array().map(Vec::len), Some(2), "no send is half done: {queue:#}");
    let other = world.shell();
    let answer = world.adj(["ask", &other, "echo again"]).expect_code(0);
    assert_eq!(answer.stdout, "again\n", "{answer:#?}");
    assert_eq!(world.lines_of("ran"), ["second"]);
    assert_eq!(list(&world).as_array().map(Vec::len), Some(2));
    world.assert_sound();
}

#[test]
fn a_daemon_that_dies_on_a_full_disk_is_followed_by_one_that_knows_all() {
    let world = World::with_small_disk(DISK_BYTES);
    let session = world.shell();
    let gate = world.bell("gate");
    let mut bell = world.bell("bell");
    let first = world.send(&session, "echo begun > bell; read -r _ < gate; echo ended > bell; echo through; (exit 3)");
    let second = world.send(&session, "echo second >> ran; echo second");
    assert_eq!(bell.line(SOON), "begun");

    fill(&world);
    world.kill_daemon();
    let refused = world.adj_with_input(["--json", "send", &session, "-f", "-"], &large_script());
    assert!([1, 255].contains(&refused.code), "{refused:#?}");
    let error = refused.error();
    assert!(
        ["store_unwritable", "state_dir_unusable"].contains(&error["code"].as_str().unwrap_or_default()),
        "{refused:#?}"
    );
    assert!(
        error["message"].as_str().is_some_and(|text| text.contains("full") || text.contains("No space")),
        "{refused:#?}"
    );
    gate.release(1);
    assert_eq!(bell.line(SOON), "ended");

    empty(&world);
    let ended = world.adj(["wait", &session, "--for", &first, "--print", "-t", "60"]).expect_code(3);
    assert_eq!(ended.stdout, "through\n", "{ended:#?}");
    let ended = world.adj(["wait", &session, "--for", &second, "--print", "-t", "60"]).expect_code(0);
    assert_eq!(ended.stdout, "second\n", "{ended:#?}");
    assert_eq!(world.lines_of("ran"), ["second"]);
    world.assert_sound();
}

/// Small calls may still find room or not; whatever each was told is what became of it.
#[test]
fn what_a_call_on_a_full_disk_was_told_is_true() {
    let world = World::with_small_disk(DISK_BYTES);
    let session = world.shell();
    let processes = world.session_processes();
    fill(&world);
    let mut accepted = Vec::new();
    for i in 0..10 {
        let sent = world.adj(["--json", "send", &session, &format!("echo {i} >> ran")]);
        if sent.code == 0 {
            accepted.push(i.to_string());
        } else {
            assert_told(&sent);
        }
    }
    let mut created = vec![session.clone()];
    for _ in 0..3 {
        let create = world.adj(["--json", "create", "--cli", "shell", "-t", "20"]);
        if create.code == 0 {
            created.push(create.json()["id"].as_str().unwrap_or_default().to_owned());
        } else {
            assert_eq!(create.code, 1, "{create:#?}");
            assert!(create.error()["message"].as_str().is_some_and(|text| !text.is_empty()), "{create:#?}");
        }
    }
    empty(&world);
    let _ = world.adj(["ask", &session, "echo last >> ran"]).expect_code(0);
    accepted.push("last".to_owned());
    assert_eq!(world.lines_of("ran"), accepted, "what was accepted ran once, and nothing else did");
    created.sort();
    await_fact("the sessions are those whose create succeeded", SOON, || {
        let listed = list(&world);
        let mut ids: Vec<String> =
            listed.as_array().into_iter().flatten().filter_map(|s| Some(s["id"].as_str()?.to_owned())).collect();
        ids.sort();
        ids == created
    });
    await_fact("a create that failed leaves no process", SOON, || {
        world.session_processes().difference(&processes).count() == 2 * (created.len() - 1)
    });
    world.assert_sound();
}

/// A home that is made on a disk without room is told so, and is made once there is some.
#[test]
fn a_first_start_on_a_full_disk_leaves_nothing_half_made() {
    let world = World::with_small_disk(DISK_BYTES);
    fill(&world);
    let refused = world.adj(["--json", "create", "--cli", "shell"]);
    assert!([1, 255].contains(&refused.code), "{refused:#?}");
    assert!(
        refused.error()["message"].as_str().is_some_and(|text| text.contains("full") || text.contains("No space")),
        "{refused:#?}"
    );
    empty(&world);
    let session = world.shell();
    let _ = world.adj(["ask", &session, "true"]).expect_code(0);
    world.assert_sound();
}

fn degraded(world: &World) -> Vec<Value> {
    let status = world.adj(["--json", "daemon", "status"]).expect_code(0).json();
    status["degraded"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_daemon_that_cannot_write_says_so_for_as_long_as_it_cannot() {
    let world = World::with_small_disk(DISK_BYTES);
    let session = world.shell();
    assert_eq!(degraded(&world), Vec::<Value>::new());
    fill(&world);
    // The little that a daemon owes after a failure may still find room, and then all is well again.
    let told = (0..50).any(|_| {
        assert_told(&world.adj_with_input(["--json", "send", &session, "-f", "-"], &large_script()));
        let told = degraded(&world);
        let doctor = world.adj(["doctor"]);
        let disk = doctor.stdout.lines().any(|line| line.starts_with("disk") && line.contains("failed"));
        told.len() == 1 && doctor.code == 1 && disk
    });
    assert!(told, "neither the status nor the doctor has told of it");
    empty(&world);
    await_fact("all is well again", SOON, || degraded(&world).is_empty());
    let _ = world.adj(["doctor"]).expect_code(0);
}
