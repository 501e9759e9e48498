//! Copies of the store.

use std::fs;

use adjutant_store::{backup, open};

use crate::scribe::{Scribe, id};
use crate::world::World;

#[test]
fn a_copy_made_while_the_store_is_written_is_a_store() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    scribe.work(id(1), "ls", "files");
    writer.commit(&scribe.batch()).unwrap();
    let copy = backup(&world.dir()).unwrap();
    let then = scribe.sessions();
    scribe.work(id(1), "ls", "files");
    writer.commit(&scribe.batch()).unwrap();
    let host = writer.host_id();

    let other = World::new();
    fs::create_dir(other.dir()).unwrap();
    fs::copy(copy, other.db()).unwrap();
    let (mut writer, loaded) = other.open();
    assert_eq!((loaded.sessions, writer.host_id()), (then, host));
    let mut scribe = Scribe::after(writer.reload().unwrap());
    scribe.work(id(1), "ls", "files");
    writer.commit(&scribe.batch()).unwrap();
    assert!(other.names().contains(&"store.db-wal".to_owned()), "a copy is written like any store");
}

#[test]
fn the_last_three_copies_are_kept() {
    let world = World::new();
    let (_writer, _) = world.open();
    let copies: Vec<_> = (0..5).map(|_| backup(&world.dir()).unwrap()).collect();
    let kept: Vec<_> = copies.iter().filter(|path| fs::metadata(path).is_ok()).collect();
    assert_eq!(kept, copies[2..].iter().collect::<Vec<_>>());
    assert_eq!(world.names().iter().filter(|name| name.ends_with(".bak")).count(), 3);
}

#[test]
fn a_damaged_store_gives_no_copy() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    (0..200).for_each(|_| _ = scribe.work(id(1), "ls", &"files ".repeat(200)));
    writer.commit(&scribe.batch()).unwrap();
    drop(writer);
    let mut bytes = fs::read(world.db()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0);
    fs::write(world.db(), bytes).unwrap();
    assert!(backup(&world.dir()).is_err());
    assert!(!world.names().iter().any(|name| name.contains("bak") || name.contains("copying")), "{:?}", world.names());
}

#[test]
fn a_copy_that_was_killed_leaves_nothing_behind_for_long() {
    let world = World::new();
    drop(world.open());
    fs::write(world.file("store.db.copying-4242"), "half").unwrap();
    drop(world.open());
    assert_eq!(world.names(), ["host.json", "store.db"]);
}

#[test]
fn no_copy_is_made_of_nothing() {
    let world = World::new();
    assert!(backup(&world.dir()).is_err());
    assert!(fs::metadata(world.dir()).is_err());
    drop(open(&world.dir(), "0").unwrap());
    assert!(backup(&world.dir()).is_ok());
}
