//! The runner's socket: who may connect, and what is read from whom.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, memfd_create};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::frame::{Frame, FrameDecoder};
use super::wire::{Hello, OrderLine, SOCKET};
use crate::limits::{ACCEPT_RETRY_MS, LINE_BYTES_MAX};
use crate::timer::pause;

/// Bytes that are read ahead from a connection: orders are short, and texts go on to their place in such pieces.
const READ_AHEAD_BYTES: usize = 4096;

/// What came in over the socket.
#[derive(Debug)]
pub(crate) enum FromPeer {
    /// A control connection was opened.
    Control { peer: Peer, from: u64, outlet: OwnedWriteHalf },
    /// An order of a control connection, with the text that came with it.
    Order { peer: u64, line: OrderLine, text: Option<OwnedFd> },
    /// A connection has ended, and all that it sent has been told before.
    Gone { peer: u64 },
    /// Somebody looks at the terminal.
    Viewer { viewer: u64, event: Viewed },
}

/// What comes from somebody who looks at the terminal.
#[derive(Debug)]
pub(crate) enum Viewed {
    /// The view is opened.
    Opened { columns: u16, rows: u16, read_only: bool, outlet: OwnedWriteHalf },
    /// Something was typed.
    Input(Vec<u8>),
    /// The viewer's terminal has another size.
    Resize { columns: u16, rows: u16 },
    /// The view is closed.
    Gone,
}

/// A control connection as the runner's loop knows it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its number, never used twice.
    pub(crate) number: u64,
    socket: Arc<OwnedFd>,
}

impl Peer {
    /// Lets the other side say nothing new. What it has sent is still read, and [`FromPeer::Gone`] follows it.
    pub(crate) fn retire(&self) {
        // A connection that is gone needs no end.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Read);
    }
}

/// The listening socket; its file goes away with it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    path: PathBuf,
    inputs: mpsc::Sender<FromPeer>,
    accepting: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.accepting.abort();
        // Nobody is left to be told; a stale socket refuses connections all the same.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Endpoint {
    /// Listens, and sends what comes in to the runner's loop.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub(crate) fn open(run_dir: &Path, inputs: mpsc::Sender<FromPeer>) -> io::Result<Self> {
        let path = run_dir.join(SOCKET);
        let accepting = tokio::spawn(accept(bind(&path)?, inputs.clone()));
        Ok(Self { path, inputs, accepting })
    }

    /// Listens anew, in a directory that may be a new one: the runtime directory goes away when its user logs out.
    ///
    /// # Errors
    /// When the socket cannot be made; the old one is listened to as before.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let accepting = tokio::spawn(accept(bind(&self.path)?, self.inputs.clone()));
        std::mem::replace(&mut self.accepting, accepting).abort();
        Ok(())
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    // The journal makes this runner the only one of its session, so whatever has this name is nobody's.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The number of the next connection; a socket that is listened to anew goes on counting.
static NEXT_PEER: AtomicU64 = AtomicU64::new(0);

async fn accept(listener: UnixListener, inputs: mpsc::Sender<FromPeer>) {
    let own_uid = rustix::process::getuid().as_raw();
    loop {
        let number = NEXT_PEER.fetch_add(1, Ordering::Relaxed);
        let Ok((stream, _)) = listener.accept().await else {
            // Running out of descriptors is over as soon as somebody hangs up, and nothing tells when that is.
            pause(ACCEPT_RETRY_MS).await;
            continue;
        };
        if stream.peer_cred().is_ok_and(|peer| peer.uid() == own_uid) {
            tokio::spawn(attend(number, stream, inputs.clone()));
        }
        if inputs.is_closed() {
            return;
        }
    }
}

/// Reads one connection to its end. What breaks the protocol ends the connection.
async fn attend(number: u64, stream: UnixStream, inputs: mpsc::Sender<FromPeer>) {
    let (read, write) = stream.into_split();
    let mut lines = Lines { from: BufReader::with_capacity(READ_AHEAD_BYTES, read), line: Vec::new() };
    let Ok(Some(hello)) = lines.next::<Hello>().await else { return };
    match hello {
        Hello::Control { from } => {
            let Ok(socket) = rustix::io::fcntl_dupfd_cloexec(write.as_ref(), 3) else { return };
            let peer = Peer { number, socket: Arc::new(socket) };
            if inputs.send(FromPeer::Control { peer, from, outlet: write }).await.is_ok() {
                take_orders(number, lines, &inputs).await;
                let _ = inputs.send(FromPeer::Gone { peer: number }).await;
            }
        }
        Hello::Terminal { columns, rows, read_only } => {
            let opened = Viewed::Opened { columns, rows, read_only, outlet: write };
            let tell = |event| inputs.send(FromPeer::Viewer { viewer: number, event });
            if tell(opened).await.is_ok() {
                // What breaks the protocol ends the view.
                let _ = take_frames(number, lines.from, &inputs).await;
                let _ = tell(Viewed::Gone).await;
            }
        }
    }
}

async fn take_frames(
    viewer: u64,
    mut from: BufReader<OwnedReadHalf>,
    inputs: &mpsc::Sender<FromPeer>,
) -> io::Result<()> {
    let mut decoder = FrameDecoder::default();
    loop {
        let ahead = from.fill_buf().await?;
        let read = ahead.len();
        decoder.push(ahead);
        from.consume(read);
        if read == 0 {
            return Ok(());
        }
        while let Some(frame) = decoder.next_frame()? {
            let event = match frame {
                Frame::Input(bytes) => Viewed::Input(bytes),
                Frame::Resize { columns, rows } => Viewed::Resize { columns, rows },
                // Only a runner says these.
                Frame::Opened { .. } | Frame::Output(_) | Frame::Resized { .. } | Frame::Closed(_) => continue,
            };
            let told = inputs.send(FromPeer::Viewer { viewer, event }).await;
            told.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
    }
}

async fn take_orders(peer: u64, mut lines: Lines, inputs: &mpsc::Sender<FromPeer>) {
    while let Ok(Some((line, text))) = lines.next_order().await {
        if inputs.send(FromPeer::Order { peer, line, text }).await.is_err() {
            return;
        }
    }
}

/// Lines of JSON from a connection, and the texts between them.
struct Lines {
    from: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

impl Lines {
    /// The next line; `None` at the end of the stream.
    async fn next<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            let (used, whole) = {
                let ahead = self.from.fill_buf().await?;
                let end = ahead.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
                let used = end.unwrap_or(ahead.len());
                self.line.extend_from_slice(&ahead[..used]);
                (used, end.is_some())
            };
            self.from.consume(used);
            if used == 0 {
                return Ok(None);
            }
            if self.line.len() > LINE_BYTES_MAX {
                return Err(io::Error::other("a line is too long"));
            }
            if whole {
                let parsed = serde_json::from_slice(&self.line);
                self.line.clear();
                return Ok(Some(parsed?));
            }
        }
    }

    /// The next order with its text. A text that breaks off is no order.
    async fn next_order(&mut self) -> io::Result<Option<(OrderLine, Option<OwnedFd>)>> {
        let Some(line) = self.next::<OrderLine>().await? else { return Ok(None) };
        let text = match line {
            OrderLine::Deliver { .. } | OrderLine::Respond { .. } | OrderLine::Write { .. } => {
                Some(self.text(line.bytes()).await?)
            }
            OrderLine::Interrupt {} | OrderLine::End { .. } | OrderLine::Lend { .. } | OrderLine::TakeBack { .. } => {
                None
            }
        };
        Ok(Some((line, text)))
    }

    /// Takes exactly so many bytes to a file in memory, which the agent can be pointed at.
    async fn text(&mut self, bytes: u64) -> io::Result<OwnedFd> {
        let file = memfd_create("adj-text", MemfdFlags::CLOEXEC)?;
        let mut left = usize::try_from(bytes).map_err(io::Error::other)?;
        while left > 0 {
            let ahead = self.from.fill_buf().await?;
            if ahead.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let used = rustix::io::write(&file, &ahead[..ahead.len().min(left)])?;
            self.from.consume(used);
            left -= used;
        }
        Ok(file)
    }
}
