//! Processes that belong to a world: those whose environment or arguments name its root.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The processes, other than this one, whose environment or arguments contain `mark`, each with its command line.
pub fn processes_naming(mark: &str) -> Vec<(u32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id()).filter_map(|pid| Some((pid, named(pid, mark)?))).collect()
}

/// The command line of a process that lives and names `mark`.
fn named(pid: u32, mark: &str) -> Option<String> {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let (environment, arguments) = (read("environ"), read("cmdline"));
    let names = |bytes: &[u8]| bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
    let state = String::from_utf8_lossy(&read("stat")).rsplit(')').next().and_then(|rest| rest.trim().chars().next());
    let lives = !matches!(state, None | Some('Z' | 'X'));
    (lives && (names(&environment) || names(&arguments))).then(|| String::from_utf8_lossy(&arguments).replace('\0', " "))
}

/// Waits until no process names `mark`; gives those that still do at the deadline.
pub(crate) fn await_none(mark: &str, deadline: Instant) -> Vec<(u32, String)> {
    loop {
        let left = processes_naming(mark);
        let Some((pid, _)) = left.first() else { return left };
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return left;
        }
        await_end(*pid, remaining);
    }
}

/// Waits for the end of a process, at most so long.
pub(crate) fn await_end(pid: u32, limit: Duration) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let limit = Timespec::try_from(limit).unwrap_or_default();
    let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit));
}
