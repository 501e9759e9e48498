//! Waits and streams of events that break in the middle.

use std::time::Duration;

use adjutant_api::stream::{EventRecord, WaitEnd, WaitRecord, WaitResult};
use adjutant_api::types::event::{Event, EventsQuery};
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};
use adjutant_api::{ErrorBody, ErrorCode, WireTime};
use adjutant_client::{ClientError, Flow};
use serde_json::Value;
use tokio::task::LocalSet;

use crate::scripted::{Scripted, Step};

fn lines<T: serde::Serialize>(records: &[T]) -> String {
    records.iter().map(|record| serde_json::to_string(record).expect("a record") + "\n").collect()
}

fn done(session: &str) -> TurnResult {
    TurnResult { outcome: OutcomeWord::Completed, ..TurnResult::idle(session) }
}

fn waiting(cursor: &str) -> WaitRecord {
    WaitRecord::Waiting { cursor: cursor.to_owned() }
}

fn result(results: Vec<TurnResult>) -> WaitRecord {
    WaitRecord::Result(WaitResult { ended_by: WaitEnd::Done, results })
}

fn query(sessions: &[&str]) -> WaitQuery {
    WaitQuery { session: sessions.iter().map(ToString::to_string).collect(), ..WaitQuery::default() }
}

fn event(seq: u64) -> EventRecord {
    let event = Event {
        seq,
        session: Some("fizz-top".into()),
        at: WireTime::from_millis(0),
        r#type: "text".into(),
        turn: None,
        data: Value::Null,
    };
    EventRecord::Event { event }
}

#[tokio::test(flavor = "current_thread")]
async fn a_wait_goes_on_where_it_broke() {
    LocalSet::new()
        .run_until(async {
            let first = lines(&[waiting("c1"), WaitRecord::Session { result: done("a") }, waiting("c2")]);
            let second = lines(&[waiting("c2"), WaitRecord::Session { result: done("a") }, WaitRecord::Alive]);
            let third = lines(&[WaitRecord::Session { result: done("b") }, result(vec![done("b")])]);
            let steps = vec![Step::StreamAndBreak(first), Step::StreamAndBreak(second), Step::Stream(third)];
            let daemon = Scripted::new(steps);
            let mut told = Vec::new();
            let found = daemon.client().wait(&query(&["b", "a"]), |one| told.push(one.session.clone())).await;
            assert_eq!(found.unwrap().unwrap().results, [done("b"), done("a")]);
            assert_eq!(told, ["a", "b"]);
            let asked = "GET /v1/wait?session=b&session=a";
            assert_eq!(daemon.calls(), [asked.into(), format!("{asked} after c2"), format!("{asked} after c2")]);
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_wait_ends_by_itself_when_nobody_answers_in_time() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::StreamAndBreak(lines(&[waiting("c1")]))]);
            std::fs::remove_file(daemon.home().socket_pointer()).unwrap_or_default();
            let query = WaitQuery { timeout_ms: Some(50), ..query(&["a"]) };
            assert_eq!(daemon.client().wait(&query, |_| {}).await, Ok(None));
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_wait_that_cannot_go_on_says_why() {
    LocalSet::new()
        .run_until(async {
            let error = ErrorBody::new(ErrorCode::MessageNotFound, "no message m42");
            let daemon = Scripted::new(vec![Step::Stream(lines(&[WaitRecord::Error { error: error.clone() }]))]);
            assert_eq!(daemon.client().wait(&query(&["a"]), |_| {}).await, Err(ClientError::Refused(error)));
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn records_of_a_newer_daemon_are_passed_over() {
    LocalSet::new()
        .run_until(async {
            let stream = format!("{{\"type\":\"weather\"}}\n\n{}", lines(&[result(vec![done("a")])]));
            let daemon = Scripted::new(vec![Step::Stream(stream)]);
            let found = daemon.client().wait(&query(&["a"]), |_| {}).await;
            assert_eq!(found.unwrap().unwrap().results, [done("a")]);
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn following_skips_nothing_and_doubles_nothing() {
    LocalSet::new()
        .run_until(async {
            let alive = EventRecord::Alive { seq: Some(3) };
            let first = Step::StreamAndBreak(lines(&[alive, event(4), event(7)]));
            let second = Step::StreamAndBreak(lines(&[event(7), event(9)]));
            let third = Step::StreamAndBreak(lines(&[EventRecord::Alive { seq: Some(12) }]));
            let fourth = Step::Stream(lines(&[event(13)]));
            let daemon = Scripted::new(vec![first, second, third, fourth]);
            let mut seen = Vec::new();
            let query = EventsQuery { tail: Some(2), ..EventsQuery::default() };
            let each = |event: Event| {
                seen.push(event.seq);
                if event.seq == 13 { Flow::Stop } else { Flow::GoOn }
            };
            assert_eq!(daemon.client().follow(&query, None, each).await, Ok(true));
            assert_eq!(seen, [4, 7, 9, 13]);
            let asked = |more: &str| format!("GET /v1/events?follow=true&{more}");
            assert_eq!(daemon.calls(), ["tail=2", "since=7", "since=9", "since=12"].map(asked));
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn following_ends_in_time() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::StreamAndBreak(lines(&[event(1)]))]);
            let limit = Some(Duration::from_millis(50));
            let ended = daemon.client().follow(&EventsQuery::default(), limit, |_| Flow::GoOn).await;
            assert_eq!(ended, Ok(false));
        })
        .await;
}
