//! Starting the daemon: one, however many want it, and whatever a dead one has left.

use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;

use adjutant_testkit::{Running, World};
use rustix::process::Signal;

use crate::SOON;

/// How many daemons have served this world.
fn served(world: &World) -> usize {
    let log = std::fs::read_to_string(world.state_here().join("daemon.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains("\"serving\"")).count()
}

fn daemons(world: &World) -> Vec<(u32, String)> {
    world.processes().into_iter().filter(|(_, shown)| shown.contains("daemon run")).collect()
}

#[test]
fn twenty_commands_at_once_start_one_daemon() {
    let world = World::new();
    let commands: [&[&str]; 2] = [&["list"], &["create", "-q", "--cli", "shell"]];
    let started: Vec<Running> = (0..20).map(|i| world.start(commands[i % 2])).collect();
    for running in started {
        let ended = running.end().expect_code(0);
        assert_eq!(ended.stderr, "", "nothing is said beside the result: {ended:#?}");
    }
    assert_eq!(served(&world), 1, "{:?}", daemons(&world));
    assert_eq!(daemons(&world).len(), 1, "{:?}", daemons(&world));
}

#[test]
fn twenty_commands_at_once_replace_a_killed_daemon_by_one() {
    let world = World::new();
    let session = world.shell();
    for round in 2..5 {
        world.kill_daemon();
        let started: Vec<Running> = (0..20).map(|_| world.start(["status", &session])).collect();
        for running in started {
            let ended = running.end().expect_code(0);
            assert!(["idle", "unknown"].contains(&ended.word()), "{ended:#?}");
        }
        assert_eq!(served(&world), round, "{:?}", daemons(&world));
    }
}

#[test]
fn what_a_dead_daemon_left_is_no_obstacle() {
    let world = World::new();
    let run = world.state().join("run");
    std::fs::create_dir_all(&run).expect("a directory");
    drop(UnixListener::bind(world.socket()).expect("a socket that nobody listens on any more"));
    // The pid of a program that lives and is none of ours.
    std::fs::write(world.state().join("daemon.lock"), "1\n").expect("a lock file that nobody holds");
    std::fs::write(run.join("start.lock"), "").expect("a lock file that nobody holds");
    std::fs::write(world.state().join("socket"), run.join("gone.sock").as_os_str().as_encoded_bytes())
        .expect("a pointer");
    let session = world.shell();
    let sent = world.adj(["ask", &session, "echo here"]).expect_code(0);
    assert_eq!(sent.stdout, "here\n", "{sent:#?}");
    assert_eq!(served(&world), 1);
}

#[test]
fn a_second_daemon_of_the_same_home_does_not_start() {
    let world = World::new();
    let daemon = world.start_daemon(&[]);
    let second = world.adj(["daemon", "run"]).expect_code(255);
    assert!(second.stderr.contains(&format!("pid {}", daemon.pid())), "it names the one that serves: {second:#?}");
    assert!(!daemon.has_ended());
}

#[test]
fn without_autostart_nothing_is_started() {
    let world = World::new();
    let refused = world.adj(["--json", "--no-autostart", "list"]).expect_error(255, "daemon_unreachable");
    assert!(world.processes().is_empty(), "{refused:#?}");
    let stopped = world.adj(["daemon", "status"]).expect_code(255);
    assert_eq!(stopped.word(), "stopped", "{stopped:#?}");
    assert!(!world.state().try_exists().unwrap_or(true), "asking makes nothing");
}

/// 200 creates by 50 processes at once (B10): the ids are all different, and behind each one is a session that lives.
#[test]
fn two_hundred_creates_in_parallel_are_two_hundred_sessions() {
    let world = World::new();
    let script = format!("for i in 1 2 3 4; do {} create -q --cli shell || exit; done", world.adj_path().display());
    let started: Vec<Running> = (0..50).map(|_| Running::start(sh(&world, &script))).collect();
    let ended: Vec<_> = started.into_iter().map(|running| running.end().expect_code(0)).collect();
    let ids: Vec<&str> = ended.iter().flat_map(|one| one.stdout.lines()).collect();
    assert_eq!(ids.len(), 200, "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 200, "no id is given twice: {ids:?}");
    let listed = world.adj(["--json", "list"]).expect_code(0).json();
    let idle = listed.as_array().into_iter().flatten().filter(|session| session["status"] == "idle").count();
    assert_eq!(idle, 200, "{listed:#}");
    assert_eq!(served(&world), 1);
    // Their processes get their end at once, which is faster than one after the other.
    let _ = world.adj(["kill", "--all", "--force", "-q"]).expect_code(0);
    let daemon = world.daemon();
    daemon.signal(Signal::TERM);
    assert!(daemon.ends_within(SOON));
}

fn sh(world: &World, script: &str) -> std::process::Command {
    let mut command = world.command("sh");
    command.arg("-c").arg(script);
    command
}
