//! A token without the mode `native`, and a session that is guarded itself: neither makes more of that than it is. With the
//! real Claude Code, against a model that plays scripts.

use adjutant_testkit::{ClaudeWorld, Running, await_fact};
use serde_json::{Value, json};

use super::{Gate, code, created, token};
use crate::SOON;

/// What a model is told to do: a command that has to be permitted.
const TOUCH: &str = r#"x [[tool Bash {"command":"touch made","description":"make a file"}]] [[then]] [[say done]]"#;

/// The variables with which Claude Code finds the model of the test.
const PASSED: [&str; 12] = [
    "--pass",
    "ANTHROPIC_BASE_URL",
    "--pass",
    "ANTHROPIC_AUTH_TOKEN",
    "--pass",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "--pass",
    "CLAUDE_CODE_TMPDIR",
    "--pass",
    "IS_SANDBOX",
    "--pass",
    "DISABLE_AUTOUPDATER",
];

#[track_caller]
fn open_request(world: &ClaudeWorld, id: &str) -> Value {
    let _ = world.adj(["wait", id]).expect_code(3);
    world.adj(["--json", "status", id]).expect_code(0).json()["pending"][0].clone()
}

#[test]
fn permissions_of_a_bound_tokens_sessions_are_the_users_to_give() {
    let world = ClaudeWorld::new();
    let gate = Gate::new(&world);
    let bound = token(&world, &PASSED);
    let body = json!({"cli": "claude", "path": world.work(), "headless": true});
    let made = gate.call(&bound, "POST", "/v1/sessions", &body.to_string());
    assert_eq!(made.1["mode"], "guarded", "its first mode is the default: {:#}", made.1);
    let id = created(&made);
    let messages = format!("/v1/sessions/{id}/messages");
    let command = json!({"text": "/permissions", "as_command": true}).to_string();
    assert_eq!(code(&gate.call(&bound, "POST", &messages, &command)), (403, "forbidden"));
    assert_eq!(gate.call(&bound, "POST", &messages, &json!({"text": TOUCH}).to_string()).0, 200);
    let request = open_request(&world, &id);
    let answer = format!("/v1/requests/{}/answer", request["id"].as_str().unwrap());
    let refused = gate.call(&bound, "POST", &answer, r#"{"decision":"allow"}"#);
    assert_eq!(code(&refused), (403, "forbidden"), "{:#}", refused.1);
    let (_, open) = gate.call(&bound, "GET", "/v1/requests", "");
    assert_eq!(open[0]["id"], request["id"], "it may see what it waits for: {open:#}");
    // A token that could have created it without questions may answer them, but not those of another's session.
    let native = token(&world, &["--mode", "native"]);
    assert_eq!(code(&gate.call(&native, "POST", &answer, r#"{"decision":"allow"}"#)), (403, "forbidden"));
    assert_eq!(gate.call(&native, "GET", "/v1/requests", "").1, json!([]));
    assert!(!world.has_file("made"));
    let _ = world.adj(["respond", &id, "--allow"]).expect_code(0);
    let _ = world.adj(["wait", &id]).expect_code(0);
    assert!(world.has_file("made"));
}

#[test]
fn a_guarded_session_creates_guarded_ones_alone() {
    let world = ClaudeWorld::new();
    let id = world.adj(["create", "-q", "--cli", "claude", "--headless", "--mode", "guarded"]).expect_code(0);
    let id = id.word().to_owned();
    let pid = || world.adj(["inspect", &id]).json()["agent"]["pid"].as_u64();
    await_fact("its process is known", SOON, || pid().is_some());
    let environment = std::fs::read(format!("/proc/{}/environ", pid().unwrap())).expect("it can be read");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let secret = environment.split('\0').find_map(|variable| variable.strip_prefix("ADJ_SESSION_TOKEN="));
    let secret = secret.expect("a session has a token").to_owned();
    let within = |words: &[&str]| {
        let mut command = world.adj_command(words);
        command.env("ADJ_SESSION_TOKEN", &secret);
        Running::start(command).end()
    };
    let create = ["--json", "create", "--cli", "claude", "--headless"];
    for mode in ["native", "docker"] {
        let refused = within(&[&create[..], &["--mode", mode]].concat()).expect_error(1, "forbidden");
        assert!(refused.error()["message"].as_str().unwrap().contains("`guarded`"), "{refused:#?}");
    }
    // A shell asks nobody, so that it has no such mode.
    let _ = within(&["--json", "create", "--cli", "shell"]).expect_error(2, "not_supported");
    let child = within(&create).expect_code(0).json();
    assert_eq!((&child["mode"], &child["parent"]), (&"guarded".into(), &id.as_str().into()), "{child:#}");
    assert_eq!(world.adj(["-q", "list"]).expect_code(0).stdout.lines().count(), 2);
}
