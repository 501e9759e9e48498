//! How sessions end, and that nothing stays.

use adjutant_core::agent::SessionEnd;
use adjutant_core::{ExitStatus, Outcome};

use crate::world::World;

#[tokio::test]
async fn exit_ends_the_turn_and_the_session_with_its_code() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("echo hi; exit 7").await;
    assert_eq!((done.text.as_str(), done.code()), ("hi", 7));
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Code(7) });
    world.assert_empty();
}

#[tokio::test]
async fn a_killed_shell_ends_turn_and_session() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("echo hi; kill -9 $$").await;
    assert_eq!((done.text.as_str(), &done.end.outcome), ("hi", &Outcome::Exited));
    assert_eq!(session.exited().await, SessionEnd::Ended { exit: ExitStatus::Signal(9) });
    world.assert_empty();
}
