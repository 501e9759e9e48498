//! A token without the mode `native`, and a session that is guarded itself: neither makes more of that than it is. With the
//! real Claude Code, against a model that plays scripts.

use adjutant_testkit::{ClaudeWorld, Ended, Running, await_fact};
use serde_json::{Value, json};

use super::{Gate, code, created, token};
use crate::SOON;

/// What a model is told to do: a command that has to be permitted.
pub(super) const TOUCH: &str =
    r#"x [[tool Bash {"command":"touch made","description":"make a file"}]] [[then]] [[say done]]"#;

/// The variables with which Claude Code finds the model of the test.
pub(super) const PASSED: [&str; 12] = [
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

/// Whoever has the token of a session.
struct Within<'a> {
    world: &'a ClaudeWorld,
    secret: String,
}

impl<'a> Within<'a> {
    fn new(world: &'a ClaudeWorld, id: &str) -> Self {
        let pid = || world.adj(["inspect", id]).json()["agent"]["pid"].as_u64();
        await_fact("its process is known", SOON, || pid().is_some());
        let environment =
            std::fs::read(format!("/proc/{}/environ", pid().expect("it was just there"))).expect("it can be read");
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let secret = environment.split('\0').find_map(|variable| variable.strip_prefix("ADJ_SESSION_TOKEN="));
        Self { world, secret: secret.expect("a session has a token").to_owned() }
    }

    fn adj(&self, words: &[&str]) -> Ended {
        let mut command = self.world.adj_command(words);
        command.env("ADJ_SESSION_TOKEN", &self.secret);
        Running::start(command).end()
    }
}

#[test]
fn a_session_of_a_bound_token_is_bound_like_its_token() {
    let world = ClaudeWorld::new();
    let gate = Gate::new(&world);
    let bound = token(&world, &PASSED);
    let body = json!({"cli": "claude", "path": world.work(), "headless": true}).to_string();
    let id = created(&gate.call(&bound, "POST", "/v1/sessions", &body));
    let within = Within::new(&world, &id);
    let create = ["--json", "create", "--cli", "claude", "--headless"];
    let more: [&[&str]; 4] = [&["--allow-tool", "Bash"], &["--env", "A=b"], &["--trust"], &["--continue"]];
    for more in more {
        let refused = within.adj(&[&create[..], more].concat());
        let _ = refused.expect_error(1, "forbidden");
    }
    let child = within.adj(&create).expect_code(0).json();
    let child = child["id"].as_str().unwrap();
    let _ = within.adj(&["send", child, TOUCH]).expect_code(0);
    let _ = open_request(&world, child);
    let _ = within.adj(&["--json", "respond", child, "--allow"]).expect_error(1, "forbidden");
    let _ = within.adj(&["--json", "send", child, "/permissions", "--as-command"]).expect_error(1, "forbidden");
    assert!(!world.has_file("made"));
}

#[test]
fn a_session_takes_up_no_conversation_of_a_stranger() {
    let world = ClaudeWorld::new();
    let create = ["create", "-q", "--cli", "claude", "--headless"];
    let stranger = world.adj(create).expect_code(0).word().to_owned();
    let _ = world.adj(["ask", &stranger, "[[say private]]"]).expect_code(0);
    let conversation = world.adj(["--json", "inspect", &stranger]).json()["agent_session"].as_str().unwrap().to_owned();
    let _ = world.adj(["kill", &stranger]).expect_code(0);
    let id = world.adj(create).expect_code(0).word().to_owned();
    let within = Within::new(&world, &id);
    let create = ["--json", "create", "--cli", "claude", "--headless"];
    for more in [&["--continue"][..], &["--resume", &conversation]] {
        let _ = within.adj(&[&create[..], more].concat()).expect_error(1, "forbidden");
    }
    assert_eq!(world.adj(["-q", "list"]).expect_code(0).stdout.lines().count(), 1);
}

#[test]
fn a_guarded_session_creates_guarded_ones_alone() {
    let world = ClaudeWorld::new();
    let id = world.adj(["create", "-q", "--cli", "claude", "--headless", "--mode", "guarded"]).expect_code(0);
    let id = id.word().to_owned();
    let within = Within::new(&world, &id);
    let create = ["--json", "create", "--cli", "claude", "--headless"];
    for mode in ["native", "docker"] {
        let refused = within.adj(&[&create[..], &["--mode", mode]].concat()).expect_error(1, "forbidden");
        assert!(refused.error()["message"].as_str().unwrap().contains("`guarded`"), "{refused:#?}");
    }
    // A shell asks nobody, so that it has no such mode.
    let _ = within.adj(&["--json", "create", "--cli", "shell"]).expect_error(2, "not_supported");
    let child = within.adj(&create).expect_code(0).json();
    assert_eq!((&child["mode"], &child["parent"]), (&"guarded".into(), &id.as_str().into()), "{child:#}");
    assert_eq!(world.adj(["-q", "list"]).expect_code(0).stdout.lines().count(), 2);
}
