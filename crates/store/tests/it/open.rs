//! Opening: the first start, and the situations in which a store is not opened.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, chown, symlink};
use std::path::Path;

use adjutant_store::{Notice, OpenError, ReadError, Reader, open};
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::scribe::{Scribe, id};
use crate::world::{World, mode_of, set_mode};

fn refused(world: &World) -> OpenError {
    let before = world.prints();
    let error = open(&world.dir(), "0.1.0-test").map(|(_, loaded)| loaded).unwrap_err();
    assert_eq!(world.prints(), before, "a store that was not opened was changed: {error}");
    error
}

/// A store with something in it, closed.
fn written() -> World {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    for number in 0..200 {
        scribe.work(id(1), &format!("echo {number}"), &"out ".repeat(100));
    }
    writer.commit(&scribe.batch()).unwrap();
    world
}

#[test]
fn a_first_start_makes_an_empty_store_that_only_its_owner_can_read() {
    let world = World::new();
    let (writer, loaded) = world.open();
    assert_eq!(loaded.notices, [Notice::Created]);
    assert_eq!((loaded.sessions.len(), loaded.counters.next_seq), (0, 1));
    assert_eq!(mode_of(&world.dir()), 0o700);
    for name in world.names() {
        assert_eq!(mode_of(&world.file(&name)), 0o600, "{name}");
    }
    let host = writer.host_id();
    drop(writer);
    assert_eq!(world.names(), ["host.json", "store.db"]);
    let (writer, loaded) = world.open();
    assert_eq!((writer.host_id(), loaded.notices), (host, vec![]));
}

#[test]
fn two_homes_have_two_ids() {
    assert_ne!(World::new().open().0.host_id(), World::new().open().0.host_id());
}

#[test]
fn what_others_could_read_is_closed_and_reported() {
    let world = written();
    for (name, mode) in [("store.db", 0o644), ("host.json", 0o666)] {
        set_mode(&world.file(name), mode);
    }
    fs::write(world.file("store.db.daily-20260101T000000Z.bak"), "x").unwrap();
    set_mode(&world.file("store.db.daily-20260101T000000Z.bak"), 0o640);
    set_mode(&world.dir(), 0o755);
    let (_writer, loaded) = world.open();
    assert_eq!(loaded.notices.len(), 4, "{:?}", loaded.notices);
    assert_eq!((mode_of(&world.dir()), mode_of(&world.db())), (0o700, 0o600));
    assert!(world.names().iter().all(|name| mode_of(&world.file(name)) == 0o600));
}

#[test]
fn f5_the_files_are_closed_whatever_the_umask_says() {
    let world = World::new();
    let old = rustix::process::umask(rustix::fs::Mode::empty());
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    writer.commit(&scribe.batch()).unwrap();
    adjutant_store::backup(&world.dir()).unwrap();
    rustix::process::umask(old);
    assert_eq!(mode_of(&world.dir()), 0o700);
    assert!(world.names().len() >= 4, "{:?}", world.names());
    for name in world.names() {
        assert_eq!(mode_of(&world.file(&name)), 0o600, "{name}");
    }
}

#[test]
fn a_store_that_is_gone_is_missing_and_never_empty() {
    let world = written();
    fs::remove_file(world.db()).unwrap();
    assert!(matches!(refused(&world), OpenError::Missing { witness, .. } if witness == world.file("host.json")));
    assert_eq!(world.names(), ["host.json"]);
    assert!(matches!(Reader::open(&world.dir()), Err(ReadError::Missing { .. })));
}

#[test]
fn a_copy_or_a_log_shows_too_that_there_was_a_store() {
    for left in ["store.db-wal", "store.db.daily-20260101T000000Z.bak", "store.db.damaged-20260101T000000Z"] {
        let world = World::new();
        fs::create_dir(world.dir()).unwrap();
        fs::write(world.file(left), "x").unwrap();
        set_mode(&world.dir(), 0o700);
        set_mode(&world.file(left), 0o600);
        assert!(matches!(refused(&world), OpenError::Missing { .. }), "{left}");
    }
}

#[test]
fn a_first_start_that_was_killed_is_a_first_start() {
    let world = World::new();
    fs::create_dir(world.dir()).unwrap();
    for left in ["store.db.creating", "store.db.creating-wal", "store.db.creating-shm"] {
        fs::write(world.file(left), "half").unwrap();
    }
    let (_writer, loaded) = world.open();
    assert!(loaded.notices.contains(&Notice::Created));
    assert!(!world.names().iter().any(|name| name.contains("creating")), "{:?}", world.names());
}

#[test]
fn a_store_without_its_host_file_writes_it_anew() {
    for content in [None, Some(""), Some("{}"), Some("{\"host\":\"no\"}")] {
        let world = written();
        let host = world.open().0.host_id();
        match content {
            None => fs::remove_file(world.file("host.json")).unwrap(),
            Some(content) => fs::write(world.file("host.json"), content).unwrap(),
        }
        let (writer, loaded) = world.open();
        assert_eq!((writer.host_id(), loaded.notices), (host, vec![Notice::HostFileWritten]));
        assert_eq!(loaded.sessions.len(), 1);
        assert_eq!(world.open().1.notices, []);
    }
}

#[test]
fn the_store_of_another_host_is_refused() {
    let (world, other) = (written(), written());
    fs::copy(other.file("host.json"), world.file("host.json")).unwrap();
    assert!(matches!(refused(&world), OpenError::OtherHost { .. }));
}

/// Runs as a user whom file modes concern, also where the tests run as root.
fn without_privileges<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let drop_and_run = || {
            let mut sets = capabilities(None).unwrap();
            // Both sets, since `access` asks the permitted one of root.
            sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
            sets.permitted -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
            set_capabilities(None, sets).unwrap();
            run()
        };
        scope.spawn(drop_and_run).join().unwrap()
    })
}

#[test]
fn what_may_not_be_read_is_unreadable_and_not_missing() {
    for name in ["store.db", "host.json"] {
        let world = written();
        set_mode(&world.file(name), 0o000);
        without_privileges(|| {
            let error = open(&world.dir(), "0.1.0-test").map(drop).unwrap_err();
            assert!(matches!(&error, OpenError::Unreadable { path, .. } if *path == world.file(name)), "{error}");
            assert!(error.to_string().contains("Permission denied"), "{error}");
        });
        set_mode(&world.file(name), 0o600);
        assert_eq!(world.open().1.sessions.len(), 1);
    }
}

#[test]
fn a_directory_that_may_not_be_written_or_entered_is_unusable() {
    for mode in [0o500, 0o000, 0o600] {
        let world = written();
        set_mode(&world.dir(), mode);
        without_privileges(|| {
            let error = open(&world.dir(), "0.1.0-test").map(drop).unwrap_err();
            assert!(matches!(error, OpenError::DirectoryUnusable { .. }), "{mode:o} {error}");
        });
        set_mode(&world.dir(), 0o700);
        assert_eq!(world.open().1.sessions.len(), 1);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_unusable() {
    let world = World::new();
    fs::write(world.dir(), "a file").unwrap();
    let error = open(&world.dir(), "0").map(drop).unwrap_err();
    assert!(matches!(&error, OpenError::DirectoryUnusable { path, .. } if *path == world.dir()), "{error}");
    let below = world.dir().join("below");
    assert!(matches!(open(&below, "0").map(drop).unwrap_err(), OpenError::DirectoryUnusable { .. }));
    assert!(matches!(open(Path::new("/proc/adj"), "0").map(drop).unwrap_err(), OpenError::DirectoryUnusable { .. }));
}

#[test]
fn what_is_not_a_file_is_unreadable() {
    let make: [fn(&World); 3] = [
        |world| fs::create_dir(world.db()).unwrap(),
        |world| symlink(world.file("host.json"), world.db()).unwrap(),
        |world| symlink("/nonexistent", world.db()).unwrap(),
    ];
    for make in make {
        let world = written();
        fs::remove_file(world.db()).unwrap();
        make(&world);
        assert!(matches!(refused(&world), OpenError::Unreadable { .. }));
    }
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !geteuid().is_root() {
        // Only root can give a file away; for others the directories of the system belong to somebody else.
        assert!(matches!(open(Path::new("/"), "0").map(drop), Err(OpenError::ForeignOwner { .. })));
        return;
    }
    for name in ["store.db", "host.json", "."] {
        let world = written();
        chown(world.file(name), Some(65_534), None).unwrap();
        assert!(matches!(refused(&world), OpenError::ForeignOwner { owner: 65_534, .. }), "{name}");
    }
}

/// Damages a closed store in one way, and expects to be told that it is damaged.
fn corrupt(damage: impl FnOnce(&World)) -> String {
    let world = written();
    damage(&world);
    let error = refused(&world);
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    error.to_string()
}

fn truncate(path: &Path, to: impl FnOnce(u64) -> u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(to(file.metadata().unwrap().len())).unwrap();
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn f1_a_file_that_was_cut_is_damaged() {
    corrupt(|world| truncate(&world.db(), |_| 0));
    corrupt(|world| truncate(&world.db(), |_| 50));
    corrupt(|world| truncate(&world.db(), |_| 4_096));
    corrupt(|world| truncate(&world.db(), |bytes| bytes / 2));
    corrupt(|world| truncate(&world.db(), |bytes| bytes - 1));
}

#[test]
fn a_file_that_was_overwritten_is_damaged() {
    corrupt(|world| fs::write(world.db(), "this is not a database, and it is long enough ".repeat(10)).unwrap());
    corrupt(|world| overwrite(&world.db(), 0, &[0; 100]));
    corrupt(|world| overwrite(&world.db(), 0, &[0; 8_192]));
    corrupt(|world| overwrite(&world.db(), 28, &[0xff; 4]));
    corrupt(|world| {
        let bytes = fs::metadata(world.db()).unwrap().len();
        fs::write(world.db(), vec![0; usize::try_from(bytes).unwrap()]).unwrap();
    });
}

#[test]
fn a_database_of_another_program_is_damaged() {
    let why = corrupt(|world| {
        fs::remove_file(world.db()).unwrap();
        let conn = rusqlite::Connection::open(world.db()).unwrap();
        conn.execute_batch("CREATE TABLE notes (body TEXT); PRAGMA user_version = 1").unwrap();
        set_mode(&world.db(), 0o600);
    });
    assert!(why.contains("another program"), "{why}");
}

fn corrupt_by(sql: &'static str) -> String {
    corrupt(|world| {
        let conn = world.sqlite();
        conn.execute_batch(sql).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(conn);
    })
}

#[test]
fn f15_one_record_that_is_wrong_makes_the_store_damaged() {
    corrupt_by("UPDATE sessions SET row = '{}'");
    corrupt_by("UPDATE sessions SET row = '[]'");
    corrupt_by("UPDATE sessions SET row = 'null'");
    corrupt_by("UPDATE sessions SET row = substr(row, 1, 100)");
    corrupt_by("UPDATE sessions SET row = json_set(row, '$.name', 17)");
    corrupt_by("UPDATE sessions SET row = json_set(row, '$.name', ' ')");
    corrupt_by("UPDATE sessions SET row = json_set(row, '$.id', 'x')");
    corrupt_by("UPDATE sessions SET row = json_set(row, '$.phase', 'dancing')");
    corrupt_by("UPDATE sessions SET row = json_set(row, '$.ready', json('[4711]'))");
    corrupt_by("UPDATE sessions SET row = json_set(row, '$.cursor', -1)");
    corrupt_by("INSERT INTO messages VALUES (9999, x'00', 1, 'ready', '{}')");
    corrupt_by("UPDATE messages SET alive = 1; DELETE FROM sessions");
    corrupt_by("INSERT INTO requests VALUES (9999, x'00', 1, '{}')");
}

#[test]
fn a_store_without_its_tables_or_its_numbers_is_damaged() {
    corrupt_by("DROP TABLE messages");
    corrupt_by("DROP TABLE meta");
    corrupt_by("DROP TABLE purging");
    corrupt_by("DELETE FROM meta WHERE key = 'host'");
    corrupt_by("DELETE FROM meta WHERE key = 'next_seq'");
    corrupt_by("UPDATE meta SET value = 5 WHERE key = 'next_message'");
    corrupt_by("UPDATE meta SET value = 'many' WHERE key = 'next_seq'");
    corrupt_by("PRAGMA user_version = 0");
}

#[test]
fn a_newer_store_is_refused_with_both_numbers() {
    let world = written();
    let conn = world.sqlite();
    let sql = "ALTER TABLE sessions RENAME TO agents; UPDATE meta SET value = '9.1.0' WHERE key = 'written_by';
               PRAGMA user_version = 7";
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let error = refused(&world);
    assert!(
        matches!(&error, OpenError::Newer { found: 7, supported: 1, by: Some(by), .. } if by == "9.1.0"),
        "{error}"
    );
    assert!(matches!(Reader::open(&world.dir()), Err(ReadError::OtherFormat { found: 7, .. })));
}

/// A store as a daemon leaves it that was killed: with a log that is not moved into the database.
fn killed() -> World {
    let (world, left) = (World::new(), written());
    let conn = left.sqlite();
    conn.execute_batch("CREATE TABLE big (a); INSERT INTO big VALUES (randomblob(90000)); DROP TABLE big").unwrap();
    let (mut writer, loaded) = left.open();
    let mut scribe = Scribe::after(loaded);
    for number in 0..500 {
        scribe.work(id(1), &format!("echo {number}"), &"out ".repeat(100));
    }
    writer.commit(&scribe.batch()).unwrap();
    fs::create_dir(world.dir()).unwrap();
    set_mode(&world.dir(), 0o700);
    for name in ["store.db", "store.db-wal", "host.json"] {
        fs::copy(left.file(name), world.file(name)).unwrap();
    }
    world
}

#[test]
fn a_log_that_was_left_is_read() {
    let world = killed();
    let (_writer, loaded) = world.open();
    assert_eq!(loaded.sessions[0].turns_begun, 700);
}

#[test]
fn a_damaged_store_keeps_its_log_too() {
    let world = killed();
    // More pages stand in the log's view than in both files together.
    truncate(&world.db(), |bytes| bytes / 2);
    assert!(matches!(refused(&world), OpenError::Corrupt { .. }));

    let world = killed();
    overwrite(&world.db(), 0, &[0; 100]);
    assert!(matches!(refused(&world), OpenError::Corrupt { .. }));
}

#[test]
fn a_log_that_was_cut_loses_its_last_commits_and_nothing_else() {
    let world = killed();
    truncate(&world.file("store.db-wal"), |bytes| bytes - 1);
    let (_writer, loaded) = world.open();
    assert_eq!(loaded.sessions[0].turns_begun, 200);
}

#[test]
fn c13_looking_for_a_store_makes_none() {
    let world = World::new();
    assert!(matches!(Reader::open(&world.dir()), Err(ReadError::Missing { .. })));
    assert!(fs::symlink_metadata(world.dir()).is_err());
}
