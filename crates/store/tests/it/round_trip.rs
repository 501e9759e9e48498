//! What goes in comes out: every type of the core, through a real file.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use adjutant_core::event::{Event, Logged};
use adjutant_core::host::Counters;
use adjutant_core::id::{MessageId, Seq, SessionId, TurnNumber};
use adjutant_core::input::Text;
use adjutant_core::message::Message;
use adjutant_core::session::{Session, Work};
use adjutant_core::time::Timestamp;
use adjutant_store::{Batch, Reader, Selection, Writer};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::any;
use crate::world::{World, known, log_of};

/// As high as counters go, so that any id is one that was given.
const COUNTERS: Counters =
    Counters { next_seq: i64::MAX as u64, next_message: i64::MAX as u64, next_request: i64::MAX as u64 };

fn batch() -> Batch {
    Batch { counters: COUNTERS, ..Batch::default() }
}

fn commit(writer: &mut Writer, batch: Batch) {
    writer.commit(&batch).unwrap();
}

fn kinds_of_the_store() -> BTreeSet<&'static str> {
    let source = include_str!("../../src/rows/event.rs");
    let declared = source.lines().skip_while(|line| !line.starts_with("events! {")).take_while(|line| *line != "}");
    let kinds = declared.filter(|line| !line.trim_start().starts_with(['#', '/']));
    kinds.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

#[test]
fn every_event_returns() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut runner = TestRunner::deterministic();
    let strategy = (any::event(), any::session_id(), any::at(), proptest::option::of(0..u64::MAX / 2));
    let mut logged = |seq| {
        let (event, session, at, cursor) = strategy.new_tree(&mut runner).unwrap().current();
        Logged { seq: Seq::new(seq), session, at, cursor, event }
    };
    let events: Vec<Logged> = (1..=4_000).map(&mut logged).collect();
    commit(&mut writer, Batch { events: events.clone(), ..batch() });
    let found = known(log_of(&world.reader()));
    for (wrote, read) in events.iter().zip(&found) {
        assert_eq!(wrote, read);
    }
    assert_eq!(events.len(), found.len());
    let kinds: BTreeSet<&str> = events.iter().map(|logged| logged.event.type_name()).collect();
    assert_eq!(kinds, kinds_of_the_store());
}

#[test]
fn a_time_that_is_taken_away_is_not_a_time_that_stays() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let changed = |due| Event::MessageChanged { message: MessageId::new(1), bytes: None, due, place: None };
    let events: Vec<Logged> = [changed(None), changed(Some(None))]
        .into_iter()
        .enumerate()
        .map(|(index, event)| Logged {
            seq: Seq::new(index as u64 + 1),
            session: SessionId::from_bytes([1; 16]),
            at: Timestamp::from_millis(0),
            cursor: None,
            event,
        })
        .collect();
    commit(&mut writer, Batch { events: events.clone(), ..batch() });
    assert_eq!(known(log_of(&world.reader())), events);
}

fn batch_of(session: &Session) -> Batch {
    let requests = match &session.work {
        Work::Idle => Vec::new(),
        Work::Turn(turn) => turn.requests.values().map(|request| (request.clone(), None)).collect(),
    };
    let messages = session.messages.values().cloned().collect();
    Batch { sessions: vec![session.clone()], messages, requests, ..batch() }
}

/// Tries many values against one store.
fn for_any<S: Strategy>(strategy: S, test: impl Fn(&mut Writer, &Reader, S::Value) -> Result<(), TestCaseError>)
where
    S::Value: Clone,
{
    let world = World::new();
    let (writer, reader) = (RefCell::new(world.open().0), world.reader());
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let run = |value| test(&mut writer.borrow_mut(), &reader, value);
    TestRunner::new(config).run(&strategy, run).unwrap();
}

#[test]
fn any_session_returns_with_its_queue_and_its_requests() {
    for_any((any::session(), any::session()), |writer, _, (first, second)| {
        // The same session again, changed in every part but its name, takes the place of the first.
        let second = without_requests(Session { id: first.id, name: first.name.clone(), ..second });
        let live = |id: &MessageId| second.messages.contains_key(id);
        prop_assume!(!first.messages.keys().any(live));
        commit(writer, batch_of(&first));
        prop_assert_eq!(&writer.reload().unwrap().sessions, &vec![first.clone()]);

        let mut change = batch_of(&second);
        change.messages.extend(first.messages.values().map(ended));
        for message in &mut change.messages {
            message.session = first.id;
        }
        let messages = change.messages.iter().filter(|m| live(&m.id)).map(|m| (m.id, m.clone())).collect();
        let second = Session { messages, ..second };
        commit(writer, Batch { sessions: vec![second.clone()], ..change });
        let reloaded: Vec<_> = writer.reload().unwrap().sessions.into_iter().map(without_requests).collect();
        commit(writer, Batch { purged: vec![first.id], ..batch() });
        prop_assert_eq!(reloaded, vec![second]);
        Ok(())
    });
}

#[test]
fn any_message_returns() {
    for_any(any::any_message(), |writer, reader, message| {
        commit(writer, Batch { messages: vec![message.clone()], ..batch() });
        prop_assert_eq!(reader.message(message.id).unwrap(), Some(message));
        Ok(())
    });
}

#[test]
fn any_turn_returns() {
    for_any((any::session_id(), any::ended_turn()), |writer, reader, (session, turn)| {
        commit(writer, Batch { turns: vec![(session, turn.clone())], ..batch() });
        prop_assert_eq!(reader.turn(session, turn.number).unwrap(), Some(turn.clone()));
        prop_assert_eq!(reader.turns_of(session, Selection::Last(2)).unwrap(), vec![turn]);
        Ok(())
    });
}

#[test]
fn any_request_returns() {
    for_any((any::request(), proptest::option::of(any::request_end())), |writer, reader, (request, end)| {
        commit(writer, Batch { requests: vec![(request.clone(), end.clone())], ..batch() });
        prop_assert_eq!(reader.request(request.id).unwrap(), Some((request, end)));
        Ok(())
    });
}

#[test]
fn any_text_returns() {
    for_any((any::text(), any::turn_number()), |writer, reader, (body, turn)| {
        let (message, session) = (MessageId::new(7), SessionId::from_bytes([1; 16]));
        let text: Arc<str> = Arc::from(body.as_str());
        let texts = vec![Text::Message { message, text: text.clone() }, Text::Answer { session, turn, text }];
        commit(writer, Batch { texts, ..batch() });
        prop_assert_eq!(reader.text_of_message(message).unwrap(), Some(body.clone()));
        prop_assert_eq!(reader.answer(session, turn).unwrap(), Some(body));
        Ok(())
    });
}

fn ended(message: &Message) -> Message {
    let mut runner = TestRunner::deterministic();
    Message { state: any::ended_state().new_tree(&mut runner).unwrap().current(), ..message.clone() }
}

fn without_requests(mut session: Session) -> Session {
    match &mut session.work {
        Work::Idle => {}
        Work::Turn(turn) => turn.requests.clear(),
    }
    session
}

#[test]
fn the_largest_texts_return_to_the_byte() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let body: String =
        "0123456789abcdefghijklmnopqrstuvwxyz\u{fc}\n".chars().cycle().take(8 * 1024 * 1024 - 400_000).collect();
    let (session, text): (SessionId, Arc<str>) = (SessionId::from_bytes([1; 16]), Arc::from(body.as_str()));
    let message = Text::Message { message: MessageId::new(1), text: text.clone() };
    let answer = Text::Answer { session, turn: TurnNumber::new(1), text };
    commit(&mut writer, Batch { texts: vec![message, answer], ..batch() });
    let reader = world.reader();
    assert!(reader.text_of_message(MessageId::new(1)).unwrap() == Some(body.clone()));
    assert!(reader.answer(session, TurnNumber::new(1)).unwrap() == Some(body));
    assert_eq!(reader.text_of_message(MessageId::new(2)).unwrap(), None);
    assert_eq!(reader.answer(session, TurnNumber::new(2)).unwrap(), None);
}
