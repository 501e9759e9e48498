//! How sessions end, and that nothing stays.

use adjutant_agents::{DriverStart, Order};
use adjutant_core::agent::{AgentReport, SessionEnd, StartFailure};
use adjutant_core::{ExitStatus, Outcome};

use crate::world::{Session, World, is_dead, kill};

#[tokio::test]
async fn exit_ends_the_turn_and_the_session_with_its_code() {
    for (message, text, code) in [
        ("echo hi; exit 7", "hi", 7),
        ("exec sh -c 'echo in; exit 4'", "in", 4),
        ("set -e; echo a; false; echo b", "a", 1),
        ("trap 'echo bye' EXIT; exit", "bye", 0),
        ("f() { exit 3; }; (exit 5) || f", "", 3),
    ] {
        let world = World::new();
        let mut session = world.launch().await;
        let done = session.run(message).await;
        assert_eq!((done.text.as_str(), done.code()), (text, code), "{message}");
        assert!(done.end.detail.as_deref().is_some_and(|detail| detail.contains("the shell itself")), "{done:?}");
        assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Code(code) });
        world.assert_empty();
    }
}

#[tokio::test]
async fn a_shell_that_kills_itself_ends_turn_and_session() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("echo hi; kill -9 $$").await;
    assert_eq!((done.text.as_str(), &done.end.outcome), ("hi", &Outcome::Exited));
    assert_eq!(done.end.exit, Some(ExitStatus::Signal(9)));
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Signal(9) });
    world.assert_empty();
}

#[tokio::test]
async fn what_the_shell_leaves_behind_ends_with_it() {
    let world = World::new();
    let mut session = world.launch().await;
    let left = "sleep 1000 & nohup sleep 1000 >/dev/null 2>&1 & setsid sleep 1000 & (trap '' HUP TERM; sleep 1000) & \
                env -i setsid sleep 1000 & exit 5";
    session.run(left).await;
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Code(5) });
    assert!(is_dead(&session.runner.unwrap()) && is_dead(&session.agent.unwrap()));
    world.assert_empty();
}

const STUBBORN: &str =
    "setsid sleep 1000 & (trap '' HUP TERM INT; sleep 1000) & trap '' INT TERM HUP; echo > bell; sleep 1000";

/// Starts a turn that nothing but SIGKILL ends, with processes all over the place.
async fn stubborn(world: &World) -> Session {
    let mut bell = world.bell();
    let mut session = world.launch().await;
    session.begin(STUBBORN).await;
    bell.rings().await;
    session
}

#[tokio::test]
async fn x_a_killed_shell_in_the_middle_of_a_turn() {
    let world = World::new();
    let mut session = stubborn(&world).await;
    kill(&session.agent.unwrap());
    assert_eq!(session.end_of_turn().await.end.outcome, Outcome::Exited);
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Signal(9) });
    world.assert_empty();
}

#[tokio::test]
async fn x_a_killed_runner_in_the_middle_of_a_turn() {
    let world = World::new();
    let mut session = stubborn(&world).await;
    session.kill_runner();
    // The turn ends with its session, in one step of the host.
    assert!(matches!(session.exited().await, SessionEnd::Lost { .. }));
    world.assert_empty();
}

#[tokio::test]
async fn x_a_killed_runner_and_shell_of_an_idle_session() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("setsid sleep 1000 & disown -a").await;
    session.kill_runner();
    kill(&session.agent.unwrap());
    assert!(matches!(session.exited().await, SessionEnd::Lost { .. }));
    world.assert_empty();
}

#[tokio::test]
async fn h603_an_ordered_end_leaves_nothing_whatever_it_meets() {
    for grace_ms in [0, 200] {
        let world = World::new();
        let mut session = stubborn(&world).await;
        session.order(Order::End { grace_ms }).await;
        assert_eq!(session.end_of_turn().await.end.outcome, Outcome::Exited);
        assert_eq!(session.exited().await, SessionEnd::Killed);
        assert!(is_dead(&session.runner.unwrap()));
        world.assert_empty();
    }
}

#[tokio::test]
async fn h603_stopped_processes_end_too() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("sleep 1000 & kill -STOP $!; kill -STOP $$").await;
    session.order(Order::End { grace_ms: 100 }).await;
    assert_eq!(session.exited().await, SessionEnd::Killed);
    world.assert_empty();
}

#[tokio::test]
async fn h603_a_polite_end_is_enough_for_an_idle_session() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("trap 'echo bye > said-bye' EXIT").await;
    session.order(Order::End { grace_ms: 20_000 }).await;
    assert_eq!(session.exited().await, SessionEnd::Killed);
    assert_eq!(std::fs::read_to_string(world.work_dir().join("said-bye")).unwrap(), "bye\n");
    world.assert_empty();
}

#[tokio::test]
async fn h603_a_runner_that_does_not_answer_is_ended_by_force() {
    let world = World::new();
    let mut session = stubborn(&world).await;
    let runner = adjutant_agents::process::ProcessHandle::open(&session.runner.unwrap()).unwrap().unwrap();
    runner.send(rustix::process::Signal::STOP).unwrap();
    session.order(Order::End { grace_ms: 0 }).await;
    assert_eq!(session.exited().await, SessionEnd::Killed);
    world.assert_empty();
}

#[tokio::test]
async fn a_runner_that_is_asked_to_end_ends_its_session() {
    let world = World::new();
    let mut session = stubborn(&world).await;
    let runner = adjutant_agents::process::ProcessHandle::open(&session.runner.unwrap()).unwrap().unwrap();
    runner.send(rustix::process::Signal::TERM).unwrap();
    assert_eq!(session.exited().await, SessionEnd::Killed);
    world.assert_empty();
}

#[tokio::test]
async fn h107_a_process_with_the_stamp_of_another_session_is_left_alone() {
    let world = World::new();
    let mut session = world.launch().await;
    let other = "ADJ_STAMP=other/daemon setsid sh -c 'echo $$ > other.pid; exec sleep 1000' >/dev/null 2>&1 &\n\
                 until [ -s other.pid ]; do read -t 0.01 <> <(:); done";
    session.run(other).await;
    let pid: u32 = std::fs::read_to_string(world.work_dir().join("other.pid")).unwrap().trim().parse().unwrap();
    let other = adjutant_agents::process::incarnation_of(pid).unwrap().unwrap();
    session.kill().await;
    assert!(!is_dead(&other), "a daemon that was started from within a session outlives it");
    kill(&other);
}

async fn start_failure(world: &World, change: impl FnOnce(&mut adjutant_agents::LaunchPlan)) -> StartFailure {
    let mut plan = world.plan();
    change(&mut plan);
    let mut session = world.start(DriverStart::Launch(plan));
    loop {
        if let AgentReport::StartFailed { why } = session.next().await.report {
            world.assert_empty();
            return why;
        }
    }
}

#[tokio::test]
async fn a_session_that_cannot_start_says_why() {
    let world = World::new();
    let why = start_failure(&world, |plan| plan.program = "/nonexistent/bash".into()).await;
    let StartFailure::AgentStartFailed { detail } = why else { panic!("{why:?}") };
    assert!(detail.contains("/nonexistent/bash"), "{detail}");

    let world = World::new();
    let why = start_failure(&world, |plan| plan.directory = plan.directory.join("nowhere")).await;
    assert!(matches!(why, StartFailure::AgentStartFailed { .. }), "{why:?}");

    // A shell that is none never says that it is ready.
    let world = World::new();
    let why = start_failure(&world, |plan| {
        let stubborn = world.work_dir().join("bash");
        std::fs::write(&stubborn, "#!/bin/sh\ntrap '' TERM HUP INT\nsleep 1000\n").unwrap();
        std::fs::set_permissions(&stubborn, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        (plan.program, plan.ready_ms_max) = (stubborn, 300);
    })
    .await;
    assert!(matches!(why, StartFailure::NotReady { .. }), "{why:?}");
}

#[tokio::test]
async fn a_runner_that_cannot_be_started_has_started_nothing() {
    let world = World::new();
    let mut place = world.place();
    place.adj = "/nonexistent/adj".into();
    let mut session = world.start_at(place, DriverStart::Launch(world.plan()));
    let AgentReport::StartFailed { why } = session.next().await.report else { panic!("started") };
    assert!(matches!(why, StartFailure::AgentStartFailed { .. }), "{why:?}");
}
