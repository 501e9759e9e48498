//! The mode `docker`: Claude Code behind a wrapper, which stands for a container here.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use adjutant_testkit::{AGENT_MAX, ClaudeWorld, await_fact};

/// What shows that it went through the wrapper: a variable that nothing else sets.
const INSIDE: &str = r#"[[tool Bash {"command":"echo $IN_BOX > inside"}]][[then]][[say done]]"#;

/// Writes a wrapper, which is found on the PATH unless it is elsewhere, and gives its path.
fn wrapper(world: &ClaudeWorld, name: &str, script: &str) -> PathBuf {
    let file = world.root().join(name);
    std::fs::write(&file, format!("#!/bin/sh\nexport IN_BOX=yes\n{script}\n")).expect("a file in the world");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode that can be set");
    file
}

fn configure(world: &ClaudeWorld, command: &str) {
    std::fs::create_dir_all(world.state()).expect("a directory");
    let text = format!("[docker]\ncommand = \"{command}\"\n");
    std::fs::write(world.state().join("config.toml"), text).expect("a file");
}

#[track_caller]
fn assert_was_inside(world: &ClaudeWorld) {
    let said = std::fs::read_to_string(world.work().join("inside")).expect("a tool wrote it");
    assert_eq!(said, "yes\n");
}

/// The wrapper starts Claude Code when it is told to, and nothing is hoped for before.
#[track_caller]
fn assert_is_waited_for(face: &[&str]) {
    let world = ClaudeWorld::new();
    let (called, go) = (world.root().join("called"), world.root().join("go"));
    let script = format!("mkfifo '{0}' && touch '{1}' && read line < '{0}'", go.display(), called.display());
    let _ = wrapper(&world, "bin/clauded", &format!("{script}\nclaude \"$@\""));
    let words = ["create", "-q", "--cli", "claude", "--mode", "docker", "--message", INSIDE];
    let creating = world.start(words.iter().chain(face));
    await_fact("the wrapper is called", AGENT_MAX, || called.try_exists().expect("a directory"));
    let list = world.adj(["--json", "list"]).expect_code(0).json();
    assert_eq!(list[0]["status"], "starting", "{list:#}");
    assert!(creating.runs() && world.model().recorder().count() == 0);
    std::fs::write(&go, "\n").expect("somebody reads");
    let x = creating.end().expect_code(0).word().to_owned();
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_was_inside(&world);
    let _ = world.adj(["kill", &x]).expect_code(0);
}

#[test]
fn b5_a_container_that_is_slow_to_start_is_waited_for() {
    assert_is_waited_for(&[]);
}

#[test]
fn b5_a_container_without_a_terminal_is_waited_for() {
    assert_is_waited_for(&["--headless"]);
}

#[test]
fn a_wrapper_that_becomes_claude_is_named_by_its_path() {
    let world = ClaudeWorld::new();
    let boxed = wrapper(&world, "boxed", "exec claude \"$@\"");
    configure(&world, &boxed.display().to_string());
    let x = world.claude("docker");
    assert_eq!(world.answer(&x, INSIDE), "done");
    assert_was_inside(&world);
    assert_eq!(world.adj(["--json", "status", &x]).expect_code(0).json()["mode"], "docker");
}

/// The process in the terminal is the wrapper; what Claude Code says of itself has another number.
#[test]
fn behind_a_wrapper_turns_interrupts_and_a_restart_are_seen() {
    let world = ClaudeWorld::new();
    let _ = wrapper(&world, "bin/clauded", "claude \"$@\"\nexit $?");
    let x = world.claude("docker");
    assert_eq!(world.answer(&x, INSIDE), "done");
    assert_was_inside(&world);
    let message = world.send(&x, "[[hold never]]");
    assert!(world.model().await_held("never", AGENT_MAX));
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(130);
    world.kill_daemon();
    assert_eq!(world.answer(&x, "[[say still there]]"), "still there");
    let _ = world.adj(["kill", &x]).expect_code(0);
}

#[test]
fn a_wrapper_that_is_missing_or_fails_is_told_with_its_cause() {
    let world = ClaudeWorld::new();
    let create = || world.adj(["create", "--cli", "claude", "--headless", "--mode", "docker"]);
    let missing = create();
    assert!(missing.stderr.contains("`clauded`") && missing.stderr.contains("docker.command"), "{missing:?}");
    let _ = wrapper(&world, "bin/clauded", "echo 'no such image: box' >&2\nexit 125");
    let failed = create();
    assert!(failed.code != 0 && failed.stderr.contains("no such image: box"), "{failed:?}");
}
