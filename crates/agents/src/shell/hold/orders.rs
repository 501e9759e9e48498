//! What comes over the socket: connections, and the orders of the daemon.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use super::holder::{Doing, Holder};
use super::turn::Turn;
use crate::limits::GIVEN_KEPT_MAX;
use crate::runner::{Caller, FromPeer, Notice, OrderLine, Record, read_text};
use crate::shell::text::TurnText;

/// A message that waits until bash can take it.
#[derive(Debug)]
struct Waiting {
    message: u64,
    attempt: u32,
    script: OwnedFd,
    /// The journal has been told that it is given, and may not have been able to write it yet.
    noted: bool,
}

/// The messages that came, of which none is run twice.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    waiting: Option<Waiting>,
    /// The newest of them, in the order in which they were given; only the last one is ever handed over again.
    given: VecDeque<u64>,
}

impl Delivery {
    /// A message waits until bash can take it.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }
}

impl Holder {
    pub(super) fn on_peer(&mut self, peer: FromPeer) -> ControlFlow<()> {
        let working = self.turn.as_ref().is_some_and(|turn| turn.started.is_some());
        match peer {
            FromPeer::Control { peer, from, outlet } => {
                self.control.on_call(Caller { peer, from, socket: outlet }, &self.journal, working);
            }
            FromPeer::Gone { peer } => {
                if self.control.on_gone(peer, &self.journal, working) {
                    // What the old connection handed over and nobody has noted counts as not taken.
                    let _ = self.delivery.waiting.take_if(|waiting| !waiting.noted);
                }
            }
            FromPeer::Order { peer, line, text } if self.control.is(peer) => return self.on_order(line, text),
            FromPeer::Order { .. } => {}
            FromPeer::Viewer { viewer, event } => return self.on_viewer(viewer, event),
        }
        ControlFlow::Continue(())
    }

    fn on_order(&mut self, line: OrderLine, text: Option<OwnedFd>) -> ControlFlow<()> {
        match (line, text) {
            (OrderLine::Deliver { message, attempt, committed, .. }, Some(script)) => {
                self.answers.forget(committed);
                self.journal.forget(committed);
                self.on_deliver(Waiting { message, attempt, script, noted: false });
            }
            (OrderLine::Respond { native, .. }, Some(text)) => self.on_respond(native, &read_text(text)),
            (OrderLine::Interrupt {}, _) => self.on_interrupt(),
            (OrderLine::End { grace_ms }, _) => return self.on_end(grace_ms),
            // A shell is not held by pipes.
            (OrderLine::Deliver { .. } | OrderLine::Respond { .. }, None)
            | (OrderLine::Write { .. } | OrderLine::Lend { .. } | OrderLine::TakeBack { .. }, _) => {}
        }
        ControlFlow::Continue(())
    }

    fn on_deliver(&mut self, delivered: Waiting) {
        let Waiting { message, attempt, .. } = delivered;
        if self.delivery.given.contains(&message) {
            return self.control.notify(Notice::TakenBefore { message });
        }
        if let Some(why) = self.cannot_take() {
            return self.control.notify(Notice::Refused { message, attempt, why: why.to_owned() });
        }
        self.delivery.waiting = Some(delivered);
        self.give_waiting();
        self.care_for_prompt();
    }

    fn cannot_take(&self) -> Option<&'static str> {
        let running = self.turn.as_ref().is_some_and(|turn| turn.message.is_some());
        if matches!(self.doing, Doing::Ended(_)) || self.ending.is_ordered() {
            Some("the session is ending")
        } else if running || self.delivery.waiting.is_some() {
            Some("another message is running")
        } else {
            None
        }
    }

    /// Tells of a message that waits that it will not be taken.
    pub(super) fn refuse_waiting(&mut self) {
        if let Some(Waiting { message, attempt, .. }) = self.delivery.waiting.take() {
            let detail = "the session ended before the message began".to_owned();
            self.journal.append(&Record::NotTaken { message, attempt, detail });
        }
    }

    /// Gives bash the message that waits, if bash waits too. That it is given is written down first: without that
    /// record it never was.
    pub(super) fn give_waiting(&mut self) {
        if self.doing != Doing::Waiting || self.turn.is_some() {
            return;
        }
        if let Some(Waiting { message, attempt, noted: noted @ false, .. }) = &mut self.delivery.waiting {
            *noted = true;
            self.delivery.given.push_back(*message);
            if self.delivery.given.len() > GIVEN_KEPT_MAX {
                self.delivery.given.pop_front();
            }
            self.journal.append(&Record::Given { message: *message, attempt: *attempt });
        }
        if self.journal.is_behind() {
            // It is given as soon as the disk has taken the record.
            return;
        }
        let Some(Waiting { message, attempt, script, .. }) = self.delivery.waiting.take() else { return };
        // A pipe that cannot be written belongs to a shell that has ended, and that is told elsewhere.
        let _ = self.bash.run(message, &script);
        let text = TurnText::new(self.plan.columns, self.plan.rows);
        self.turn = Some(Turn::of_message(message, attempt, script, text));
        self.doing = Doing::Running;
    }
}
