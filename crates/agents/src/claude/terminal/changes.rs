//! Changes in directories, as the kernel tells of them.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::watch::watch;

/// A bell that rings when something in one of its directories changes.
#[derive(Debug)]
pub(super) struct Changes {
    fd: AsyncFd<OwnedFd>,
}

impl Changes {
    /// A bell without directories.
    ///
    /// # Errors
    /// When the kernel gives no more of them.
    pub(super) fn new() -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { fd: watch(fd, Interest::READABLE)? })
    }

    /// Adds a directory.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn add(&self, directory: &Path) -> io::Result<()> {
        let what = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        inotify::add_watch(self.fd.get_ref(), directory, what | WatchFlags::ONLYDIR)?;
        Ok(())
    }

    /// Waits for a change. What has changed is for the caller to see; several changes may ring once.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(super) async fn next(&self) -> io::Result<()> {
        loop {
            let mut ready = self.fd.readable().await?;
            let mut some = [0_u8; 4096];
            let mut any = false;
            loop {
                match rustix::io::read(self.fd.get_ref(), &mut some) {
                    Ok(1..) => any = true,
                    Ok(0) | Err(rustix::io::Errno::WOULDBLOCK) => break,
                    Err(errno) => return Err(errno.into()),
                }
            }
            ready.clear_ready();
            if any {
                return Ok(());
            }
        }
    }
}
