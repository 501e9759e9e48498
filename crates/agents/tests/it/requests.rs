//! A command that waits for somebody to type is a request.

use std::sync::Arc;

use adjutant_agents::{Order, RequestAnswer};
use adjutant_core::agent::{AgentReport, NewRequest, RequestEnd, RequestKind};

use crate::world::{Session, World};

async fn request(session: &mut Session) -> NewRequest {
    let mut seen = session.until(|report| matches!(report, AgentReport::RequestOpened { .. })).await;
    match seen.pop().map(|last| last.report) {
        Some(AgentReport::RequestOpened { request }) => request,
        other => panic!("{other:?}"),
    }
}

async fn answer(session: &mut Session, request: &NewRequest, text: &str) {
    session
        .order(Order::Respond { native: request.native.clone(), answer: RequestAnswer::Text(Arc::from(text)) })
        .await;
    let seen = session.until(|report| matches!(report, AgentReport::RequestClosed { .. })).await;
    let closed = AgentReport::RequestClosed { native: request.native.clone(), end: RequestEnd::Answered };
    assert_eq!(seen.last().map(|last| &last.report), Some(&closed));
}

#[tokio::test]
async fn a_read_of_the_terminal_is_a_request_and_its_answer_is_typed() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("printf 'Continue? [y/N] '; head -n 1 | tr a-z A-Z; echo done").await;
    let asked = request(&mut session).await;
    assert_eq!((asked.kind, asked.tool.as_deref()), (RequestKind::Input, Some("head")));
    assert!(asked.summary.ends_with("reads from the terminal: Continue? [y/N]"), "{asked:?}");
    answer(&mut session, &asked, "yes").await;
    assert_eq!(session.end_of_turn().await.text, "Continue? [y/N] yes\nYES\ndone");
    session.kill().await;
}

#[tokio::test]
async fn the_shell_itself_may_ask_and_more_than_once() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("read -rp 'Name: ' name; read -rsp 'Secret: ' secret; echo; echo \"$name/$secret\"").await;
    let first = request(&mut session).await;
    assert!(first.summary.contains("Name:"), "{first:?}");
    answer(&mut session, &first, "me").await;
    let second = request(&mut session).await;
    assert_ne!(first.native, second.native);
    assert!(second.summary.contains("hides what is typed") && second.summary.contains("Secret:"), "{second:?}");
    answer(&mut session, &second, "12").await;
    assert_eq!(session.end_of_turn().await.text, "Name: me\nSecret: \nme/12");
    session.kill().await;
}

#[tokio::test]
async fn what_nobody_read_is_not_read_by_the_next_message() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("head -n 1").await;
    let asked = request(&mut session).await;
    answer(&mut session, &asked, "one\ntwo\nthree").await;
    session.end_of_turn().await;
    session.begin("head -n 1").await;
    let asked = request(&mut session).await;
    answer(&mut session, &asked, "four").await;
    assert_eq!(session.end_of_turn().await.text, "four\nfour");
    session.kill().await;
}

#[tokio::test]
async fn a_request_ends_with_its_turn() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("cat").await;
    let asked = request(&mut session).await;
    session.order(Order::Interrupt).await;
    let seen = session.until(|report| matches!(report, AgentReport::TurnEnded { .. })).await;
    let closed = AgentReport::RequestClosed { native: asked.native.clone(), end: RequestEnd::Withdrawn };
    assert!(seen.iter().any(|report| report.report == closed), "{seen:?}");
    // An answer that comes too late reaches nobody.
    session.order(Order::Respond { native: asked.native, answer: RequestAnswer::Text(Arc::from("x")) }).await;
    assert_eq!(session.next().await.report, closed);
    session.kill().await;
}

#[tokio::test]
async fn a_command_that_does_not_read_is_no_request() {
    let world = World::new();
    let mut session = world.launch().await;
    session.begin("sleep 1.2; cat /dev/null; timeout 0.4 sh -c 'sleep 9 | cat'; true").await;
    let seen = session.until(|report| matches!(report, AgentReport::TurnEnded { .. })).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    session.kill().await;
}

#[tokio::test]
async fn a_request_survives_the_daemon() {
    let world = World::new();
    let mut session = world.launch().await;
    let cursor = session.cursor;
    session.begin("head -n 1").await;
    request(&mut session).await;
    session.let_go().await;
    let mut session = world.adopt(cursor, &session, Vec::new());
    let asked = request(&mut session).await;
    answer(&mut session, &asked, "-n").await;
    assert_eq!(session.end_of_turn().await.text, "-n\n-n");
    session.kill().await;
}
