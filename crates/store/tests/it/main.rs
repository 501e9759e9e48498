//! The store against real files.

#[cfg(test)]
mod any;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod commit;
#[cfg(test)]
mod compact;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod newer;
#[cfg(test)]
mod open;
#[cfg(test)]
mod purge;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod scribe;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod world;

#[test]
fn no_test_file_is_forgotten() {
    let here = include_str!("main.rs");
    let declared: std::collections::BTreeSet<String> =
        here.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found: std::collections::BTreeSet<String> = files
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "main")
        .collect();
    assert_eq!(declared, found);
}
