//! What comes over the socket: connections, and the orders of the daemon.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use tokio::net::unix::OwnedWriteHalf;

use super::Holder;
use crate::runner::{FromPeer, Notice, OrderLine, Outlet, Peer, Record};

/// A control connection that is to be taken up.
#[derive(Debug)]
struct Caller {
    peer: Peer,
    from: u64,
    socket: OwnedWriteHalf,
}

/// The connection to the daemon, and the one that is to replace it when all that it sent has been taken in.
#[derive(Debug, Default)]
pub(super) struct Control {
    current: Option<(Peer, Outlet)>,
    next: Option<Caller>,
}

impl Control {
    fn is(&self, peer: u64) -> bool {
        self.current.as_ref().is_some_and(|(current, _)| current.number == peer)
    }

    fn notify(&self, notice: Notice) {
        if let Some((_, outlet)) = &self.current {
            outlet.notify(notice);
        }
    }

    pub(super) fn take_outlet(&mut self) -> Option<Outlet> {
        self.current.take().map(|(_, outlet)| outlet)
    }
}

impl Holder {
    pub(super) fn on_peer(&mut self, peer: FromPeer) -> ControlFlow<()> {
        match peer {
            FromPeer::Control { peer, from, outlet } => {
                let caller = Caller { peer, from, socket: outlet };
                match &self.control.current {
                    Some((old, _)) => {
                        old.retire();
                        self.control.next = Some(caller);
                    }
                    None => self.take_up(caller),
                }
            }
            FromPeer::Gone { peer } if self.control.is(peer) => {
                self.control.current = None;
                if let Some(caller) = self.control.next.take() {
                    self.take_up(caller);
                }
            }
            FromPeer::Order { peer, line, text } if self.control.is(peer) => return self.on_order(line, text),
            // There is no terminal to look at; a viewer finds the connection closed.
            FromPeer::Gone { .. } | FromPeer::Order { .. } | FromPeer::Viewer { .. } => {}
        }
        ControlFlow::Continue(())
    }

    fn take_up(&mut self, caller: Caller) {
        // What the program is at, its lines say; whoever reads them knows.
        let caught_up = Notice::CaughtUp { working: false };
        // Without the journal there is nothing to say; the daemon finds the connection closed and comes again.
        let Ok(reader) = self.journal.reader() else { return };
        let outlet = Outlet::open(caller.socket, reader, caller.from, self.journal.length(), caught_up);
        self.control.current = Some((caller.peer, outlet));
    }

    fn on_order(&mut self, line: OrderLine, text: Option<OwnedFd>) -> ControlFlow<()> {
        match (line, text) {
            (OrderLine::Write { tag, committed, .. }, Some(text)) => {
                self.output.forget(committed);
                self.journal.forget(committed);
                self.on_write(tag, read_text(text));
            }
            (OrderLine::End { grace_ms }, _) => return self.on_end(grace_ms),
            // These are for a shell.
            (OrderLine::Write { .. }, None)
            | (OrderLine::Deliver { .. } | OrderLine::Respond { .. } | OrderLine::Interrupt {}, _) => {}
        }
        ControlFlow::Continue(())
    }

    /// Writes a line that was never written before. That it is written is noted first: without that record it never was.
    fn on_write(&mut self, tag: String, line: Vec<u8>) {
        let why = if self.input.knows(&tag) {
            "it was written before"
        } else if self.ended.is_some() || self.ending.is_ordered() || !self.program.listens() {
            "the program takes no more"
        } else if !self.input.has_room(line.len()) {
            "too much waits for the program"
        } else {
            self.journal.append(&Record::Written { tag: tag.clone() });
            return self.input.push(tag, line);
        };
        self.control.notify(Notice::NotWritten { tag, why: why.to_owned() });
    }
}

/// The bytes of a text. They are in memory already.
fn read_text(text: OwnedFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = File::from(text);
    let read = rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).map(|_| file.read_to_end(&mut bytes));
    debug_assert!(matches!(read, Ok(Ok(_))), "a file in memory can be read");
    bytes
}
