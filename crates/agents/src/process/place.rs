//! The directory that a program is started in.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

/// A directory to start a program in. Keep it until the program is started.
#[derive(Debug)]
pub(crate) struct StartIn {
    path: PathBuf,
    _held: Option<OwnedFd>,
}

impl StartIn {
    /// The directory of this path. `exact` is for a path that was resolved and checked: the directory is opened without
    /// following any link, and the program starts in what was opened. So nobody can put a link that leads elsewhere in the
    /// place of what was checked.
    ///
    /// # Errors
    /// With `exact`, what the system says of the path: a part of it is a link by now, or it is no directory.
    pub(crate) fn of(path: &Path, exact: bool) -> io::Result<Self> {
        if !exact {
            return Ok(Self { path: path.to_owned(), _held: None });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        // Read by the child itself, between its beginning and its program, when it has this descriptor still.
        Ok(Self { path: format!("/proc/self/fd/{}", held.as_raw_fd()).into(), _held: Some(held) })
    }

    /// What to give to a command as its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the test is about how programs are started")]
    fn started_in(place: &StartIn) -> String {
        let told = Command::new("pwd").current_dir(place.path()).env_clear().output().unwrap();
        String::from_utf8(told.stdout).unwrap().trim_end().to_owned()
    }

    #[test]
    fn a_program_starts_in_what_was_opened_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (inside, moved, outside) = (root.join("inside/sub"), root.join("moved"), root.join("outside"));
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::create_dir_all(outside.join("sub")).unwrap();
        let held = StartIn::of(&inside, true).unwrap();
        assert_eq!(started_in(&held), inside.to_str().unwrap());
        std::fs::rename(root.join("inside"), &moved).unwrap();
        symlink(&outside, root.join("inside")).unwrap();
        assert_eq!(started_in(&held), moved.join("sub").to_str().unwrap(), "it is the directory that was opened");
        let refused = StartIn::of(&inside, true).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        assert_eq!(started_in(&StartIn::of(&inside, false).unwrap()), outside.join("sub").to_str().unwrap());
        assert!(StartIn::of(&root.join("none"), true).is_err());
    }
}
