//! The real agents, in the versions that the test command installs.

use std::path::PathBuf;

/// The real Claude Code.
///
/// # Panics
/// Where the test command has not said where it is.
pub fn claude() -> PathBuf {
    named("ADJ_TEST_CLAUDE", "Claude Code")
}

/// The real Codex.
///
/// # Panics
/// Where the test command has not said where it is.
pub fn codex() -> PathBuf {
    named("ADJ_TEST_CODEX", "Codex")
}

fn named(variable: &str, agent: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{variable} names the pinned {agent}; `cargo xtask test` installs it and says where"))
}
