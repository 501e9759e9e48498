//! The lock that makes one daemon the only one of its state directory, and that dies with its process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// The held lock; letting it go is letting the state directory go.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another daemon has it.
    #[error("another daemon{} serves {path}", pid.map_or(String::new(), |pid| format!(" (pid {pid})")))]
    Held { path: String, pid: Option<u32> },
    /// The file cannot be used.
    #[error("{path} cannot be locked: {source}")]
    Io { path: String, source: io::Error },
}

impl HomeLock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(state_dir: &Path) -> Result<Self, LockError> {
        Self::take_named(state_dir, "daemon.lock")
    }

    /// Takes a lock of that name.
    pub(crate) fn take_named(state_dir: &Path, name: &str) -> Result<Self, LockError> {
        let path = state_dir.join(name);
        let shown = path.display().to_string();
        let io = |source| LockError::Io { path: shown.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(LockError::Held { pid: holder(&mut file), path: shown }),
            Err(errno) => return Err(io(errno.into())),
        }
        // The number is for people and for the message above; the lock itself is the kernel's.
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
