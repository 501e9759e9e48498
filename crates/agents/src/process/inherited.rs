//! What a process hands on to its children besides its environment: its umask and its soft limits.
//!
//! A session has them of whoever created it, as it has the environment: a runner is a child of the daemon, whose own are
//! those of whoever happened to start it.

use std::collections::BTreeMap;
use std::io;

use rustix::fs::Mode;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit, umask};
use serde::{Deserialize, Serialize};

/// The limits of a process, by the names that people know them by.
const LIMITS: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

/// Bits of a mode that a umask can hold.
const UMASK_BITS: u32 = 0o777;

/// What a process hands on. What is not known stays as it is where this is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inherited {
    /// The bits that are taken from the mode of a new file.
    #[serde(default)]
    pub umask: Option<u32>,
    /// Soft limits by name, in the units of `setrlimit`; `None` is no limit. A name that the system does not know is passed
    /// over.
    #[serde(default)]
    pub soft_limits: BTreeMap<String, Option<u64>>,
}

impl Inherited {
    /// What this process would hand on.
    pub fn own() -> Self {
        let soft = |(name, resource): (&str, Resource)| (name.to_owned(), getrlimit(resource).current);
        Self { umask: own_umask(), soft_limits: LIMITS.into_iter().map(soft).collect() }
    }

    /// The same, with what is known of somebody else's instead.
    #[must_use]
    pub fn overridden(&self, umask: Option<u32>, soft_limits: BTreeMap<String, Option<u64>>) -> Self {
        let mut all = self.soft_limits.clone();
        all.extend(soft_limits);
        Self { umask: umask.or(self.umask), soft_limits: all }
    }

    /// Starts a child that has the umask from its first moment. Nothing else may make files meanwhile: the umask is one for
    /// all threads.
    pub(crate) fn spawned<T>(&self, spawn: impl FnOnce() -> T) -> T {
        let Some(wanted) = self.umask else { return spawn() };
        let before = umask(Mode::from_raw_mode(wanted & UMASK_BITS));
        let spawned = spawn();
        umask(before);
        spawned
    }

    /// Gives a child the soft limits, as far as its hard ones allow.
    pub(crate) fn limit(&self, child: Pid) {
        for (name, resource) in LIMITS {
            let Some(wanted) = self.soft_limits.get(name) else { continue };
            let maximum = getrlimit(resource).maximum;
            // A child that has ended, or a limit that may not be set: it then has the one of its parent.
            let _ = prlimit(Some(child), resource, Rlimit { current: at_most(*wanted, maximum), maximum });
        }
    }
}

/// Raises the soft limit of open files of this process to its hard one: each session takes a few of a daemon's, and the
/// usual soft limit of 1024 stems from programs that use `select`.
///
/// # Errors
/// What the system answered; the limit is as it was.
pub fn raise_open_files() -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

fn at_most(wanted: Option<u64>, maximum: Option<u64>) -> Option<u64> {
    match (wanted, maximum) {
        (Some(wanted), Some(maximum)) => Some(wanted.min(maximum)),
        (known, None) | (None, known) => known,
    }
}

/// The umask as `/proc` tells it: reading it by the call would change it for a moment.
fn own_umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let octal = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(octal.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soft_limit_is_at_most_the_hard_one() {
        assert_eq!(at_most(Some(5), Some(9)), Some(5));
        assert_eq!(at_most(Some(9), Some(5)), Some(5));
        assert_eq!(at_most(None, Some(5)), Some(5));
        assert_eq!(at_most(Some(9), None), Some(9));
        assert_eq!(at_most(None, None), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a child is what the test is about")]
    fn a_child_has_what_it_is_to_inherit() {
        let own = Inherited::own();
        assert!(own.umask.is_some() && own.soft_limits.len() == LIMITS.len(), "{own:?}");
        let wanted = Inherited {
            umask: Some(0o027),
            soft_limits: BTreeMap::from([("nofile".to_owned(), Some(77)), ("core".to_owned(), Some(0))]),
        };
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "read go; umask; ulimit -n; ulimit -c"]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = wanted.spawned(|| command.spawn()).unwrap();
        wanted.limit(Pid::from_child(&child));
        io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
        let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(told, "0027\n77\n0\n");
        assert_eq!(Inherited::own().umask, own.umask, "the parent has its own again");
    }
}
