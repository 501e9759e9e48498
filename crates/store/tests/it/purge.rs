//! Forgetting sessions.

use std::fs;

use adjutant_core::id::Seq;
use adjutant_store::{Batch, Scope, Selection, Tended, Writer};

use crate::scribe::{Scribe, id};
use crate::world::World;

fn tend_all(writer: &mut Writer) -> usize {
    let mut steps = 1;
    while writer.tend().unwrap() == Tended::More {
        steps += 1;
    }
    steps
}

fn rows_left(world: &World) -> Vec<(String, u64)> {
    let conn = world.sqlite();
    let tables = ["events", "sessions", "messages", "turns", "requests", "message_texts", "answers", "purging"];
    let count = |table: &str| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    tables.into_iter().map(|table| (table.to_owned(), count(table))).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_small_session_is_gone_with_its_commit() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    scribe.work(id(1), "ls", "files");
    let message = scribe.send(id(1), "more");
    scribe.hand(id(1), message);
    scribe.take(id(1), message);
    scribe.ask(id(1));
    writer.commit(&scribe.batch()).unwrap();
    scribe.exit(id(1));
    scribe.purge(id(1));
    let batch = scribe.batch();
    assert_eq!(batch.purged, [id(1)]);
    writer.commit(&batch).unwrap();
    assert_eq!(rows_left(&world), []);
    let loaded = writer.reload().unwrap();
    assert_eq!((loaded.sessions.len(), loaded.counters), (0, batch.counters));
    assert!(loaded.counters.next_seq > 10 && loaded.counters.next_message == 3 && loaded.counters.next_request == 2);
}

#[test]
fn a_name_is_free_in_the_commit_that_forgets_its_session() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    writer.commit(&scribe.batch()).unwrap();
    scribe.exit(id(1));
    scribe.purge(id(1));
    scribe.ready(id(2), "fizz-top");
    writer.commit(&scribe.batch()).unwrap();
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
    assert_eq!(world.reader().verify_projections().unwrap().differences, []);
}

#[test]
fn a_large_session_is_hidden_at_once_and_removed_in_pieces() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    scribe.ready(id(2), "vi-jg");
    for _ in 0..8 {
        (0..300).for_each(|_| _ = scribe.work(id(1), &"text ".repeat(100), &"answer ".repeat(100)));
        writer.commit(&scribe.batch()).unwrap();
    }
    scribe.work(id(2), "ls", "files");
    let waiting = scribe.send(id(1), "still here");
    writer.commit(&scribe.batch()).unwrap();
    let _ = tend_all(&mut writer);
    writer.checkpoint().unwrap();
    let bytes_before = fs::metadata(world.db()).unwrap().len();

    scribe.purge(id(1));
    let purge = scribe.batch();
    writer.commit(&purge).unwrap();
    let reader = world.reader();
    assert!(rows_left(&world).iter().any(|(table, rows)| table == "purging" && *rows == 1));
    let tail = reader.events_tail(100_000, Scope::default()).unwrap();
    assert!(tail.iter().all(|entry| entry.session() == id(2)));
    assert_eq!(reader.verify_projections().unwrap().differences, []);
    drop(writer);

    // A start in between finds the rest, and goes on.
    let (mut writer, loaded) = world.open();
    assert_eq!((loaded.sessions, loaded.counters), (scribe.sessions(), purge.counters));
    assert!(tend_all(&mut writer) > 3);
    assert!(rows_left(&world).iter().all(|(table, rows)| *rows < 15 && table != "purging"), "{:?}", rows_left(&world));
    assert_eq!(reader.message(waiting).unwrap(), None);
    assert_eq!(reader.turns_of(id(2), Selection::Last(9)).unwrap().len(), 1);
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    drop(reader);
    writer.checkpoint().unwrap();
    let bytes_after = fs::metadata(world.db()).unwrap().len();
    assert!(bytes_after < bytes_before / 2, "{bytes_after} of {bytes_before}");
}

#[test]
fn what_is_forgotten_twice_or_was_never_there_is_fine() {
    let world = World::new();
    let (mut writer, loaded) = world.open();
    let batch = Batch { purged: vec![id(1), id(1)], counters: loaded.counters, ..Batch::default() };
    writer.commit(&batch).unwrap();
    writer.commit(&batch).unwrap();
    assert_eq!(rows_left(&world), []);
    assert_eq!(world.reader().last_seq().unwrap(), Seq::new(0));
}
