//! A handle on one incarnation of a process.

use std::io;
use std::os::fd::OwnedFd;

use adjutant_core::process::Incarnation;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;

use super::{incarnation_of, means_gone};
use crate::watch::watch;

/// A pidfd that was verified to belong to the incarnation it was asked for. Signals through it reach that process or
/// nobody.
#[derive(Debug)]
pub struct ProcessHandle {
    pidfd: OwnedFd,
    incarnation: Incarnation,
}

impl ProcessHandle {
    /// Opens a handle; `None` when this incarnation is gone.
    ///
    /// The start is read again after opening: only then is it sure that the pid was not used anew in between.
    ///
    /// # Errors
    /// When the kernel refuses; that says nothing about the process.
    pub fn open(recorded: &Incarnation) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(recorded.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let pidfd = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let now = incarnation_of(recorded.pid)?;
        Ok((now.as_ref() == Some(recorded)).then_some(Self { pidfd, incarnation: *recorded }))
    }

    /// Which process it is.
    pub fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    /// Sends a signal; `false` when the process has ended already.
    ///
    /// # Errors
    /// When the signal is not permitted.
    pub fn send(&self, signal: Signal) -> io::Result<bool> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(true),
            Err(errno) => {
                let error = io::Error::from(errno);
                if means_gone(&error) { Ok(false) } else { Err(error) }
            }
        }
    }

    /// Whether it has ended, reaped or not.
    pub fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When the runtime cannot watch the handle.
    pub async fn ended(&self) -> io::Result<()> {
        let watched = watch(self.pidfd.try_clone()?, Interest::READABLE)?;
        watched.readable().await.map(|_| ())
    }
}
