//! Rows F and I that a shell session can show: variables, errors, and that what is said of the commands is so.

use std::collections::BTreeSet;

use adjutant_testkit::{Running, World};
use serde_json::{Value, json};

use crate::look::{Hold, begin, events, status, texts, world_with_adj};

#[test]
fn f9_a_variable_that_makes_no_sense_is_an_error() {
    let world = World::new();
    let with = |name: &str, value: &str, words: &[&str]| {
        let mut command = world.adj_command(["--json"].iter().chain(words));
        command.env(name, value);
        Running::start(command).end()
    };
    let wait = ["wait", "fizz-top"];
    for (name, value, words) in [("ADJ_TIMEOUT", "abc", wait.as_slice()), ("ADJ_HOME", "relative", &["list"])] {
        let refused = with(name, value, words).expect_error(2, "env_invalid");
        let told = refused.error()["message"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains(name) && told.contains(value), "it names what is wrong: {told}");
    }
    let _ = with("ADJ_MODE", "wild", &["create", "--cli", "shell"]).expect_error(2, "env_invalid");
    assert!(world.processes().is_empty(), "nothing was started for it");
    let x = world.shell();
    let told = with("ADJ_TIMEOUT", "50ms", &["wait", "--next-turn", &x]).expect_code(124);
    assert_eq!(told.json()["outcome"], "timeout");
    let created = with("ADJ_CLI", "shell", &["create"]).expect_code(0).json();
    assert_eq!(created["cli"], "shell", "the environment beats the configuration");
}

#[test]
fn the_configuration_is_read_and_a_wrong_one_is_an_error() {
    let world = World::new();
    std::fs::create_dir(world.state()).expect("a directory");
    let config = |text: &str| std::fs::write(world.state().join("config.toml"), text).expect("a file");
    config("default_cli = \"shell\"\ndefault_timeout = \"50ms\"\nmessage_max_bytes = 40\n");
    let x = world.adj(["create", "-q"]).expect_code(0).word().to_owned();
    let _ = world.adj(["wait", "--next-turn", &x]).expect_code(124);
    let _ = world.adj(["--json", "send", &x, &"x".repeat(41)]).expect_error(2, "message_too_large");
    config("default_cli = 7\n");
    let refused = world.adj(["--json", "create"]).expect_error(2, "config_invalid");
    assert!(refused.error()["message"].as_str().is_some_and(|told| told.contains("config.toml:1")), "{refused:#?}");
}

#[test]
fn i4_what_is_unknown_is_said_once() {
    let world = World::new();
    for words in [vec!["frobnicate"], vec!["list", "--statsu", "idle"], vec!["queue", "frob", "x"]] {
        let told = world.adj(words).expect_code(2);
        let errors = told.stderr.lines().filter(|line| line.starts_with("adj: ")).count();
        assert_eq!((told.stdout.as_str(), errors), ("", 1), "{told:#?}");
    }
    assert!(world.processes().is_empty() && !world.state().try_exists().unwrap_or(true));
}

/// Each exit code once, from the same binary (0.6).
#[test]
fn i5_a_failure_has_the_code_of_its_kind() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    let _ = world.adj(["--json", "create", "--cli", "shell", "--id", &x]).expect_error(1, "id_in_use");
    let _ = world.adj(["--json", "wait"]).expect_error(2, "usage");
    world.send(&x, "read -r a");
    let _ = world.adj(["wait", &x]).expect_code(3);
    let _ = world.adj(["wait", "--through-input", "-t", "0", &x]).expect_code(124);
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    let _ = world.adj(["wait", &x]).expect_code(130);
    let _ = world.adj(["--json", "status", "nobody-top"]).expect_error(4, "session_not_found");
    let _ = world.adj(["daemon", "stop"]).expect_code(0);
    let refused = world.adj(["--json", "--no-autostart", "status", &x]).expect_error(255, "daemon_unreachable");
    let error = refused.error();
    let keys: BTreeSet<&str> = error.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, BTreeSet::from(["code", "details", "exit", "hint", "message"]), "one shape for all");
    let text = world.adj(["status", "nobody-top"]).expect_code(4);
    assert_eq!((text.stdout.as_str(), text.stderr.as_str()), ("", "adj: no session nobody-top\nhint: adj list -a\n"));
}

#[test]
fn i8_a_session_knows_who_it_is_from_its_first_turn() {
    let world = world_with_adj();
    let x =
        world.adj(["create", "-q", "--cli", "shell", "echo $ADJ_SESSION; adj whoami"]).expect_code(0).word().to_owned();
    let told = world.adj(["wait", "--print", &x]).expect_code(0).stdout;
    assert_eq!(told.lines().take(2).collect::<Vec<_>>(), [x.as_str(), &x], "{told}");
    let script =
        "adj create -q --cli shell --id kid >/dev/null; adj ask kid 'adj --json whoami'; adj status self parent";
    let told = world.adj(["ask", &x, script]).expect_code(4);
    let (who, rest) = told.stdout.split_once("}\n").unwrap_or_else(|| panic!("{told:#?}"));
    let who: Value = serde_json::from_str(&format!("{}}}", who.replace('\n', "")))
        .unwrap_or_else(|error| panic!("{error}: {told:#?}"));
    assert_eq!(
        (&who["caller"], &who["parent"], &who["session"]["id"]),
        (&"kid".into(), &json!(x), &"kid".into()),
        "{who:#}"
    );
    assert!(rest.contains(&format!("{x}\tworking")) && rest.contains("no parent"), "{rest}");
    assert_eq!(world.adj(["whoami", "-q"]).expect_code(0).stdout, "human\n");
    assert_eq!(world.adj(["--json", "whoami"]).expect_code(0).json()["caller"], "human");
}

#[test]
fn i9_the_end_of_a_child_is_an_event_of_its_parent() {
    let world = world_with_adj();
    let x = world.shell();
    let script = "for id in kid-a kid-b; do adj create -q --cli shell --id $id >/dev/null; done
                  adj send -q kid-b 'exit 3' >/dev/null; adj wait --any kid-b; adj watch --until exit kid-b";
    let _ = world.adj(["ask", &x, script]).expect_code(0);
    let told = events(&world, &x, "child.*");
    assert_eq!(texts(&told, "type"), ["child.created", "child.created", "child.ended"]);
    assert_eq!(
        (&told[2]["data"]["child"], &told[2]["data"]["end"]["exit_code"]),
        (&"kid-b".into(), &3.into()),
        "{told:#?}"
    );
}

/// A small one of the ten thousand: any of many sessions is found by its name, ended ones among them, after a restart too.
#[test]
fn i11_a_session_is_found_among_many() {
    let world = World::new();
    let _ = world.adj(["dev", "fill", "--sessions", "1000"]).expect_code(0);
    let all = world.adj(["list", "-aq"]).expect_code(0);
    let ids: Vec<&str> = all.stdout.lines().collect();
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (1000, 1000));
    assert!(ids.iter().any(|id| id.ends_with("-2")), "the pool of names was used up, and goes on");
    assert_eq!(world.adj(["list"]).expect_code(0).stdout, "No active sessions\n");
    for id in [ids[0], ids[500], ids[999]] {
        assert_eq!(world.adj(["status", id]).expect_code(0).stdout, "exited\n");
        assert_eq!(world.adj(["last-message", id]).expect_code(0).stdout, "done\n");
    }
    assert_eq!(world.adj(["list", "-aq", "--limit", "3"]).expect_code(0).stdout, ids[..3].join("\n") + "\n");
    let x = world.shell();
    assert_eq!(world.adj(["ask", &x, "echo here"]).expect_code(0).stdout, "here\n");
}

#[test]
fn a_list_is_narrowed_by_what_is_asked_for() {
    let world = World::new();
    for dir in ["a/sub", "ab", "repo/src"] {
        std::fs::create_dir_all(world.work().join(dir)).expect("a directory");
    }
    let _ = world.inside("git init -q repo").expect_code(0);
    let create = |id: &str, path: &str| {
        let _ = world.adj(["create", "-q", "--cli", "shell", "--id", id, "-p", path]).expect_code(0);
    };
    create("in-a", "a");
    create("in-sub", "a/sub");
    create("in-ab", "ab");
    create("in-src", "repo/src");
    let ids = |words: &[&str]| {
        let told = world.adj(["list", "-q"].iter().chain(words)).expect_code(0).stdout;
        let mut ids: Vec<String> = told.lines().map(str::to_owned).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&["--path", "a"]), ["in-a", "in-sub"], "in this directory or below it");
    assert_eq!(ids(&["--path", "a/sub"]), ["in-sub"]);
    assert_eq!(ids(&["--project", "repo"]), ["in-src"]);
    assert_eq!(ids(&["--cli", "shell"]).len(), 4);
    assert_eq!(ids(&["--provider", "claude"]), Vec::<String>::new());
    assert_eq!(ids(&["--limit", "2"]).len(), 2);
    assert_eq!(world.adj(["list", "-q", "--limit", "1"]).expect_code(0).stdout, "in-src\n", "most recently used first");
    assert_eq!(ids(&["--worktree", "x"]), Vec::<String>::new());
    let _ = world.adj(["kill", "in-ab"]).expect_code(0);
    assert_eq!(ids(&["--status", "exited"]), ["in-ab"], "whoever names them means to see them");
    assert_eq!(ids(&["--status", "idle"]).len(), 3);
    let _ = world.adj(["--json", "list", "--status", "active"]).expect_error(2, "usage");
    let lines = world.adj(["list", "--ndjson", "--path", "a"]).expect_code(0);
    let sessions: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).expect("NDJSON")).collect();
    assert_eq!(texts(&sessions, "id"), ["in-sub", "in-a"]);
}

#[test]
fn i3_a_misspelt_project_is_no_other_project() {
    let world = World::new();
    for dir in ["app/src", "other"] {
        std::fs::create_dir_all(world.work().join(dir)).expect("a directory");
    }
    let _ = world.inside("git init -q app").expect_code(0);
    for (id, dir) in [("in-app", "app/src"), ("in-other", "other")] {
        let _ = world.adj(["create", "--cli", "shell", "--id", id, "-p", dir]).expect_code(0);
    }
    let mut list = world.adj_command(["--json", "list", "--project", "ap"]);
    list.current_dir(world.work().join("app"));
    let _ = Running::start(list).end().expect_error(4, "project_not_found");
    assert_eq!(world.adj(["list", "-q", "--project", "app"]).expect_code(0).stdout, "in-app\n");
    let other = world.work().join("other").display().to_string();
    std::fs::write(world.state().join("config.toml"), format!("[projects]\nnamed = \"{other}\"\n")).expect("a file");
    assert_eq!(world.adj(["list", "-q", "--project", "named"]).expect_code(0).stdout, "in-other\n");
    let _ = world.adj(["kill", "--all"]).expect_code(0);
    assert_eq!(
        world.adj(["list", "--project", "app"]).expect_code(0).stdout,
        "No active sessions\n",
        "it is known still"
    );
}

#[test]
fn the_daemon_is_seen_checked_and_stopped() {
    let world = World::new();
    assert_eq!(world.adj(["daemon", "status"]).expect_code(255).stdout, "stopped\n");
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let seen = world.adj(["--json", "daemon", "status"]).expect_code(0).json();
    assert_eq!((&seen["running"], &seen["sessions"]["working"]), (&true.into(), &1.into()), "{seen:#}");
    let checks = world.adj(["--json", "doctor"]).expect_code(0).json();
    for check in checks.as_array().into_iter().flatten() {
        let keys: Vec<&str> = check.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["check", "detail", "hint", "status"], "{check:#}");
    }
    let names = texts(checks.as_array().expect("an array"), "check");
    assert!(
        ["home", "config", "agent shell", "daemon", "disk", "store"]
            .iter()
            .all(|name| names.contains(&(*name).to_owned())),
        "{names:?}"
    );
    let draining = world.start(["daemon", "stop", "--drain"]);
    let late = world.adj(["--json", "daemon", "stop", "--drain", "-t", "50ms"]).expect_error(124, "timeout");
    assert!(draining.runs(), "{late:#?}");
    hold.let_go();
    let _ = draining.end().expect_code(0);
    // In the foreground it says what it does, and ends by itself when nobody has needed it for long enough.
    let _ = world.adj(["kill", "--all"]).expect_code(0);
    let _ = world.adj(["daemon", "stop"]).expect_code(0);
    let _ = world.adj(["daemon", "run", "--idle-exit", "100ms"]).expect_code(0);
    assert_eq!(status(&world, &x), "exited", "the next one knows all");
    let run = world.adj(["--json", "--host", "elsewhere", "daemon", "run"]);
    assert_eq!(run.code, 2, "it runs here or not at all: {run:#?}");
}

/// The options that help names are those that are accepted, and every command is named (I12).
#[test]
fn i12_help_names_what_there_is() {
    let world = World::new();
    let overview = world.adj(["help"]).expect_code(0).stdout;
    let readme = include_str!("../../../../README.md");
    let reference = include_str!("../../../../docs/reference.md");
    let verbs: BTreeSet<&str> =
        reference.lines().filter_map(|line| line.strip_prefix("### `adj ")?.split(['`', ' ']).next()).collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in &verbs {
        assert!(
            overview.lines().any(|line| line.trim_start().starts_with(verb)),
            "`adj help` names {verb}: {overview}"
        );
        let page = world.adj([verb, "--help"]).expect_code(0).stdout;
        assert!(page.contains(&format!("Usage: adj {verb}")), "{page}");
    }
    for line in readme.lines().filter(|line| line.contains("adj ") && !line.contains("adjutant")) {
        let called = line.split("adj ").nth(1).and_then(|rest| rest.split([' ', '`', ')']).next()).unwrap_or_default();
        let known = called.starts_with('-') || called == "help" || verbs.contains(called);
        assert!(known || !called.chars().all(|c| c.is_ascii_lowercase()), "README calls `adj {called}`: {line}");
    }
}

#[test]
fn i5_what_cannot_come_true_is_said_at_once() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["--json", "wait", "--count", "2", &x]).expect_error(2, "usage");
    for time in [["--delay", "1h"], ["--run-at", "2999-01-01T00:00:00Z"]] {
        for how in ["--steer", "--interrupt"] {
            let _ = world.adj(["--json", "send", how, &x, "true", time[0], time[1]]).expect_error(2, "usage");
        }
    }
    let _ = world.adj(["--json", "send", "--confirm", "--delay", "1h", &x, "true"]).expect_error(2, "usage");
    let _ = world.adj(["queue", "hold", &x]).expect_code(0);
    let held = world.adj(["send", &x, "true"]).expect_code(0);
    assert!(held.stderr.contains("is on hold") && held.stderr.contains(&format!("hint: adj queue release {x}")));
    let _ = world.adj(["queue", "release", &x]).expect_code(0);
    let _ = world.adj(["wait", &x]).expect_code(0);
    let unquoted = world.adj(["sessions", "wake", &x, "--message", "echo", "w2"]).expect_code(2);
    assert!(unquoted.stderr.contains("is a session and no project") && unquoted.stderr.contains("in quotes"));
    let expired = world.adj(["send", "-q", &x, "--delay", "1h", "--expires", "1ms", "true"]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", expired.word()]).expect_code(1);
    let record = crate::look::record(&world, &x);
    let states: Vec<&serde_json::Value> =
        record["messages"].as_array().into_iter().flatten().map(|m| &m["state"]).collect();
    assert_eq!(states, ["done", "expired"], "the receipt is kept: {record:#}");
}
