//! The queue of a session: what becomes due, what expires, what is handed over next.

use super::Host;
use super::step::{Stamp, Step};
use crate::event::Event;
use crate::id::{Attempt, MessageId, SessionId};
use crate::input::Act;
use crate::message::{MessageEnd, MessageState};
use crate::time::Now;

impl Host {
    /// Hands over the first message that may run, if its session can take one now.
    pub(super) fn deliver_next(&mut self, id: SessionId, now: Now, step: &mut Step) {
        let Some(session) = self.sessions.get(&id) else { return };
        let Some(message) = session.deliverable() else { return };
        let returned = session.messages.get(&message).map_or(0, |m| m.returned);
        let attempt = Attempt::new(returned + 1);
        self.log(id, Stamp::at(now.wall), Event::MessageHanded { message, attempt }, step);
        step.acts.push(Act::Deliver { session: id, message, attempt });
    }

    /// Moves every message whose moment has come, and then lets the sessions concerned go on.
    pub(super) fn on_time(&mut self, now: Now, step: &mut Step) {
        let mut come: Vec<_> = self.timed.iter().filter(|(s, m)| self.millis_left(*s, *m, now) == Some(0)).copied().collect();
        // The oldest moment first, so that what was overdue runs in the order in which it was due.
        come.sort_by_key(|(session, message)| self.due_order(*session, *message));
        for (session, message) in &come {
            self.moment_came(*session, *message, now, step);
        }
        for (session, _) in come {
            self.deliver_next(session, now, step);
        }
    }

    fn due_order(&self, session: SessionId, id: MessageId) -> (i64, MessageId) {
        let message = self.sessions.get(&session).and_then(|s| s.messages.get(&id));
        let moment = message.and_then(|m| match &m.state {
            MessageState::Delayed { until } => Some(until.wall().as_millis()),
            MessageState::Ready
            | MessageState::Delivering { .. }
            | MessageState::Running { .. }
            | MessageState::Ended { .. } => None,
        });
        (moment.unwrap_or(i64::MIN), id)
    }

    fn moment_came(&mut self, session: SessionId, id: MessageId, now: Now, step: &mut Step) {
        let Some(message) = self.sessions.get(&session).and_then(|s| s.messages.get(&id)) else { return };
        let expired = message.expires.is_some_and(|expires| expires.is_due(now));
        let event = if expired {
            Event::MessageEnded { message: id, end: MessageEnd::Expired }
        } else {
            Event::MessageDue { message: id }
        };
        self.log(session, Stamp::at(now.wall), event, step);
    }
}
