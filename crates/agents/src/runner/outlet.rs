//! The runner's side of what a daemon reads: the journal from an offset on, then live, and notices between.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{mpsc, watch};

use super::wire::{Notice, notice_line};

/// Bytes that are read from the journal at once: most of the time a record or two.
const PIECE_BYTES: usize = 4096;

/// Notices that may wait for a daemon that does not read.
const NOTICES_WAITING_MAX: usize = 64;

/// The way to a daemon. The journal itself is the buffer, so a daemon that reads slowly costs nothing.
#[derive(Debug)]
pub(crate) struct Outlet {
    notices: mpsc::Sender<Notice>,
    sender: tokio::task::JoinHandle<()>,
}

impl Outlet {
    /// Begins to send the records from `from` on. When everything that is there now has been sent, `caught_up` is
    /// said.
    pub(crate) fn open(
        socket: OwnedWriteHalf,
        journal: File,
        from: u64,
        length: watch::Receiver<u64>,
        caught_up: Notice,
    ) -> Self {
        let (notices, waiting) = mpsc::channel(NOTICES_WAITING_MAX);
        let until = *length.borrow();
        let sending = Sending { socket, journal, sent: from.min(until), length };
        let sender = tokio::spawn(async move {
            // A daemon that is gone reads the journal when it is back.
            let _ = sending.run(until, caught_up, waiting).await;
        });
        Self { notices, sender }
    }

    /// Says something beside the journal. A daemon that reads so little that this finds no room will connect anew.
    pub(crate) fn notify(&self, notice: Notice) {
        if self.notices.try_send(notice).is_err() {
            self.sender.abort();
        }
    }

    /// Ends the connection when everything has been sent.
    pub(crate) async fn close(self) {
        drop(self.notices);
        // It was aborted, or it ran to its end: there is nothing more to wait for either way.
        let _ = self.sender.await;
    }
}

struct Sending {
    socket: OwnedWriteHalf,
    journal: File,
    sent: u64,
    length: watch::Receiver<u64>,
}

impl Sending {
    async fn run(mut self, until: u64, caught_up: Notice, mut notices: mpsc::Receiver<Notice>) -> io::Result<()> {
        self.send_up_to(until).await?;
        self.socket.write_all(&notice_line(&caught_up)).await?;
        loop {
            let length = *self.length.borrow_and_update();
            self.send_up_to(length).await?;
            tokio::select! {
                changed = self.length.changed() => if changed.is_err() { return Ok(()) },
                notice = notices.recv() => match notice {
                    Some(notice) => self.socket.write_all(&notice_line(&notice)).await?,
                    None => return self.finish().await,
                },
            }
        }
    }

    async fn finish(mut self) -> io::Result<()> {
        let length = *self.length.borrow_and_update();
        self.send_up_to(length).await?;
        self.socket.shutdown().await
    }

    async fn send_up_to(&mut self, length: u64) -> io::Result<()> {
        let mut piece = Vec::new();
        while self.sent < length {
            piece.resize(PIECE_BYTES.min(usize::try_from(length - self.sent).unwrap_or(PIECE_BYTES)), 0);
            let read = self.journal.read_at(&mut piece, self.sent)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.socket.write_all(&piece[..read]).await?;
            self.sent += read as u64;
        }
        Ok(())
    }
}
