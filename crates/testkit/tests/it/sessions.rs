//! The group `sessions`: the controller's style of arguments, on the same sessions.

use adjutant_testkit::{Running, World, await_fact};
use serde_json::Value;

use crate::SOON;

fn in_dir(world: &World, dir: &str, words: &[&str]) -> adjutant_testkit::Ended {
    let mut command = world.adj_command([&["sessions"], words].concat());
    command.current_dir(world.work().join(dir));
    Running::start(command).end()
}

fn ids(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("NDJSON"));
    let mut ids: Vec<String> = lines.map(|session| session["id"].as_str().expect("an id").to_owned()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_session_is_started_seen_watched_woken_and_stopped_in_the_controllers_words() {
    let world = World::new();
    let _ = world.inside("git init -q app").expect_code(0);
    let mut begun = world.bell("begun");
    let gate = world.bell("gate");
    let started =
        in_dir(&world, "app", &["start", "--provider", "shell", "cd ..; echo x > begun; read -r _ < gate; exit 7"]);
    let started = started.expect_code(0);
    let id = started.stdout.trim().strip_prefix("Started session ").expect("its word").to_owned();
    assert!(started.stderr.contains(&format!("adj attach {id}")), "{}", started.stderr);
    begun.line(SOON);
    let expected = "active: yes\nstatus: working\nprovider: shell\nproject: app\nworktree: -\nturn: 1 (running)\nqueued: 0\npending: -\n";
    let mut shown = String::new();
    // A command runs a moment before the daemon has heard of it.
    await_fact("the turn is told", SOON, || {
        shown = in_dir(&world, ".", &["status", "app", &id]).expect_code(0).stdout;
        !shown.contains("turn: -")
    });
    assert_eq!(shown, expected);
    let watch = {
        let mut command = world.adj_command(["sessions", "watch", "app", &id]);
        command.current_dir(world.work());
        Running::start(command)
    };
    gate.release(1);
    let told = watch.end().expect_code(7).stdout;
    assert!(told.starts_with(&format!("{id} turn 1 failed in ")), "{told}");
    // `exit` has ended the shell; another one is there to be woken and stopped.
    let other =
        in_dir(&world, "app", &["--quiet", "start", "--agent", "shell"]).expect_code(0).stdout.trim().to_owned();
    let woken = in_dir(&world, "app", &["wake", &other, "echo woken > ../woken"]).expect_code(0).stdout;
    assert!(woken.starts_with("Queued message m") && woken.contains(&other), "{woken}");
    let _ = world.adj(["wait", &other]).expect_code(0);
    assert_eq!(world.lines_of("woken"), ["woken"]);
    let late = in_dir(&world, ".", &["wake", "app", &other, "--message", "echo late", "--delay", "1 hour"]);
    assert!(late.expect_code(0).stdout.contains(", runs at "));
    assert!(in_dir(&world, "app", &["watch", &other, "--tail", "1"]).expect_code(0).stdout.contains("message.queued"));
    let nothing = in_dir(&world, "app", &["stop", &other]).expect_code(0).stdout;
    assert_eq!(nothing, format!("Nothing to interrupt on {other}\n"));
    assert_eq!(
        in_dir(&world, "app", &["stop", &other, "--end"]).expect_code(0).stdout,
        format!("Killed session {other}\n")
    );
    let ended = in_dir(&world, "app", &["status", &other]).expect_code(0).stdout;
    assert!(ended.starts_with("active: no\nstatus: exited\n"), "{ended}");
}

#[test]
fn a_list_is_of_one_project_and_archived_ones_are_asked_for() {
    let world = World::new();
    let _ = world.inside("git init -q app && git init -q other && mkdir app/src").expect_code(0);
    for (id, dir) in [("in-app", "app/src"), ("in-other", "other")] {
        let _ = world.adj(["create", "--cli", "shell", "--id", id, "-p", dir, "-d", "what for"]).expect_code(0);
    }
    let _ = in_dir(&world, "app", &["start", "--provider", "shell", "--parent", "in-app"]).expect_code(0);
    assert_eq!(ids(&in_dir(&world, "app/src", &["--json", "list", "--limit", "9"]).expect_code(0).stdout).len(), 2);
    assert_eq!(ids(&in_dir(&world, ".", &["--json", "list", "other"]).expect_code(0).stdout), ["in-other"]);
    let row = in_dir(&world, ".", &["list", "other"]).expect_code(0).stdout;
    assert!(row.starts_with("in-other  idle  [shell]  what for  ") && row.ends_with(" ago\n"), "{row}");
    let children = in_dir(&world, "app", &["list", "--parent", "in-app"]).expect_code(0).stdout;
    assert!(children.trim_end().ends_with("parent=in-app") && children.lines().count() == 1, "{children}");
    let _ = world.adj(["kill", "in-other"]).expect_code(0);
    assert_eq!(in_dir(&world, "other", &["list"]).expect_code(0).stdout, "No sessions match.\n");
    assert_eq!(in_dir(&world, "other", &["--json", "list"]).expect_code(0).stdout, "");
    let archived = in_dir(&world, "other", &["--json", "list", "--include-archived"]).expect_code(0).stdout;
    assert_eq!(ids(&archived), ["in-other"]);
    assert_eq!(ids(&in_dir(&world, "other", &["--json", "list", "--provider", "claude", "-a"]).stdout), [""; 0]);
}

#[test]
fn i3_a_project_that_is_not_there_is_never_replaced() {
    let world = World::new();
    let _ = world.inside("git init -q app && git init -q other").expect_code(0);
    let _ = world.adj(["create", "--cli", "shell", "--id", "in-app", "-p", "app"]).expect_code(0);
    let _ = world.adj(["create", "--cli", "shell", "--id", "in-other", "-p", "other"]).expect_code(0);
    for words in [
        &["--json", "list", "ap"][..],
        &["--json", "status", "ap", "in-app"],
        &["--json", "wake", "ap", "in-app", "echo never"],
        &["--json", "stop", "ap", "in-app", "--end"],
        &["--json", "start", "ap", "--message", "echo never", "--provider", "shell"],
    ] {
        let _ = in_dir(&world, "app", words).expect_error(4, "project_not_found");
    }
    let _ = in_dir(&world, "app", &["--json", "stop", "app", "in-other", "--end"]).expect_error(4, "session_not_found");
    let _ = in_dir(&world, ".", &["--json", "stop", "app", "in-other", "--end"]).expect_error(4, "session_not_found");
    assert_eq!(world.adj(["status", "in-other"]).expect_code(0).stdout, "idle\n");
    let app = world.work().join("app").display().to_string();
    std::fs::write(world.state().join("config.toml"), format!("[projects]\nnamed = \"{app}\"\n")).expect("a file");
    assert_eq!(ids(&in_dir(&world, ".", &["--json", "list", "named"]).expect_code(0).stdout), ["in-app"]);
    let _ = in_dir(&world, ".", &["status", "named", "in-app"]).expect_code(0);
    let _ = in_dir(&world, ".", &["--json", "status", "named", "in-other"]).expect_error(4, "session_not_found");
}

#[test]
fn a17_words_without_quotes_start_nothing() {
    let world = World::new();
    let _ = world.inside("git init -q app").expect_code(0);
    let unquoted = ["--json", "start", "app", "--provider", "shell", "--message", "fix", "the", "parser"];
    let told = in_dir(&world, ".", &unquoted).expect_error(2, "usage");
    assert!(told.stderr.contains("in quotes"), "{}", told.stderr);
    let _ = in_dir(&world, ".", &["--json", "start", "--provider", "shell", "a", "b", "c"]).expect_error(2, "usage");
    let _ = in_dir(&world, ".", &["--json", "start", "app", "x", "--mode", "plan", "--provider", "shell"])
        .expect_error(2, "not_supported");
    let _ = in_dir(&world, ".", &["--json", "start", "app", "x", "--skill", "s", "--provider", "shell"])
        .expect_error(2, "not_supported");
    assert_eq!(world.adj(["list", "-a", "-q"]).expect_code(0).stdout, "");
}
