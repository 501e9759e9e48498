//! Stores that cannot be opened: each situation has its own word, none becomes an empty store, and none is touched.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use adjutant_testkit::{World, await_fact};
use serde_json::Value;

use crate::SOON;

/// A home with one ended session and its answer, and no daemon.
fn home() -> (World, String) {
    let world = World::new();
    let session = world.shell();
    let _ = world.adj(["ask", &session, "echo kept"]).expect_code(0);
    let _ = world.adj(["kill", &session]).expect_code(0);
    let _ = world.adj(["daemon", "stop"]).expect_code(0);
    (world, session)
}

fn store(world: &World) -> PathBuf {
    world.state().join("store.db")
}

/// All files of the store but the index of its log, which every reader makes anew: names, sizes and what tells one content
/// from another.
fn snapshot(world: &World) -> Vec<(String, usize, u64)> {
    let entries = fs::read_dir(world.state()).expect("a directory").flatten();
    let named = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    let of_store = named.filter(|(name, _)| name.starts_with("store.db") && !name.ends_with("-shm"));
    let mut files: Vec<_> = of_store.map(|(name, path)| described(name, &fs::read(path).unwrap_or_default())).collect();
    files.sort();
    files
}

fn described(name: String, bytes: &[u8]) -> (String, usize, u64) {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    (name, bytes.len(), hasher.finish())
}

/// Whether a file with this content is kept under whatever name.
fn is_kept(world: &World, bytes: &[u8]) -> bool {
    let wanted = described(String::new(), bytes);
    snapshot(world).iter().any(|found| (found.1, found.2) == (wanted.1, wanted.2))
}

/// Every call is refused with this code, `doctor` explains it, and the files stay as they are.
#[track_caller]
fn assert_refused(world: &World, code: &str, exit: i32) {
    let before = snapshot(world);
    for words in [vec!["--json", "list"], vec!["--json", "create", "--cli", "shell"]] {
        let refused = world.adj(words).expect_error(exit, code);
        let message = refused.error()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("store.db"), "it names the file: {refused:#?}");
    }
    let doctor = world.adj(["--json", "doctor"]).expect_code(1);
    let told = doctor.json();
    let failed: Vec<&Value> =
        told.as_array().into_iter().flatten().filter(|check| check["status"] == "failed").collect();
    let explains = |check: &&&Value| check["detail"].as_str().is_some_and(|detail| detail.contains("store.db"));
    let found = failed.iter().find(explains).unwrap_or_else(|| panic!("doctor says what is the case: {doctor:#?}"));
    let mendable = ["store_corrupt", "store_missing"].contains(&code);
    assert_eq!(found["hint"] == "adj doctor --repair", mendable, "it says what to do next: {doctor:#?}");
    assert_eq!(snapshot(world), before, "nothing was touched");
    await_fact("no daemon is left half started", SOON, || world.processes().is_empty());
}

const PAGE_BYTES: usize = 4096;

/// Overwrites the last page that holds `text`.
fn damage_page_with(bytes: &mut [u8], text: &str) {
    let found = bytes.windows(text.len()).rposition(|window| window == text.as_bytes()).expect("a page holds it");
    let page = found / PAGE_BYTES * PAGE_BYTES;
    bytes[page..page + PAGE_BYTES].fill(0xA5);
}

/// The projections are damaged and the log is whole: everything comes back.
#[test]
fn a_repair_brings_back_all_that_the_log_has() {
    let (world, session) = home();
    let mut bytes = fs::read(store(&world)).expect("a store");
    // Only the row of a session says how its queue is held.
    damage_page_with(&mut bytes, "\"hold\":\"off\"");
    fs::write(store(&world), &bytes).expect("it can be written");
    assert_refused(&world, "store_corrupt", 1);
    let repaired = world.adj(["doctor", "--repair"]).expect_code(0);
    let answer = world.adj(["last-message", &session]).expect_code(0);
    assert_eq!(answer.stdout, "kept\n", "{repaired:#?}");
    assert!(is_kept(&world, &bytes), "the damaged file is kept: {:?}", snapshot(&world));
    let new = world.shell();
    let _ = world.adj(["ask", &new, "true"]).expect_code(0);
    world.assert_sound();
}

#[test]
fn a_store_cut_in_half_is_told_and_its_readable_half_comes_back() {
    let (world, session) = home();
    let bytes = fs::read(store(&world)).expect("a store");
    let half = &bytes[..bytes.len() / 2];
    fs::write(store(&world), half).expect("it can be written");
    assert_refused(&world, "store_corrupt", 1);
    let repaired = world.adj(["doctor", "--repair"]).expect_code(0);
    assert!(is_kept(&world, half), "the damaged file is kept: {repaired:#?}");
    let listed = world.adj(["list", "-a"]).expect_code(0);
    assert!(listed.stdout.contains(&session), "{listed:#?}{repaired:#?}");
    let new = world.shell();
    assert_ne!(new, session, "an id is not given twice");
    let _ = world.adj(["ask", &new, "true"]).expect_code(0);
    world.assert_sound();
}

/// Nothing can be read and there is no copy: that is said, and nothing is made up.
#[test]
fn a_repair_of_what_cannot_be_read_changes_nothing() {
    let (world, _) = home();
    let mut bytes = fs::read(store(&world)).expect("a store");
    bytes[..100].fill(0);
    fs::write(store(&world), &bytes).expect("it can be written");
    assert_refused(&world, "store_corrupt", 1);
    let repair = world.adj(["--json", "doctor", "--repair"]);
    assert_ne!(repair.code, 0, "{repair:#?}");
    assert!(fs::read(store(&world)).is_ok_and(|found| found == bytes), "nothing was touched");
    assert_refused(&world, "store_corrupt", 1);
}

#[test]
fn a_sound_store_is_not_repaired() {
    let (world, session) = home();
    let before = snapshot(&world);
    let repair = world.adj(["doctor", "--repair"]);
    assert!(repair.code != 0 && repair.stderr.contains("sound"), "{repair:#?}");
    assert_eq!(snapshot(&world), before);
    let answer = world.adj(["last-message", &session]).expect_code(0);
    assert_eq!(answer.stdout, "kept\n", "{answer:#?}");
    // While a daemon serves, nobody else touches its store.
    let repair = world.adj(["doctor", "--repair"]);
    assert!(repair.code != 0 && repair.stderr.contains("another daemon"), "{repair:#?}");
}

#[test]
fn an_empty_file_is_no_empty_store() {
    let (world, _) = home();
    fs::write(store(&world), b"").expect("it can be written");
    assert_refused(&world, "store_corrupt", 1);
}

#[test]
fn garbage_is_no_store() {
    let (world, _) = home();
    fs::write(store(&world), "neither a database nor empty\n".repeat(1_000)).expect("it can be written");
    assert_refused(&world, "store_corrupt", 1);
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let (world, session) = home();
    let mut bytes = fs::read(store(&world)).expect("a store");
    // The format number in the header of the file: `PRAGMA user_version`.
    let whole = bytes.clone();
    bytes[60..64].copy_from_slice(&9_000_u32.to_be_bytes());
    fs::write(store(&world), &bytes).expect("it can be written");
    assert_refused(&world, "store_newer", 1);
    let repair = world.adj(["doctor", "--repair"]);
    assert_ne!(repair.code, 0, "a newer store is not damaged: {repair:#?}");
    assert!(fs::read(store(&world)).is_ok_and(|found| found == bytes), "nothing was touched");
    fs::write(store(&world), whole).expect("it can be written");
    let answer = world.adj(["last-message", &session]).expect_code(0);
    assert_eq!(answer.stdout, "kept\n", "{answer:#?}");
}

#[test]
fn a_store_that_cannot_be_read_is_told() {
    let (world, session) = home();
    let aside = world.root().join("aside.db");
    fs::rename(store(&world), &aside).expect("it can be moved");
    fs::create_dir(store(&world)).expect("a directory in its place");
    assert_refused(&world, "store_unreadable", 1);
    fs::remove_dir(store(&world)).expect("it is empty");
    fs::rename(&aside, store(&world)).expect("it can be moved back");
    let answer = world.adj(["last-message", &session]).expect_code(0);
    assert_eq!(answer.stdout, "kept\n", "{answer:#?}");
}

#[test]
fn a_store_that_is_gone_is_not_begun_anew() {
    let (world, session) = home();
    let aside = world.root().join("aside.db");
    fs::rename(store(&world), &aside).expect("it can be moved");
    assert_refused(&world, "store_missing", 1);
    fs::rename(&aside, store(&world)).expect("it can be moved back");
    let answer = world.adj(["last-message", &session]).expect_code(0);
    assert_eq!(answer.stdout, "kept\n", "{answer:#?}");
}
