//! Watching a file descriptor for readiness.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a file descriptor with the runtime.
///
/// # Errors
/// When there is no runtime, or the kernel cannot watch this kind of file.
#[expect(deprecated, reason = "its successor is unsafe, for types that lie about their descriptor; this one cannot")]
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}
