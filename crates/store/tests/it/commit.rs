//! Commits: whole or not at all, and again after the cause of a failure is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use adjutant_core::id::Seq;
use adjutant_store::{Batch, CommitError, OpenError, Reader, Scope, open};
use rustix::process::geteuid;

use crate::scribe::{Scribe, id};
use crate::world::{World, known, log_of};

#[test]
fn a_commit_is_there_for_whoever_looks_next() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    let first = scribe.batch();
    writer.commit(&first).unwrap();
    let reader = world.reader();
    let seen = known(reader.events_after(Seq::new(0), Scope::default(), 100).unwrap().entries);
    assert_eq!(seen, first.events);
    let loaded = writer.reload().unwrap();
    assert_eq!((loaded.sessions, loaded.counters), (scribe.sessions(), first.counters));
}

#[test]
fn an_empty_batch_changes_nothing() {
    let world = World::new();
    let (mut writer, loaded) = world.open();
    writer.commit(&Batch { counters: loaded.counters, ..Batch::default() }).unwrap();
    assert_eq!(world.reader().last_seq().unwrap(), Seq::new(0));
}

#[test]
fn nothing_of_a_failed_commit_is_there() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    writer.commit(&scribe.batch()).unwrap();
    let before = log_of(&world.reader());

    // A place in the log is given once; everything else in the batch would have been written before.
    scribe.work(id(1), "ls", "files");
    let good = scribe.batch();
    let mut bad = good.clone();
    bad.events.push(bad.events[0].clone());
    assert!(matches!(writer.commit(&bad), Err(CommitError::Contradiction { .. })));
    assert_eq!(log_of(&world.reader()), before);
    assert_eq!(world.reader().counts().unwrap().messages, 0);

    writer.commit(&good).unwrap();
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
}

#[test]
fn a_name_is_given_once() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.create(id(1), "fizz-top", None);
    scribe.create(id(2), "fizz-top", None);
    assert!(matches!(writer.commit(&scribe.batch()), Err(CommitError::Contradiction { .. })));
    assert_eq!(world.reader().last_seq().unwrap(), Seq::new(0));
}

#[test]
fn a_store_that_was_removed_or_replaced_is_not_written_into_the_void() {
    let replace: [fn(&World); 3] = [
        |world| fs::remove_file(world.db()).unwrap(),
        |world| fs::remove_dir_all(world.dir()).unwrap(),
        |world| {
            fs::copy(world.db(), world.file("copy")).unwrap();
            fs::rename(world.file("copy"), world.db()).unwrap();
        },
    ];
    for replace in replace {
        let world = World::new();
        let (mut writer, _) = world.open();
        replace(&world);
        let mut scribe = Scribe::new();
        scribe.ready(id(1), "fizz-top");
        assert!(matches!(writer.commit(&scribe.batch()), Err(CommitError::Replaced { .. })));
    }
}

/// A file system of its own, of one MiB.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Only root may mount. For others the unit test in `writer.rs` stands in, which bounds the pages of the database.
    fn mount(under: &Path) -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let at = under.join("disk");
        fs::create_dir(&at).unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &at);
        Some(Self { at })
    }

    fn remount(&self, how: &str) {
        run("mount", &["-o", &format!("remount,{how}")], &self.at);
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut bytes = 1 << 20;
        while bytes > 0 {
            let name = self.at.join(format!("ballast-{bytes}"));
            match fs::write(&name, vec![1; bytes]) {
                Ok(()) => {}
                Err(_) => fs::remove_file(&name).unwrap(),
            }
            bytes /= 2;
        }
    }

    fn empty(&self) {
        for entry in fs::read_dir(&self.at).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("ballast") {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.at);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has to mount its own file system")]
fn run(program: &str, args: &[&str], path: &Path) {
    let output = Command::new(program).args(args).arg(path).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_full_disk_is_said_and_commits_go_on_when_there_is_room() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(root.path()) else { return };
    let dir = disk.at.join("state");
    let (mut writer, _) = open(&dir, "0").unwrap();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    writer.commit(&scribe.batch()).unwrap();
    disk.fill();

    let mut committed = scribe.sessions();
    let full = loop {
        scribe.work(id(1), "ls", &"files ".repeat(1_000));
        let batch = scribe.batch();
        match writer.commit(&batch) {
            Ok(()) => committed = scribe.sessions(),
            Err(error) => break (error, batch),
        }
    };
    let (error, batch) = full;
    assert!(matches!(&error, CommitError::Full { path, .. } if *path == dir.join("store.db")), "{error:?}");
    assert!(error.to_string().contains("No space left on device"), "{error}");
    // Reading goes on, and shows nothing of what failed.
    assert_eq!(writer.reload().unwrap().sessions, committed);
    assert!(Reader::open(&dir).unwrap().last_seq().unwrap() < batch.events[0].seq);
    assert!(matches!(writer.commit(&batch), Err(CommitError::Full { .. })));

    disk.empty();
    writer.commit(&batch).unwrap();
    drop(writer);
    assert_eq!(open(&dir, "0").unwrap().1.sessions, scribe.sessions());
    assert_eq!(Reader::open(&dir).unwrap().check().unwrap(), Vec::<String>::new());
}

#[test]
fn no_store_is_made_on_a_full_disk_and_one_is_when_there_is_room() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(root.path()) else { return };
    let dir = disk.at.join("state");
    fs::create_dir(&dir).unwrap();
    disk.fill();
    let error = open(&dir, "0").map(drop).unwrap_err();
    assert!(matches!(error, OpenError::DirectoryUnusable { .. }), "{error:?}");
    disk.empty();
    assert!(open(&dir, "0").is_ok());
}

#[test]
fn a_file_system_that_became_read_only_is_said() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(root.path()) else { return };
    let dir = disk.at.join("state");
    drop(open(&dir, "0").unwrap());
    disk.remount("ro");
    let error = open(&dir, "0").map(drop).unwrap_err();
    assert!(matches!(error, OpenError::DirectoryUnusable { .. }), "{error:?}");
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    disk.remount("rw");
    assert!(open(&dir, "0").is_ok());
}
