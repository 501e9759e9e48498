//! Finding processes: the tree below one, the members of a group, and what a session left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use adjutant_core::process::Incarnation;
use rustix::process::Signal;

use super::{ProcStat, ProcessHandle, boot_id, stat_of};

/// The name of the variable that stamps every process of a session.
const STAMP_VARIABLE: &[u8] = b"ADJ_STAMP=";

/// What every process of one session carries in its environment: `ADJ_STAMP=<host id>/<session>`.
///
/// Children inherit it, also when they leave the process group, the session and their parents. A daemon or a runner that was
/// started from within a session carries a stamp of its own and so does not count as a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(String);

impl Stamp {
    /// The variable's name.
    pub const VARIABLE: &'static str = "ADJ_STAMP";

    /// The stamp of a session of a home.
    pub fn of_session(host_id: &str, session: &adjutant_core::SessionId) -> Self {
        Self(format!("{host_id}/{session}"))
    }

    /// A stamp as it was written down.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The variable's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a process's environment says about whom it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamped {
    Ours,
    Other,
    Not,
}

fn stamped(pid: u32, stamp: &Stamp) -> Stamped {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return Stamped::Not };
    let mut values = environment.split(|byte| *byte == 0).filter_map(|entry| entry.strip_prefix(STAMP_VARIABLE));
    match values.next() {
        Some(value) if value == stamp.0.as_bytes() => Stamped::Ours,
        Some(_) => Stamped::Other,
        None => Stamped::Not,
    }
}

/// All processes of the moment, by pid.
fn all_processes() -> io::Result<BTreeMap<u32, ProcStat>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that ended meanwhile, or that may not be looked at, is none of ours.
        if let Ok(Some(stat)) = stat_of(pid) {
            found.insert(pid, stat);
        }
    }
    Ok(found)
}

/// The processes of a moment as the tree that their parents make.
pub(crate) struct Tree {
    processes: BTreeMap<u32, ProcStat>,
    children: BTreeMap<u32, Vec<u32>>,
}

impl Tree {
    /// Looks at all processes.
    pub(crate) fn read() -> io::Result<Self> {
        let processes = all_processes()?;
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (pid, stat) in &processes {
            children.entry(stat.parent).or_default().push(*pid);
        }
        Ok(Self { processes, children })
    }

    /// What lives below `root` and does not carry the stamp of somebody else: such a process is left out with all
    /// below it.
    pub(crate) fn below(&self, root: u32, stamp: &Stamp) -> Vec<u32> {
        let mut found = Vec::new();
        let mut open = self.children.get(&root).cloned().unwrap_or_default();
        while let Some(pid) = open.pop() {
            if stamped(pid, stamp) == Stamped::Other {
                continue;
            }
            open.extend(self.children.get(&pid).into_iter().flatten());
            if self.processes.get(&pid).is_some_and(|stat| !stat.is_dead()) {
                found.push(pid);
            }
        }
        found
    }

    /// What lives with the stamp, or in the kernel's session of `sid`.
    fn left_by(&self, stamp: &Stamp, sid: Option<u32>) -> Vec<u32> {
        let own = std::process::id();
        let living = self.processes.iter().filter(|(pid, stat)| **pid != own && !stat.is_dead());
        let mut found: BTreeSet<u32> = BTreeSet::new();
        for (pid, stat) in living {
            match stamped(*pid, stamp) {
                Stamped::Ours => found.insert(*pid),
                Stamped::Other => false,
                Stamped::Not => sid.is_some_and(|sid| stat.session == i64::from(sid)) && found.insert(*pid),
            };
        }
        found.into_iter().collect()
    }

    fn incarnation(&self, pid: u32) -> io::Result<Option<Incarnation>> {
        let boot = boot_id()?;
        Ok(self.processes.get(&pid).map(|stat| Incarnation { boot, pid, start_ticks: stat.start_ticks }))
    }

    /// Opens handles on processes of this moment; those that have ended since are left out.
    pub(crate) fn handles(&self, pids: &[u32]) -> io::Result<Vec<ProcessHandle>> {
        let mut handles = Vec::with_capacity(pids.len());
        for pid in pids {
            if let Some(incarnation) = self.incarnation(*pid)? {
                handles.extend(ProcessHandle::open(&incarnation)?);
            }
        }
        Ok(handles)
    }
}

/// The living members of a process group that belong to the kernel's session of `sid`.
pub(crate) fn members_of_group(group: i64, sid: u32) -> io::Result<Vec<ProcessHandle>> {
    let tree = Tree::read()?;
    let member = |stat: &ProcStat| stat.group == group && stat.session == i64::from(sid) && !stat.is_dead();
    let pids: Vec<u32> = tree.processes.iter().filter(|(_, stat)| member(stat)).map(|(pid, _)| *pid).collect();
    tree.handles(&pids)
}

/// Ends by force whatever is left of a session whose runner is dead, and waits until nothing is; says how many were
/// found.
///
/// `shell` is the agent's process on record: its pid is the kernel's session of all that did not leave it. It serves
/// only while that number cannot have been given away: a pid is not used anew while a session of that number has
/// members.
///
/// # Errors
/// When `/proc` cannot be read, or something that is left may not be ended.
pub async fn end_leftovers(stamp: &Stamp, shell: Option<&Incarnation>) -> io::Result<usize> {
    let sid = shell.filter(|shell| session_is_of(shell)).map(|shell| shell.pid);
    let mut ended = BTreeSet::new();
    loop {
        let tree = Tree::read()?;
        let handles = tree.handles(&tree.left_by(stamp, sid))?;
        if handles.is_empty() {
            return Ok(ended.len());
        }
        for handle in &handles {
            handle.send(Signal::KILL)?;
            ended.insert(handle.incarnation().pid);
        }
        for handle in &handles {
            handle.ended().await?;
        }
    }
}

/// Whether the number of this process can still be the number of its own session: it is of this boot, and nobody else
/// has the pid.
fn session_is_of(shell: &Incarnation) -> bool {
    let same_boot = boot_id().is_ok_and(|boot| boot == shell.boot);
    let not_reused = match stat_of(shell.pid) {
        Ok(None) => true,
        Ok(Some(stat)) => stat.start_ticks == shell.start_ticks,
        Err(_) => false,
    };
    same_boot && not_reused && shell.pid > 1
}
