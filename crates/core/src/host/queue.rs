//! The queue of a session: what becomes due, what expires, what is handed over next.

use super::Host;
use super::step::{Stamp, Step};
use crate::event::Event;
use crate::id::{Attempt, MessageId, SessionId};
use crate::input::Act;
use crate::message::{Came, Message, MessageEnd, MessageState};
use crate::time::Now;

impl Host {
    /// Hands over the first message that may run, if its session can take one now.
    pub(super) fn deliver_next(&mut self, id: SessionId, now: Now, step: &mut Step) {
        while let Some((message, into_turn)) = self.next_of(id) {
            if self.expire(id, message, now, step) {
                continue;
            }
            let returned = self.message(id, message).map_or(0, |m| m.returned);
            let attempt = Attempt::new(returned + 1);
            self.log(id, Stamp::at(now.wall), Event::MessageHanded { message, attempt }, step);
            step.acts.push(match into_turn {
                true => Act::Steer { session: id, message, attempt },
                false => Act::Deliver { session: id, message, attempt },
            });
        }
    }

    /// The message that may be handed over now, and whether it goes into the turn that runs.
    fn next_of(&self, id: SessionId) -> Option<(MessageId, bool)> {
        let session = self.sessions.get(&id)?;
        if let Some(message) = session.deliverable() {
            return Some((message, false));
        }
        let steers = self.can(&session.profile.agent, |c| c.steer);
        session.steerable().filter(|_| steers).map(|message| (message, true))
    }

    /// Moves every message whose moment has come, and then lets the sessions concerned go on.
    pub(super) fn on_time(&mut self, now: Now, step: &mut Step) {
        let mut come: Vec<_> = self.timetable.come(now).into_iter().collect();
        // The oldest moment first, so that what was overdue runs in the order in which it was due.
        come.sort_by_key(|(session, message)| self.due_order(*session, *message));
        for (session, message) in &come {
            if !self.expire(*session, *message, now, step) {
                let came = self.came(*session, *message, now);
                self.log(*session, Stamp::at(now.wall), Event::MessageDue { message: *message, came }, step);
            }
        }
        for (session, _) in come {
            self.deliver_next(session, now, step);
        }
        self.clear_up(now, step);
    }

    fn came(&self, session: SessionId, id: MessageId, now: Now) -> Option<Came> {
        let due = self.message(session, id).and_then(|message| message.state.due())?;
        let overdue = self.recovered.is_some_and(|began| due.is_due(began));
        Some(Came { late_ms: due.millis_over(now), overdue })
    }

    fn due_order(&self, session: SessionId, id: MessageId) -> (i64, MessageId) {
        let moment = self.message(session, id).and_then(|message| match &message.state {
            MessageState::Delayed { until } => until.map(|until| until.wall().as_millis()),
            MessageState::Ready
            | MessageState::Delivering { .. }
            | MessageState::Running { .. }
            | MessageState::Ended { .. } => None,
        });
        (moment.unwrap_or(i64::MIN), id)
    }

    /// Ends a message that was not started in time, and says whether it did.
    pub(super) fn expire(&mut self, session: SessionId, id: MessageId, now: Now, step: &mut Step) -> bool {
        let late = self.message(session, id).is_some_and(|m| m.expires.is_some_and(|expires| expires.is_due(now)));
        if late {
            let event = Event::MessageEnded { message: id, end: MessageEnd::Expired };
            self.log(session, Stamp::at(now.wall), event, step);
        }
        late
    }

    pub(super) fn message(&self, session: SessionId, id: MessageId) -> Option<&Message> {
        self.sessions.get(&session).and_then(|s| s.messages.get(&id))
    }
}
