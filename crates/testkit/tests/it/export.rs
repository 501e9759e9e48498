//! A whole session as one document.

use std::collections::BTreeMap;

use adjutant_testkit::World;
use serde_json::Value;

#[test]
fn a_session_is_exported_whole_as_lines_and_as_markdown() {
    let world = World::new();
    let x =
        world.adj(["create", "-q", "--cli", "shell", "-d", "what `it` is for"]).expect_code(0).stdout.trim().to_owned();
    let long = format!(": {}; printf 'a\\n```\\n# no heading\\n'", "x".repeat(100_000));
    let _ = world.adj(["ask", &x, "echo first"]).expect_code(0);
    let _ = world.adj(["ask", &x, "echo failing; (exit 3)"]).expect_code(3);
    let _ = world.adj_with_input(["ask", &x, "-f", "-"], long.as_bytes()).expect_code(0);
    let _ = world.adj(["wake", &x, "echo late", "--delay", "1h"]).expect_code(0);
    world.kill_daemon();
    let told = world.adj(["export", &x]).expect_code(0).stdout;
    let mut by_type: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in told.lines() {
        let value: Value = serde_json::from_str(line).expect("a JSON object in each line");
        let kind = value["type"].as_str().expect("a type").to_owned();
        by_type.entry(kind.clone()).or_default().push(value[&kind].clone());
    }
    let count = |kind: &str| by_type.get(kind).map_or(0, Vec::len);
    assert_eq!((count("session"), count("message"), count("turn"), count("entry")), (1, 4, 3, 6), "{by_type:#?}");
    assert_eq!(by_type["session"][0]["id"], x.as_str());
    assert!(by_type["message"].iter().any(|message| message["text"] == long.as_str()), "long texts are whole");
    let outcomes: Vec<&Value> = by_type["turn"].iter().map(|turn| &turn["outcome"]).collect();
    assert_eq!(outcomes, ["completed", "failed", "completed"]);
    let seqs: Vec<u64> = by_type["event"].iter().map(|event| event["seq"].as_u64().expect("a number")).collect();
    assert!(seqs.is_sorted() && by_type["event"][0]["type"] == "session.created", "{seqs:?}");
    let ended = by_type["event"].iter().filter(|event| event["type"] == "message.ended").count();
    assert_eq!(ended, 3, "every message that ran has its end");
    let page = world.adj(["export", "--format", "markdown", &x]).expect_code(0).stdout;
    assert!(
        page.starts_with(&format!("# Session {x}\n")) && page.contains("- for: ``what `it` is for``\n"),
        "{page:.500}"
    );
    assert!(page.contains("\n## Turn 2: failed, exit code 3, "), "its outcome");
    assert!(page.contains("\n````text\na\n```\n# no heading\n````\n"), "a text does not leave its fence");
    assert!(
        page.contains("\n**Message**\n\n```text\necho first\n```\n\n**Answer**\n\n```text\nfirst\n```\n"),
        "{page:.900}"
    );
    let _ = world.adj(["--json", "export", "nobody-here"]).expect_error(4, "session_not_found");
    let empty = world.shell();
    assert!(
        world
            .adj(["export", &empty, "--format", "markdown"])
            .expect_code(0)
            .stdout
            .ends_with("Nothing has been said in it.\n")
    );
}
