//! What is printed: how much, what kind, by whom.

use crate::world::{World, assert_done};

#[tokio::test]
async fn fifty_megabytes_stream_through() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("yes 'a line of output that is not too short' | head -c 50000000; echo; echo end").await;
    assert!(done.text.starts_with("a line of output that is not too short\na line"));
    assert!(done.text.ends_with("\nend"), "{:?}", &done.text[done.text.len() - 100..]);
    assert!(done.text.contains(&format!("\n[... {} bytes left out ...]\n", done.end.answer.cut_bytes)));
    assert!(done.end.answer.cut_bytes > 48_000_000 && done.end.answer.bytes <= 1024 * 1024);
    // Nothing that was needed for it stays in memory.
    let status = std::fs::read_to_string(format!("/proc/{}/status", session.runner.unwrap().pid)).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim().to_owned();
    let kilobytes: u64 = resident.trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 16 * 1024, "{resident}");
    session.kill().await;
}

#[tokio::test]
async fn binary_output_is_shown_as_far_as_it_is_text() {
    let world = World::new();
    let mut session = world.launch().await;
    let done =
        session.run("printf 'a\\377b\\n'; head -c 100000 /dev/urandom; printf '\\033c\\033[2J\\033[H'; echo end").await;
    assert!(done.text.ends_with("end"), "{:?}", done.text);
    assert!(done.end.detail.as_deref().is_some_and(|detail| detail.contains("U+FFFD")), "{:?}", done.end);
    assert_done(&session.run("echo clean").await, "clean");
    session.kill().await;
}

#[tokio::test]
async fn a_background_child_does_not_hold_up_the_turn() {
    let world = World::new();
    let mut session = world.launch().await;
    assert_done(&session.run("(sleep 1000; echo late) & echo first").await, "first");
    assert_done(&session.run("sleep 1000 >/dev/null 2>&1 </dev/null & disown; echo second").await, "second");
    assert!(session.run("while echo noise; do sleep 0.001; done & echo third").await.text.contains("third"));
    let done = session.run("echo fourth; kill %2 %1 2>/dev/null; wait 2>/dev/null").await;
    assert!(done.text.contains("fourth"), "{done:?}");
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn a_changed_terminal_is_put_right_for_the_next_message() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("stty raw -echo -onlcr; printf '\\033[?1049h\\033[31m'").await;
    assert_done(
        &session.run("printf 'a\\nb\\n'; stty -a | grep -ow -e '-\\?icanon' -e '-\\?echo'").await,
        "a\nb\nicanon\necho",
    );
    session.kill().await;
}

#[tokio::test]
async fn the_end_of_a_text_is_the_messages_own() {
    let world = World::new();
    let mut session = world.launch().await;
    assert_done(&session.run("printf '\\033]0;never ended'").await, "0;never ended");
    assert_done(&session.run("printf 'half \\033['").await, "half ");
    assert_eq!(session.run("printf '\\342\\202'; true").await.text, "\u{fffd}");
    session.kill().await;
}

#[tokio::test]
async fn h902_output_is_logged_as_it_came() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("printf '\\033[31mred\\033[0m\\n'").await;
    session.kill().await;
    let log = std::fs::read(world.state_dir().join("output.log")).unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("\x1b[31mred\x1b[0m\r\n"), "{log:?}");
    assert!(!log.contains(";s;") && !log.contains(";e;"), "{log:?}");
}
