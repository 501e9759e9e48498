//! F1: a damaged store comes back to its last good state, and the damaged file is kept.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use adjutant_core::event::Event;
use adjutant_store::{OpenError, RepairError, Repaired, backup, open, repair};

use crate::scribe::{Scribe, id};
use crate::world::{World, log_of};

const ROUNDS: usize = 400;

/// A store with a long log; a copy of it was made in its middle, if that is wanted.
fn written(with_copy: bool) -> (World, Scribe) {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    for round in 0..ROUNDS {
        if with_copy && round == ROUNDS / 2 {
            backup(&world.dir()).unwrap();
        }
        scribe.work(id(1), &format!("echo {round}"), &"out ".repeat(200));
        if round % 20 == 19 {
            writer.commit(&scribe.batch()).unwrap();
        }
    }
    (world, scribe)
}

fn repaired(world: &World) -> Repaired {
    assert!(matches!(open(&world.dir(), "0").map(drop), Err(OpenError::Corrupt { .. } | OpenError::Missing { .. })));
    let damaged = fs::read(world.db()).ok();
    let report = repair(&world.dir(), "0").unwrap();
    if let Some(damaged) = damaged {
        assert!(fs::read(report.aside.as_ref().unwrap()).unwrap() == damaged, "the damaged file was changed");
    }
    let reader = world.reader();
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    assert_eq!(reader.verify_projections().unwrap().differences, []);
    assert_eq!(
        log_of(&reader).len() as u64,
        report.events_salvaged + report.events_from_backup - report.events_orphaned
    );
    report
}

/// The repaired store goes on, with ids that were never given before.
fn goes_on(world: &World, before: &Scribe) {
    let (mut writer, loaded) = world.open();
    let (old, new) = (before.session(id(1)), &loaded.counters);
    assert!(new.next_seq > 1_000_000 && new.next_message > 100_000 && new.next_request > 100_000);
    assert!(loaded.sessions[0].turns_begun <= old.turns_begun);
    let mut scribe = Scribe::after(loaded);
    scribe.work(id(1), "after", "all");
    writer.commit(&scribe.batch()).unwrap();
    assert_eq!(world.reader().verify_projections().unwrap().differences, []);
}

fn cut(path: &Path, keep: impl Fn(u64) -> u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(keep(file.metadata().unwrap().len())).unwrap();
}

#[test]
fn a_file_cut_in_half_gives_what_its_half_holds() {
    let (world, scribe) = written(false);
    cut(&world.db(), |bytes| bytes / 2);
    let report = repaired(&world);
    assert!(report.events_salvaged > 500 && report.backup.is_none(), "{report:?}");
    assert!(!report.breaks.is_empty());
    goes_on(&world, &scribe);
}

#[test]
fn a_copy_fills_what_cannot_be_read() {
    let (world, scribe) = written(true);
    File::options().write(true).open(world.db()).unwrap().write_all_at(&[0; 8_192], 0).unwrap();
    let report = repaired(&world);
    assert_eq!(report.events_salvaged, 0);
    assert_eq!(report.events_from_backup, 3 + (ROUNDS as u64 / 2) * 6);
    assert!(report.backup.is_some() && report.texts_lost == 0, "{report:?}");
    assert_eq!(world.open().1.sessions[0].turns_begun as usize, ROUNDS / 2);
    goes_on(&world, &scribe);
}

#[test]
fn the_damaged_log_and_the_copy_are_put_together() {
    let (world, scribe) = written(true);
    // Pages that hold the oldest events are lost; the newest are only in the damaged file, the oldest only in the copy.
    let pages = event_leaves(&world);
    let page = |number: u64| (number - 1) * 4_096;
    for number in &pages[..2] {
        File::options().write(true).open(world.db()).unwrap().write_all_at(&[0; 4_096], page(*number)).unwrap();
    }
    let conn = rusqlite::Connection::open(world.db()).unwrap();
    conn.execute_batch("UPDATE sessions SET row = '{}'").unwrap();
    drop(conn);
    let report = repaired(&world);
    assert!(report.events_salvaged > 0 && report.events_from_backup > 0, "{report:?}");
    assert_eq!(report.breaks.len(), 1);
    assert!(report.breaks[0].after == 0 && report.breaks[0].resumed.is_some(), "{report:?}");
    assert_eq!((report.events_salvaged + report.events_from_backup) as usize, 3 + ROUNDS * 6);
    assert_eq!(world.open().1.sessions, scribe.sessions());
    goes_on(&world, &scribe);
}

/// The pages of the log, in the order of its events.
fn event_leaves(world: &World) -> Vec<u64> {
    let conn = world.sqlite();
    let sql = "SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path";
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn events_that_make_no_sense_are_left_out_and_counted() {
    let (world, scribe) = written(false);
    let damage = "UPDATE events SET data = '{' WHERE seq = 50; UPDATE events SET session = x'01' WHERE seq = 60;
                  UPDATE sessions SET row = '{}'";
    world.sqlite().execute_batch(damage).unwrap();
    let report = repaired(&world);
    assert_eq!((report.events_malformed, report.events_salvaged as usize), (2, 3 + ROUNDS * 6 - 2));
    goes_on(&world, &scribe);
}

#[test]
fn a_store_that_is_gone_comes_back_from_its_copy() {
    let (world, scribe) = written(true);
    let host = world.open().0.host_id();
    fs::remove_file(world.db()).unwrap();
    let report = repaired(&world);
    assert!(report.aside.is_none() && report.events_from_backup > 0);
    assert_eq!(world.open().0.host_id(), host);
    goes_on(&world, &scribe);
}

#[test]
fn a_repair_that_was_killed_is_finished_by_the_next() {
    let (world, scribe) = written(false);
    world.sqlite().execute_batch("UPDATE sessions SET row = '{}'").unwrap();
    // The damaged file was put aside, its log and the new store were not.
    fs::rename(world.db(), world.file("store.db.damaged-20261120T091402Z")).unwrap();
    fs::write(world.file("store.db.repairing"), "half").unwrap();
    fs::write(world.file("store.db-wal"), "").unwrap();
    let report = repaired(&world);
    assert_eq!(report.events_salvaged as usize, 3 + ROUNDS * 6);
    assert!(!world.names().iter().any(|name| name.contains("repairing")), "{:?}", world.names());
    assert_eq!(world.open().1.sessions, scribe.sessions());
    goes_on(&world, &scribe);
}

#[test]
fn a_forgotten_session_does_not_come_back_from_a_copy() {
    let (world, mut scribe) = written(false);
    scribe.ready(id(2), "vi-jg");
    let (mut writer, _) = world.open();
    writer.commit(&scribe.batch()).unwrap();
    backup(&world.dir()).unwrap();
    scribe.purge(id(2));
    scribe.ready(id(3), "vi-jg");
    writer.commit(&scribe.batch()).unwrap();
    drop(writer);
    world.sqlite().execute_batch("UPDATE sessions SET row = '{}'").unwrap();
    repaired(&world);
    assert_eq!(world.open().1.sessions, scribe.sessions());
}

#[test]
fn of_two_sessions_with_one_name_the_newer_stays() {
    let (world, mut scribe) = written(false);
    scribe.ready(id(2), "vi-jg");
    let (mut writer, _) = world.open();
    writer.commit(&scribe.batch()).unwrap();
    backup(&world.dir()).unwrap();
    scribe.purge(id(2));
    scribe.ready(id(3), "vi-jg");
    writer.commit(&scribe.batch()).unwrap();
    drop(writer);
    // Nobody can say which sessions there were.
    world.sqlite().execute_batch("DROP TABLE sessions").unwrap();
    repaired(&world);
    assert_eq!(world.open().1.sessions, scribe.sessions());
}

#[test]
fn what_is_sound_newer_unreadable_or_hopeless_is_left_alone() {
    let (world, _) = written(false);
    let before = world.prints();
    assert!(matches!(repair(&world.dir(), "0"), Err(RepairError::NotDamaged { .. })));
    assert!(world.prints() == before);

    world.sqlite().execute_batch("PRAGMA user_version = 9").unwrap();
    let before = world.prints();
    assert!(matches!(repair(&world.dir(), "0"), Err(RepairError::Unusable(OpenError::Newer { .. }))));
    assert!(world.prints() == before);

    fs::write(world.db(), "nothing of it is left").unwrap();
    let before = world.prints();
    assert!(matches!(repair(&world.dir(), "0"), Err(RepairError::NothingLeft { .. })));
    assert!(world.prints() == before, "{:?}", world.names());

    fs::remove_file(world.db()).unwrap();
    fs::create_dir(world.db()).unwrap();
    assert!(matches!(repair(&world.dir(), "0"), Err(RepairError::Unusable(OpenError::Unreadable { .. }))));
}

#[test]
fn damage_that_only_a_whole_check_finds_is_repaired_too() {
    let (world, scribe) = written(false);
    let leaves = event_leaves(&world);
    let middle = leaves[leaves.len() / 2];
    File::options().write(true).open(world.db()).unwrap().write_all_at(&[0; 4_096], (middle - 1) * 4_096).unwrap();
    assert!(open(&world.dir(), "0").is_ok(), "the pages of the log are not read at each start");
    assert!(world.reader().check().map_or(true, |flaws| !flaws.is_empty()));
    let report = repair(&world.dir(), "0").unwrap();
    assert_eq!(report.breaks.len(), 1, "{report:?}");
    assert!(report.breaks[0].resumed.is_some() && report.events_salvaged as usize > ROUNDS * 5);
    assert_eq!(world.reader().verify_projections().unwrap().differences, []);
    goes_on(&world, &scribe);
}

#[test]
fn an_unknown_event_survives_a_repair() {
    let (world, mut scribe) = written(false);
    scribe.event(id(1), Event::QueueReleased);
    let (mut writer, _) = world.open();
    writer.commit(&scribe.batch()).unwrap();
    drop(writer);
    let damage = "UPDATE events SET type = 'budget.changed' WHERE seq = (SELECT max(seq) FROM events);
                  UPDATE sessions SET row = '{}'";
    world.sqlite().execute_batch(damage).unwrap();
    repaired(&world);
    assert_eq!(log_of(&world.reader()).last().unwrap().type_name(), "budget.changed");
}
