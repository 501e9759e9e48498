//! The shell agent with a real runner, a real bash and a real terminal.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test states what it expects by failing")]
#![expect(clippy::print_stderr, reason = "a test that fails shows what it has seen")]

mod adoption;
mod attach;
mod codex;
mod endings;
mod interrupts;
mod messages;
mod output;
mod requests;
mod world;

/// A file that nobody lists is a test that nobody runs.
#[test]
fn no_test_file_is_forgotten() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        let listed = include_str!("main.rs").contains(&format!("mod {module};"));
        assert!(listed || module == "main", "{name} is not listed in main.rs");
    }
}
