//! Rows C: what is said of a session is the case, is known from events, and saying it changes nothing.

use std::collections::BTreeMap;
use std::fs;

use adjutant_testkit::{Running, World, await_fact};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::SOON;
use crate::look::{Hold, begin, event_types, events, message, messages, processes, record, status, streams};

#[test]
fn c1_a_session_works_while_its_command_runs() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    assert_eq!(status(&world, &x), "working");
    let seen = world.adj(["--json", "status", &x]).expect_code(0).json();
    assert_eq!((&seen["turn"]["number"], &seen["source"]), (&1.into(), &"control_pipe".into()), "{seen:#}");
    let listed = world.adj(["list", "-q", "--status", "working,waiting_for_input"]).expect_code(0);
    assert_eq!(listed.stdout, format!("{x}\n"));
    assert_eq!(world.adj(["list", "--status", "idle"]).expect_code(0).stdout, "No active sessions\n");
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(status(&world, &x), "idle");
}

#[test]
fn c2_c8_a_dead_session_is_exited_and_an_unused_one_is_idle() {
    let world = World::new();
    let (dead, unused) = (world.shell(), world.shell());
    let _ = world.adj(["ask", &dead, "exit 0"]).expect_code(0);
    let told = world.adj(["watch", "--until", "exit", &dead]).expect_code(0);
    assert_eq!(told.stdout, format!("{dead} exited (exit 0)\n"));
    let told = world.adj(["status", &dead, &unused]).expect_code(0);
    assert_eq!(told.stdout, format!("{dead}\texited\n{unused}\tidle\n"));
    let told = world.adj(["wait", &unused]).expect_code(0);
    assert_eq!(told.stdout, "idle\n", "it never had a turn");
    assert_eq!(world.adj(["list", "-q"]).expect_code(0).stdout, format!("{unused}\n"));
    let all = world.adj(["list", "-aq", "--status", "exited"]).expect_code(0);
    assert_eq!(all.stdout, format!("{dead}\n"));
    let refused = world.adj(["--json", "send", &dead, "true"]).expect_error(4, "session_exited");
    assert!(refused.error()["hint"].is_string(), "{refused:#?}");
    for words in
        [vec!["wake", &dead, "true"], vec!["wake", &dead], vec!["interrupt", &dead], vec!["ask", &dead, "true"]]
    {
        let _ = world.adj(["--json"].into_iter().chain(words)).expect_error(4, "session_exited");
    }
}

#[test]
fn c6_c11_an_interrupted_turn_is_interrupted_and_no_failure() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let waiting = world.start(["wait", &x]);
    let told = world.adj(["interrupt", &x]).expect_code(0);
    assert_eq!(told.stdout, format!("Interrupted {x}\n"));
    assert_eq!(waiting.end().expect_code(130).stdout, "interrupted\n");
    assert_eq!(status(&world, &x), "idle");
    let again = world.adj(["--json", "wait", &x]).expect_code(130).json();
    assert_eq!((&again["outcome"], &again["reason"]), (&"interrupted".into(), &Value::Null), "{again:#}");
    assert_eq!(event_types(&world, &x, "turn.*").last().map(String::as_str), Some("turn.interrupted"));
    let asked = events(&world, &x, "turn.interrupting");
    assert_eq!(asked[0]["data"]["by"], "human", "the log knows who did it");
    let told = world.adj(["interrupt", &x]).expect_code(0);
    assert_eq!(told.stdout, format!("Nothing to interrupt on {x}\n"));
}

#[test]
fn c7_a_killed_agent_ends_the_wait() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let m = begin(&world, &x, &hold.script());
    hold.await_begun();
    let waiting = world.start(["wait", &x]);
    await_fact("the wait is connected", SOON, || streams(&world) >= 1);
    let [_, shell] = processes(&world, &x);
    shell.signal(Signal::KILL);
    let told = waiting.end().expect_code(4);
    assert_eq!(told.stdout, "exited\n");
    assert!(told.stderr.contains("ended by signal 9"), "it says why: {told:#?}");
    assert_eq!(message(&world, &x, &m)["receipt"]["outcome"], "exited");
    let _ = world.adj(["watch", "--until", "exit", &x]).expect_code(0);
    let listed = world.adj(["--json", "list", "-a"]).expect_code(0).json();
    assert_eq!(listed[0]["exit"]["exit_code"], 137, "{listed:#}");
}

#[test]
fn c9_a_command_that_asks_is_waiting_for_input() {
    let world = World::new();
    let x = world.shell();
    let m = world.send(&x, "read -rp 'Sure? ' yes; echo \"$yes\"");
    let told = world.adj(["wait", &x]).expect_code(3);
    assert_eq!(told.stdout, "waiting_for_input\n");
    let [_, shell] = processes(&world, &x);
    let question = format!("r1: input for bash, `bash` (pid {}) reads from the terminal: Sure?", shell.pid());
    assert_eq!(told.stderr, format!("adj: {x} waits for an answer to {question}\nhint: adj respond {x}\n"));
    assert_eq!(status(&world, &x), "waiting_for_input");
    let through = world.adj(["wait", &x, "--through-input", "-t", "0"]).expect_code(124);
    assert_eq!(through.stdout, "");
    let shown = world.adj(["respond", &x]).expect_code(0);
    assert_eq!(shown.stdout, format!("{question} in {x}\n"));
    let rows = world.adj(["requests"]).expect_code(0);
    assert!(rows.stdout.starts_with("REQUEST  SESSION") && rows.stdout.contains("Sure?"), "{rows:#?}");
    let _ = world.adj(["--json", "respond", &x, "--allow"]).expect_error(2, "usage");
    let told = world.adj(["--json", "respond", "--request", "r1", "--message", "yes"]).expect_code(0).json();
    assert_eq!((&told["decision"], &told["by"]), (&"text".into(), &"human".into()), "{told:#}");
    let told = world.adj(["wait", &x, "--for", &m, "--print"]).expect_code(0);
    assert_eq!(told.stdout, "Sure? yes\nyes\n");
    let _ = world.adj(["--json", "respond", &x, "late"]).expect_error(1, "request_not_pending");
    let _ =
        world.adj(["--json", "respond", "--request", "r1", "--message", "late"]).expect_error(1, "request_not_pending");
    let _ = world.adj(["--json", "respond", "--request", "r99", "--message", "x"]).expect_error(4, "request_not_found");
    assert_eq!(world.adj(["respond", &x]).expect_code(0).stdout, format!("No pending request for {x}\n"));
    assert_eq!(world.adj(["requests"]).expect_code(0).stdout, "No pending requests\n");
}

#[test]
fn c10_every_turn_has_one_end_in_the_log() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    for text in ["true", "false", "echo 'a ('"] {
        let _ = world.adj(["ask", &x, text]);
    }
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    begin(&world, &x, &hold.script());
    hold.await_begun();
    processes(&world, &x)[1].signal(Signal::KILL);
    let _ = world.adj(["watch", "--until", "exit", &x]).expect_code(0);
    let mut ends: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let terminal = "turn.completed,turn.failed,turn.interrupted,turn.exited,turn.unknown";
    for event in events(&world, &x, terminal) {
        let word = event["type"].as_str().unwrap_or_default().trim_start_matches("turn.").to_owned();
        ends.entry(event["turn"].as_u64().unwrap_or_default()).or_default().push(word);
    }
    let expected = ["completed", "failed", "completed", "interrupted", "exited"];
    let expected: BTreeMap<u64, Vec<String>> = (1..).zip(expected.map(|word| vec![word.to_owned()])).collect();
    assert_eq!(ends, expected);
    assert_eq!(event_types(&world, &x, "turn.started").len(), expected.len());
    let stable = ["session.created", "session.ready", "message.queued", "message.delivered", "turn.started"];
    let told = event_types(&world, &x, "*");
    assert!(stable.iter().all(|word| told.iter().any(|told| told == word)), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("session.exited"));
}

#[test]
fn c12_a_wait_that_times_out_changes_nothing() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("{}; echo done", hold.script()));
    world.send(&x, "true");
    hold.await_begun();
    let look = || (event_types(&world, &x, "*"), messages(&world, &x), world.session_processes());
    let before = look();
    for words in [vec!["wait", "-t", "0"], vec!["wait", "-t", "100ms"], vec!["watch", "-t", "50ms"]] {
        let told = world.adj(words.iter().chain(&[x.as_str()])).expect_code(124);
        assert_eq!(told.stdout, "");
        assert!(told.stderr.starts_with(&format!("adj: {x} is not done")), "{told:#?}");
    }
    let late = world.adj(["--json", "wait", "-t", "0", &x]).expect_code(124).json();
    assert_eq!((&late["session"], &late["outcome"]), (&json!(x), &"timeout".into()), "{late:#}");
    assert_eq!(look(), before);
    hold.let_go();
    assert_eq!(world.adj(["wait", &x]).expect_code(0).stdout, "completed\n");
}

/// The files of the store; the index of its log changes with every reader.
fn store(world: &World) -> Vec<Option<Vec<u8>>> {
    ["store.db", "store.db-wal"].map(|name| fs::read(world.state().join(name)).ok()).to_vec()
}

#[test]
fn c13_looking_writes_nothing_and_starts_nothing() {
    let world = World::new();
    for words in [vec!["list"], vec!["status", "fizz-top"], vec!["inspect", "fizz-top"]] {
        let words = ["--json", "--no-autostart"].into_iter().chain(words);
        let _ = world.adj(words).expect_error(255, "daemon_unreachable");
    }
    assert!(!world.state().try_exists().unwrap_or(true) && world.processes().is_empty(), "a fresh machine stays fresh");
    assert_eq!(world.adj(["list"]).expect_code(0).stdout, "No active sessions\n");
    assert_eq!(world.adj(["--json", "list"]).expect_code(0).stdout, "[]\n");
    assert_eq!(world.session_processes().len(), 0, "a list starts no agent");

    let x = world.shell();
    let _ = world.adj(["ask", &x, "echo hi"]).expect_code(0);
    let m = world.send(&x, "true");
    let _ = world.adj(["wait", &x]).expect_code(0);
    let (before, processes) = (store(&world), world.session_processes());
    assert!(before[0].is_some());
    let looks = [
        vec!["list"],
        vec!["list", "-a", "--tree"],
        vec!["status", &x],
        vec!["status", "--explain", &x],
        vec!["inspect", &x],
        vec!["logs", &x],
        vec!["last-message", &x],
        vec!["queue", "list", "-a", &x],
        vec!["requests"],
        vec!["whoami"],
        vec!["wait", &x],
        vec!["wait", &x, "--for", &m],
        vec!["watch", &x],
        vec!["watch", "--tail", "5"],
        vec!["respond", &x],
        vec!["interrupt", &x],
    ];
    for words in looks {
        let _ = world.adj(words).expect_code(0);
    }
    let _ = world.adj(["status", "nobody-top"]).expect_code(4);
    assert!(store(&world) == before, "the store is as it was");
    assert_eq!(world.session_processes(), processes);
}

/// A probe that fails says nothing about the session: it is `unknown`, with the reason, and nothing is deleted.
#[test]
fn c16_what_cannot_be_looked_at_is_unknown_and_kept() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let m = begin(&world, &x, &format!("{}; echo through", hold.script()));
    hold.await_begun();
    let run_dir = std::path::PathBuf::from(record(&world, &x)["run_dir"].as_str().unwrap_or_default());
    world.kill_daemon();
    // A file in the place of the directory, so that the runner cannot make it anew.
    let aside = world.root().join("aside");
    fs::write(&aside, "").expect("a file");
    let exchange = || renameat_with(CWD, &run_dir, CWD, &aside, RenameFlags::EXCHANGE);
    exchange().expect("the runner's sockets can be set aside");
    let told = world.adj(["status", &x]).expect_code(0);
    assert_eq!(told.stdout, "unknown\n");
    assert!(
        told.stderr.starts_with(&format!("adj: {x}: ")) && told.stderr.contains("last known: working"),
        "{told:#?}"
    );
    let listed = world.adj(["--json", "list"]).expect_code(0).json();
    assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&json!(x), &"unknown".into()), "{listed:#}");
    assert!(listed[0]["why"]["needs"].is_string(), "{listed:#}");
    let _ = world.adj(["wait", "-t", "0", &x]).expect_code(124);
    // A message is accepted for when the session is seen again.
    world.send(&x, "echo after >> ran");

    let seen = world.start(["watch", "-F", "--types", "session.seen", "--since", "0", &x]);
    exchange().expect("the runner's sockets are put back");
    hold.let_go();
    let told = world.adj(["wait", "--for", &m, "--print", &x]).expect_code(0);
    assert_eq!(told.stdout, "through\n");
    seen.await_stdout("the session is seen again", SOON, |told| told.contains("session.seen"));
    seen.signal(Signal::INT);
    let _ = seen.end().expect_code(130);
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["after"]);
}

#[test]
fn c17_silence_is_told_and_never_punished() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let quiet = || {
        let seen = world.adj(["--json", "status", &x]).expect_code(0).json();
        assert_eq!(seen["status"], "working");
        seen["turn"]["quiet_for_ms"].as_u64().unwrap_or_default()
    };
    let first = quiet();
    let _ = world.adj(["wait", "-t", "300ms", &x]).expect_code(124);
    assert!(quiet() >= first + 300, "it counts from the last sign of life");
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
}

#[test]
fn c19_an_interval_is_accepted_and_means_nothing() {
    let world = World::new();
    let x = world.shell();
    for interval in ["1.5", "2", "500ms", "1m"] {
        assert_eq!(world.adj(["wait", &x, "--interval", interval]).expect_code(0).stdout, "idle\n");
        let _ = world.adj(["wait", &x, "-i", interval]).expect_code(0);
    }
}

#[test]
fn c20_one_conversation_has_one_writer() {
    let world = World::new();
    let x = world.shell();
    let script = "mkdir lock || echo clash >> clashes; echo x >> ran; rmdir lock";
    let started: Vec<Running> = (0..12).map(|_| world.start(["ask", &x, script])).collect();
    for running in started {
        let _ = running.end().expect_code(0);
    }
    assert_eq!((world.lines_of("ran").len(), world.lines_of("clashes").len()), (12, 0));
    let turns: Vec<Value> = messages(&world, &x).iter().map(|message| message["turn"].clone()).collect();
    assert_eq!(turns, (1..=12).map(Value::from).collect::<Vec<_>>(), "twelve turns in the order of acceptance");
}

#[test]
fn c22_any_number_of_watchers_sees_all_from_any_cursor() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["ask", &x, "echo before"]).expect_code(0);
    let so_far = events(&world, &x, "*");
    let cursors: Vec<u64> = so_far.iter().filter_map(|event| event["seq"].as_u64()).collect();
    let chosen = [0, cursors[1], cursors[cursors.len() - 1]];
    let watch =
        |since: u64| world.start(["--json", "watch", "-F", &x, "--since", &since.to_string(), "--until", "exit"]);
    let watchers: Vec<(u64, Running)> = chosen.iter().cycle().take(9).map(|since| (*since, watch(*since))).collect();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    let _ = world.adj(["kill", &x]).expect_code(0);
    let all = events(&world, &x, "*");
    for (since, watcher) in watchers {
        let told = watcher.end().expect_code(0).stdout;
        let told: Vec<Value> =
            told.lines().map(|line| serde_json::from_str(line).expect("an event per line")).collect();
        let expected: Vec<Value> = all.iter().filter(|event| event["seq"].as_u64() > Some(since)).cloned().collect();
        assert_eq!(told, expected, "from {since}");
    }
}

#[test]
fn status_explains_where_its_word_comes_from() {
    let world = World::new();
    let x = world.shell();
    let told = world.adj(["status", "--explain", &x]).expect_code(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(lines[0] == "idle" && lines[1].starts_with("idle: control_pipe said session.ready "), "{told:#?}");
    assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["SOURCE", "AT", "AGE", "SAID"]);
    let [runner, shell] = processes(&world, &x).map(|process| process.pid());
    for said in ["session.ready".to_owned(), format!("runner lives: pid {runner}"), format!("agent lives: pid {shell}")]
    {
        assert!(lines[3..].iter().any(|line| line.contains(&said)), "{said}: {told:#?}");
    }
    let why = world.adj(["--json", "status", "--explain", &x]).expect_code(0).json();
    assert_eq!(why["why"]["evidence"].as_array().map(Vec::len), Some(3), "{why:#}");
    processes(&world, &x)[0].signal(Signal::KILL);
    let _ = world.adj(["watch", "--until", "exit", &x]).expect_code(0);
    let lost = world.adj(["--json", "status", "--explain", &x]).expect_code(0).json();
    assert_eq!((&lost["source"], &lost["exit"]["how"]), (&"process".into(), &"lost".into()), "{lost:#}");
    assert_eq!(lost["why"]["contradictions"], json!([]));
}
