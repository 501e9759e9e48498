//! Rows A: a message arrives as it was written, where it was sent to, and in its order.

use std::fs;

use adjutant_testkit::{World, await_fact};
use serde_json::Value;

use crate::SOON;
use crate::look::{Hold, begin, http, message, messages, records, status, texts};

/// A script of exactly `bytes` bytes that writes the rest of itself to a file, and that rest.
fn script_of(bytes: usize, file: &str) -> (String, String) {
    let (head, tail) = (format!("cat > {file} <<'END-OF-TEXT'\n"), "END-OF-TEXT\n");
    let line = "- ünï`c\\ode` \"and\" 'quotes' $(of) \t!all %s kinds \u{1F600} --\n";
    let room = bytes - head.len() - tail.len();
    let mut text = line.repeat(room / line.len());
    while text.len() + 1 < room {
        text.push('x');
    }
    text.push('\n');
    (format!("{head}{text}{tail}"), text)
}

#[test]
fn a1_every_size_arrives_byte_for_byte() {
    let world = World::new();
    let x = world.shell();
    let sizes = [16_400, 65_536, 1_048_576, 8 * 1024 * 1024];
    for (i, bytes) in sizes.into_iter().enumerate() {
        let (script, text) = script_of(bytes, "got");
        assert_eq!(script.len(), bytes);
        let file = world.work().join("brief");
        fs::write(&file, &script).expect("a file can be written");
        let told = match i % 2 {
            0 => world.adj(["ask", &x, "-f", "brief"]),
            _ => world.adj_with_input(["ask", &x, "-f", "-"], script.as_bytes()),
        };
        assert_eq!(told.expect_code(0).stdout, "", "a script without output");
        assert!(fs::read(world.work().join("got")).is_ok_and(|got| got == text.as_bytes()), "{bytes} bytes arrive");
        let log = world.adj(["--json", "logs", &x, "-n", "1"]).expect_code(0).json();
        assert!(log[0]["text"].as_str() == Some(&script), "{bytes} bytes are stored");
        assert_eq!(messages(&world, &x)[i]["bytes"], bytes);
    }
    let over = vec![b'x'; 8 * 1024 * 1024 + 1];
    fs::write(world.work().join("over"), &over).expect("a file can be written");
    let _ = world.adj(["--json", "send", &x, "-f", "over"]).expect_error(2, "message_too_large");
    let _ = world.adj_with_input(["--json", "send", &x, "-f", "-"], &over).expect_error(2, "message_too_large");
    let body = serde_json::json!({ "text": String::from_utf8_lossy(&over) }).to_string();
    let (code, refused) = http(&world, "POST", &format!("/v1/sessions/{x}/messages"), &[], body.as_bytes());
    assert_eq!((code, &refused["error"]["code"]), (413, &Value::from("message_too_large")), "{refused:#}");
    assert_eq!(messages(&world, &x).len(), sizes.len(), "nothing of it is queued");
}

#[test]
fn a3_leading_dashes_are_messages() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["queue", "hold", &x]).expect_code(0);
    let mut sent = Vec::new();
    for text in ["- item", "-5", "---", "-", "--fix the parser"] {
        fs::write(world.work().join("text"), text).expect("a file can be written");
        for words in [vec![text], vec!["--", text], vec!["--message", text], vec!["-f", "text"]] {
            let words = ["send", "-q", &x].into_iter().chain(words);
            let told = world.adj(words).expect_code(0);
            assert!(told.word().starts_with('m'), "{told:#?}");
            sent.push(text);
        }
    }
    assert_eq!(texts(&messages(&world, &x), "text"), sent);
    let _ = world.adj(["queue", "release", &x]).expect_code(0);
    // The last of them is no command of the shell, and the shell says so with the text that it got.
    let told = world.adj(["wait", "--print", &x]).expect_code(127);
    assert_eq!(told.stdout, "bash: --fix: command not found\n");
    let settled = messages(&world, &x);
    let turns: Vec<u64> = settled.iter().filter_map(|message| message["turn"].as_u64()).collect();
    assert_eq!(turns, (1..=sent.len() as u64).collect::<Vec<_>>(), "all ran, in order");
}

#[test]
fn a4_help_with_an_id_is_a_wrong_call() {
    let world = World::new();
    let x = world.shell();
    let help = world.adj(["send", &x, "--help"]).expect_code(2);
    assert!(help.stdout.is_empty() && help.stderr.contains("Usage: adj send"), "{help:#?}");
    assert_eq!(messages(&world, &x), Vec::<Value>::new());
    let told = world.adj(["send", &x, "--", "--help"]).expect_code(0);
    assert_eq!(told.stdout, format!("Sent message to {x}\n"));
    let told = world.adj(["wait", "--print", &x]).expect_code(127);
    assert_eq!(told.stdout, "bash: --help: command not found\n");
}

#[test]
fn a5_a_typo_is_never_sent() {
    let world = World::new();
    let x = world.shell();
    let refused = world.adj(["send", &x, "--fiel", "brief.md"]).expect_code(2);
    assert!(refused.stdout.is_empty() && refused.stderr.contains("near: --file"), "{refused:#?}");
    let _ = world.adj(["--json", "send", &x, "fix", "the", "parser"]).expect_error(2, "usage");
    assert_eq!(messages(&world, &x), Vec::<Value>::new());
}

#[test]
fn a6_white_space_at_the_end_is_stored() {
    let world = World::new();
    let x = world.shell();
    for text in ["echo a\n\n", "echo b   \n\t\n", "  echo c", "echo d\r\n"] {
        fs::write(world.work().join("text"), text).expect("a file can be written");
        let _ = world.adj(["ask", &x, "-f", "text"]);
        let log = world.adj(["--json", "logs", &x, "-n", "1"]).expect_code(0).json();
        assert_eq!(log[0]["text"], text);
    }
}

#[test]
fn a7_control_characters_are_refused_or_dropped() {
    let world = World::new();
    let x = world.shell();
    for (text, offset) in [("echo a\rrm", 6), ("echo \x1b[31m", 5), ("a\x1b[201~b", 1), ("ab\x03", 2)] {
        fs::write(world.work().join("text"), text).expect("a file can be written");
        for words in [["send", &x, text], ["send", &x, "-ftext"]] {
            let refused = world.adj(["--json"].into_iter().chain(words)).expect_error(2, "message_not_text");
            assert_eq!(refused.error()["details"]["offset"], offset, "{refused:#?}");
        }
    }
    assert_eq!(messages(&world, &x), Vec::<Value>::new());
    let told = world.adj(["send", "-q", &x, "--strip-control", "echo \x1b'[1mbold\x07'\r"]).expect_code(0);
    assert_eq!(told.stderr, "adj: 3 control characters were dropped\n");
    assert_eq!(message(&world, &x, told.word())["text"], "echo '[1mbold'");
    let _ = world.adj(["wait", &x]).expect_code(0);
    let told = world.adj(["ask", &x, "--strip-control", "echo on\x03e"]).expect_code(0);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("one\n", "adj: 1 control character was dropped\n"));
}

#[test]
fn a8_what_is_no_text_is_refused_with_its_place() {
    let world = World::new();
    let x = world.shell();
    for (bytes, offset) in [(b"echo caf\xe9".as_slice(), 8), (b"echo a\0b", 6)] {
        fs::write(world.work().join("text"), bytes).expect("a file can be written");
        let refused = world.adj(["--json", "send", &x, "-f", "text"]).expect_error(2, "message_not_text");
        assert_eq!(refused.error()["details"]["offset"], offset, "{refused:#?}");
        let _ = world.adj_with_input(["--json", "ask", &x, "-f", "-"], bytes).expect_error(2, "message_not_text");
    }
    let _ = world.adj(["--json", "send", &x, " \n"]).expect_error(2, "message_empty");
    assert_eq!(messages(&world, &x), Vec::<Value>::new());
}

/// What is live syntax of an agent's screen elsewhere is text here. To a shell, a text is a script.
#[test]
fn a9_slash_bang_hash_and_at_are_text() {
    let world = World::new();
    let x = world.shell();
    let cases = [
        ("#x", 0, ""),
        ("/clear", 127, "bash: /clear: No such file or directory\n"),
        ("!true", 127, "bash: !true: command not found\n"),
        ("@x", 127, "bash: @x: command not found\n"),
    ];
    for (text, code, answer) in cases {
        let told = world.adj(["ask", &x, text]).expect_code(code);
        assert_eq!(told.stdout, answer, "{text}");
    }
    assert_eq!(status(&world, &x), "idle");
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    let _ = world.adj(["ask", &x, "exit"]).expect_code(0);
    let _ = world.adj(["watch", "--until", "exit", &x]).expect_code(0);
    assert_eq!(texts(&messages(&world, &x), "text"), ["#x", "/clear", "!true", "@x", "true", "exit"]);
}

#[test]
fn a11_a_message_never_goes_into_an_open_question() {
    let world = World::new();
    let x = world.shell();
    world.send(&x, "read -rp 'Name: ' name; echo \"got $name\"");
    let _ = world.adj(["watch", "--until", "input", &x]).expect_code(3);
    let told = world.adj(["send", &x, "echo later"]).expect_code(0);
    assert_eq!(told.stdout, format!("Queued message for {x} (1 ahead)\n"));
    let later = messages(&world, &x).pop().unwrap_or_default();
    assert_eq!((&later["state"], &later["blocked_by"]), (&"queued".into(), &"r1".into()), "{later:#}");
    let row = world.adj(["queue", "list", &x]).expect_code(0);
    assert!(row.stdout.contains("blocked") && row.stdout.contains("echo later"), "{row:#?}");
    let open = world.adj(["--json", "requests"]).expect_code(0).json();
    assert_eq!(texts(open.as_array().expect("an array"), "id"), ["r1"], "the question stands untouched: {open:#}");
    let told = world.adj(["respond", &x, "Bob"]).expect_code(0);
    assert_eq!(told.stdout, format!("Answered r1 for {x}\n"));
    let _ = world.adj(["wait", &x]).expect_code(0);
    let told = world.adj(["last-message", &x, "-n", "2"]).expect_code(0);
    assert_eq!(told.stdout, "Name: Bob\ngot Bob\n\nlater\n");
    assert_eq!(message(&world, &x, later["id"].as_str().unwrap_or_default())["blocked_by"], Value::Null);
}

#[test]
fn a14_a_wait_covers_all_that_was_accepted() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("{}; echo first", hold.script()));
    world.send(&x, "echo second; (exit 5)");
    hold.await_begun();
    let waiting = world.start(["wait", "--print", &x]);
    let _ = world.adj(["wait", &x, "-t", "0"]).expect_code(124);
    hold.let_go();
    assert_eq!(waiting.end().expect_code(5).stdout, "second\n", "the first turn's end does not satisfy it");
    let told = world.adj(["wait", &x]).expect_code(5);
    assert_eq!(told.stdout, "failed\n", "a turn that failed before the call is not missed");
    world.send(&x, "(exit 7)");
    world.send(&x, "true");
    let told = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(told.stdout, "completed\n", "the result is that of the last turn of the set");
}

#[test]
fn a14_messages_that_come_later_do_not_lengthen_a_wait() {
    let world = World::new();
    let x = world.shell();
    let (mut first, mut second) = (Hold::new(&world, "first"), Hold::new(&world, "second"));
    let m = begin(&world, &x, &format!("{}; echo first", first.script()));
    first.await_begun();
    let mut waiting = records(&world, &format!("/v1/wait?session={x}"));
    assert_eq!(
        waiting().map(|record| record["type"].clone()),
        Some("waiting".into()),
        "the daemon knows what is waited for"
    );
    world.send(&x, &second.script());
    first.let_go();
    second.await_begun();
    let told = waiting().unwrap_or_default()["result"].clone();
    assert_eq!((&told["turn"], &told["messages"]), (&1.into(), &serde_json::json!([m])), "{told:#}");
    second.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
}

#[test]
fn a18_an_answer_that_looks_like_a_log_is_one_entry() {
    let world = World::new();
    let x = world.shell();
    let answer = "first\n\n[HUMAN]\nnot a human\n\n[ASSISTANT]\nlast";
    let told = world.adj(["ask", &x, &format!("printf '%s\\n' '{answer}'")]).expect_code(0);
    assert_eq!(told.stdout, format!("{answer}\n"));
    let log = world.adj(["--json", "logs", &x]).expect_code(0).json();
    let log = log.as_array().expect("an array");
    assert_eq!(texts(log, "role"), ["human", "assistant"], "{log:#?}");
    assert_eq!(log[1]["text"], answer);
}

#[test]
fn a19_messages_to_a_working_session_keep_their_order() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let first = begin(&world, &x, &hold.script());
    hold.await_begun();
    let told = world.adj(["send", &x, "echo b >> ran"]).expect_code(0);
    assert_eq!(told.stdout, format!("Queued message for {x} (1 ahead)\n"));
    let told = world.adj(["--json", "send", &x, "echo c >> ran"]).expect_code(0).json();
    assert_eq!((&told["handed"], &told["ahead"], &told["position"]), (&false.into(), &2.into(), &2.into()), "{told:#}");
    let all = messages(&world, &x);
    assert_eq!(texts(&all, "state"), ["running", "queued", "queued"]);
    assert_ne!(all[1]["id"], all[2]["id"]);
    assert_eq!(all[0]["id"], first.as_str());
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.lines_of("ran"), ["b", "c"]);
    for (i, settled) in messages(&world, &x).iter().enumerate() {
        assert_eq!((&settled["state"], &settled["turn"]), (&"done".into(), &(i + 1).into()), "{settled:#}");
        let receipt = &settled["receipt"];
        let steps = ["queued_at", "handed_at", "accepted_at", "settled_at"].map(|step| receipt[step].as_str());
        assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{receipt:#}");
        assert_eq!(receipt["evidence"]["source"], "control pipe");
    }
}

#[test]
fn h14_the_sender_comes_from_the_token() {
    let world = crate::look::world_with_adj();
    let x = world.shell();
    let evil = world.adj(["create", "-q", "--cli", "shell", "--env", "ADJ_SESSION=somebody-else"]).expect_code(0);
    let evil = evil.word().to_owned();
    let _ = world.adj(["introduce", &evil, &x]).expect_code(0);
    let _ = world.adj(["ask", &evil, &format!("ADJ_SESSION=human adj send {x} 'echo from within'")]).expect_code(0);
    let mut outside = world.adj_command(["send", &x, "echo from outside"]);
    outside.env("ADJ_SESSION", &evil);
    let _ = adjutant_testkit::Running::start(outside).end().expect_code(0);
    let mut forged = world.adj_command(["--json", "send", &x, "echo forged"]);
    forged.env("ADJ_SESSION_TOKEN", "0".repeat(64));
    let _ = adjutant_testkit::Running::start(forged).end().expect_error(1, "unauthorized");
    assert_eq!(texts(&messages(&world, &x), "from"), [evil.as_str(), "human"]);
    let body = br#"{"text":"echo x","from":"somebody"}"#;
    let (code, refused) = http(&world, "POST", &format!("/v1/sessions/{x}/messages"), &[], body);
    assert_eq!((code, &refused["error"]["code"]), (400, &"usage".into()), "{refused:#}");
    let _ = world.adj(["wait", &x]).expect_code(0);
    let log = world.adj(["logs", &x]).expect_code(0);
    assert!(log.stdout.starts_with(&format!("[HUMAN from {evil}]\necho from within\n")), "{log:#?}");
}

#[test]
fn a_confirmed_message_has_been_taken_and_any_other_is_told() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let first = begin(&world, &x, &hold.script());
    hold.await_begun();
    let late = world.adj(["send", "--confirm", "--expires", "1ms", &x, "echo late"]).expect_code(1);
    assert!(late.stdout.is_empty() && late.stderr.contains("was not taken, and is expired"), "{late:#?}");
    let late = world.adj(["--json", "send", "--confirm", "--expires", "1ms", &x, "echo late"]).expect_code(1);
    let late = late.json();
    assert_eq!(late["state"], "expired");
    let waited =
        world.adj(["--json", "wait", &x, "--for", late["id"].as_str().unwrap_or_default()]).expect_code(1).json();
    assert_eq!(
        (&waited["outcome"], &waited["reason"]),
        (&"failed".into(), &Value::Null),
        "no agent was asked: {waited:#}"
    );
    let _ = world.adj(["--json", "last-message", "-n", "0", &x]).expect_error(2, "usage");
    let _ = world.adj(["--json", "logs", "-n", "0", &x]).expect_error(2, "usage");
    let queued = world.start(["send", "--confirm", "--key", "k", "--reply-to", &first, &x, &hold.script()]);
    await_fact("it is queued", SOON, || messages(&world, &x).iter().any(|message| message["key"] == "k"));
    hold.let_go();
    let taken = queued.end().expect_code(0);
    assert_eq!(taken.stdout, format!("Sent message to {x}\n"), "however long its queue was");
    // The same one again is at work: nothing is waited for that has been already.
    let again = world.adj(["send", "--confirm", "--key", "k", &x, "anything"]).expect_code(0);
    let known = again.stdout.contains("has this key already (running)");
    assert!(known && again.took < std::time::Duration::from_secs(10), "{again:#?}");
    hold.let_go();
    let _ = world.adj(["--json", "send", "--reply-to", "m999", &x, "true"]).expect_error(4, "message_not_found");
}
