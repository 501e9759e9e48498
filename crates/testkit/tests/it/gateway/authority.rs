//! What a token allows: its own sessions, its directories, its modes, for as long as it is good.

use std::os::unix::fs::symlink;

use adjutant_testkit::{World, await_fact};
use serde_json::{Value, json};

use super::{Gate, code, created, shell_in, token};
use crate::SOON;
use crate::look::status;

#[test]
fn h1_a_call_needs_a_token_and_nothing_is_done_without() {
    let world = World::new();
    let gate = Gate::new(&world);
    let body = shell_in(&world.work());
    let host = "host: localhost";
    let long = format!("authorization: Bearer {}", "x".repeat(600));
    let wrong = ["authorization: Bearer adjgw_0000", "authorization: Basic eDp5", "authorization: Bearer ", &long];
    for headers in [vec![host], vec![host, wrong[0]], vec![host, wrong[1]], vec![host, wrong[2]], vec![host, wrong[3]]]
    {
        for (verb, path, body) in
            [("POST", "/v1/sessions", body.as_str()), ("GET", "/v1/sessions", ""), ("GET", "/v1/health", "")]
        {
            let refused = gate.raw(verb, path, &headers, body.as_bytes());
            assert_eq!(code(&refused), (401, "unauthorized"), "{verb} {path} {headers:?}");
        }
    }
    let expired = token(&world, &["--expires", "1ms", "--mode", "native"]);
    assert_eq!(code(&gate.call(&expired, "GET", "/v1/sessions", "")), (401, "unauthorized"));
    // The token of a session proves who it is on the owner's socket, and is none of the gateway.
    let x = world.shell();
    let own = world.adj(["ask", &x, "echo $ADJ_SESSION_TOKEN"]).expect_code(0).word().to_owned();
    assert_eq!(code(&gate.call(&own, "GET", "/v1/whoami", "")), (401, "unauthorized"));
    assert_eq!(gate.raw("GET", "/health", &[host], b"").1, json!({"ok": true}));
    assert_eq!(world.adj(["-q", "list"]).expect_code(0).stdout, format!("{x}\n"));
}

#[test]
fn a_token_creates_sends_waits_reads_and_kills_in_its_own_directories() {
    let world = World::new();
    let gate = Gate::new(&world);
    let box_token = token(&world, &["--mode", "native", "--label", "box"]);
    let id = created(&gate.call(&box_token, "POST", "/v1/sessions", &shell_in(&world.work())));
    let sent =
        gate.call(&box_token, "POST", &format!("/v1/sessions/{id}/messages"), r#"{"text":"printf 'a\\n\\nb\\n'"}"#);
    assert_eq!((sent.0, sent.1["from"].as_str()), (200, Some("token t1")), "{:#}", sent.1);
    let waited = world.adj(["--json", "wait", &id]).expect_code(0).json();
    assert_eq!(waited["outcome"], "completed");
    let (_, answers) = gate.call(&box_token, "GET", &format!("/v1/sessions/{id}/answers"), "");
    assert_eq!(answers[0]["text"], "a\n\nb", "{answers:#}");
    let record = world.adj(["inspect", &id]).expect_code(0).json();
    assert_eq!(record["path"].as_str(), world.work().canonicalize().unwrap().to_str());
    let killed = gate.call(&box_token, "POST", "/v1/sessions/kill", r#"{"all":true}"#);
    assert_eq!((killed.0, &killed.1[0]["killed"]), (200, &true.into()), "{:#}", killed.1);
    let audit = std::fs::read_to_string(world.state().join("audit.log")).unwrap();
    let lines: Vec<serde_json::Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        lines.iter().map(|line| (line["method"].as_str().unwrap(), line["status"].as_u64().unwrap())).collect();
    assert_eq!(told, [("create", 200), ("send", 200), ("kill", 200)], "{audit}");
    assert!(lines.iter().all(|line| line["token"] == "t1" && line["label"] == "box" && line["from"] == "127.0.0.1"));
    assert!(!audit.contains("printf"), "no text of a message is in it: {audit}");
}

#[test]
fn h8_a_token_is_held_to_its_directories_however_they_are_named() {
    let world = World::new();
    let (root, outside) = (world.work().join("root"), world.work().join("root2"));
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    symlink(&outside, root.join("link")).unwrap();
    symlink(root.join("sub"), outside.join("back")).unwrap();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native", "--root", root.to_str().unwrap()]);
    let paths = [
        "/",
        "/etc",
        "/etc/passwd",
        "/nowhere/at/all",
        "root/../root2",
        "root/link",
        "root2",
        "root/sub/../../..",
        "root\u{0}",
    ];
    for path in paths {
        let path = if path.starts_with('/') { path.into() } else { world.work().join(path) };
        let refused = gate.call(&t, "POST", "/v1/sessions", &shell_in(&path));
        assert!(
            code(&refused) == (403, "path_not_translatable") || code(&refused).0 == 400,
            "{path:?}: {:#}",
            refused.1
        );
        assert!(!refused.1.to_string().contains("root2/"), "where a link leads is not told: {:#}", refused.1);
    }
    for relative in ["sub", "../x", ""] {
        let refused = gate.call(&t, "POST", "/v1/sessions", &json!({"cli": "shell", "path": relative}).to_string());
        assert_eq!(code(&refused).0 / 100, 4, "{relative}: {:#}", refused.1);
    }
    assert_eq!(world.adj(["-q", "list", "-a"]).expect_code(0).stdout, "");
    // A name outside that leads inside is as good as any, and what is not there is told inside alone.
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&outside.join("back"))));
    assert_eq!(status(&world, &id), "idle");
    assert_eq!(code(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&root.join("none")))), (400, "path_not_found"));
}

/// What was sent stays in the store until its session is forgotten, taken back or not.
#[test]
fn what_a_tokens_messages_hold_has_a_bound() {
    let world = World::new().with_variable("ADJ_TEST_STORED_BYTES", "100000");
    let gate = Gate::new(&world);
    let (t, other) = (token(&world, &["--mode", "native"]), token(&world, &["--mode", "native"]));
    let create = || created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let (id, second) = (create(), create());
    let text = json!({"text": format!(": {}", "z".repeat(28_000)), "delay_ms": 86_400_000}).to_string();
    let send = |token: &str, id: &str| gate.call(token, "POST", &format!("/v1/sessions/{id}/messages"), &text);
    for id in [&id, &id, &second] {
        let (status, sent) = send(&t, id);
        assert_eq!(status, 200, "{sent:#}");
        let message = sent["id"].as_str().unwrap();
        let path = format!("/v1/sessions/{id}/messages/{message}");
        assert_eq!(gate.call(&t, "DELETE", &path, "").0, 200);
    }
    for _ in 0..2 {
        let refused = send(&t, &second);
        assert_eq!(code(&refused), (429, "queue_full"), "{:#}", refused.1);
        let mut create: Value = serde_json::from_str(&shell_in(&world.work())).unwrap();
        create["message"] = "z".repeat(28_000).into();
        let refused = gate.call(&t, "POST", "/v1/sessions", &create.to_string());
        assert_eq!(code(&refused), (429, "queue_full"), "{:#}", refused.1);
        // The next daemon counts what is there.
        world.kill_daemon();
    }
    let others = created(&gate.call(&other, "POST", "/v1/sessions", &shell_in(&world.work())));
    assert_eq!(send(&other, &others).0, 200, "another's room is another one");
    world.send(&id, "true");
}

/// Whoever can write into a root can make links there, and learns nothing of what they lead to.
#[test]
fn a_link_tells_nothing_of_what_it_leads_to() {
    let world = World::new();
    let (root, outside) = (world.work().join("mine"), world.work().join("others"));
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::create_dir_all(outside.join("directory")).unwrap();
    std::fs::write(outside.join("file"), "").unwrap();
    std::fs::write(root.join("plain"), "").unwrap();
    for target in ["file", "directory", "none", "file/none"] {
        symlink(outside.join(target), root.join(format!("to-{}", target.replace('/', "-")))).unwrap();
    }
    symlink(&outside, root.join("sub/up")).unwrap();
    symlink("to-file", root.join("twice")).unwrap();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native", "--root", root.to_str().unwrap()]);
    let ask = |path: &str| gate.call(&t, "POST", "/v1/sessions", &shell_in(&root.join(path)));
    let links =
        ["to-file", "to-directory", "to-none", "to-file-none", "sub/up/file", "sub/up/none", "twice", "to-file/x"];
    for path in links {
        let refused = ask(path);
        assert_eq!(code(&refused), (403, "path_not_translatable"), "{path}: {:#}", refused.1);
        let said = refused.1["error"]["message"].as_str().unwrap().replace(path, "it");
        assert_eq!(said, ask("to-none").1["error"]["message"].as_str().unwrap().replace("to-none", "it"));
    }
    // What is wrong with its own it may know.
    assert_eq!(code(&ask("plain")), (400, "path_not_directory"));
    assert_eq!(code(&ask("plain/x")), (400, "path_not_directory"));
    assert_eq!(code(&ask("sub/none/x")), (400, "path_not_found"));
    assert_eq!(world.adj(["-q", "list", "-a"]).expect_code(0).stdout, "");
}

#[test]
fn a_token_sees_its_own_sessions_and_their_descendants_alone() {
    let world = crate::look::world_with_adj();
    let users = world.shell();
    let gate = Gate::new(&world);
    let (one, other) = (token(&world, &["--mode", "native"]), token(&world, &["--mode", "native"]));
    let mine = created(&gate.call(&one, "POST", "/v1/sessions", &shell_in(&world.work())));
    let theirs = created(&gate.call(&other, "POST", "/v1/sessions", &shell_in(&world.work())));
    let child = world.adj(["ask", &mine, "adj create -q --cli shell"]).expect_code(0).word().to_owned();
    let (_, listed) = gate.call(&one, "GET", "/v1/sessions?all=true", "");
    let mut names: Vec<&str> = listed.as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut own = [mine.as_str(), child.as_str()];
    own.sort_unstable();
    assert_eq!(names, own);
    let uuid = world.adj(["inspect", &users]).expect_code(0).json()["uuid"].as_str().unwrap().to_owned();
    for id in [&users, &theirs, &uuid] {
        let reads = ["", "/inspect", "/explain", "/log", "/answers", "/turns", "/messages", "/messages/m1", "/goal"];
        for path in reads.map(|part| format!("/v1/sessions/{id}{part}")) {
            assert_eq!(code(&gate.call(&one, "GET", &path, "")), (403, "forbidden"), "{path}");
        }
        for path in
            [format!("/v1/wait?session={id}"), format!("/v1/events?session={id}"), format!("/v1/requests?session={id}")]
        {
            assert_eq!(code(&gate.call(&one, "GET", &path, "")), (403, "forbidden"), "{path}");
        }
        let changes = [
            ("POST", "/messages", r#"{"text":"echo x"}"#),
            ("POST", "/wake", r#"{"text":"echo x"}"#),
            ("POST", "/wake", "{}"),
            ("POST", "/interrupt", "{}"),
            ("POST", "/hold", ""),
            ("POST", "/release", ""),
            ("POST", "/goal", r#"{"clear":true}"#),
            ("DELETE", "/messages", ""),
            ("DELETE", "/messages/m1", ""),
            ("PATCH", "/messages/m1", r#"{"now":true}"#),
            ("POST", "/messages/m1/retry", ""),
            ("POST", "/introduce", &format!("{{\"to\":\"{mine}\"}}")),
        ];
        for (verb, part, body) in changes {
            let refused = gate.call(&one, verb, &format!("/v1/sessions/{id}{part}"), body);
            assert_eq!(code(&refused), (403, "forbidden"), "{verb} {part}: {:#}", refused.1);
        }
        let killed = gate.call(
            &one,
            "POST",
            "/v1/sessions/kill",
            &json!({"ids": [id], "force": true, "purge": true}).to_string(),
        );
        assert_eq!(killed.1[0]["error"]["code"], "forbidden", "{:#}", killed.1);
        let parent = json!({"cli": "shell", "path": world.work(), "parent": id});
        assert_eq!(code(&gate.call(&one, "POST", "/v1/sessions", &parent.to_string())), (403, "forbidden"));
    }
    // Neither a list nor a near name nor the beginning of an id shows what is not its own.
    let (_, told) = gate.call(&one, "GET", &format!("/v1/sessions/{users}x"), "");
    assert!(!told.to_string().contains(&format!("\"{users}\"")), "{told:#}");
    assert_eq!(code(&gate.call(&one, "GET", &format!("/v1/sessions/{}", &uuid[..23]), "")).0, 404);
    let (_, events) = gate.call(&one, "GET", "/v1/events?since=0", "");
    let seen: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["session"].as_str().unwrap()).collect();
    assert!(seen.contains(&mine.as_str()) && seen.contains(&child.as_str()), "{seen:?}");
    assert!(!seen.contains(&users.as_str()) && !seen.contains(&theirs.as_str()), "{seen:?}");
    let _ = gate.call(&one, "POST", "/v1/sessions/kill", r#"{"all":true}"#);
    assert_eq!((status(&world, &users), status(&world, &theirs)), ("idle".to_owned(), "idle".to_owned()));
    assert_eq!(status(&world, &child), "exited");
}

#[test]
fn what_is_the_users_alone_is_not_for_a_token() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let calls = [
        ("POST", "/v1/daemon/stop", r#"{"force":true}"#),
        ("POST", "/v1/daemon/check", "{}"),
        ("GET", "/v1/daemon", ""),
        ("GET", "/v1/gateway/tokens", ""),
        ("POST", "/v1/gateway/tokens", r#"{"roots":["/"],"modes":["native"]}"#),
        ("DELETE", "/v1/gateway/tokens/t1", ""),
        ("POST", "/v1/projects", r#"{"path":"/"}"#),
        ("DELETE", "/v1/projects/x", ""),
        ("POST", "/v1/hooks", r#"{"event":"Stop","payload":{}}"#),
        ("GET", "/v1/sessions/x-top/attach", ""),
        ("GET", "/v1/sessions/x-top/terminal", ""),
    ];
    for (verb, path, body) in calls {
        assert_eq!(code(&gate.call(&t, verb, path, body)), (403, "forbidden"), "{verb} {path}");
    }
    assert_eq!(world.adj(["-q", "gateway", "token", "list"]).expect_code(0).stdout, "t1\n");
}

#[test]
fn a_token_is_held_to_its_modes_and_to_what_they_mean() {
    let world = World::new();
    let gate = Gate::new(&world);
    let bound = token(&world, &[]);
    let refused = |body: serde_json::Value| {
        let (code, answer) = gate.call(&bound, "POST", "/v1/sessions", &body.to_string());
        (code, answer["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let new = |more: serde_json::Value| {
        let mut body = json!({"cli": "claude", "path": world.work(), "mode": "guarded"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(refused(new(json!({"mode": "native"}))), forbidden);
    for asked in [
        json!({"env": {"LD_PRELOAD": "/x.so"}}),
        json!({"arguments": ["--dangerously-skip-permissions"]}),
        json!({"allow_tools": ["Bash"]}),
        json!({"trust": true}),
        json!({"resume": "5a1f"}),
        json!({"resume_latest": true}),
        json!({"workspace": "isolated"}),
        json!({"worktree": "x"}),
    ] {
        assert_eq!(refused(new(asked.clone())), forbidden, "{asked}");
    }
    // Its first mode is the one of a create that names none; a shell asks nobody, and has none but `native`.
    assert_eq!(refused(json!({"cli": "shell", "path": world.work()})), (400, "not_supported".to_owned()));
    assert_eq!(world.adj(["-q", "list", "-a"]).expect_code(0).stdout, "");
}

#[test]
fn a_token_sets_no_surroundings_and_has_those_it_was_made_with() {
    let world = World::new().with_variable("SHARED", "from-the-maker").with_variable("HIDDEN", "secret");
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native", "--pass", "SHARED"]);
    let mut body: serde_json::Value = serde_json::from_str(&shell_in(&world.work())).unwrap();
    body["environment"] = json!({"PATH": "/workspace/evil", "SHARED": "evil", "EVIL": "1"});
    body["env"] = json!({"NAMED": "named"});
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &body.to_string()));
    let told =
        world.adj(["ask", &id, "echo \"$SHARED $EVIL $HIDDEN $NAMED\"; case $PATH in */evil*) echo evil;; esac"]);
    assert_eq!(told.expect_code(0).stdout, "from-the-maker   named\n");
    let kept = std::fs::read_to_string(world.state().join("gateway-tokens.json")).unwrap();
    assert!(!kept.contains("secret") && kept.contains("from-the-maker"));
}

#[test]
fn a_token_has_so_many_sessions_at_once() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native", "--sessions", "1"]);
    let first = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let refused = gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work()));
    assert_eq!(code(&refused), (429, "queue_full"), "{:#}", refused.1);
    let _ = world.adj(["kill", &first]).expect_code(0);
    let _ = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
}

#[test]
fn tokens_are_listed_and_revoked_and_kept_as_hashes() {
    let world = World::new();
    let gate = Gate::new(&world);
    let made = world.adj(["gateway", "token", "create", "--label", "box", "--mode", "native,guarded"]).expect_code(0);
    let secret = made.word().to_owned();
    assert!(secret.starts_with("adjgw_") && secret.len() == 70 && made.stdout.lines().count() == 1, "{made:#?}");
    let listed = world.adj(["--json", "gateway", "token", "list"]).expect_code(0);
    assert_eq!(listed.json()[0]["modes"], json!(["native", "guarded"]));
    assert!(!listed.stdout.contains(&secret));
    assert_eq!(gate.call(&secret, "GET", "/v1/sessions", "").0, 200);
    let _ = world.adj(["--json", "gateway", "token", "revoke", "none"]).expect_error(4, "token_not_found");
    assert_eq!(world.adj(["gateway", "token", "revoke", "box"]).expect_code(0).stdout, "Revoked token t1 (box)\n");
    assert_eq!(code(&gate.call(&secret, "GET", "/v1/sessions", "")), (401, "unauthorized"));
    let _ = world.adj(["--json", "gateway", "token", "create", "--root", "nowhere"]).expect_error(2, "path_not_found");
    let _ = world.adj(["--json", "gateway", "token", "create", "--mode", "all"]).expect_error(2, "usage");
    let _ = world.adj(["--json", "gateway", "token", "revoke"]).expect_error(2, "usage");
    let holds = |dir: &std::path::Path| {
        let found = world.inside(&format!("grep -rl {secret} {} | head", dir.display()));
        found.stdout
    };
    assert_eq!(holds(&world.state()), "", "the text of a token is kept nowhere");
    assert!(!gate.said().contains(&secret));
}

#[test]
fn what_a_token_has_open_ends_with_it() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let mut follower = super::streams::Stream::open(&gate, &t, "/v1/events?follow=true&since=0");
    follower.record();
    let _ = world.adj(["gateway", "token", "revoke", "t1"]).expect_code(0);
    await_fact("the stream is closed", SOON, || follower.is_over());
}

#[test]
fn what_is_done_with_a_token_is_told_under_its_name() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let mut hold = crate::look::Hold::new(&world, "x");
    crate::look::begin(&world, &id, &hold.script());
    hold.await_begun();
    assert_eq!(gate.call(&t, "POST", &format!("/v1/sessions/{id}/interrupt"), "{}").0, 200);
    world.send(&id, "read -rp 'Sure? ' x");
    let waited = world.adj(["--json", "wait", &id]).expect_code(3).json();
    let answer = format!("/v1/requests/{}/answer", waited["pending"][0]["id"].as_str().unwrap());
    assert_eq!(gate.call(&t, "POST", &answer, r#"{"text":"yes"}"#).0, 200);
    assert_eq!(gate.call(&t, "POST", "/v1/sessions/kill", &json!({"ids": [id]}).to_string()).0, 200);
    for asked in ["turn.interrupting", "request.answered", "session.stopping"] {
        let (_, events) = crate::look::http(&world, "GET", &format!("/v1/events?since=0&types={asked}"), &[], b"");
        let by: Vec<&str> = events.as_array().unwrap().iter().map(|one| one["data"]["by"].as_str().unwrap()).collect();
        assert_eq!(by, ["token t1"], "{asked}: {events:#}");
    }
}

#[test]
fn an_agent_that_is_not_on_the_path_of_a_token_is_told_without_that_path() {
    let world = World::new().with_variable("PATH", "/nowhere/of-the-host");
    let gate = Gate::new(&world);
    let t = token(&world, &[]);
    let body = json!({"cli": "claude", "path": world.work()}).to_string();
    let refused = gate.call(&t, "POST", "/v1/sessions", &body);
    assert_eq!(code(&refused), (422, "agent_not_found"), "{:#}", refused.1);
    let told = refused.1.to_string();
    assert!(told.contains("the PATH of the token") && !told.contains("of-the-host"), "{told}");
}
