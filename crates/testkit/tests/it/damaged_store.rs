//! Stores that cannot be opened: each situation has its own word, none becomes an empty store, and none is touched.

use std::fs;
use std::path::PathBuf;

use adjutant_testkit::World;
use serde_json::Value;

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

/// All files of the store, as they are.
fn snapshot(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(world.state()).expect("a directory").flatten().map(|entry| entry.path());
    let of_store = entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("store.db")));
    let mut files: Vec<_> = of_store.map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect();
    files.sort();
    files
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
    let failed: Vec<&Value> = told.as_array().into_iter().flatten().filter(|check| check["status"] == "failed").collect();
    let explains = |check: &&&Value| check["detail"].as_str().is_some_and(|detail| detail.contains("store.db"));
    assert!(failed.iter().any(|check| explains(&check)), "doctor says what is the case: {doctor:#?}");
    assert_eq!(snapshot(world), before, "nothing was touched");
    assert!(world.processes().is_empty(), "no daemon is left half started: {:?}", world.processes());
}

/// What a repair has brought back.
fn assert_repaired(world: &World, session: &str) {
    let repaired = world.adj(["doctor", "--repair"]).expect_code(0);
    let answer = world.adj(["last-message", session]).expect_code(0);
    assert_eq!(answer.stdout, "kept\n", "{repaired:#?}");
    let new = world.shell();
    assert_ne!(new, session);
    let _ = world.adj(["ask", &new, "true"]).expect_code(0);
    world.assert_sound();
}

#[test]
fn a_store_cut_in_half_is_told_and_repaired_as_far_as_it_goes() {
    let (world, _) = home();
    let bytes = fs::read(store(&world)).expect("a store");
    fs::write(store(&world), &bytes[..bytes.len() / 2]).expect("it can be written");
    assert_refused(&world, "store_corrupt", 1);
    // The half may hold the log or not; what counts is that the damaged file is kept, and that the home serves again.
    let repaired = world.adj(["doctor", "--repair"]);
    if repaired.code == 0 {
        let _ = world.adj(["list", "-a"]).expect_code(0);
        world.assert_sound();
    }
    let kept = snapshot(&world).into_iter().any(|(_, found)| found == bytes[..bytes.len() / 2]);
    assert!(kept, "the damaged file is kept: {repaired:#?}");
}

#[test]
fn a_damaged_page_costs_nothing_that_the_log_still_has() {
    let (world, session) = home();
    let mut bytes = fs::read(store(&world)).expect("a store");
    // The last page belongs to no beginning of the log; what stands in it is told twice, or found in the log.
    let page = bytes.len() - 4096;
    bytes[page..].fill(0xA5);
    fs::write(store(&world), &bytes).expect("it can be written");
    let repaired = world.adj(["doctor", "--repair"]);
    assert!([0, 1].contains(&repaired.code), "{repaired:#?}");
    let _ = session;
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
    assert_eq!(fs::read(store(&world)).ok(), Some(bytes), "nothing was touched");
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

/// The last good state comes back from the copy that the daemon makes, or from what can be read of the damaged file.
#[test]
fn a_repair_brings_back_the_last_good_state() {
    let (world, session) = home();
    let mut bytes = fs::read(store(&world)).expect("a store");
    // It does not begin like a database any more, and all else is there.
    bytes[..16].fill(0);
    fs::write(store(&world), &bytes).expect("it can be written");
    assert_refused(&world, "store_corrupt", 1);
    assert_repaired(&world, &session);
    assert!(snapshot(&world).iter().any(|(_, found)| *found == bytes), "the damaged file is kept");
}
