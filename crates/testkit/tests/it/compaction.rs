//! The log of sessions that live long: its beginning goes, its readers are told, and nothing else changes.

use adjutant_testkit::{World, await_fact};
use serde_json::Value;

use crate::SOON;

/// A daemon that sweeps all the time and keeps hardly anything.
const EAGER: [(&str, &str); 4] = [
    ("ADJ_TEST_SWEEP_MS", "50"),
    ("ADJ_TEST_LOG_EVENTS_MAX", "30"),
    ("ADJ_TEST_COMPACTION_EVENTS_MIN", "1"),
    ("ADJ_TEST_SETTLED_KEPT_MAX", "5"),
];

fn eager() -> World {
    EAGER.iter().fold(World::new(), |world, (name, value)| world.with_variable(name, value))
}

fn events(world: &World, words: &[&str]) -> Vec<Value> {
    let told = world.adj([&["--json", "watch"], words].concat()).expect_code(0).stdout;
    told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn is_sound(world: &World) {
    let checks = world.adj(["--json", "doctor"]).expect_code(0).json();
    let bad = |check: &&Value| check["check"] == "log" && check["status"] != "ok";
    assert!(!checks.as_array().expect("an array").iter().any(|check| bad(&check)), "{checks:#}");
}

#[test]
fn a_log_stays_small_while_its_sessions_work_and_wait() {
    let world = eager();
    let (x, y) = (world.shell(), world.shell());
    let mut watch = world.adj_command(["--json", "watch", "-F", "--since", "0", "--types", "turn.completed", &x]);
    watch.current_dir(world.work());
    let watch = adjutant_testkit::Running::start(watch);
    let (gate, mut begun) = (world.bell("gate"), world.bell("begun"));
    world.send(&y, "echo x > begun; read -r _ < gate; echo built; exit 3");
    begun.line(SOON);
    let late = world.adj(["-q", "wake", &x, "--after", &y, "--message", "echo \"${ADJ_AFTER_OUTCOMES[0]}\""]);
    let late = late.expect_code(0).stdout.trim().to_owned();
    for number in 0..40 {
        assert_eq!(world.adj(["ask", &x, &format!("echo {number}")]).expect_code(0).stdout, format!("{number}\n"));
    }
    await_fact("the beginning of the log has gone", SOON, || {
        events(&world, &["--since", "0", "--types", "session.created"])
            .first()
            .is_some_and(|first| first["type"] == "log.gap")
    });
    is_sound(&world);
    let gap = events(&world, &["--since", "0", &x])[0].clone();
    assert_eq!((&gap["type"], &gap["session"]), (&Value::from("log.gap"), &Value::from(x.as_str())));
    assert!(gap["data"]["count"].as_u64().is_some_and(|count| count > 100), "{gap:#}");
    assert_eq!(gap["seq"], gap["data"]["through"], "it is the cursor from which one reads on");
    let since = gap["seq"].to_string();
    assert!(events(&world, &["--since", &since, &x]).iter().all(|event| event["type"] != "log.gap"));
    watch.await_stdout("who was there all the time has lost nothing", SOON, |told| {
        told.lines().filter(|line| line.contains("turn.completed")).count() == 40
    });
    assert!(!watch.stdout_so_far().contains("log.gap"));
    watch.signal(rustix::process::Signal::INT);
    let _ = watch.end().expect_code(130);
    // The message and the turn that were older than anything in the log come to their ends all the same.
    world.kill_daemon();
    let _ = world.start_daemon(&EAGER);
    gate.release(1);
    assert_eq!(world.adj(["wait", &x, "--for", &late, "--print"]).expect_code(0).stdout.lines().last(), Some("failed"));
    await_fact("old turns are forgotten with their answers", SOON, || {
        let kept = world.adj(["--json", "last-message", "-n", "1000", &x]).expect_code(0).json();
        kept.as_array().is_some_and(|kept| kept.len() < 41)
    });
    let told = world.adj(["logs", &x]).expect_code(0).stdout;
    assert!(told.contains("[ASSISTANT]\n39\n") && !told.contains("[ASSISTANT]\n3\n"), "{told}");
    let exported = world.adj(["export", &x]).expect_code(0).stdout;
    assert!(exported.contains("\"type\":\"log.gap\""), "an export says what is not in it");
    is_sound(&world);
    let _ = world.adj(["daemon", "stop"]).expect_code(0);
    let _ = world.adj(["doctor", "--rebuild"]).expect_code(0);
    is_sound(&world);
    assert_eq!(world.adj(["ask", &x, "echo on"]).expect_code(0).stdout, "on\n");
}
