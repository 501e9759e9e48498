//! Rows D: answers are whole, there before their end is told, and cheap to page through.

use adjutant_testkit::World;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::SOON;
use crate::look::{Hold, begin, texts};

#[test]
fn d1_d2_an_answer_is_whole_however_many_blocks_it_has() {
    let world = World::new();
    let x = world.shell();
    let told = world.adj(["ask", &x, "printf 'one\\n\\n\\ntwo\\n\\n'; echo three >&2; printf '\\n\\n'"]).expect_code(0);
    let whole = "one\n\n\ntwo\n\nthree\n\n\n";
    assert_eq!(told.stdout, whole, "blank lines and both streams, as a person would have seen them");
    for words in [vec!["last-message", &x], vec!["last-message", &x, "--full"], vec!["wait", "--print", &x]] {
        assert_eq!(world.adj(words).expect_code(0).stdout, whole);
    }
    let answers = world.adj(["--json", "last-message", &x]).expect_code(0).json();
    assert_eq!(answers.as_array().map(Vec::len), Some(1), "{answers:#}");
    assert_eq!(answers[0]["text"].as_str(), whole.strip_suffix('\n'), "the last line feed ends the text, as anywhere");
    assert_eq!((&answers[0]["turn"], &answers[0]["outcome"]), (&1.into(), &"completed".into()));
    let blocks = world.adj(["--json", "last-message", "--blocks", &x]).expect_code(0).json();
    assert!(blocks[0].is_string(), "an array of strings: {blocks:#}");
}

#[test]
fn d3_an_answer_is_there_before_its_end_is_told() {
    let world = World::new();
    let x = world.shell();
    let watch = world.start(["watch", "-F", "--since", "0", "--types", "turn.completed", &x]);
    for i in 1..=20 {
        world.send(&x, &format!("echo answer {i}"));
        watch.await_stdout("the end is told", SOON, |told| told.lines().count() == i);
        let told = world.adj(["last-message", &x]).expect_code(0);
        assert_eq!(told.stdout, format!("answer {i}\n"));
    }
    watch.signal(Signal::INT);
    let _ = watch.end().expect_code(130);
}

#[test]
fn d5_answers_are_paged() {
    let world = World::new();
    let x = world.shell();
    for i in 1..=30 {
        world.send(&x, &format!("echo {i}"));
    }
    let _ = world.adj(["wait", &x]).expect_code(0);
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, "30\n");
    assert_eq!(world.adj(["last-message", "-n", "3", &x]).expect_code(0).stdout, "28\n\n29\n\n30\n", "oldest first");
    let all = world.adj(["--json", "last-message", "-n", "100", &x]).expect_code(0).json();
    let all: Vec<u64> = all.as_array().into_iter().flatten().filter_map(|one| one["turn"].as_u64()).collect();
    assert_eq!(all, (1..=30).collect::<Vec<_>>());
    let two = world.adj(["--json", "logs", "-n", "2", &x]).expect_code(0).json();
    assert_eq!(texts(two.as_array().expect("an array"), "text"), ["echo 29", "29", "echo 30", "30"]);
    let since = world.adj(["--json", "logs", "--since", "29", &x]).expect_code(0).json();
    assert_eq!(since, two, "from this turn on");
    let ninth = world.adj(["--json", "logs", "--since", "9", "-n", "1", &x]).expect_code(0).json();
    assert_eq!(texts(ninth.as_array().expect("an array"), "text"), ["echo 9", "9"]);
}

#[test]
fn a_session_without_an_answer_says_so_beside_an_empty_result() {
    let world = World::new();
    let x = world.shell();
    let none = world.adj(["last-message", &x]).expect_code(0);
    assert_eq!((none.stdout.as_str(), none.stderr), ("", format!("adj: {x} has given no answer yet\n")));
    assert_eq!(world.adj(["--json", "last-message", &x]).expect_code(0).json(), json!([]));
    assert_eq!(world.adj(["logs", &x]).expect_code(0).stdout, "No conversation history available\n");
    assert_eq!(world.adj(["--json", "logs", &x]).expect_code(0).json(), json!([]));
    let mut hold = Hold::new(&world, "x");
    let _ = world.adj(["ask", &x, "echo first"]).expect_code(0);
    begin(&world, &x, &format!("{}; echo second", hold.script()));
    hold.await_begun();
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, "first\n", "the last ended turn is shown");
    hold.let_go();
    let _ = world.adj(["wait", &x]).expect_code(0);
    let _ = world.adj(["kill", &x]).expect_code(0);
    assert_eq!(
        world.adj(["last-message", "-n", "9", &x]).expect_code(0).stdout,
        "first\n\nsecond\n",
        "after its end too"
    );
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "second\n");
}

#[test]
fn logs_are_bounded_and_say_what_they_leave_out() {
    let world = World::new();
    let x = world.shell();
    let large = format!(": {}", "x".repeat(15 * 128 * 1024));
    for _ in 0..6 {
        let _ = world.adj_with_input(["send", &x, "-f", "-"], large.as_bytes()).expect_code(0);
    }
    let _ = world.adj(["wait", &x]).expect_code(0);
    let logs = |args: &[&str]| {
        let told = world.adj([&["logs", "--json", x.as_str()], args].concat()).expect_code(0).json();
        let entries = told.as_array().cloned().expect("an array");
        let short = |entry: &Value| (entry["role"].as_str().map(str::to_owned), entry["turn"].as_u64());
        (entries.iter().map(short).collect::<Vec<_>>(), entries)
    };
    let (human, assistant) =
        (|turn| (Some("human".to_owned()), Some(turn)), |turn| (Some("assistant".to_owned()), Some(turn)));
    let note = (Some("notice".to_owned()), None);
    let turns = |turns: std::ops::RangeInclusive<u64>| turns.flat_map(|turn| [human(turn), assistant(turn)]);
    let (newest, entries) = logs(&[]);
    assert_eq!(newest, std::iter::once(note.clone()).chain(turns(3..=6)).collect::<Vec<_>>());
    assert_eq!(entries[0]["text"], "Turns before 3 are left out here: adj logs --since 1");
    let (oldest, entries) = logs(&["--since", "1"]);
    assert_eq!(oldest, turns(1..=4).chain([note]).collect::<Vec<_>>());
    assert_eq!(entries.last().expect("it is there")["text"], "Turns from 5 on may follow: adj logs --since 5");
    assert_eq!(logs(&["-n", "1"]).0, turns(6..=6).collect::<Vec<_>>(), "what was not asked for is not missed");
}

#[test]
fn logs_show_who_said_what() {
    let world = World::new();
    let x = world.shell();
    let m = {
        let _ = world.adj(["ask", &x, "echo one; echo two"]).expect_code(0);
        world.adj(["queue", "list", "-aq", &x]).expect_code(0).word().to_owned()
    };
    let told = world.adj(["logs", &x]).expect_code(0);
    assert_eq!(told.stdout, "[HUMAN]\necho one; echo two\n\n[ASSISTANT]\none\ntwo\n\n");
    let log = world.adj(["--json", "logs", &x]).expect_code(0).json();
    let human = json!({"role": "human", "text": "echo one; echo two", "turn": 1, "at": log[0]["at"], "from": "human",
                       "message": m, "tool": null, "appended": null});
    assert_eq!(log[0], human);
    assert_eq!(
        (&log[1]["role"], &log[1]["from"], &log[1]["message"]),
        (&"assistant".into(), &Value::Null, &Value::Null)
    );
    let follow = world.start(["logs", "-F", &x]);
    follow.await_stdout("what was said before", SOON, |told| told.contains("two\n"));
    let _ = world.adj(["ask", &x, "echo three"]).expect_code(0);
    follow
        .await_stdout("what is said now", SOON, |told| told.ends_with("[HUMAN]\necho three\n\n[ASSISTANT]\nthree\n\n"));
    let _ = world.adj(["kill", &x]).expect_code(0);
    let told = follow.end().expect_code(0);
    assert_eq!(told.stdout.matches("[HUMAN]").count(), 2, "each entry once: {told:#?}");
}

/// A closed pipe is nobody's error (I6).
#[test]
fn i6_a_reader_that_leaves_early_is_no_error() {
    let world = World::new();
    let x = world.shell();
    let _ = world.adj(["ask", &x, "seq 20000"]).expect_code(0);
    let adj = world.adj_path().display();
    for words in
        [format!("logs {x}"), format!("last-message {x}"), format!("watch {x} --since 0"), format!("inspect {x}")]
    {
        let told = world.inside(&format!("{adj} {words} | head -n 1")).expect_code(0);
        assert_eq!((told.stdout.lines().count(), told.stderr.as_str()), (1, ""), "{words}");
    }
}
