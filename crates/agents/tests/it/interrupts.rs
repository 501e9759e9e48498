//! Stopping a turn while the session stays.

use adjutant_agents::Order;
use adjutant_core::agent::AgentReport;
use adjutant_core::{ExitStatus, Outcome};

use crate::world::{Bell, Done, Session, World, assert_done};

/// Begins a message, interrupts it and waits for its end.
async fn interrupted(session: &mut Session, message: &str) -> (Done, Vec<String>) {
    session.begin(message).await;
    interrupt(session).await
}

/// The same for a message that rings when it has come to the point.
async fn interrupted_at(session: &mut Session, bell: &mut Bell, message: &str) -> (Done, Vec<String>) {
    session.begin(message).await;
    bell.rings().await;
    interrupt(session).await
}

async fn interrupt(session: &mut Session) -> (Done, Vec<String>) {
    session.order(Order::Interrupt).await;
    let mut seen = session.until(|report| matches!(report, AgentReport::TurnEnded { .. })).await;
    let Some(last) = seen.pop() else { panic!("nothing") };
    let AgentReport::TurnEnded { end } = last.report else { panic!("{last:?}") };
    let details = seen.into_iter().filter_map(|seen| match seen.report {
        AgentReport::InterruptPassed { detail } => Some(detail),
        _ => None,
    });
    (Done { end, text: last.answer.as_deref().unwrap_or_default().to_owned() }, details.collect())
}

#[tokio::test]
async fn an_interrupt_is_a_ctrl_c() {
    let world = World::new();
    let mut session = world.launch().await;
    for message in [
        "sleep 1000; echo not here",
        "while :; do :; done; echo not here",
        "for i in 1 2 3; do sleep 1000; done",
        "sleep 1000 & wait; echo not here",
        "x=$(sleep 1000); echo not here",
        "sleep 1000 | sleep 1000 | cat",
        "(sleep 1000; echo not here)",
        "read -r line; echo not here",
        "cat",
        "sh -c 'sleep 1000; echo not here'",
        "exec 3<>/dev/null; select x in a b; do :; done",
    ] {
        let (done, details) = interrupted(&mut session, message).await;
        assert_eq!(done.end.outcome, Outcome::Interrupted, "{message}: {details:?}");
        assert_eq!(done.end.exit, Some(ExitStatus::Code(130)), "{message}");
        assert!(!done.text.contains("not here"), "{message}: {done:?}");
        assert!(details[0].starts_with("SIGINT to process group"), "{details:?}");
        assert_done(&session.run("echo still here").await, "still here");
    }
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn a_command_that_takes_the_interrupt_keeps_its_own_status() {
    let world = World::new();
    let mut session = world.launch().await;
    let mut bell = world.bell();
    let message = "bash -c 'trap \"echo caught; exit 3\" INT; echo > bell; for i in {1..1000}; do sleep 0.02; done'";
    let (done, _) = interrupted_at(&mut session, &mut bell, message).await;
    assert_eq!((done.end.exit, done.text.as_str()), (Some(ExitStatus::Code(3)), "^Ccaught".trim_start_matches("^C")));
    assert_eq!(done.end.outcome, Outcome::Interrupted);
    session.kill().await;
}

#[tokio::test]
async fn a_command_that_ignores_the_interrupt_is_ended_harder() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("echo kept > variable; V=kept").await;
    let mut bell = world.bell();
    let message = "(trap '' INT TERM; echo > bell; sleep 1000); echo $?";
    let (done, details) = interrupted_at(&mut session, &mut bell, message).await;
    assert_eq!(done.end.outcome, Outcome::Interrupted, "{done:?}");
    let signals: Vec<&str> = details.iter().filter_map(|detail| detail.split(' ').next()).collect();
    assert_eq!(signals, ["SIGINT", "SIGTERM", "SIGKILL"], "{details:?}");
    assert_done(&session.run("echo $V").await, "kept");
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn a_shell_that_cannot_be_interrupted_is_ended_at_last() {
    let world = World::new();
    let mut session = world.launch().await;
    let mut bell = world.bell();
    let message = "trap '' INT; echo > bell; while :; do :; done";
    let (done, details) = interrupted_at(&mut session, &mut bell, message).await;
    assert_eq!(done.end.outcome, Outcome::Exited);
    assert!(details.last().is_some_and(|detail| detail.contains("the shell itself")), "{details:?}");
    session.exited().await;
    world.assert_empty();
}

#[tokio::test]
async fn an_interrupt_of_nothing_says_so() {
    let world = World::new();
    let mut session = world.launch().await;
    session.order(Order::Interrupt).await;
    let AgentReport::InterruptPassed { detail } = session.next().await.report else { panic!("something else") };
    assert_eq!(detail, "no command was running");
    assert_done(&session.run("echo still here").await, "still here");
    session.kill().await;
}

#[tokio::test]
async fn an_interrupt_at_any_moment_loses_no_message() {
    let world = World::new();
    let mut session = world.launch().await;
    for round in 0..200 {
        let message = session.deliver(&format!("echo {round} >> ran; until (( ++n % 500 == 0 )); do :; done")).await;
        session.order(Order::Interrupt).await;
        session.until(|report| matches!(report, AgentReport::TurnEnded { .. })).await;
        assert_eq!(message.get(), round + 1);
    }
    let done = session.run("sort -n ran | uniq -d | wc -l; echo $?").await;
    assert_done(&done, "0\n0");
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn an_interrupt_of_a_message_that_took_the_loop_away_comes_back() {
    let world = World::new();
    let mut session = world.launch().await;
    let (done, details) = interrupted(&mut session, "PROMPT_COMMAND=; sleep 1000").await;
    assert_eq!(done.end.outcome, Outcome::Interrupted, "{done:?} {details:?}");
    assert_done(&session.run("echo still here").await, "still here");
    session.kill().await;
}
