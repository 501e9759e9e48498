//! Finding processes: the tree below one, the members of a group, and what a session left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use adjutant_core::process::Incarnation;
use rustix::process::Signal;

use super::{ProcStat, ProcessHandle, boot_id, stat_of};
use crate::limits::UNCLEAR_LOOK_MS;
use crate::timer::pause;

/// The name of the variable that stamps every process of a session.
const STAMP_VARIABLE: &[u8] = b"ADJ_STAMP=";

/// What every process of one session carries in its environment: `ADJ_STAMP=<host id>/<session>`.
///
/// Children inherit it, also when they leave the process group, the session and their parents. A daemon or a runner
/// that was started from within a session carries a stamp of its own and so does not count as a part of it.
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
    /// It is just becoming another program, and has no environment for the moment.
    Unclear,
}

fn stamped(pid: u32, stamp: &Stamp) -> Stamped {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return Stamped::Not };
    let mut values = environment.split(|byte| *byte == 0).filter_map(|entry| entry.strip_prefix(STAMP_VARIABLE));
    match values.next() {
        Some(value) if value == stamp.0.as_bytes() => Stamped::Ours,
        Some(_) => Stamped::Other,
        None if environment.is_empty() && is_empty(pid, "cmdline") && has_program(pid) => Stamped::Unclear,
        None => Stamped::Not,
    }
}

fn is_empty(pid: u32, file: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/{file}")).is_ok_and(|content| content.is_empty())
}

/// A thread of the kernel has none.
fn has_program(pid: u32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe")).is_ok()
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

/// What is left of a session at one moment.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Processes of the session.
    pub(crate) ours: Vec<ProcessHandle>,
    /// Processes of which this look could not tell; the next one can.
    pub(crate) unclear: usize,
}

impl Left {
    /// Nothing is left.
    pub(crate) fn is_nothing(&self) -> bool {
        self.ours.is_empty() && self.unclear == 0
    }

    fn add(&mut self, tree: &Tree, pid: u32) -> io::Result<()> {
        self.ours.extend(tree.handle(pid)?);
        Ok(())
    }
}

/// The processes of a moment as the tree that their parents make.
struct Tree {
    processes: BTreeMap<u32, ProcStat>,
    children: BTreeMap<u32, Vec<u32>>,
}

impl Tree {
    fn read() -> io::Result<Self> {
        let processes = all_processes()?;
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (pid, stat) in &processes {
            children.entry(stat.parent).or_default().push(*pid);
        }
        Ok(Self { processes, children })
    }

    fn lives(&self, pid: u32) -> bool {
        self.processes.get(&pid).is_some_and(|stat| !stat.is_dead())
    }

    /// Opens a handle on a process of this moment, if it has not ended since.
    fn handle(&self, pid: u32) -> io::Result<Option<ProcessHandle>> {
        let Some(stat) = self.processes.get(&pid) else { return Ok(None) };
        ProcessHandle::open(&Incarnation { boot: boot_id()?, pid, start_ticks: stat.start_ticks })
    }
}

/// What lives below `root`. A process with the stamp of somebody else is left out, with all below it.
pub(crate) fn left_below(root: u32, stamp: &Stamp) -> io::Result<Left> {
    left_where(root, stamp, |_| true)
}

/// What of it is in the process group, or the kernel's session, that a process had led.
pub(crate) fn left_of(root: u32, stamp: &Stamp, leader: u32) -> io::Result<Left> {
    let leader = i64::from(leader);
    left_where(root, stamp, |stat| stat.group == leader || stat.session == leader)
}

fn left_where(root: u32, stamp: &Stamp, wanted: impl Fn(&ProcStat) -> bool) -> io::Result<Left> {
    let tree = Tree::read()?;
    let lives = |pid| tree.lives(pid) && tree.processes.get(&pid).is_some_and(&wanted);
    let mut left = Left::default();
    let mut open = tree.children.get(&root).cloned().unwrap_or_default();
    while let Some(pid) = open.pop() {
        let of_whom = stamped(pid, stamp);
        if of_whom != Stamped::Other {
            open.extend(tree.children.get(&pid).into_iter().flatten());
        }
        match of_whom {
            Stamped::Ours | Stamped::Not if lives(pid) => left.add(&tree, pid)?,
            Stamped::Unclear if lives(pid) => left.unclear += 1,
            Stamped::Ours | Stamped::Not | Stamped::Unclear | Stamped::Other => {}
        }
    }
    Ok(left)
}

/// What lives with the stamp, or in the kernel's session of `sid`.
fn left_by(stamp: &Stamp, sid: Option<u32>) -> io::Result<Left> {
    let tree = Tree::read()?;
    let own = std::process::id();
    let mut left = Left::default();
    for (pid, stat) in tree.processes.iter().filter(|(pid, stat)| **pid != own && !stat.is_dead()) {
        let in_session = sid.is_some_and(|sid| stat.session == i64::from(sid));
        match stamped(*pid, stamp) {
            Stamped::Ours => left.add(&tree, *pid)?,
            Stamped::Not if in_session => left.add(&tree, *pid)?,
            Stamped::Unclear => left.unclear += 1,
            Stamped::Not | Stamped::Other => {}
        }
    }
    Ok(left)
}

/// The living members of a process group that belong to the kernel's session of `sid`.
pub(crate) fn members_of_group(group: i64, sid: u32) -> io::Result<Vec<ProcessHandle>> {
    let tree = Tree::read()?;
    let member = |stat: &ProcStat| stat.group == group && stat.session == i64::from(sid) && !stat.is_dead();
    let pids = tree.processes.iter().filter(|(_, stat)| member(stat)).map(|(pid, _)| *pid);
    let handles: io::Result<Vec<_>> = pids.map(|pid| tree.handle(pid)).collect();
    Ok(handles?.into_iter().flatten().collect())
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
    let mut found_nothing = false;
    loop {
        let look = stamp.clone();
        let left = tokio::task::spawn_blocking(move || left_by(&look, sid)).await.map_err(io::Error::other)??;
        // What was just being started may slip through one look, but not through the next.
        if std::mem::replace(&mut found_nothing, left.is_nothing()) && left.is_nothing() {
            return Ok(ended.len());
        }
        for handle in &left.ours {
            handle.send(Signal::KILL)?;
            ended.insert(handle.incarnation().pid);
        }
        for handle in &left.ours {
            handle.ended().await?;
        }
        if left.ours.is_empty() {
            pause(UNCLEAR_LOOK_MS).await;
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
