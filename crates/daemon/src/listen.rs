//! The daemon's socket: 0600 in a 0700 directory, for the owner's processes alone.

use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::Mode;
use rustix::process::{getuid, umask};
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};

/// A listener that passes on only connections of processes of the daemon's own user.
pub(crate) struct OwnerListener {
    inner: UnixListener,
}

/// Makes a directory of the owner's alone, or checks that it is one, and tightens it where it is too open.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let found = std::fs::metadata(path)?;
    if found.uid() != getuid().as_raw() {
        let message = format!("{} belongs to the user with id {}", path.display(), found.uid());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    if found.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

impl OwnerListener {
    /// Binds the socket. The caller holds the home's lock, so that what lies at the path is a dead daemon's.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        remove_socket(path)?;
        // The mode has to be right from the first moment; a chmod afterwards would leave a gap.
        let before = umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        umask(before);
        Ok(Self { inner: bound? })
    }
}

impl axum::serve::Listener for OwnerListener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.inner.accept().await {
                Ok((stream, address)) if is_owner(&stream) => return (stream, address),
                Ok((stream, _)) => {
                    tracing::warn!(peer = ?stream.peer_cred().ok(), "connection of another user refused")
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    breathe().await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

fn is_owner(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == getuid().as_raw())
}

/// Removes the socket of a dead daemon. Anything else that lies there is somebody's, and stays.
fn remove_socket(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Running out of descriptors is over as soon as somebody hangs up, and nothing tells when that is.
#[expect(
    clippy::disallowed_methods,
    reason = "a named pause before accept is tried again; no event announces a free descriptor"
)]
pub(crate) async fn breathe() {
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}
