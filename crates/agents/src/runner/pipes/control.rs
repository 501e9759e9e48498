//! What comes over the socket: connections, and the orders of the daemon.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use super::hands::Return;
use super::{Hands, Holder};
use crate::runner::{Caller, FromPeer, Notice, OrderLine, Record, read_text};

impl Holder {
    pub(super) fn on_peer(&mut self, peer: FromPeer) -> ControlFlow<()> {
        // What the program is at, its lines say; whoever reads them knows.
        let working = false;
        match peer {
            FromPeer::Control { peer, from, outlet } => {
                self.control.on_call(Caller { peer, from, socket: outlet }, &self.journal, working);
            }
            FromPeer::Gone { peer } => drop(self.control.on_gone(peer, &self.journal, working)),
            FromPeer::Order { peer, line, text } if self.control.is(peer) => return self.on_order(line, text),
            FromPeer::Viewer { viewer, event } => self.on_viewer(viewer, event),
            FromPeer::Order { .. } => {}
        }
        ControlFlow::Continue(())
    }

    fn on_order(&mut self, line: OrderLine, text: Option<OwnedFd>) -> ControlFlow<()> {
        match (line, text) {
            (OrderLine::Write { tag, committed, .. }, Some(text)) => {
                self.output.forget(committed);
                self.journal.forget(committed);
                self.on_write(tag, read_text(text));
            }
            (OrderLine::End { grace_ms }, _) => return self.on_end(grace_ms),
            (OrderLine::Lend { arguments, columns, rows }, _) => self.on_lend(arguments, columns, rows),
            (OrderLine::TakeBack { arguments, cut, unseen }, _) => {
                return self.on_take_back(Return { arguments, cut, unseen });
            }
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
        } else if !matches!(self.hands, Hands::Pipes) {
            "a person has the program at a terminal"
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
