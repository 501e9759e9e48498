//! A Codex session against an app-server that says what it should not.

use std::path::PathBuf;

use adjutant_agents::codex::Codex;
use adjutant_agents::{Agent, DriverStart, DriverTask, LaunchPlan, Place};
use adjutant_core::agent::{AgentReport, SessionEnd};
use adjutant_core::outcome::{Outcome, UnknownReason};
use tokio::sync::mpsc;

use crate::world::{Done, Session, World, assert_done};

/// A session in a world, of which the app-server is the fake one.
async fn launch(world: &World) -> Session {
    let home = world.dir.path().join("c");
    std::fs::create_dir_all(&home).unwrap();
    let mut plan = LaunchPlan { program: PathBuf::from(env!("CARGO_BIN_EXE_adj-runner-for-tests")), ..world.plan() };
    plan.caller_environment.insert("CODEX_HOME".to_owned(), home.display().to_string());
    let (orders, order_receiver) = mpsc::channel(64);
    let (report_sender, reports) = mpsc::channel(4096);
    let root = world.dir.path();
    let place = Place { state_dir: root.join("a/sessions/s"), run_dir: root.join("r/s/x"), ..world.place() };
    let task = DriverTask {
        session: world.id,
        name: "fizz-top".parse().unwrap(),
        place,
        start: DriverStart::Launch(plan),
        orders: order_receiver,
        reports: report_sender,
    };
    let driving = tokio::spawn(Codex::new().drive(task));
    let mut session = Session { orders, reports, driving, cursor: 0, runner: None, agent: None, next_message: 1 };
    session.until(|report| matches!(report, AgentReport::Ready)).await;
    session
}

/// One turn with this fault.
async fn run(world: &World, session: &mut Session, fault: &str) -> Done {
    std::fs::write(world.dir.path().join("c/fault"), fault).unwrap();
    session.run(&format!("hello {fault}")).await
}

async fn kill(mut session: Session) {
    session.kill().await;
}

#[tokio::test]
async fn faults_of_the_protocol_cost_nothing() {
    let world = World::new();
    let mut session = launch(&world).await;
    for fault in ["", "reordered", "unknown", "missing", "late", "", "oversize", "cut", ""] {
        let done = run(&world, &mut session, fault).await;
        assert_done(&done, &format!("fake: hello {fault}"));
    }
    kill(session).await;
}

#[tokio::test]
async fn an_end_in_a_word_that_is_not_known_is_told_as_unknown() {
    let world = World::new();
    let mut session = launch(&world).await;
    let done = run(&world, &mut session, "evaporated").await;
    let Outcome::Unknown { why: UnknownReason::EndUnseen { detail } } = &done.end.outcome else { panic!("{done:?}") };
    assert!(detail.contains("`evaporated`"), "{done:?}");
    assert_done(&run(&world, &mut session, "").await, "fake: hello ");
    kill(session).await;
}

#[tokio::test]
async fn a_status_that_is_not_known_is_shown_as_unknown_until_it_is_known() {
    let world = World::new();
    let mut session = launch(&world).await;
    std::fs::write(world.dir.path().join("c/fault"), "unknown").unwrap();
    session.begin("hello").await;
    let seen = session.until(|report| matches!(report, AgentReport::Seen { .. })).await;
    let is_told = |report: &AgentReport| match report {
        AgentReport::Unseen { why: UnknownReason::RunnerUnreachable { detail } } => detail.contains("`dreaming`"),
        _ => false,
    };
    assert!(seen.iter().any(|seen| is_told(&seen.report)), "{seen:#?}");
    assert_done(&session.end_of_turn().await, "fake: hello");
    kill(session).await;
}

#[tokio::test]
async fn a_message_that_vanished_in_a_half_open_connection_is_found() {
    let world = World::new();
    let mut session = launch(&world).await;
    assert_done(&run(&world, &mut session, "half_open").await, "fake: hello half_open");
    kill(session).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_started_again() {
    let world = World::new();
    let mut session = launch(&world).await;
    let first = session.agent;
    std::fs::write(world.dir.path().join("c/fault"), "deaf").unwrap();
    session.deliver("hello").await;
    let seen = session.until(|report| matches!(report, AgentReport::Unclear { .. })).await;
    let is_told =
        |report: &AgentReport| matches!(report, AgentReport::Notice { text } if text.contains("does not answer"));
    assert!(seen.iter().any(|seen| is_told(&seen.report)), "{seen:#?}");
    assert_done(&run(&world, &mut session, "").await, "fake: hello ");
    assert_ne!(session.agent, first);
    kill(session).await;
}

#[tokio::test]
async fn a_server_that_crashed_too_often_is_given_up_and_told() {
    let world = World::new();
    let mut session = launch(&world).await;
    let mut killed = None;
    let end = loop {
        if session.agent != killed
            && let Some(agent) = session.agent
        {
            killed = Some(agent);
            crate::world::kill(&agent);
        }
        if let AgentReport::Exited { end } = session.next().await.report {
            break end;
        }
    };
    let SessionEnd::Lost { detail } = &end else { panic!("{end:?}") };
    assert!(detail.contains("times in a row"), "{end:?}");
    world.assert_empty();
}
