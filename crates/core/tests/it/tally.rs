//! How much a simulation came across.

use std::collections::BTreeMap;

use adjutant_core::input::Text;
use adjutant_core::message::{MessageEnd, MessageKind, Sender, Undeliverable};
use adjutant_core::{Act, Event, Step};

/// How often things happened, so that a corner that is never reached is noticed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(pub(crate) BTreeMap<&'static str, u64>);

/// What a thousand runs have to come across.
const CORNERS: [&str; 78] = [
    "session.created",
    "session.started",
    "session.revived",
    "session.ready",
    "session.unseen",
    "session.seen",
    "session.stopping",
    "session.exited",
    "session.reparented",
    "child.ended",
    "child.created",
    "session.purged",
    "queue.held",
    "queue.released",
    "message.queued",
    "message.due",
    "message.after_settled",
    "notice",
    "failed in turn",
    "was interrupted in turn",
    "in the middle of turn",
    "was killed",
    "was taken back",
    "More of your messages",
    "overdue",
    "message.changed",
    "message.handed",
    "message.returned",
    "message.delivered",
    "message.ended",
    "turn.started",
    "turn.interrupting",
    "turn.interrupt_passed",
    "turn.completed",
    "turn.failed",
    "turn.interrupted",
    "turn.exited",
    "turn.unknown",
    "request.opened",
    "request.answered",
    "request.closed",
    "settled",
    "undeliverable",
    "never taken",
    "cancelled",
    "expired",
    "unknown",
    "late evidence",
    "stopped as it began",
    "not found",
    "exited",
    "not resumable",
    "in use",
    "revived for nothing",
    "stopping",
    "name in use",
    "no message",
    "started",
    "queue full",
    "too many sessions",
    "no caller to wake",
    "woken by its own message",
    "not supported",
    "forbidden",
    "no request",
    "not pending",
    "lives",
    "reply",
    "ends before commit",
    "ends after commit",
    "ends amid acts",
    "reboot",
    "wait: turn",
    "wait: fallen",
    "wait: input",
    "wait: never worked",
    "wait: exited",
    "wait: ended before",
];

impl Tally {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// The corners that were not reached.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        CORNERS.into_iter().filter(|corner| !self.0.contains_key(corner)).collect()
    }

    /// What senders are told, by what it says.
    fn notices(&mut self, step: &Step) {
        let texts = step.texts.iter().filter_map(|text| match text {
            Text::Message { text, .. } if text.contains("Adjutant: ") => Some(text),
            Text::Message { .. } | Text::Answer { .. } => None,
        });
        for text in texts {
            let says = CORNERS.iter().filter(|words| words.contains(' ') && text.contains(**words));
            says.for_each(|words| self.count(words));
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        self.notices(step);
        for logged in &step.events {
            self.count(logged.event.type_name());
            if let Event::MessageEnded { end, .. } = &logged.event {
                self.count(match end {
                    MessageEnd::Settled { .. } => "settled",
                    MessageEnd::Undeliverable { why: Undeliverable::SessionExited } => "undeliverable",
                    MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { .. } } => "never taken",
                    MessageEnd::Cancelled => "cancelled",
                    MessageEnd::Expired => "expired",
                    MessageEnd::Unknown { .. } => "unknown",
                });
            }
            if let Event::MessageQueued { message } = &logged.event {
                if message.kind == MessageKind::Notice {
                    self.count("notice");
                }
                let asleep = message.from == Sender::Session(message.session) && message.kind == MessageKind::Wake;
                if asleep && message.reply_to.is_some() {
                    self.count("woken by its own message");
                }
            }
            if matches!(&logged.event, Event::MessageDue { came: Some(came), .. } if came.overdue) {
                self.count("overdue");
            }
            if let Event::MessageAccepted { message, .. } = &logged.event {
                if !step.projected.messages.contains_key(message) {
                    self.count("late evidence");
                }
                if step.acts.iter().any(|act| matches!(act, Act::Interrupt { .. })) {
                    self.count("stopped as it began");
                }
            }
        }
    }
}
