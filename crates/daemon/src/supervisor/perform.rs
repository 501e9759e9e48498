//! The acts: what is done once the events they follow from are durable.

use std::collections::HashMap;
use std::sync::Arc;

use adjutant_agents::{Adoption, DriverStart, DriverTask, Order, Place};
use adjutant_core::agent::FrameStyle;
use adjutant_core::id::Attempt;
use adjutant_core::message::{MessageKind, MessageState};
use adjutant_core::session::Session;
use adjutant_core::{Act, MessageId, SessionId, Text};
use tokio::sync::mpsc;

use super::{ORDERS_WAITING_MAX, Supervisor};
use crate::frame;
use crate::retention::{remove_directory, remove_files};
use crate::testpoint;

/// The message texts of a step, so that what was just sent need not be read back.
pub(super) struct Texts(HashMap<MessageId, Arc<str>>);

impl Texts {
    pub(super) fn of(texts: &[Text]) -> Self {
        let message = |text: &Text| match text {
            Text::Message { message, text } => Some((*message, Arc::clone(text))),
            Text::Answer { .. } => None,
        };
        Self(texts.iter().filter_map(message).collect())
    }
}

impl Supervisor {
    pub(super) fn perform(&mut self, act: Act, texts: &Texts) {
        match act {
            Act::Reply { id, answer } => {
                testpoint::pass("before_reply");
                if let Some(reply) = self.replies.remove(&id) {
                    let _ = reply.send(answer);
                }
            }
            Act::Launch { session } => self.launch(session),
            Act::Adopt { session } => self.adopt(session),
            Act::Deliver { session, message, attempt } => self.deliver(session, message, attempt, false, texts),
            Act::Steer { session, message, attempt } => self.deliver(session, message, attempt, true, texts),
            Act::Interrupt { session, .. } => self.order(session, Order::Interrupt),
            Act::Respond { session, native, answer, .. } => self.order(session, Order::Respond { native, answer }),
            Act::End { session, grace_ms } => {
                testpoint::pass("before_end");
                self.order(session, Order::End { grace_ms });
            }
            Act::Release { session } => {
                self.orders.remove(&session);
            }
            Act::Remove { session, revivals } => self.remove_files(session, revivals),
        }
    }

    fn launch(&mut self, id: SessionId) {
        testpoint::pass("before_launch");
        let Some(session) = self.host.session(id) else { return };
        let parent = session.parent.and_then(|parent| self.host.session(parent));
        match self.parts.launches.take(session, parent, &self.parts.places) {
            Some(plan) => self.drive(id, DriverStart::Launch(plan)),
            // Its secrets died with an earlier daemon; adopting it finds that nothing was started and says so.
            None => self.adopt(id),
        }
        testpoint::pass("after_launch");
    }

    /// Attaches to a session that may already run.
    pub(super) fn adopt(&mut self, id: SessionId) {
        let Some(session) = self.host.session(id) else { return };
        let start = DriverStart::Adopt(adoption(session));
        self.drive(id, start);
    }

    fn drive(&mut self, id: SessionId, start: DriverStart) {
        let Some(session) = self.host.session(id) else { return };
        let Some(agent) = self.parts.agents.get(&session.profile.agent) else {
            tracing::error!(session = %session.name, "this build has no such agent; the session stays unknown");
            return;
        };
        let (place, life) = (self.parts.places.of(session), session.revivals);
        let begins_again = life > 0 && matches!(start, DriverStart::Launch(_));
        let (orders, incoming) = mpsc::channel(ORDERS_WAITING_MAX);
        let task = DriverTask {
            session: id,
            name: session.name.clone(),
            place: place.clone(),
            start,
            orders: incoming,
            reports: self.reports_in.clone(),
        };
        let (driving, handle) = (agent.drive(task), self.handle());
        self.orders.insert(id, orders);
        self.runtime.spawn(async move {
            if begins_again {
                // Nothing of the life before is held any more, and what it left there would stand in the way.
                let _ = tokio::task::spawn_blocking(move || remove_directory(&place.run_dir)).await;
            }
            // A driver that panics must cost its own session only.
            let ended = tokio::spawn(driving).await;
            if ended.is_err() {
                handle.driver_gone(id, life).await;
            }
        });
    }

    /// Hands a message over, as a turn of its own or into the one that runs.
    fn deliver(&mut self, session: SessionId, message: MessageId, attempt: Attempt, into_turn: bool, texts: &Texts) {
        testpoint::pass("before_deliver");
        let text = texts.0.get(&message).cloned().or_else(|| self.stored_text(message));
        match text.map(|text| self.framed(session, message, text)) {
            Some(text) if into_turn => self.order(session, Order::Steer { message, attempt, text }),
            Some(text) => {
                let as_command = self.is_command(session, message);
                self.order(session, Order::Deliver { message, attempt, text, as_command });
            }
            None => tracing::error!(%message, "the text of a message is not in the store; it stays in delivery"),
        }
        testpoint::pass("after_deliver");
    }

    fn is_command(&self, session: SessionId, message: MessageId) -> bool {
        let message = self.host.session(session).and_then(|session| session.messages.get(&message));
        message.is_some_and(|message| message.kind == MessageKind::Command)
    }

    /// The text with what it waited for. The results are in the store: what they follow from was committed before.
    fn framed(&self, session: SessionId, message: MessageId, text: Arc<str>) -> Arc<str> {
        let Some(session) = self.host.session(session) else { return text };
        let Some(after) = session.messages.get(&message).and_then(|message| message.after.as_ref()) else {
            return text;
        };
        let style = self.host.capabilities(session).map_or(FrameStyle::Plain, |capabilities| capabilities.frame);
        let answers = |session, turn| {
            let read = self.parts.readers.read(|reader| Ok(frame::final_text(reader, session, turn)));
            read.unwrap_or(frame::FinalText::Gone)
        };
        Arc::from(frame::framed(&text, after, style, &answers))
    }

    fn stored_text(&self, message: MessageId) -> Option<Arc<str>> {
        match self.parts.readers.read(|reader| reader.text_of_message(message)) {
            Ok(text) => text.map(Arc::from),
            Err(error) => {
                tracing::error!(%error, %message, "the text of a message cannot be read");
                None
            }
        }
    }

    /// Passes an order on. A driver that is gone is replaced, and its successor is told by the core what is still owed.
    pub(super) fn order(&self, session: SessionId, order: Order) {
        let Some(orders) = self.orders.get(&session) else { return };
        if let Err(error) = orders.try_send(order) {
            tracing::warn!(%session, %error, "an order did not reach its driver");
        }
    }

    fn remove_files(&self, id: SessionId, revivals: u32) {
        let places: Vec<Place> = (0..=revivals).map(|life| self.parts.places.of_life(id, life)).collect();
        self.runtime.spawn_blocking(move || places.iter().for_each(remove_files));
    }
}

fn adoption(session: &Session) -> Adoption {
    let handed = session.messages.values().filter_map(|message| match &message.state {
        MessageState::Delivering { attempt, .. } => Some((message.id, *attempt)),
        MessageState::Delayed { .. }
        | MessageState::Ready
        | MessageState::Running { .. }
        | MessageState::Ended { .. } => None,
    });
    Adoption {
        cursor: session.cursor,
        runner: session.processes.as_ref().map(|p| p.runner),
        agent: session.processes.as_ref().map(|p| p.agent),
        handed: handed.collect(),
        profile: session.profile.clone(),
        conversation: session.conversation.clone(),
        uncounted: session.last_turn.as_ref().is_some_and(|turn| turn.end.usage.is_none()),
    }
}
