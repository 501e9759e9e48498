//! What one input leads to.

use super::after::TakenBack;
use super::{Counters, Host, Projected};
use crate::event::{Event, Logged};
use crate::id::{MessageId, Seq, SessionId};
use crate::input::{Act, Text};
use crate::message::MessageEnd;
use crate::time::Timestamp;

/// Events to make durable, texts to keep beside them, rows to write, and then acts to carry out.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Step {
    /// What happened, in order.
    pub events: Vec<Logged>,
    /// The texts that belong to these events.
    pub texts: Vec<Text>,
    /// The rows that changed.
    pub projected: Projected,
    /// What has to be done once all of this is durable, in order.
    pub acts: Vec<Act>,
    /// The next ids after this step.
    pub counters: Counters,
}

impl Step {
    /// Adds what a later step of the same batch led to.
    pub fn append(&mut self, later: Self) {
        for session in &later.projected.purged {
            self.drop_texts(*session);
        }
        self.events.extend(later.events);
        self.texts.extend(later.texts);
        self.acts.extend(later.acts);
        self.projected.merge(later.projected);
        self.counters = later.counters;
    }

    /// No text of a session that is forgotten in the same step or batch is kept.
    fn drop_texts(&mut self, session: SessionId) {
        let rows = &self.projected.messages;
        self.texts.retain(|text| match text {
            Text::Message { message, .. } => rows.get(message).is_none_or(|row| row.session != session),
            Text::Answer { session: owner, .. } => *owner != session,
        });
    }
}

/// When and by what journal an event came to be known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    pub(super) cursor: Option<u64>,
}

impl Stamp {
    pub(super) const fn at(at: Timestamp) -> Self {
        Self { at, cursor: None }
    }
}

impl Host {
    /// Gives an event its place, folds it in and keeps it for the log.
    pub(super) fn log(&mut self, session: SessionId, stamp: Stamp, event: Event, step: &mut Step) {
        let seq = Seq::new(self.counters.next_seq);
        let logged = Logged { seq, session, at: stamp.at, cursor: stamp.cursor, event };
        if let Event::MessageEnded { message, end } = &logged.event
            && *end != MessageEnd::Cancelled
        {
            self.note_end(session, *message, end, None);
        }
        if logged.event == Event::SessionPurged {
            step.drop_texts(session);
        }
        self.fold(&logged, &mut step.projected);
        step.events.push(logged);
        self.log_settled(session, stamp, step);
    }

    /// Takes a message back. Its sender is told, unless it was the sender who did it.
    pub(super) fn cancel(
        &mut self,
        session: SessionId,
        message: MessageId,
        back: TakenBack,
        stamp: Stamp,
        step: &mut Step,
    ) {
        self.note_end(session, message, &MessageEnd::Cancelled, Some(back));
        self.log(session, stamp, Event::MessageEnded { message, end: MessageEnd::Cancelled }, step);
    }
}
