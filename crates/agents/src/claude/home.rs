//! Where a session's Claude Code has its own files: written down at its start, for what is read later.

use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file in a session's state directory.
const FILE: &str = "claude-home";

/// Writes down where its files are.
///
/// # Errors
/// When the session's directory cannot be written.
pub(super) fn write(state_dir: &Path, config_dir: &Path) -> io::Result<()> {
    use std::io::Write;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(state_dir.join(FILE))?;
    file.write_all(config_dir.as_os_str().as_encoded_bytes())
}

/// Reads where they are.
///
/// # Errors
/// `NotFound` where that was never written down.
pub(super) fn read(state_dir: &Path) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = std::fs::read(state_dir.join(FILE))?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}
