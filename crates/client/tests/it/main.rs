//! The client against a scripted daemon: what it asks, how often, and what it makes of broken connections.

mod calls;
mod gateway;
mod scripted;
mod streams;

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
