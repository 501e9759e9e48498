//! Messages arrive exactly, and what they leave behind stays.

use adjutant_core::Outcome;
use adjutant_core::outcome::FailReason;

use crate::world::{World, assert_done};

#[tokio::test]
async fn a_message_runs_and_its_text_and_status_come_back() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("echo hi; echo err >&2; (exit 7)").await;
    assert_eq!((done.text.as_str(), done.code()), ("hi\nerr", 7));
    assert_eq!(done.end.outcome, Outcome::Failed { reason: FailReason::CommandFailed });
    assert_done(&session.run("echo $?").await, "7");
    session.kill().await;
    world.assert_empty();
}
