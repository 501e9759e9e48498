//! A mount namespace of a world's own: a disk that can fill up, or that can only be read, and nobody else sees it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::Running;

/// Time for the namespace to be there.
const MADE_MAX: Duration = Duration::from_secs(20);

/// A mount namespace, kept by a process that does nothing else.
#[derive(Debug)]
pub struct Namespace {
    holder: Option<Running>,
    user: bool,
}

impl Namespace {
    /// Makes the namespace with a command that has the environment and directory of its world.
    ///
    /// # Panics
    /// Where the system permits none: neither root nor a user namespace.
    pub(crate) fn new(mut unshare: Command) -> Self {
        let user = !rustix::process::geteuid().is_root();
        if user {
            unshare.args(["--user", "--map-root-user"]);
        }
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", "echo made; exec cat"]);
        unshare.stdin(Stdio::piped());
        let holder = Running::start(unshare);
        holder.await_stdout("the namespace is made", MADE_MAX, |said| said == "made\n");
        Self { holder: Some(holder), user }
    }

    /// The process that keeps it.
    pub(crate) fn pid(&self) -> u32 {
        self.holder.as_ref().map_or(0, Running::pid)
    }

    /// The words that run a program in the namespace, in a directory.
    pub(crate) fn entering(&self, directory: &Path) -> Vec<OsString> {
        let target = self.pid().to_string();
        let user: &[&str] = if self.user { &["--user", "--preserve-credentials"] } else { &[] };
        let words = [&["--target", target.as_str(), "--mount"], user, &["--", "env", "-C"]].concat();
        words.into_iter().map(OsStr::new).chain([directory.as_os_str()]).map(OsStr::to_owned).collect()
    }

    /// A path of the namespace, as it is reached from outside.
    pub fn outside(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Some(holder) = self.holder.take() {
            holder.signal(rustix::process::Signal::KILL);
            let _ = holder.end();
        }
    }
}
