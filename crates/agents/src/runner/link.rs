//! The daemon's side of a control connection.

use std::io;
use std::path::Path;
use std::time::Duration;

use adjutant_core::process::{Incarnation, Liveness};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::journal::{Found, parse_line};
use super::wire::{Hello, Notice, OrderLine, SOCKET, line_of};
use crate::limits::{LINE_BYTES_MAX, ORDER_PIECE_BYTES, ORDER_PIECE_MS_MAX};
use crate::process::{incarnation_of, liveness};

/// Bytes that are read ahead; there is one such buffer for each of many sessions.
const READ_AHEAD_BYTES: usize = 1024;

/// What a runner said.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A record, and the offset behind it.
    Record(Found),
    /// A notice.
    Notice(Notice),
}

/// A control connection to a runner whose identity has been checked.
#[derive(Debug)]
pub(crate) struct Link {
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
    line: Vec<u8>,
    offset: u64,
}

/// Connects to the socket of a session and checks that the recorded runner listens there.
///
/// # Errors
/// `PermissionDenied` when somebody else does.
pub(crate) async fn connect(run_dir: &Path, runner: &Incarnation) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(run_dir.join(SOCKET)).await?;
    let pid = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
    let listens = pid == Some(runner.pid) && incarnation_of(runner.pid)?.as_ref() == Some(runner);
    if listens && liveness(runner) == Liveness::Alive {
        return Ok(stream);
    }
    let told = format!("process {pid:?} listens there, the runner on record is {}", runner.pid);
    Err(io::Error::new(io::ErrorKind::PermissionDenied, told))
}

impl Link {
    /// Opens a control connection that reads the journal from this offset on.
    ///
    /// # Errors
    /// When the runner cannot be reached, or is another than the one on record.
    pub(crate) async fn open(run_dir: &Path, runner: &Incarnation, offset: u64) -> io::Result<Self> {
        let (from, mut to) = connect(run_dir, runner).await?.into_split();
        to.write_all(&line_of(&Hello::Control { from: offset })).await?;
        let from = BufReader::with_capacity(READ_AHEAD_BYTES, from);
        Ok(Self { from, to, line: Vec::new(), offset })
    }

    /// The next thing that the runner says; `None` when it has closed the connection. Can be broken off and called
    /// again.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Heard>> {
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
                return Err(io::Error::other("the runner sent a line without an end"));
            }
            if whole && let Some(heard) = self.take_line() {
                return Ok(Some(heard));
            }
        }
    }

    /// Takes the whole line that was read. A line of a newer version that means nothing here counts, and is no more.
    fn take_line(&mut self) -> Option<Heard> {
        let line = std::mem::take(&mut self.line);
        if let Some(notice) = line.strip_prefix(b"!") {
            return serde_json::from_slice(notice).ok().map(Heard::Notice);
        }
        self.offset += line.len() as u64;
        parse_line(&line).map(|entry| Heard::Record(Found { entry, next: self.offset }))
    }

    /// Gives an order, with the text that it announces.
    ///
    /// # Errors
    /// When the connection breaks; whether the order arrived is then for the next connection to find out.
    pub(crate) async fn order(&mut self, line: &OrderLine, text: &str) -> io::Result<()> {
        self.put(&line_of(line)).await?;
        for piece in text.as_bytes().chunks(ORDER_PIECE_BYTES) {
            self.put(piece).await?;
        }
        Ok(())
    }

    /// Passes a piece on. A runner that takes none for a while is stopped, or hangs: whoever waits for it could not even
    /// end it.
    async fn put(&mut self, piece: &[u8]) -> io::Result<()> {
        let within = Duration::from_millis(ORDER_PIECE_MS_MAX);
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the runner takes no orders");
        timeout(within, self.to.write_all(piece)).await.unwrap_or_else(|_| Err(late()))
    }
}
