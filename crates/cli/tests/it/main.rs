//! The binary without a daemon: what it says, where, and with which exit code.
//!
//! Each test holds a transcript: lines that begin with `$ ` are run, `2| ` is standard error, `= ` the exit code, and
//! everything else standard output.

mod daemon;
mod documents;
mod help;
mod ids;
mod message;
mod streams;
mod transcript;
mod usage;

/// A file that nobody names is a test that nobody runs.
#[test]
fn every_file_is_part_of_this() {
    let main = include_str!("main.rs");
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it")).unwrap();
    for file in files {
        let name = file.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap().to_owned();
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name}");
    }
}
