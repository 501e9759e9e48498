//! The log folded anew against the stored projections.

use adjutant_store::{OpenError, open, rebuild};

use crate::scribe::{Scribe, id};
use crate::world::World;

fn written() -> (World, Scribe) {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    scribe.create(id(2), "vi-jg", Some(id(1)));
    scribe.work(id(1), "first", "done");
    let message = scribe.send(id(1), "second");
    scribe.hand(id(1), message);
    scribe.take(id(1), message);
    scribe.ask(id(1));
    writer.commit(&scribe.batch()).unwrap();
    (world, scribe)
}

fn records_that_differ(sql: &str) -> Vec<String> {
    let (world, _) = written();
    world.sqlite().execute_batch(sql).unwrap();
    let verified = world.reader().verify_projections().unwrap();
    assert_eq!(verified.different, verified.differences.len() as u64);
    verified.differences.into_iter().map(|difference| difference.record).collect()
}

#[test]
fn a_store_that_was_only_committed_to_differs_in_nothing() {
    let (world, _) = written();
    let verified = world.reader().verify_projections().unwrap();
    assert_eq!((verified.different, verified.differences.len()), (0, 0));
    assert_eq!(verified.events, world.reader().counts().unwrap().events);
}

#[test]
fn every_record_that_differs_is_named() {
    let session = format!("session fizz-top ({})", id(1));
    assert_eq!(
        records_that_differ("UPDATE sessions SET row = json_set(row, '$.turns_begun', 9) WHERE name = 'fizz-top'"),
        [session]
    );
    assert_eq!(
        records_that_differ("UPDATE messages SET row = json_set(row, '$.bytes', 1) WHERE id = 1"),
        ["message m1"]
    );
    assert_eq!(records_that_differ("DELETE FROM messages WHERE id = 1"), ["message m1"]);
    assert_eq!(records_that_differ("DELETE FROM turns"), [format!("turn 1 of {}", id(1))]);
    assert_eq!(
        records_that_differ("DELETE FROM sessions WHERE name = 'vi-jg'"),
        [format!("session vi-jg ({})", id(2))]
    );
    assert_eq!(records_that_differ("UPDATE requests SET row = json_set(row, '$.end', 'withdrawn')"), ["request r1"]);
    let extra = "INSERT INTO turns SELECT session, 7, json_set(row, '$.number', 7) FROM turns";
    assert_eq!(records_that_differ(extra), [format!("turn 7 of {}", id(1))]);
}

#[test]
fn a_rebuild_makes_the_projections_what_the_log_says() {
    let (world, scribe) = written();
    let damage = "UPDATE sessions SET row = '{}'; DELETE FROM messages WHERE id = 1; UPDATE turns SET row = 'x';
                  UPDATE requests SET row = '[]'";
    world.sqlite().execute_batch(damage).unwrap();
    assert!(matches!(open(&world.dir(), "0").map(drop), Err(OpenError::Corrupt { .. })));
    let rebuilt = rebuild(&world.dir()).unwrap();
    assert!(rebuilt.backup.file_name().unwrap().to_str().unwrap().starts_with("store.db.rebuild-"));
    let (_writer, loaded) = world.open();
    assert_eq!(loaded.sessions, scribe.sessions());
    assert_eq!(world.reader().verify_projections().unwrap().differences, []);
    assert_eq!(world.reader().text_of_message(adjutant_core::id::MessageId::new(1)).unwrap().as_deref(), Some("first"));
}

#[test]
fn a_rebuild_of_a_sound_store_changes_nothing() {
    let (world, scribe) = written();
    rebuild(&world.dir()).unwrap();
    let (_writer, loaded) = world.open();
    assert_eq!(loaded.sessions, scribe.sessions());
}
