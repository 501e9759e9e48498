//! The real agents and strangers' tools, in the versions that the test command installs.

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

/// The conformance suite of the Model Context Protocol; the node that it needs lies beside it.
///
/// # Panics
/// Where the test command has not said where it is.
pub fn mcp_conformance() -> PathBuf {
    named("ADJ_TEST_MCP_CONFORMANCE", "MCP conformance suite")
}

fn named(variable: &str, agent: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{variable} names the pinned {agent}; `cargo xtask test` installs it and says where"))
}
