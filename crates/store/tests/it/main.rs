//! The store against real files.

mod any;
mod backups;
mod commit;
mod crash;
mod fixture;
mod newer;
mod open;
mod purge;
mod readers;
mod repair;
mod round_trip;
mod scribe;
mod verify;
mod world;

use std::collections::BTreeSet;

#[test]
fn no_test_file_is_forgotten() {
    let here = include_str!("main.rs");
    let declared: BTreeSet<String> =
        here.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found: BTreeSet<String> = files
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "main")
        .collect();
    assert_eq!(declared, found);
}
