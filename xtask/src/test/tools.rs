//! Tools of the tests that are installed for this checkout alone: below its target directory, first on the tests' PATH.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::exec;

/// The Python environment, which may not exist yet.
pub(crate) fn python() -> Result<PathBuf> {
    Ok(exec::profile_dir("tools")?.join("python"))
}

/// The PATH of the tests: what is installed for them comes first.
pub(crate) fn path() -> Result<OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(python()?.join("bin")).chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).context("a directory of PATH cannot stand in one")
}
