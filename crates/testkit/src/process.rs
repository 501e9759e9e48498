//! A process of the world, held by a handle that cannot mean another one.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// One process.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    start_ticks: u64,
    handle: OwnedFd,
}

impl Process {
    /// Takes hold of a process; `None` when there is none of this pid.
    pub fn open(pid: u32) -> Option<Self> {
        let handle = pidfd_open(i32::try_from(pid).ok().and_then(Pid::from_raw)?, PidfdFlags::empty()).ok()?;
        let start_ticks = start_ticks(pid)?;
        Some(Self { pid, start_ticks, handle })
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What tells it from any other process, earlier or later.
    pub fn identity(&self) -> (u32, u64) {
        (self.pid, self.start_ticks)
    }

    /// Sends it a signal, if it is still there.
    pub fn signal(&self, signal: Signal) {
        // One that has ended needs no signal.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ends_within(Duration::ZERO)
    }

    /// Waits for its end; false when the limit comes first.
    pub fn ends_within(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).unwrap_or_default();
        let mut polled = [PollFd::new(&self.handle, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut polled, Some(&limit))).is_ok_and(|ready| ready > 0)
    }
}

/// The 22nd field of `/proc/<pid>/stat`, counted behind the name, which may hold anything.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
