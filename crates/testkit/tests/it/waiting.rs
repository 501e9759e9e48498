//! `wait`, `ask` and `run`: what is waited for, what is printed, and which code that is.

use adjutant_testkit::{World, await_fact};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::SOON;
use crate::look::{Hold, begin, message, messages, record, status, streams, texts};

#[test]
fn several_sessions_give_the_gravest_code() {
    let world = World::new();
    let [good, three, interrupted, exited, working, asking] = std::array::from_fn(|_| world.shell());
    let mut hold = Hold::new(&world, "x");
    let _ = world.adj(["ask", &good, "true"]).expect_code(0);
    let _ = world.adj(["ask", &three, "(exit 3)"]).expect_code(3);
    begin(&world, &interrupted, &hold.script());
    hold.await_begun();
    let _ = world.adj(["interrupt", &interrupted]).expect_code(0);
    let _ = world.adj(["kill", &exited]).expect_code(0);
    begin(&world, &working, &hold.script());
    hold.await_begun();

    let code = |ids: &[&String]| {
        let told = world.adj(["wait", "-t", "0"].into_iter().chain(ids.iter().map(|id| id.as_str())));
        let watched = world.adj(["watch", "-t", "0"].into_iter().chain(ids.iter().map(|id| id.as_str())));
        assert_eq!(told.code, watched.code, "{told:#?} {watched:#?}");
        told.code
    };
    assert_eq!(code(&[&good, &three]), 1, "a command's own code counts as 1 among several");
    assert_eq!(code(&[&good, &interrupted]), 130);
    assert_eq!(code(&[&three, &interrupted]), 1);
    assert_eq!(code(&[&good, &working]), 124, "one that is not done is no success");
    assert_eq!(code(&[&interrupted, &working]), 130);
    assert_eq!(code(&[&three, &exited, &working]), 4);

    let told = world.adj(["wait", "-t", "0", &good, &working]).expect_code(124);
    assert_eq!(told.stdout, format!("{good}\tcompleted\n"));
    assert_eq!(told.stderr, format!("adj: {working} is not done; its work goes on\n"));
    let told = world.adj(["--json", "wait", "-t", "0", &working, &three]).expect_code(1);
    let lines: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).expect("NDJSON")).collect();
    assert_eq!(texts(&lines, "outcome"), ["failed", "timeout"]);
    assert_eq!(texts(&lines, "session"), [three.as_str(), &working]);

    world.send(&asking, "read -r x");
    let told = world.adj(["wait", &working, &asking, &exited]).expect_code(3);
    assert!(told.stdout.ends_with(&format!("{asking}\twaiting_for_input\n")), "one that asks ends the wait: {told:#?}");
    let _ = world.adj(["--json", "wait", &good, "nobody-top"]).expect_error(4, "session_not_found");
    hold.let_go();
    let _ = world.adj(["wait", &working]).expect_code(0);
}

#[test]
fn any_and_count_return_when_so_many_are_done() {
    let world = World::new();
    let ids = world.shells(3);
    let mut holds: Vec<Hold> = (0..3).map(|i| Hold::new(&world, &i.to_string())).collect();
    for (id, hold) in ids.iter().zip(&mut holds) {
        begin(&world, id, &format!("{}; echo {id}", hold.script()));
        hold.await_begun();
    }
    let wait =
        |options: &[&str]| world.start(["wait"].iter().chain(options).copied().chain(ids.iter().map(String::as_str)));
    let (any, two, all) = (wait(&["--any"]), wait(&["--count", "2"]), wait(&["--print"]));
    await_fact("the waits are connected", SOON, || streams(&world) >= 3);
    holds[1].let_go();
    assert_eq!(any.end().expect_code(0).stdout, format!("{}\tcompleted\n", ids[1]));
    all.await_stdout("the first is told", SOON, |told| told == format!("{}\n", ids[1]));
    assert!(two.runs());
    holds[2].let_go();
    all.await_stdout("the second is told", SOON, |told| told == format!("{}\n{}\n", ids[1], ids[2]));
    let mut done: Vec<String> = two.end().expect_code(0).stdout.lines().map(str::to_owned).collect();
    done.sort_unstable();
    let mut expected = [&ids[1], &ids[2]].map(|id| format!("{id}\tcompleted"));
    expected.sort_unstable();
    assert_eq!(done, expected);
    holds[0].let_go();
    assert_eq!(all.end().expect_code(0).stdout, format!("{}\n{}\n{}\n", ids[1], ids[2], ids[0]), "as it happens");
}

#[test]
fn a_wait_that_is_interrupted_leaves_the_session_alone() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let m = begin(&world, &x, &format!("{}; echo through", hold.script()));
    hold.await_begun();
    let waits = [vec!["wait", &x], vec!["--json", "wait", &x], vec!["watch", &x], vec!["ask", &x, "echo more"]];
    let waits = waits.map(|words| world.start(words));
    await_fact("all wait", SOON, || streams(&world) >= 4 && messages(&world, &x).len() == 2);
    for wait in waits {
        wait.signal(Signal::INT);
        let ended = wait.end().expect_code(130);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "{ended:#?}");
    }
    assert_eq!(status(&world, &x), "working");
    hold.let_go();
    assert_eq!(world.adj(["wait", "--for", &m, "--print", &x]).expect_code(0).stdout, "through\n");
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "more\n", "what was sent stays sent");
}

#[test]
fn the_next_turn_is_one_that_has_not_ended_yet() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["ask", &x, "echo before"]).expect_code(0);
    let _ = world.adj(["wait", "--next-turn", "-t", "0", &x]).expect_code(124);
    let next = world.start(["wait", "--next-turn", "--print", &x]);
    let watched = world.start(["watch", "--until", "next", &x]);
    await_fact("both wait", SOON, || streams(&world) >= 2);
    // That they are connected is not that the daemon has read what they want; a turn more ends whoever came late.
    while next.runs() || watched.runs() {
        let _ = world.adj(["ask", &x, "echo after; (exit 6)"]).expect_code(6);
    }
    assert_eq!(next.end().expect_code(6).stdout, "after\n");
    let told = watched.end().expect_code(6).stdout;
    assert!(told.starts_with(&format!("{x} turn ")) && told.ends_with("s (exit 6)\n"), "{told}");
    let _ = world.adj(["--json", "wait", "--goal", &x]).expect_error(2, "not_supported");
    let _ = world.adj(["--json", "wait", "--goal", "--next-turn", &x]).expect_error(2, "usage");
}

#[test]
fn an_ask_prints_the_answer_and_exits_as_the_command() {
    let world = World::new();
    let x = world.shell();
    let told = world.adj(["ask", &x, "printf 'no line feed'"]).expect_code(0);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("no line feed\n", ""));
    assert_eq!(world.adj(["ask", &x, "true"]).expect_code(0).stdout, "");
    for code in [1, 2, 3, 4, 5, 77, 124, 130, 255] {
        let told = world.adj(["ask", &x, &format!("echo said; (exit {code})")]).expect_code(code);
        assert_eq!(
            (told.stdout.as_str(), told.stderr.as_str()),
            ("said\n", ""),
            "only `adj`'s own errors begin with adj:"
        );
    }
    let _ = world.adj(["ask", &x, "bash -c 'kill -TERM $$'"]).expect_code(143);
    let told = world.adj(["--json", "ask", &x, "echo said; (exit 3)"]).expect_code(3).json();
    let keys = ["session", "outcome", "turn", "messages", "exit_code", "reason", "error", "answer"]
        .map(|key| told[key].clone());
    let message = messages(&world, &x).pop().unwrap_or_default();
    let expected = [json!(x), json!("failed"), message["turn"].clone(), json!([message["id"]]), json!(3)];
    let expected = [expected.as_slice(), &[json!("command_failed"), json!(null), json!("said")]].concat();
    assert_eq!(keys.to_vec(), expected);
    assert!(told["duration_ms"].is_u64() && told["started_at"].is_string() && told["pending"] == json!([]), "{told:#}");
}

#[test]
fn an_ask_that_gives_up_says_where_its_answer_will_be() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let text = format!("{}; echo slow", hold.script());
    let told = world.adj(["ask", "-t", "1", &x, &text]).expect_code(124);
    assert_eq!(told.stdout, "");
    let pick_up = format!("adj wait {x} --for m1 --print");
    assert_eq!(
        told.stderr,
        format!("adj: {x} is not done after 1s; its work goes on\nadj: m1 stays; its answer will be at: {pick_up}\n")
    );
    hold.await_begun();
    hold.let_go();
    let words: Vec<&str> = pick_up.split(' ').skip(1).collect();
    assert_eq!(world.adj(words).expect_code(0).stdout, "slow\n", "the call that it names works");

    let told = world.adj(["ask", &x, "read -rp 'Sure? ' x; echo \"$x\""]).expect_code(3);
    assert_eq!(told.stdout, "", "a question is never taken for an answer");
    let [stays, waits, hint] = told.stderr.lines().collect::<Vec<_>>()[..] else { panic!("{told:#?}") };
    assert_eq!(stays, format!("adj: m2 stays; its answer will be at: adj wait {x} --for m2 --print"));
    assert!(
        waits.starts_with(&format!("adj: {x} waits for an answer to r1: input for bash, `bash` (pid ")),
        "{told:#?}"
    );
    assert_eq!(hint, format!("hint: adj respond {x}"));
    let behind = world.adj(["--json", "ask", &x, "echo behind"]).expect_code(3).json();
    assert_eq!(
        (&behind["outcome"], &behind["pending"][0]["id"]),
        (&"waiting_for_input".into(), &"r1".into()),
        "{behind:#}"
    );
    let _ = world.adj(["respond", &x, "yes"]).expect_code(0);
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "behind\n");
    assert_eq!(world.adj(["wait", "--print", "--for", "m2", &x]).expect_code(0).stdout, "Sure? yes\nyes\n");
}

#[test]
fn a_run_is_a_session_of_its_own() {
    let world = World::new();
    let run = |words: &[&str]| world.adj(["run", "--cli", "shell"].iter().chain(words));
    let told = run(&["echo out; echo err >&2; (exit 9)"]).expect_code(9);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("out\nerr\n", ""));
    assert_eq!(run(&["exit 4"]).expect_code(4).stderr, "", "that is the command's own code");
    assert_eq!(world.adj(["list"]).expect_code(0).stdout, "No active sessions\n", "it is ended");
    let told = run(&["--keep", "--id", "kept", "cd /; pwd"]).expect_code(0);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("/\n", "adj: kept session kept\n"));
    assert_eq!(world.adj(["ask", "kept", "pwd"]).expect_code(0).stdout, "/\n");
    let told = world.adj(["--json", "run", "--cli", "shell", "echo j"]).expect_code(0).json();
    assert_eq!((&told["outcome"], &told["answer"]), (&"completed".into(), &"j".into()));

    let asks = run(&["--id", "asking", "read -rp '? ' x; echo got $x"]).expect_code(3);
    assert_eq!(asks.stdout, "");
    assert!(
        asks.stderr.contains("adj: the session is kept; its answer will be at: adj wait asking --print\n"),
        "{asks:#?}"
    );
    let _ = world.adj(["respond", "asking", "it"]).expect_code(0);
    assert_eq!(world.adj(["wait", "asking", "--print"]).expect_code(0).stdout, "? it\ngot it\n");
    let mut hold = Hold::new(&world, "late");
    let late = run(&["--id", "late", "-t", "500ms", &hold.script()]).expect_code(124);
    assert!(late.stderr.starts_with("adj: late is not done after 500ms; its work goes on\n"), "{late:#?}");
    hold.await_begun();
    assert_eq!(status(&world, "late"), "working");
    let _ = world.adj(["--json", "run", "--cli", "shell"]).expect_error(2, "message_empty");
}

#[test]
fn a_run_whose_answer_nobody_takes_ends_its_session() {
    let world = World::new();
    let adj = world.adj_path().display();
    let _ = world.inside(&format!("{adj} run --cli shell 'echo answer' > /dev/full")).expect_code(1);
    let piped = world.inside(&format!("{adj} run --cli shell 'seq 100000' | head -1")).expect_code(0);
    assert_eq!((piped.stdout.as_str(), piped.stderr.as_str()), ("1\n", ""));
    await_fact("no session is kept", SOON, || world.adj(["list", "-q"]).expect_code(0).stdout.is_empty());
}

#[test]
fn a_run_that_is_interrupted_ends_its_session() {
    let world = World::new();
    let mut hold = Hold::new(&world, "x");
    let running = world.start(["run", "--cli", "shell", "--id", "one-shot", &hold.script()]);
    hold.await_begun();
    running.signal(Signal::INT);
    let ended = running.end().expect_code(130);
    assert_eq!(ended.stdout, "");
    assert_eq!(status(&world, "one-shot"), "exited");
    assert_eq!(message(&world, "one-shot", "m1")["receipt"]["outcome"], "interrupted");
    assert!(world.session_processes().is_empty(), "{:?}", world.processes());
}

#[test]
fn sessions_are_read_by_uuid_and_by_its_beginning_and_changed_by_whole_names_alone() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["ask", &x, "echo hi"]).expect_code(0);
    let uuid = record(&world, &x)["uuid"].as_str().unwrap_or_default().to_owned();
    let prefix = &uuid[..uuid.len() - 1];
    for id in [x.as_str(), &uuid, prefix] {
        for verb in ["status", "inspect", "logs", "last-message", "wait", "watch"] {
            let _ = world.adj([verb, id]).expect_code(0);
        }
        let _ = world.adj(["queue", "list", id]).expect_code(0);
        let _ = world.adj(["list", "--parent", id]).expect_code(0);
    }
    let told = world.adj(["--json", "wait", prefix, "--next-turn", "-t", "0"]).expect_code(124).json();
    assert_eq!(told["session"], x, "a result names the session as everybody knows it");
    let _ = world.adj(["ask", &uuid, "true"]).expect_code(0);
    for words in
        [vec!["send", prefix, "hi"], vec!["ask", prefix, "hi"], vec!["interrupt", prefix], vec!["kill", prefix]]
    {
        let refused = world.adj(words);
        assert!([2, 4].contains(&refused.code) && refused.stdout.is_empty(), "{refused:#?}");
    }
    let _ = world.shell();
    let second = world.adj(["list", "-q", "--limit", "1"]).expect_code(0).word().to_owned();
    // The two were created within a minute of each other, so that their UUIDs begin alike, or nearly.
    let other = record(&world, &second)["uuid"].as_str().unwrap_or_default().to_owned();
    let alike = uuid.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    if alike >= 8 {
        let refused = world.adj(["--json", "status", &uuid[..8]]).expect_error(2, "ambiguous_id");
        assert_eq!(refused.error()["details"]["candidates"].as_array().map(Vec::len), Some(2), "{refused:#?}");
    }
    let near = world.adj(["--json", "status", &format!("{x}x")]).expect_error(4, "session_not_found");
    assert_eq!(near.error()["details"]["near"][0], x);
    let _ = world.adj(["--json", "status", "self"]).expect_error(2, "usage");
    let _ = world.adj(["--json", "status", "parent"]).expect_error(2, "usage");
}
