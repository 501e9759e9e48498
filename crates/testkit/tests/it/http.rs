//! Rows H that hold on the socket already: errors are JSON with their reason, and nothing is taken that is not asked for.

use adjutant_testkit::World;
use serde_json::{Value, json};

use crate::look::{Hold, begin, http, messages, record, status};

#[track_caller]
fn refused(world: &World, verb: &str, path: &str, body: &[u8]) -> (u16, String) {
    let (status, answer) = http(world, verb, path, &[], body);
    let error = &answer["error"];
    assert!(error["message"].is_string() && error["exit"].is_u64() && error["details"].is_object(), "{answer:#}");
    (status, error["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn h2_h7_a_web_page_gets_no_answer() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    for path in ["/v1/health", "/v1/sessions"] {
        let (code, told) = http(&world, "GET", path, &["origin: http://evil.example"], b"");
        assert_eq!((code, &told["error"]["code"]), (403, &"forbidden".into()), "{told:#}");
    }
    // What changes anything is no GET, so that an image tag can do nothing.
    for path in ["/v1/sessions/kill", "/v1/sessions/x/wake", "/v1/sessions/x/interrupt", "/v1/daemon/stop"] {
        assert!([404, 405].contains(&refused(&world, "GET", path, b"").0), "{path}");
    }
    assert_eq!(world.adj(["daemon", "status"]).expect_code(0).code, 0);
}

#[test]
fn h3_h4_words_of_the_command_line_are_no_ids_and_files_no_texts() {
    let world = World::new();
    let x = world.shell();
    let kill = |ids: Value| refused(&world, "POST", "/v1/sessions/kill", json!({ "ids": ids }).to_string().as_bytes());
    assert_eq!(kill(json!(["--all"])), (400, "id_invalid".to_owned()));
    assert_eq!(kill(json!([])), (400, "usage".to_owned()));
    for path in ["/v1/sessions/--help", "/v1/sessions/--all/inspect"] {
        assert_eq!(refused(&world, "GET", path, b""), (400, "id_invalid".to_owned()), "{path}");
    }
    let path = format!("/v1/sessions/{x}/messages");
    for body in
        [r#"{"file":"/etc/hostname"}"#, r#"{"text":"x","file":"/etc/hostname"}"#, r#"{"text":7}"#, "[", "\u{fe}"]
    {
        assert_eq!(refused(&world, "POST", &path, body.as_bytes()), (400, "usage".to_owned()), "{body}");
    }
    assert_eq!(refused(&world, "GET", "/v1/sessions?bogus=1", b""), (400, "usage".to_owned()));
    assert_eq!(status(&world, &x), "idle");
    assert_eq!(messages(&world, &x), Vec::<Value>::new());
}

#[test]
fn h5_h6_what_is_not_there_or_too_large_is_told_in_json() {
    let world = World::new();
    let x = world.shell();
    for path in ["/v1/sessions/nobody-top", "/v1/sessions/nobody-top/log", "/v1/wait?session=nobody-top"] {
        assert_eq!(refused(&world, "GET", path, b""), (404, "session_not_found".to_owned()), "{path}");
    }
    let (_, told) = http(&world, "GET", &format!("/v1/sessions/{x}x"), &[], b"");
    assert_eq!(told["error"]["exit"], 4);
    assert_eq!(told["error"]["details"]["near"], json!([x]), "the full reason: {told:#}");
    for (verb, path) in [("GET", "/"), ("GET", "/v1/nothing"), ("POST", "/v2/sessions"), ("GET", "/v1/sessions/a/b/c")]
    {
        assert_eq!(refused(&world, verb, path, b"").0, 404, "{verb} {path}");
    }
    assert_eq!(refused(&world, "DELETE", "/v1/wait", b"").0, 405);
    let oversized = vec![b' '; 20 * 1024 * 1024];
    let (code, word) = refused(&world, "POST", &format!("/v1/sessions/{x}/messages"), &oversized);
    assert_eq!((code, word.as_str()), (413, "message_too_large"));
    assert_eq!(status(&world, &x), "idle");
}

#[test]
fn h16_a_record_shows_neither_texts_nor_values() {
    let world = World::new();
    let created = ["create", "-q", "--cli", "shell", "--env", "SECRET=value-of-the-secret", ": text-of-the-first"];
    let x = world.adj(created).expect_code(0).word().to_owned();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!(": text-of-the-second; {}", hold.script()));
    world.send(&x, "echo text-of-the-third");
    hold.await_begun();
    let shown = record(&world, &x);
    let all = shown.to_string();
    assert!(!all.contains("text-of-the-") && !all.contains("value-of-the-secret"), "{shown:#}");
    assert_eq!(shown["env_names"], json!(["SECRET"]));
    assert_eq!(shown["messages"].as_array().map(Vec::len), Some(3), "receipts without texts: {shown:#}");
    let needed = ["binary", "runner", "agent", "capabilities", "journal_cursor", "state_dir", "uuid"];
    assert!(needed.iter().all(|key| !shown[key].is_null()), "{shown:#}");
    assert!(shown["agent"]["pid"].is_u64() && shown["agent"]["start_ticks"].is_u64(), "a pid with its start time");
    let pretty = world.adj(["inspect", &x]).expect_code(0).stdout.lines().count();
    assert!(pretty > 1, "for eyes it has lines");
    assert_eq!(world.adj(["--json", "inspect", &x]).expect_code(0).stdout.lines().count(), 1);
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
}
