//! Called by the name of the tool that was there before, and its registry taken over.

use adjutant_testkit::{ClaudeWorld, Ended, Running, World};
use serde_json::json;

/// A world in which `dev-sessions` is `adj`, and the default agent a shell.
fn world() -> World {
    let world = World::new().with_variable("ADJ_CLI", "shell");
    std::os::unix::fs::symlink(world.adj_path(), world.root().join("dev-sessions")).expect("a link in the world");
    world
}

#[track_caller]
fn old(world: &World, words: &[&str]) -> Ended {
    let mut command = world.command(world.root().join("dev-sessions"));
    command.args(words);
    Running::start(command).end()
}

#[test]
fn a_script_of_the_old_tool_runs_as_it_is() {
    let world = world();
    assert_eq!(old(&world, &["list"]).expect_code(0).stdout, "No active sessions\n");
    let created = old(&world, &["create", "--description", "refactor auth"]).expect_code(0).stdout;
    let id = created.strip_prefix("Created session ").expect("its words").trim().to_owned();
    assert_eq!(
        old(&world, &["send", &id, "printf 'one\\ntwo\\n'"]).expect_code(0).stdout,
        format!("Sent message to {id}\n")
    );
    assert_eq!(
        old(&world, &["wait", &id, "--timeout", "30", "--interval", "1.5"]).expect_code(0).stdout,
        "completed\n"
    );
    assert_eq!(old(&world, &["last-message", &id]).expect_code(0).stdout, "one\ntwo\n");
    assert_eq!(old(&world, &["last-message", &id, "--json"]).expect_code(0).json(), json!(["one\ntwo"]));
    assert_eq!(old(&world, &["status", &id]).expect_code(0).stdout, "idle\n");
    assert_eq!(old(&world, &["ask", &id, "echo three", "-t", "30"]).expect_code(0).stdout, "three\n");
    let quiet = old(&world, &["create", "-q", "-m", "native"]).expect_code(0);
    assert_eq!(quiet.stdout.lines().count(), 1);
    assert_eq!(old(&world, &["kill", &id]).expect_code(0).stdout, format!("Killed session {id}\n"));
    let all = old(&world, &["kill", "--all"]).expect_code(0).stdout;
    assert!(all.starts_with(&format!("Killed session {}\nKilled 1 session", quiet.word())), "{all}");
    assert_eq!(old(&world, &["kill", "--all"]).expect_code(0).stdout, "No matching sessions to kill\n");
}

#[test]
fn its_table_is_the_old_one() {
    let world = world();
    let id = old(&world, &["create", "-q", "-d", "x y"]).expect_code(0).word().to_owned();
    let table = old(&world, &["list"]).expect_code(0).stdout;
    let lines: Vec<&str> = table.lines().collect();
    let heads: Vec<&str> = lines[0].split("  ").map(str::trim).filter(|head| !head.is_empty()).collect();
    assert_eq!(heads, ["ID", "CLI", "MODE", "HOST", "STATUS", "PATH", "DESCRIPTION", "LAST USED"]);
    assert!(lines[1].chars().all(|c| c == '-' || c == ' '), "{table}");
    let cells: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!((cells[0], cells[1], cells[3], cells[4]), (id.as_str(), "shell", "local", "active"));
    assert!(!world.adj(["list"]).expect_code(0).stdout.contains("---"), "adj has its own");
}

#[test]
fn several_words_are_one_objective() {
    let world = world();
    let id = old(&world, &["create", "-q"]).expect_code(0).word().to_owned();
    let refused = old(&world, &["goal", &id, "all", "tests", "pass", "--json"]).expect_error(2, "not_supported");
    assert!(refused.stderr.contains("has no goals"), "the words were understood: {refused:#?}");
    let _ = old(&world, &["--json", "goal", &id, "--clear", "--done"]).expect_error(2, "usage");
}

/// A registry as that tool writes it.
fn registry(world: &World, sessions: &serde_json::Value) {
    let directory = world.root().join("home/.dev-sessions");
    std::fs::create_dir_all(&directory).expect("a directory in the world");
    let text = json!({"version": 1, "sessions": sessions}).to_string();
    std::fs::write(directory.join("sessions.json"), text).expect("a file in the world");
}

fn stored(id: &str, internal: &str, path: &str, more: &serde_json::Value) -> serde_json::Value {
    let mut session = json!({
        "championId": id, "internalId": internal, "cli": "claude", "mode": "native", "path": path, "status": "active",
        "createdAt": "2026-01-01T00:00:00.000Z", "lastUsed": "2026-01-01T00:00:00.000Z", "claudeSystemCountAtSend": 3,
    });
    let fields = session.as_object_mut().expect("an object");
    fields.extend(more.as_object().cloned().unwrap_or_default());
    session
}

#[test]
fn its_registry_is_taken_over_once() {
    let world = ClaudeWorld::new();
    let first = world.adj(["create", "-q", "--cli", "claude", "--headless", "--id", "old-top"]).expect_code(0);
    assert_eq!(world.answer(first.word(), "[[say the password is swordfish]]"), "the password is swordfish");
    let record = world.adj(["--json", "status", "old-top"]).expect_code(0).json();
    let conversation = record["agent_session"].as_str().expect("a conversation").to_owned();
    let _ = world.adj(["kill", "--purge", "old-top"]).expect_code(0);
    let path = world.work().canonicalize().expect("it is there").display().to_string();
    registry(
        &world,
        &json!([
            stored("fizz-top", &conversation, &path, &json!({"description": "parser"})),
            stored("vi-jg", "5a1f0000-0000-4000-8000-000000000000", &path, &json!({"host": "box"})),
            stored("zed-mid", "5a1f0000-0000-4000-8000-000000000001", &path, &json!({"status": "inactive"})),
        ]),
    );
    let results = |words: &[&str]| {
        let told = world.adj([&["--json", "import", "dev-sessions"], words].concat()).expect_code(0).json();
        let word =
            |one: &serde_json::Value| format!("{} {}", one["id"].as_str().unwrap(), one["result"].as_str().unwrap());
        told.as_array().expect("a list").iter().map(word).collect::<Vec<_>>()
    };
    assert_eq!(results(&["--dry-run"]), ["fizz-top would be taken", "vi-jg skipped", "zed-mid skipped"]);
    assert_eq!(world.adj(["list", "-q"]).expect_code(0).stdout, "", "a dry run takes nothing");
    assert_eq!(results(&[])[0], "fizz-top taken");
    let taken = world.adj(["--json", "status", "fizz-top"]).expect_code(0).json();
    assert_eq!((&taken["agent_session"], &taken["description"]), (&json!(conversation), &json!("parser")));
    assert_eq!(results(&["fizz-top"]), ["fizz-top taken"], "once more is the same session");
    assert_eq!(world.adj(["list", "-q"]).expect_code(0).stdout, "fizz-top\n");
}

#[test]
fn a_registry_that_is_none_is_told() {
    let world = World::new();
    let _ = world.adj(["--json", "import", "dev-sessions"]).expect_error(2, "path_not_found");
    registry(&world, &json!([]));
    assert_eq!(world.adj(["import", "dev-sessions"]).expect_code(0).stdout, "The registry is empty\n");
    let _ = world.adj(["--json", "import", "dev-sessions", "fizz-top"]).expect_error(4, "session_not_found");
    let file = world.work().join("other.json");
    std::fs::write(&file, r#"{"version": 2, "sessions": []}"#).expect("a file in the world");
    let file = file.display().to_string();
    let _ = world.adj(["--json", "import", "dev-sessions", "-f", &file]).expect_error(2, "not_supported");
}
