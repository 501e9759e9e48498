//! Who uses a server: a file for each session.

use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use adjutant_core::SessionId;

/// The claims on one server.
pub(super) struct Claims {
    directory: PathBuf,
}

impl Claims {
    /// The claims on the server of this directory.
    pub(super) fn in_directory(server: &Path) -> Self {
        Self { directory: server.join("claims") }
    }

    /// Adds a claim. Adding it again changes nothing.
    pub(super) fn add(&self, session: SessionId) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(self.file(session)).map(drop)
    }

    /// Notes in a claim which thread its session has; gives the session that has it already, and notes nothing then.
    pub(super) fn hold_thread(&self, session: SessionId, thread: &str) -> io::Result<Option<SessionId>> {
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let holder = entry.file_name().to_str().and_then(|name| name.parse::<SessionId>().ok());
            let is_held = || std::fs::read_to_string(entry.path()).is_ok_and(|held| held == thread);
            if let Some(holder) = holder.filter(|holder| *holder != session && is_held()) {
                return Ok(Some(holder));
            }
        }
        std::fs::write(self.file(session), thread).map(|()| None)
    }

    /// Takes a claim back, if there is one.
    pub(super) fn remove(&self, session: SessionId) -> io::Result<()> {
        match std::fs::remove_file(self.file(session)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether anybody claims the server.
    pub(super) fn any(&self) -> io::Result<bool> {
        match std::fs::read_dir(&self.directory) {
            Ok(mut entries) => entries.next().transpose().map(|entry| entry.is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn file(&self, session: SessionId) -> PathBuf {
        self.directory.join(session.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_claim_that_is_taken_back_leaves_none() {
        let dir = tempfile::tempdir().unwrap();
        let claims = Claims::in_directory(dir.path());
        let (one, two) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        assert!(!claims.any().unwrap());
        for session in [one, two, one] {
            claims.add(session).unwrap();
        }
        claims.remove(one).unwrap();
        claims.remove(one).unwrap();
        assert!(claims.any().unwrap());
        claims.remove(two).unwrap();
        assert!(!claims.any().unwrap());
    }

    #[test]
    fn a_thread_has_one_session() {
        let dir = tempfile::tempdir().unwrap();
        let claims = Claims::in_directory(dir.path());
        let (one, two) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        claims.add(one).unwrap();
        claims.add(two).unwrap();
        assert_eq!(claims.hold_thread(one, "t").unwrap(), None);
        assert_eq!(claims.hold_thread(one, "t").unwrap(), None, "it has it already");
        assert_eq!(claims.hold_thread(two, "t").unwrap(), Some(one));
        assert_eq!(claims.hold_thread(two, "u").unwrap(), None);
        claims.remove(one).unwrap();
        assert_eq!(claims.hold_thread(two, "t").unwrap(), None, "its session is gone");
    }
}
