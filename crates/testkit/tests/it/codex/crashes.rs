//! The app-server, the daemon or both are killed, in every state: no lie, nothing twice, and the sessions go on.

use adjutant_fakemodel::openai;
use adjutant_fakemodel::record::Request;
use rustix::process::Signal;
use serde_json::Value;

use super::Codex;
use crate::SOON;
use crate::look::{begin, events, message, messages, status, texts};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    Daemon,
    Both,
}

const VICTIMS: [Victim; 3] = [Victim::Server, Victim::Daemon, Victim::Both];

impl Victim {
    #[track_caller]
    fn kill(self, codex: &Codex, session: &str) {
        let server = codex.server(session);
        if self != Self::Server {
            codex.world.kill_daemon();
        }
        if self != Self::Daemon {
            server.signal(Signal::KILL);
            assert!(server.ends_within(SOON), "a killed server ends");
        }
    }

    fn spares_server(self) -> bool {
        self == Self::Daemon
    }
}

fn assert_usable(codex: &Codex, session: &str) {
    assert_eq!(codex.ask(session, "[[say here I am]]"), "here I am\n");
    assert_eq!(status(&codex.world, session), "idle");
    codex.assert_sound();
}

#[test]
fn at_rest_a_crash_is_forgotten() {
    for victim in VICTIMS {
        let codex = Codex::new();
        let (fresh, used) = (codex.native(), codex.native());
        assert_eq!(codex.ask(&used, "[[say before]]"), "before\n");
        victim.kill(&codex, &used);
        assert_usable(&codex, &used);
        assert_usable(&codex, &fresh);
        assert_eq!(codex.newest_texts(), ["[[say here I am]]"], "{victim:?}: a thread without a turn is the same one");
        let first = codex.world.adj(["--json", "last-message", "-n", "9", &used]).expect_code(0).json();
        assert_eq!(texts(first.as_array().expect("answers"), "text"), ["before", "here I am"], "{victim:?}");
    }
}

#[test]
fn in_a_turn_a_crash_ends_it_or_does_not_touch_it() {
    for victim in VICTIMS {
        let codex = Codex::new();
        let x = codex.native();
        begin(&codex.world, &x, "[[say partly]] [[hold gate]] [[say  and whole]]");
        assert!(codex.model.await_held("gate", SOON));
        codex.world.send(&x, "[[say behind]]");
        victim.kill(&codex, &x);
        if victim.spares_server() {
            // What a turn has used is told while it runs, to whoever is there.
            adjutant_testkit::await_fact("it is seen again", SOON, || status(&codex.world, &x) == "working");
        }
        codex.model.open("gate");
        adjutant_testkit::await_fact("both are settled", SOON, || {
            messages(&codex.world, &x).iter().all(|message| message["state"] == "done" || message["state"] == "failed")
        });
        let receipts: Vec<_> = messages(&codex.world, &x).iter().map(|message| message["receipt"].clone()).collect();
        let outcomes = texts(&receipts, "outcome");
        let first = if victim.spares_server() { "completed" } else { "exited" };
        assert_eq!(outcomes, [first, "completed"], "{victim:?}: {:#?}", messages(&codex.world, &x));
        assert_eq!(codex.asked_with("[[hold gate]]"), 1, "{victim:?}: the turn ran once");
        let told = codex.world.adj(["wait", "-t", "1", &x, "--for", "m1"]).stderr;
        assert_eq!(told.contains("turn 1 of"), !victim.spares_server(), "{told}");
        if victim.spares_server() {
            let ended = events(&codex.world, &x, "turn.completed");
            assert_eq!(ended[0]["data"]["usage"]["input_tokens"], 20, "what it used is told all the same: {ended:#?}");
        }
        assert_usable(&codex, &x);
    }
}

#[test]
fn an_open_request_outlives_the_daemon_and_not_the_server() {
    for victim in VICTIMS {
        let codex = Codex::new();
        let x = codex.guarded();
        let input = serde_json::json!({"cmd": "echo x >> ran", "sandbox_permissions": "require_escalated", "justification": "so"});
        begin(&codex.world, &x, &format!("[[tool exec_command {input}]] [[then]] [[say done]]"));
        let before = codex.request(&x);
        victim.kill(&codex, &x);
        if victim.spares_server() {
            let after = codex.respond(&x, &["--allow"]);
            assert_eq!(after["id"], before["id"], "it is the same request");
            assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "done\n");
            assert_eq!(codex.world.lines_of("ran"), ["x"]);
        } else {
            adjutant_testkit::await_fact("its turn has ended", SOON, || status(&codex.world, &x) == "idle");
            let closed = events(&codex.world, &x, "request.closed");
            assert_eq!(closed.len(), 1, "{closed:#?}");
            assert!(codex.world.lines_of("ran").is_empty(), "{victim:?}: what nobody permitted did not run");
        }
        assert_usable(&codex, &x);
    }
}

#[test]
fn a_command_of_a_crashed_server_does_not_run_on() {
    for victim in [Victim::Server, Victim::Both] {
        let codex = Codex::new();
        let x = codex.native();
        let mut begun = codex.world.bell("begun");
        begin(&codex.world, &x, "[[tool exec_command {\"cmd\":\"echo x > begun; exec sleep 4714\"}]]");
        begun.line(SOON);
        victim.kill(&codex, &x);
        assert_usable(&codex, &x);
        let left = codex.world.processes();
        assert!(!left.iter().any(|(_, shown)| shown.contains("sleep 4714")), "{victim:?}: {left:?}");
    }
}

#[test]
fn a_server_that_crashes_again_and_again_comes_back_each_time() {
    let codex = Codex::new();
    let x = codex.native();
    for i in 1..=5 {
        Victim::Server.kill(&codex, &x);
        assert_eq!(codex.ask(&x, &format!("[[say {i}]]")), format!("{i}\n"));
    }
    assert_usable(&codex, &x);
}

#[test]
fn a_daemon_that_dies_at_any_point_of_a_delivery_loses_and_doubles_nothing() {
    let points = ["before_deliver:1", "after_deliver:1", "after_report_commit:1", "after_report_commit:2"];
    for point in points.into_iter().chain(["before_commit:2", "after_commit:2", "before_commit:4", "after_commit:4"]) {
        let codex = Codex::new();
        let x = codex.native();
        assert_eq!(codex.ask(&x, "[[say first]]"), "first\n");
        let _ = codex.world.adj(["daemon", "stop"]).expect_code(0);
        let mut start = codex.world.adj_command(["list"]);
        start.env("ADJ_TESTPOINT_KILL", point);
        let _ = adjutant_testkit::Running::start(start).end();
        adjutant_testkit::await_fact("it is accepted", SOON, || {
            codex.world.adj(["send", "-q", "--key", "once", &x, "[[say once]]"]).code == 0
        });
        adjutant_testkit::await_fact("it is settled", SOON, || {
            // The daemon may die of this very question.
            let listed = codex.world.adj(["--json", "queue", "list", "-a", &x]);
            listed.code == 0 && texts(listed.json().as_array().expect("messages"), "state") == ["done", "done"]
        });
        assert_eq!(codex.asked_with("[[say once]]"), 1, "{point}");
        assert_eq!(codex.world.adj(["last-message", &x]).expect_code(0).stdout, "once\n", "{point}");
        assert_usable(&codex, &x);
    }
}

#[test]
fn a_session_outlives_the_runner_of_its_server() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say before]]"), "before\n");
    let [runner, server] = crate::look::processes(&codex.world, &x);
    runner.signal(Signal::KILL);
    assert!(runner.ends_within(SOON));
    assert_eq!(codex.ask(&x, "[[say without it]]"), "without it\n");
    let holder = || crate::look::record(&codex.world, &x)["runner"]["pid"].clone();
    adjutant_testkit::await_fact("it has another one", SOON, || holder() != runner.pid());
    codex.world.kill_daemon();
    assert_eq!(codex.ask(&x, "[[say with a new daemon]]"), "with a new daemon\n");
    assert_eq!(codex.server(&x).identity(), server.identity());
    let other = codex.native();
    assert_eq!(codex.ask(&other, "[[say me too]]"), "me too\n");
    assert_eq!(codex.server(&other).identity(), server.identity(), "nobody's turn is cut off for a new runner");
    server.signal(Signal::KILL);
    assert!(server.ends_within(SOON));
    assert_eq!(codex.ask(&x, "[[say after a crash]]"), "after a crash\n");
    assert_eq!(codex.ask(&other, "[[say me too]]"), "me too\n");
    let server = codex.server(&x);
    let [runner, _] = crate::look::processes(&codex.world, &x);
    runner.signal(Signal::KILL);
    adjutant_testkit::await_fact("it has one again", SOON, || holder() != runner.pid());
    let _ = codex.world.adj(["kill", "--all"]).expect_code(0);
    assert!(server.ends_within(SOON), "the last one ends it all the same");
    let next = codex.native();
    assert_eq!(codex.ask(&next, "[[say anew]]"), "anew\n");
    codex.assert_sound();
}

/// Nobody has the environment of the server any more, which only somebody who calls can give again.
#[test]
fn a_session_that_lost_its_server_and_the_servers_runner_is_woken() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say before]]"), "before\n");
    for killed in crate::look::processes(&codex.world, &x) {
        killed.signal(Signal::KILL);
    }
    adjutant_testkit::await_fact("it is told", SOON, || status(&codex.world, &x) == "exited");
    let told = codex.world.adj(["--json", "send", &x, "[[say never]]"]).expect_error(4, "session_exited");
    assert!(told.stderr.contains("adj wake"), "it says what helps: {told:#?}");
    let _ = codex.world.adj(["wake", &x, "[[say woken]]"]).expect_code(0);
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "woken\n");
    assert_eq!(codex.newest_texts(), ["[[say before]]", "[[say woken]]"], "on its conversation");
    assert_usable(&codex, &x);
}

#[test]
fn e6_a_session_created_while_the_last_one_of_a_server_ends_works() {
    let codex = Codex::new();
    let mut last = codex.native();
    for i in 0..5 {
        let kill = codex.world.start(["kill", &last]);
        let next = codex.native();
        let _ = kill.end().expect_code(0);
        assert_eq!(codex.ask(&next, &format!("[[say {i}]]")), format!("{i}\n"));
        last = next;
    }
    codex.assert_sound();
}

#[test]
fn a_session_of_a_server_that_hangs_can_be_ended() {
    let codex = Codex::new();
    let x = codex.native();
    let mut begun = codex.world.bell("begun");
    begin(&codex.world, &x, "[[tool exec_command {\"cmd\":\"echo x > begun; exec sleep 4715\"}]]");
    begun.line(SOON);
    let server = codex.server(&x);
    server.signal(Signal::STOP);
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    assert!(server.ends_within(SOON), "it goes with its last session");
    let left = codex.world.processes();
    assert!(!left.iter().any(|(_, shown)| shown.contains("sleep 4715")), "{left:?}");
    let next = codex.native();
    assert_eq!(codex.ask(&next, "[[say anew]]"), "anew\n");
}

#[test]
fn an_end_does_not_wait_for_an_answer_that_does_not_come() {
    let codex = Codex::new();
    let x = codex.native();
    let server = codex.server(&x);
    server.signal(Signal::STOP);
    codex.world.send(&x, "[[say never]]");
    codex.await_events(&x, "message.handed", 1);
    let begun = std::time::Instant::now();
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(server.ends_within(SOON));
}

#[test]
fn whoever_is_killed_whenever_no_message_runs_twice_and_none_is_lied_about() {
    let seed = std::env::var("ADJ_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_120);
    let mut dice = adjutant_testkit::Dice::new(seed);
    let codex = Codex::new();
    let x = codex.native();
    for round in 0..8 {
        let victim = VICTIMS[dice.below(3)];
        let mut sent: Vec<(String, String)> = Vec::new();
        for i in 0..3 {
            let text = format!("[[say r{round} m{i}]] [[pause {}]]", dice.below(60));
            sent.push((codex.world.send(&x, &text), text));
        }
        // Before the first, in one of them, or just behind it.
        let words = format!("r{round} m{}]]", dice.below(3));
        let asked = |request: &Request, _| openai::user_texts(request).pop().filter(|text| text.contains(&words));
        assert!(dice.chance(20) || codex.model.recorder().await_found(SOON, asked).is_some());
        victim.kill(&codex, &x);
        adjutant_testkit::await_fact("all are settled", SOON, || {
            let ended = |message: &Value| ["done", "failed", "unknown"].iter().any(|state| message["state"] == *state);
            messages(&codex.world, &x).iter().all(ended)
        });
        for (id, text) in sent {
            let told = message(&codex.world, &x, &id);
            let ran = codex.asked_with(&text);
            let is_true = if told["state"] == "done" { ran == 1 } else { ran <= 1 };
            assert!(is_true, "seed {seed}, round {round}, {victim:?}: it ran {ran} times: {told:#}");
        }
        assert_eq!(codex.ask(&x, &format!("[[say round {round}]]")), format!("round {round}\n"));
    }
    codex.assert_sound();
}

/// What forgotten sessions have left is removed when a daemon starts; the server is no session, and is not forgotten.
#[test]
fn the_directory_of_the_server_outlives_the_daemon() {
    let codex = Codex::new();
    let session = codex.native();
    let run = codex.world.state().join("run/s");
    let names = || {
        let entries = std::fs::read_dir(&run).expect("the directory of runners").flatten();
        entries.map(|entry| entry.file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    assert_eq!(before.len(), 2, "of the session and of the server: {before:?}");
    let _ = codex.world.adj(["daemon", "stop"]).expect_code(0);
    let left = run.join("0198c200aabb7cdd8eff010203040501");
    std::fs::create_dir(&left).expect("what a forgotten session has left");
    assert_eq!(codex.ask(&session, "[[say still here]]").trim(), "still here");
    adjutant_testkit::await_fact("what was left is removed", SOON, || left.try_exists().is_ok_and(|there| !there));
    assert_eq!(names(), before);
    codex.assert_sound();
}
