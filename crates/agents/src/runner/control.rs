//! The connection of a runner to the daemon, and the one that takes its place.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use tokio::net::unix::OwnedWriteHalf;

use super::{Journal, Notice, Outlet, Peer};

/// A connection that is to be taken up.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) peer: Peer,
    /// From where it reads the journal.
    pub(crate) from: u64,
    /// Where it hears.
    pub(crate) socket: OwnedWriteHalf,
}

/// The connection to the daemon, and the one that is to replace it when all that it sent has been taken in.
#[derive(Debug, Default)]
pub(crate) struct Control {
    current: Option<(Peer, Outlet)>,
    next: Option<Caller>,
}

impl Control {
    /// Whether orders of this connection count.
    pub(crate) fn is(&self, peer: u64) -> bool {
        self.current.as_ref().is_some_and(|(current, _)| current.number == peer)
    }

    /// Says something beside the journal, if somebody hears it.
    pub(crate) fn notify(&self, notice: Notice) {
        if let Some((_, outlet)) = &self.current {
            outlet.notify(notice);
        }
    }

    /// Somebody calls. Who called before is let finish, and whoever waits for that is replaced.
    pub(crate) fn on_call(&mut self, caller: Caller, journal: &Journal, working: bool) {
        match &self.current {
            Some((old, _)) => {
                old.retire();
                self.next = Some(caller);
            }
            None => self.take_up(caller, journal, working),
        }
    }

    /// A connection has ended; says whether its orders counted.
    pub(crate) fn on_gone(&mut self, peer: u64, journal: &Journal, working: bool) -> bool {
        let counted = self.is(peer);
        if counted {
            self.current = None;
            if let Some(caller) = self.next.take() {
                self.take_up(caller, journal, working);
            }
        }
        counted
    }

    fn take_up(&mut self, caller: Caller, journal: &Journal, working: bool) {
        // Without the journal there is nothing to say; the daemon finds the connection closed and comes again.
        let Ok(reader) = journal.reader() else { return };
        let caught_up = Notice::CaughtUp { working };
        let outlet = Outlet::open(caller.socket, reader, caller.from, journal.length(), caught_up);
        self.current = Some((caller.peer, outlet));
    }

    /// The connection, to close it.
    pub(crate) fn take_outlet(&mut self) -> Option<Outlet> {
        self.current.take().map(|(_, outlet)| outlet)
    }
}

/// The bytes of a text that came with an order. They are in memory already.
pub(crate) fn read_text(text: OwnedFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = File::from(text);
    let read = rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).map(|_| file.read_to_end(&mut bytes));
    debug_assert!(matches!(read, Ok(Ok(_))), "a file in memory can be read");
    bytes
}
