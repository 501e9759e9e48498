//! Rows E: who is ended is who was meant, all of it, and nobody else.

use std::fs;

use adjutant_testkit::{Process, Running, World, await_fact};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::SOON;
use crate::look::{
    Hold, begin, event_types, http, messages, processes, record, status, streams, texts, world_with_adj,
};

#[test]
fn e1_a_name_is_never_taken_for_another() {
    let world = World::new();
    for id in ["abc", "abc2", "abc-top"] {
        let _ = world.adj(["create", "--cli", "shell", "--id", id]).expect_code(0);
    }
    let _ = world.adj(["kill", "--purge", "abc"]).expect_code(0);
    let uuid = record(&world, "abc2")["uuid"].as_str().unwrap_or_default().to_owned();
    let prefix = uuid[..13].to_owned();
    for wrong in ["abc", "ab", "Abc2", "bc2", &prefix] {
        let refused = world.adj(["kill", wrong]);
        assert!([2, 4].contains(&refused.code) && refused.stdout.is_empty(), "{refused:#?}");
    }
    let refused = world.adj(["--json", "kill", "abc"]).expect_error(4, "session_not_found");
    assert_eq!(refused.error()["details"]["near"], json!(["abc2", "abc-top"]), "shown, and nothing done with it");
    assert_eq!(world.adj(["status", "abc2", "abc-top"]).expect_code(0).stdout, "abc2\tidle\nabc-top\tidle\n");
    // A whole UUID is a name, and its beginning may be read by.
    assert_eq!(status(&world, &uuid), "idle");
    let told = world.adj(["kill", &uuid]).expect_code(0);
    assert_eq!(told.stdout, "Killed session abc2\n");
    assert_eq!(status(&world, "abc-top"), "idle");
}

#[test]
fn e3_no_client_ends_what_others_use() {
    let world = World::new();
    let x = world.shell();
    let daemon = world.daemon();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("{}; echo done", hold.script()));
    hold.await_begun();
    let others: Vec<Running> = (0..3).map(|_| world.start(["wait", "--print", &x])).collect();
    await_fact("the waits are connected", SOON, || streams(&world) >= 3);
    others[0].signal(Signal::KILL);
    // One that goes away in the middle of its own words.
    let mut stream = std::os::unix::net::UnixStream::connect(world.socket()).expect("the daemon listens");
    std::io::Write::write_all(&mut stream, b"POST /v1/sessions/kill HTTP/1.1\r\ncontent-length: 100\r\n\r\n{\"al")
        .expect("it reads");
    drop(stream);
    let (code, _) = http(&world, "POST", "/v1/sessions/kill", &[], b"{");
    assert_eq!(code, 400);
    hold.let_go();
    let ended: Vec<_> = others.into_iter().map(Running::end).collect();
    assert_eq!(ended.iter().map(|one| one.code).collect::<Vec<_>>(), [-9, 0, 0]);
    assert!(!daemon.has_ended());
}

#[test]
fn e4_a_failure_does_not_stop_the_rest() {
    let world = world_with_adj();
    let (parent, foreign) = (world.shell(), world.shell());
    let script = format!(
        "a=$(adj create -q --cli shell --id kid-a); b=$(adj create -q --cli shell --id kid-b)
         adj --json kill kid-a {foreign} kid-b; echo $?"
    );
    let told = world.adj(["ask", &parent, &script]).expect_code(0);
    let (killed, code) = told.stdout.trim_end().rsplit_once('\n').expect("two lines");
    assert_eq!(code, "1", "{told:#?}");
    // The terminal is 200 columns wide, and the document is one line.
    let killed: Value =
        serde_json::from_str(&killed.replace('\n', "")).unwrap_or_else(|error| panic!("{error}: {told:#?}"));
    let words: Vec<(&Value, &Value, &Value)> = killed
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (&one["id"], &one["killed"], &one["error"]["code"]))
        .collect();
    let (yes, no) = (json!(true), json!(false));
    let expected =
        [("kid-a", &yes, json!(null)), (foreign.as_str(), &no, json!("forbidden")), ("kid-b", &yes, json!(null))];
    let expected = expected.map(|(id, killed, code)| (json!(id), killed.clone(), code));
    assert_eq!(words.len(), 3);
    for (word, expected) in words.into_iter().zip(expected) {
        assert_eq!((word.0, word.1, word.2), (&expected.0, &expected.1, &expected.2), "{killed:#}");
    }
    assert_eq!(world.adj(["list", "-q"]).expect_code(0).stdout.lines().count(), 2);
    let told = world.adj(["kill", &foreign, "nobody-top", &parent]).expect_code(4);
    assert_eq!(told.stdout, format!("Killed session {foreign}\nKilled session {parent}\n"));
    assert!(told.stderr.starts_with("adj: no session nobody-top\n"), "{told:#?}");
}

#[test]
fn e5_after_a_kill_no_process_is_left() {
    for force in [false, true] {
        let world = World::new();
        let x = world.shell();
        let mut bell = world.bell("bell");
        let script = "(trap '' INT HUP TERM; echo $BASHPID > bell; read -r _ < never) & \
                      setsid bash -c 'echo $$ > bell; read -r _ < never' & echo $$ > bell; read -r _ < never";
        let _never = world.bell("never");
        world.send(&x, script);
        world.send(&x, "echo behind");
        let members: Vec<Process> = (0..3)
            .map(|_| bell.line(SOON).parse().ok().and_then(Process::open).expect("a process of the session"))
            .chain(processes(&world, &x))
            .collect();
        let words: &[&str] = if force { &["kill", "--force", &x] } else { &["kill", &x] };
        let told = world.adj(words).expect_code(0);
        assert_eq!(told.stdout, format!("Killed session {x}\n"));
        for member in &members {
            assert!(member.has_ended(), "{} is left: {:?}", member.pid(), world.processes());
        }
        assert_eq!(
            texts(&messages(&world, &x), "state"),
            ["failed", "cancelled"],
            "the turn has ended, the queue is void"
        );
        let ends = event_types(&world, &x, "turn.completed,turn.failed,turn.interrupted,turn.exited,session.exited");
        assert!(ends.len() == 2 && ends[0] != "turn.completed" && ends[1] == "session.exited", "{ends:?}");
        let again = world.adj(["--json", "kill", &x]).expect_code(0).json();
        assert_eq!(again, json!([{"id": x, "killed": true, "error": null}]), "one that has exited is killed already");
        assert_eq!(record(&world, &x)["exit"]["how"], "killed");
    }
}

#[test]
fn e6_a_session_created_while_the_last_one_ends_works() {
    let world = World::new();
    let mut last = world.shell();
    for i in 0..5 {
        let killing = world.start(["kill", &last]);
        let next = world.shell();
        let _ = killing.end().expect_code(0);
        let told = world.adj(["ask", &next, &format!("echo {i}")]).expect_code(0);
        assert_eq!(told.stdout, format!("{i}\n"));
        last = next;
    }
}

#[test]
fn e7_a_working_session_is_never_too_old() {
    let world = World::new();
    let (working, idle) = (world.shell(), world.shell());
    let mut hold = Hold::new(&world, "x");
    begin(&world, &working, &hold.script());
    hold.await_begun();
    let none = world.adj(["kill", "--older-than", "7d"]).expect_code(0);
    assert_eq!(none.stdout, "No matching sessions to kill\n");
    assert_eq!(world.adj(["--json", "kill", "--older-than", "7d"]).expect_code(0).json(), json!([]));
    // The look itself takes longer than a millisecond after the last event.
    let told = world.adj(["kill", "--older-than", "0ms"]).expect_code(0);
    assert_eq!(told.stdout, format!("Killed session {idle}\nKilled 1 sessions\n"));
    assert_eq!(status(&world, &working), "working");
    let told = world.adj(["kill", "--older-than", "0ms", "--force"]).expect_code(0);
    assert_eq!(told.stdout, format!("Killed session {working}\nKilled 1 sessions\n"));
    let _ = world.adj(["--json", "kill", "--older-than", "5"]).expect_error(2, "usage");
    let _ = world.adj(["--json", "kill"]).expect_error(2, "usage");
    let _ = world.adj(["--json", "kill", "--all", &working]).expect_error(2, "usage");
}

#[test]
fn e8_kill_all_inside_a_session_means_its_descendants() {
    let world = world_with_adj();
    let (x, other) = (world.shell(), world.shell());
    let script = "adj create -q --cli shell --id kid >/dev/null; adj ask kid 'adj create -q --cli shell --id grandkid'
                  adj list --parent self -q; adj kill --all; adj kill self; echo $?";
    let told = world.adj(["ask", &x, script]).expect_code(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines[..2], ["grandkid", "kid"], "{told:#?}");
    let mut killed = lines[2..4].to_vec();
    killed.sort_unstable();
    assert_eq!(killed, ["Killed session grandkid", "Killed session kid"], "{told:#?}");
    assert_eq!(lines[4], "Killed 2 sessions");
    assert!(lines[5].contains("not a descendant") && lines[6] == "1", "never itself: {told:#?}");
    assert_eq!(world.adj(["status", &x, &other]).expect_code(0).stdout, format!("{x}\tidle\n{other}\tidle\n"));
    let told = world.adj(["kill", "--all"]).expect_code(0);
    assert!(told.stdout.ends_with("Killed 2 sessions\n"), "the user's `--all` is all: {told:#?}");
    assert_eq!(world.adj(["kill", "--all"]).expect_code(0).stdout, "No matching sessions to kill\n");
}

#[test]
fn a_session_may_kill_any_where_the_user_says_so() {
    let world = world_with_adj();
    fs::create_dir(world.state()).expect("a directory");
    fs::write(world.state().join("config.toml"), "sessions_may_kill = \"any\"\n").expect("a file");
    let (x, other) = (world.shell(), world.shell());
    let who = world.adj(["ask", &x, "adj whoami"]).expect_code(0);
    assert!(who.stdout.contains("kill: all sessions of this user"), "{who:#?}");
    let told = world.adj(["ask", &x, &format!("adj kill {other}")]).expect_code(0);
    assert_eq!(told.stdout, format!("Killed session {other}\n"));
}

#[test]
fn children_go_to_the_parent_of_a_killed_session_or_with_it() {
    let world = world_with_adj();
    let x = world.shell();
    let create = "adj create -q --cli shell --id kid >/dev/null; adj ask kid 'adj create -q --cli shell --id grandkid'";
    let _ = world.adj(["ask", &x, create]).expect_code(0);
    let tree = world.adj(["list", "--tree"]).expect_code(0);
    let ids: Vec<&str> =
        tree.stdout.lines().skip(1).filter_map(|row| row.split("  shell").next()).map(str::trim_end).collect();
    assert_eq!(ids, [x.as_str(), "  kid", "    grandkid"]);
    let _ = world.adj(["kill", "kid"]).expect_code(0);
    assert_eq!(world.adj(["list", "-q", "--parent", &x]).expect_code(0).stdout, "grandkid\n");
    assert_eq!(event_types(&world, &x, "child.*"), ["child.created", "child.ended"]);
    let told = world.adj(["kill", "--tree", &x]).expect_code(0);
    assert_eq!(told.stdout, format!("Killed session grandkid\nKilled session {x}\n"), "children first");
}

#[test]
fn e9_ending_a_session_deletes_nothing_of_the_users() {
    let world = World::new();
    let _ = world.inside("git init -q . && echo kept > uncommitted").expect_code(0);
    let x = world.shell();
    let _ = world.adj(["ask", &x, "echo more >> uncommitted; mkdir -p new/dir"]).expect_code(0);
    assert_eq!(world.adj(["list", "-q", "--project", "work"]).expect_code(0).stdout, format!("{x}\n"));
    let _ = world.adj(["kill", "--purge", &x]).expect_code(0);
    assert_eq!(world.lines_of("uncommitted"), ["kept", "more"]);
    assert!(world.work().join("new/dir").is_dir() && world.work().join(".git").is_dir());
    let _ = world.adj(["--json", "status", &x]).expect_error(4, "session_not_found");
    await_fact("its own files are gone", SOON, || {
        fs::read_dir(world.state().join("sessions")).map_or(0, Iterator::count) == 0
    });
}

#[test]
fn e10_a_stopped_agent_holds_up_nobody_else() {
    let world = World::new();
    let (stopped, other) = (world.shell(), world.shell());
    let members = processes(&world, &stopped);
    members.iter().for_each(|member| member.signal(Signal::STOP));
    let m = world.send(&stopped, "echo late");
    let watch = world.start(["watch", "-F", "--since", "0", "--types", "turn.completed", &other]);
    let listed = world.adj(["list", "-q"]).expect_code(0);
    assert_eq!(listed.stdout.lines().count(), 2);
    for i in 1..4 {
        assert_eq!(world.adj(["ask", &other, "echo here"]).expect_code(0).stdout, "here\n");
        watch.await_stdout("the other's turn is told", SOON, |told| told.lines().count() == i);
    }
    let _ = world.adj(["wait", &stopped, "--for", &m, "-t", "0"]).expect_code(124);
    members.iter().for_each(|member| member.signal(Signal::CONT));
    let told = world.adj(["wait", &stopped, "--for", &m, "--print"]).expect_code(0);
    assert_eq!(told.stdout, "late\n");
    watch.signal(Signal::INT);
    let _ = watch.end().expect_code(130);
}

#[test]
fn e11_an_interrupt_stops_the_turn_and_keeps_the_session() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let _ = world.adj(["ask", &x, "kept=yes"]).expect_code(0);
    begin(&world, &x, &format!("{}; echo not here", hold.script()));
    let behind = world.send(&x, "echo behind");
    hold.await_begun();
    let told = world.adj(["--json", "interrupt", &x]).expect_code(0).json();
    assert_eq!((&told["outcome"], &told["exit_code"]), (&"interrupted".into(), &130.into()), "{told:#}");
    let rows = world.adj(["queue", "list", &x]).expect_code(0);
    assert!(rows.stdout.contains("held"), "the queue is held: {rows:#?}");
    let _ = world.adj(["wait", &x]).expect_code(130);
    world.send(&x, "echo $kept");
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "yes\n", "until the next message, behind it");
    assert_eq!(world.adj(["wait", "--print", "--for", &behind, &x]).expect_code(0).stdout, "behind\n");

    begin(&world, &x, &hold.script());
    let cancelled = world.send(&x, "echo never");
    hold.await_begun();
    let _ = world.adj(["interrupt", "--clear-queue", &x]).expect_code(0);
    assert_eq!(world.adj(["queue", "list", &x]).expect_code(0).stdout, "Queue is empty\n");
    assert_eq!(world.adj(["wait", "--for", &cancelled, &x]).expect_code(130).stdout, "interrupted\n");

    begin(&world, &x, &hold.script());
    let behind = world.send(&x, "echo behind");
    hold.await_begun();
    let first = world.adj(["send", "-q", "--interrupt", &x, "echo first"]).expect_code(0).word().to_owned();
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "behind\n");
    let turn = |id: &str| messages(&world, &x).iter().find(|m| m["id"] == id).and_then(|m| m["turn"].as_u64());
    assert!(turn(&first) < turn(&behind), "it goes ahead of the queue");
    let _ = world.adj(["--json", "interrupt", "nobody-top"]).expect_error(4, "session_not_found");
}

#[test]
fn a_runner_that_takes_nothing_is_ended_all_the_same() {
    let world = World::new();
    let x = world.shell();
    let [runner, shell] = processes(&world, &x);
    runner.signal(Signal::STOP);
    // More than the socket to it has room for, so that its driver is in the middle of passing it on.
    fs::write(world.work().join("long"), "#".repeat(4_000_000)).expect("a file");
    let _ = world.adj(["send", "-q", &x, "-f", "long"]).expect_code(0);
    let _ = world.adj(["kill", &x]).expect_code(0);
    assert!(runner.has_ended() && shell.has_ended());
    assert_eq!(status(&world, &x), "exited");
}

#[test]
fn c11_a_command_that_a_kill_stops_is_interrupted_and_has_not_failed() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "held");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    let wait = world.start(["--json", "wait", &x]);
    await_fact("it waits", SOON, || streams(&world) == 1);
    let _ = world.adj(["kill", &x]).expect_code(0);
    let told = wait.end();
    assert_eq!((told.code, told.json()["outcome"].as_str()), (130, Some("interrupted")), "{told:#?}");
}

#[test]
fn e11_who_waits_for_an_interrupted_turn_does_not_wait_for_the_queue_behind_it() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "held");
    begin(&world, &x, &hold.script());
    hold.await_begun();
    world.send(&x, "echo behind");
    let wait = world.start(["--json", "wait", &x]);
    await_fact("it waits", SOON, || streams(&world) == 1);
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    let told = wait.end();
    assert_eq!((told.code, told.json()["outcome"].as_str()), (130, Some("interrupted")), "{told:#?}");
    let _ = world.adj(["queue", "release", &x]).expect_code(0);
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "behind\n");
}
