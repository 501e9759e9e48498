//! Rows G: what is queued runs when it is due, in its order, once; and can be seen and changed until then.

use adjutant_testkit::{Running, World};
use serde_json::{Value, json};

use crate::look::{Hold, begin, event_types, events, http, message, messages, status, texts};

/// The ids that `queue list` shows, in order.
#[track_caller]
fn queued(world: &World, session: &str) -> Vec<String> {
    world.adj(["queue", "list", "-q", session]).expect_code(0).stdout.lines().map(str::to_owned).collect()
}

/// Milliseconds since the epoch of an RFC 3339 time with milliseconds, within one day.
fn day_ms(time: &Value) -> i64 {
    let time = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    let digits: Vec<i64> = time[11..23].split([':', '.']).map(|part| part.parse().expect("a number")).collect();
    ((digits[0] * 60 + digits[1]) * 60 + digits[2]) * 1000 + digits[3]
}

#[test]
fn g1_g2_a_message_to_an_idle_session_runs_at_once() {
    let world = World::new();
    let x = world.shell();
    let told = world.adj(["send", &x, "echo sent"]).expect_code(0);
    assert_eq!(told.stdout, format!("Sent message to {x}\n"));
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "sent\n");
    let told = world.adj(["wake", &x, "echo woken"]).expect_code(0);
    let m = messages(&world, &x).pop().unwrap_or_default();
    assert_eq!(told.stdout, format!("Queued message {} for {x}\n", m["id"].as_str().unwrap_or_default()));
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "woken\n");
    let id = world.adj(["wake", "-q", &x, "echo again", "--delay", "0s"]).expect_code(0);
    let told = world.adj(["wait", "--print", "--for", id.word(), &x]).expect_code(0);
    assert_eq!(told.stdout, "again\n");
    let past = world.adj(["send", "-q", &x, "echo past", "--run-at", "2020-01-01T00:00:00+02:00"]).expect_code(0);
    assert_eq!(world.adj(["wait", "--print", "--for", past.word(), &x]).expect_code(0).stdout, "past\n");
    assert_eq!(world.adj(["wake", &x]).expect_code(0).stdout, format!("Woke session {x}\n"));
    assert_eq!(event_types(&world, &x, "turn.started").len(), 4, "without a message no turn is begun");
    let confirmed = world.adj(["--json", "send", "--confirm", &x, "true"]).expect_code(0).json();
    assert_eq!(confirmed["receipt"]["evidence"]["source"], "control pipe", "{confirmed:#}");
}

#[test]
fn g3_g4_a_delayed_head_blocks_nobody() {
    let world = World::new();
    let x = world.shell();
    let later = world.adj(["send", &x, "echo later", "--delay", "1h"]).expect_code(0);
    assert!(later.stdout.starts_with(&format!("Queued message for {x}, runs at 20")), "{later:#?}");
    let soon = world.adj(["send", "-q", &x, "echo soon", "--delay", "100ms"]).expect_code(0).word().to_owned();
    let now = world.send(&x, "echo now");
    assert_eq!(world.adj(["wait", "--print", "--for", &now, &x]).expect_code(0).stdout, "now\n");
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.adj(["wait", "--print", "--for", &soon, &x]).expect_code(0).stdout, "soon\n");
    let left = messages(&world, &x);
    assert_eq!((&left[0]["state"], &left[0]["delayed"]), (&"queued".into(), &true.into()), "{:#}", left[0]);
    let rows = world.adj(["queue", "list", &x]).expect_code(0);
    let words: Vec<&str> = rows.stdout.split_whitespace().collect();
    assert_eq!(words[..7], ["ID", "STATE", "FROM", "WHEN", "TEXT", "m1", "delayed"], "{rows:#?}");
    let _ = world.adj(["wait", "--include-delayed", "-t", "0", &x]).expect_code(124);
    let id = left[0]["id"].as_str().unwrap_or_default();
    let _ = world.adj(["queue", "edit", &x, id, "--now"]).expect_code(0);
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "later\n");
}

#[test]
fn g6_what_could_not_run_is_failed_and_kept() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("{}; exit 7", hold.script()));
    let behind = world.send(&x, "echo behind");
    let delayed = world.adj(["send", "-q", &x, "echo delayed", "--delay", "1h"]).expect_code(0).word().to_owned();
    hold.await_begun();
    hold.let_go();
    let told = world.adj(["wait", "--for", &behind, &x]).expect_code(4);
    assert_eq!(told.stdout, "exited\n");
    assert!(told.stderr.contains(&format!("{behind}: the session exited before it ran")), "{told:#?}");
    for id in [&behind, &delayed] {
        let lost = message(&world, &x, id);
        assert_eq!((&lost["state"], &lost["turn"]), (&"failed".into(), &Value::Null), "{lost:#}");
        assert!(
            lost["error"].is_string() && lost["text"].as_str().is_some_and(|text| text.starts_with("echo ")),
            "{lost:#}"
        );
    }
}

#[test]
fn g7_g8_ids_are_checked_and_unknown_sessions_are_not_found() {
    let world = World::new();
    let x = world.shell();
    for verb in [["queue", "list"], ["queue", "hold"]] {
        let words = ["--json"].into_iter().chain(verb);
        let _ = world.adj(words.chain(["..%2F..%2Fx"])).expect_error(2, "id_invalid");
    }
    for path in ["/v1/sessions/..%2F..%2Fx/messages", "/v1/sessions/%2Fetc/messages", "/v1/sessions/a.b/messages"] {
        let (code, refused) = http(&world, "GET", path, &[], b"");
        assert_eq!((code, &refused["error"]["code"]), (400, &"id_invalid".into()), "{path}: {refused:#}");
    }
    let unknown: [&[&str]; 9] = [
        &["queue", "list", "nobody-top"],
        &["queue", "edit", "nobody-top", "m1", "--now"],
        &["queue", "remove", "nobody-top", "m1"],
        &["queue", "remove", "nobody-top", "--all"],
        &["queue", "hold", "nobody-top"],
        &["queue", "retry", "nobody-top", "m1"],
        &["send", "nobody-top", "hi"],
        &["ask", "nobody-top", "hi"],
        &["wake", "nobody-top", "hi"],
    ];
    for words in unknown {
        let _ = world.adj(["--json"].iter().chain(words)).expect_error(4, "session_not_found");
    }
    for words in [
        ["queue", "edit", &x, "m99", "--now"],
        ["queue", "remove", &x, "m99", "-q"],
        ["queue", "retry", &x, "m99", "-q"],
    ] {
        let _ = world.adj(["--json"].into_iter().chain(words)).expect_error(4, "message_not_found");
    }
    let _ = world.adj(["--json", "wait", &x, "--for", "m99"]).expect_error(4, "message_not_found");
}

/// That it is not late is for the bench to show; here it is not early, and nothing has to happen for it to run.
#[test]
fn g9_a_delayed_message_runs_when_it_is_due() {
    let world = World::new();
    let x = world.shell();
    let sent = world.adj(["--json", "send", &x, "echo due", "--delay", "700ms"]).expect_code(0).json();
    assert_eq!((&sent["delayed"], &sent["handed"]), (&true.into(), &false.into()), "{sent:#}");
    let m = sent["id"].as_str().unwrap_or_default();
    assert_eq!(world.adj(["wait", "--print", "--for", m, &x]).expect_code(0).stdout, "due\n");
    let started = events(&world, &x, "turn.started");
    let late = (day_ms(&started[0]["at"]) - day_ms(&sent["run_at"])).rem_euclid(86_400_000);
    assert!(late < 5_000, "{late} ms late: {sent:#} {started:#?}");
    assert_eq!(
        event_types(&world, &x, "message.*"),
        ["queued", "due", "handed", "delivered", "ended"].map(|w| format!("message.{w}"))
    );
}

#[test]
fn g10_a_key_makes_a_repetition_harmless() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let wakes: Vec<Running> = (0..4).map(|_| world.start(["wake", "-q", &x, "echo x >> ran", "--key", "k"])).collect();
    let ids: Vec<String> = wakes.into_iter().map(|wake| wake.end().expect_code(0).stdout).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let again = world.adj(["--json", "send", &x, "another text", "--key", "k"]).expect_code(0).json();
    assert_eq!((&again["repeated"], &again["text"]), (&true.into(), &"echo x >> ran".into()), "{again:#}");
    for _ in 0..2 {
        let _ = world.adj(["wake", &x, "echo twice >> ran"]).expect_code(0);
    }
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["x", "twice", "twice"], "without a key equal texts are two messages");
    let new = world.adj(["send", "-q", &x, "echo x >> ran", "--key", "k"]).expect_code(0);
    assert_ne!(new.stdout, ids[0], "a key is free when its message has ended");
}

#[test]
fn g11_delays_are_read_as_people_write_them() {
    let world = World::new();
    let x = world.shell();
    let minutes = [
        ("1 minute", 1),
        ("1hour", 60),
        ("1 day", 1440),
        ("1h30m", 90),
        ("90 SECS", 1),
        ("1.5h", 90),
        ("1 week", 10_080),
    ];
    for (delay, minutes) in minutes {
        let sent = world.adj(["--json", "wake", &x, "echo never", "--delay", delay]).expect_code(0).json();
        let seconds = if delay == "90 SECS" { 90 } else { minutes * 60 };
        let off = day_ms(&sent["run_at"]) - day_ms(&sent["created_at"]) - seconds * 1000;
        // Midnight may lie between the two.
        assert!((off + 5_000).rem_euclid(86_400_000) < 10_000, "{delay}: {sent:#}");
    }
    for wrong in ["5", "-5s", "", "1 fortnight", "s"] {
        let _ = world.adj(["--json", "wake", &x, "echo never", &format!("--delay={wrong}")]).expect_error(2, "usage");
    }
    let _ = world.adj(["--json", "wake", &x, "hi", "--run-at", "2030-01-01T00:00:00"]).expect_error(2, "usage");
    assert_eq!(messages(&world, &x).len(), 7);
}

#[test]
fn g13_text_for_a_running_turn_becomes_the_next_one() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let told = world.adj(["send", "--steer", &x, "echo steered >> ran"]).expect_code(0);
    assert_eq!(told.stdout, format!("Queued message for {x} (1 ahead)\n"));
    assert_eq!(told.stderr, format!("adj: m2 is no part of a running turn; it is the next turn of {x}\n"));
    assert_eq!(message(&world, &x, "m2")["kind"], "next");
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["steered"]);
    assert_eq!(message(&world, &x, "m2")["turn"], 2);
}

#[test]
fn g15_a_due_wake_of_a_session_that_is_gone_is_reported() {
    let world = World::new();
    let (x, killed) = (world.shell(), world.shell());
    let wake = |id: &str| world.adj(["wake", "-q", id, "echo due", "--delay", "1h"]).expect_code(0).word().to_owned();
    let (m, n) = (wake(&x), wake(&killed));
    let _ = world.adj(["ask", &x, "exit 0"]).expect_code(0);
    let _ = world.adj(["watch", "--until", "exit", &x]).expect_code(0);
    let _ = world.adj(["kill", &killed]).expect_code(0);
    assert_eq!(message(&world, &x, &m)["state"], "failed");
    assert_eq!(message(&world, &killed, &n)["state"], "cancelled");
    let ended = events(&world, &x, "message.ended");
    assert_eq!(ended.last().map(|event| &event["data"]["message"]), Some(&json!(m)), "{ended:#?}");
}

#[test]
fn g16_after_a_failed_turn_the_queue_goes_on() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("{}; (exit 1)", hold.script()));
    world.send(&x, "nosuchcommand");
    world.send(&x, "echo a (");
    world.send(&x, "echo last");
    hold.await_begun();
    hold.let_go();
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "last\n");
    assert_eq!(texts(&messages(&world, &x), "state"), ["failed", "failed", "failed", "done"]);
}

#[test]
fn queued_messages_can_be_changed_moved_and_removed() {
    let world = World::new();
    let x = world.shell();
    assert_eq!(world.adj(["queue", "list", &x]).expect_code(0).stdout, "Queue is empty\n");
    assert_eq!(world.adj(["--json", "queue", "list", &x]).expect_code(0).json(), json!([]));
    let mut hold = Hold::new(&world, "x");
    let running = begin(&world, &x, &hold.script());
    hold.await_begun();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|text| world.send(&x, &format!("echo {text} >> ran")));
    let told = world.adj(["queue", "edit", &x, &c, "--first"]).expect_code(0);
    assert_eq!(told.stdout, format!("Changed message {c}\n"));
    let _ = world.adj(["queue", "edit", &x, &a, "--after", &d]).expect_code(0);
    assert_eq!(queued(&world, &x), [c.as_str(), &b, &d, &a]);
    let told = world.adj(["--json", "queue", "edit", &x, &b, "echo B >> ran", "--delay", "1h"]).expect_code(0).json();
    assert_eq!((&told["text"], &told["delayed"]), (&"echo B >> ran".into(), &true.into()), "{told:#}");
    assert_eq!(queued(&world, &x), [c.as_str(), &d, &a, &b], "the delayed one stands last");
    let _ = world.adj(["queue", "edit", &x, &b, "--now"]).expect_code(0);
    let told = world.adj(["queue", "remove", &x, &d]).expect_code(0);
    assert_eq!(told.stdout, format!("Removed message {d}\n"));
    assert_eq!(message(&world, &x, &d)["state"], "cancelled");

    // What runs or has run is not changed; the others are.
    let _ = world.adj(["--json", "queue", "edit", &x, &running, "--first"]).expect_error(1, "message_started");
    let _ = world.adj(["--json", "queue", "remove", &x, &running]).expect_error(1, "message_started");
    let told = world.adj(["queue", "remove", &x, &running, &a]).expect_code(1);
    assert_eq!(told.stdout, format!("Removed message {a}\n"));
    assert!(told.stderr.contains(&running), "{told:#?}");
    let _ = world.adj(["--json", "queue", "edit", &x, &b]).expect_error(2, "usage");
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["c", "B"]);
    let _ = world.adj(["--json", "queue", "remove", &x, &b]).expect_error(1, "message_started");
    let _ = world.adj(["--json", "queue", "edit", &x, &b, "again"]).expect_error(1, "message_started");
    let rows = world.adj(["queue", "list", "-a", &x]).expect_code(0);
    let states: Vec<&str> = rows.stdout.lines().skip(1).filter_map(|row| row.split_whitespace().nth(1)).collect();
    assert_eq!(states, ["done", "cancelled", "done", "done", "cancelled"], "{rows:#?}");
    for _ in 0..2 {
        let _ = world.adj(["send", "-q", &x, "echo never", "--delay", "1h"]).expect_code(0);
    }
    let told = world.adj(["queue", "remove", &x, "--all"]).expect_code(0);
    assert_eq!(told.stdout.lines().count(), 2, "{told:#?}");
    assert_eq!(queued(&world, &x), Vec::<String>::new());
}

#[test]
fn a_held_queue_waits_and_a_failed_message_is_sent_again() {
    let world = World::new();
    let x = world.shell();
    assert_eq!(world.adj(["queue", "hold", &x]).expect_code(0).stdout, format!("Held queue of {x}\n"));
    let told = world.adj(["send", &x, "echo x >> ran; (exit 3)"]).expect_code(0);
    assert_eq!(told.stdout, format!("Queued message for {x} (0 ahead)\n"));
    assert_eq!(world.adj(["wait", &x]).expect_code(0).stdout, "idle\n", "what is held is not waited for");
    assert_eq!(messages(&world, &x)[0]["held"], true);
    let session = world.adj(["--json", "queue", "release", &x]).expect_code(0).json();
    assert_eq!((&session["id"], &session["held"]), (&json!(x), &false.into()));
    let _ = world.adj(["wait", &x]).expect_code(3);
    let told = world.adj(["queue", "retry", &x, "m1"]).expect_code(0);
    assert_eq!(told.stdout, "Queued message m2\n", "a new message with the same text");
    let _ = world.adj(["wait", "--for", "m2", &x]).expect_code(3);
    assert_eq!(world.lines_of("ran"), ["x", "x"]);
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    let _ = world.adj(["--json", "queue", "retry", &x, "m3"]).expect_error(1, "message_started");
}

#[test]
fn a_message_that_is_not_started_in_time_expires() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let m = world.adj(["send", "-q", &x, "echo late >> ran", "--expires", "100ms"]).expect_code(0).word().to_owned();
    let n = world.adj(["send", "-q", &x, "echo good >> ran", "--expires", "1h"]).expect_code(0).word().to_owned();
    let told = world.adj(["wait", "--for", &m, &x]).expect_code(1);
    assert_eq!(told.stdout, "failed\n");
    assert!(told.stderr.contains(&format!("{m}: it expired")), "{told:#?}");
    assert_eq!(message(&world, &x, &m)["state"], "expired");
    assert_eq!(status(&world, &x), "working", "nothing else has happened");
    hold.let_go();
    let _ = world.adj(["wait", "--for", &n, &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["good"]);
    let told = world.adj(["queue", "retry", "-q", &x, &m]).expect_code(0);
    let _ = world.adj(["wait", "--for", told.word(), &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["good", "late"]);
}

#[test]
fn a_full_queue_refuses_and_keeps_what_it_has() {
    let world = World::new();
    std::fs::create_dir(world.state()).expect("a directory");
    std::fs::write(world.state().join("config.toml"), "queue_max = 3\n").expect("a file");
    let x = world.shell();
    let _ = world.adj(["queue", "hold", &x]).expect_code(0);
    for _ in 0..3 {
        world.send(&x, "echo x >> ran");
    }
    let _ = world.adj(["--json", "send", &x, "one too many"]).expect_error(1, "queue_full");
    let _ = world.adj(["queue", "release", &x]).expect_code(0);
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.lines_of("ran").len(), 3);
}

#[test]
fn a_confirmation_that_does_not_come_is_unknown() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let path = format!("/v1/sessions/{x}/messages");
    let (_, told) = http(&world, "POST", &path, &[], br#"{"text":"echo x >> ran","confirm_ms":50}"#);
    assert_eq!((&told["error"]["code"], &told["error"]["exit"]), (&"outcome_unknown".into(), &5.into()), "{told:#}");
    assert_eq!(told["error"]["details"]["message"], "m2");
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["x"], "it was not taken back, as it says");
}
