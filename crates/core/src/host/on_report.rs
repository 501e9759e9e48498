//! What follows from what a driver saw.

use std::sync::Arc;

use super::Host;
use super::step::{Stamp, Step};
use crate::agent::{
    AgentReport, Evidence, NewRequest, RequestEnd, SessionEnd, StartFailure, TurnEnd, TurnOrigin,
};
use crate::event::Event;
use crate::id::{Attempt, MessageId, RequestId, SessionId, TurnNumber};
use crate::input::{Act, Text};
use crate::limits;
use crate::message::{MessageEnd, MessageState, Undeliverable};
use crate::outcome::{Outcome, UnknownReason};
use crate::session::{Phase, Session};
use crate::time::{Now, Timestamp};

/// The frame around a report.
pub(super) struct Seen {
    pub(super) session: SessionId,
    pub(super) observed_at: Timestamp,
    pub(super) cursor: Option<u64>,
    pub(super) answer: Option<Arc<str>>,
}

impl Seen {
    fn stamp(&self) -> Stamp {
        Stamp { at: self.observed_at, cursor: self.cursor }
    }
}

impl Host {
    pub(super) fn on_report(&mut self, seen: &Seen, report: AgentReport, now: Now, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        if session.has_exited() {
            // Its end is in the log, and nothing that is still under way may contradict it.
            return;
        }
        match report {
            AgentReport::Started { runner, agent, supervisor } => {
                self.log(seen.session, seen.stamp(), Event::SessionStarted { runner, agent, supervisor }, step);
            }
            AgentReport::Ready => self.on_ready(seen, step),
            AgentReport::StartFailed { why } => self.on_start_failed(seen, why, step),
            AgentReport::Taken { message, evidence } => self.on_taken(seen, message, evidence, step),
            AgentReport::NotTaken { message, attempt, detail } => {
                self.on_not_taken(seen, message, attempt, detail, step);
            }
            AgentReport::Unclear { message, attempt, why } => self.on_unclear(seen, message, attempt, why, step),
            AgentReport::TurnStarted { origin } => self.on_turn_started(seen, origin, step),
            AgentReport::TurnEnded { end } => self.on_turn_ended(seen, end, step),
            AgentReport::RequestOpened { request } => self.on_request_opened(seen, request, step),
            AgentReport::RequestClosed { native, end } => self.on_request_closed(seen, &native, end, step),
            AgentReport::InterruptPassed { detail } => self.on_interrupt_passed(seen, detail, step),
            AgentReport::Unseen { why } => self.on_unseen(seen, why, step),
            AgentReport::Seen { level } => self.on_seen(seen, level.working, step),
            AgentReport::Exited { end } => self.on_exited(seen, end, step),
        }
        self.deliver_next(seen.session, now, step);
    }

    fn on_ready(&mut self, seen: &Seen, step: &mut Step) {
        if self.sessions.get(&seen.session).is_some_and(|s| !was_ready(s)) {
            self.log(seen.session, seen.stamp(), Event::SessionReady, step);
        }
    }

    fn on_start_failed(&mut self, seen: &Seen, why: StartFailure, step: &mut Step) {
        let keep = self.sessions.get(&seen.session).is_some_and(|s| s.profile.keep_failed);
        self.end_session(seen, SessionEnd::StartFailed { why }, step);
        if !keep {
            self.log(seen.session, Stamp::at(seen.observed_at), Event::SessionPurged, step);
            step.acts.push(Act::Remove { session: seen.session });
        }
    }

    /// A message that was taken opens a turn, or joins the one that runs.
    fn on_taken(&mut self, seen: &Seen, message: MessageId, evidence: Evidence, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let Some(state) = session.messages.get(&message).map(|m| &m.state) else { return };
        if matches!(state, MessageState::Running { .. }) {
            return;
        }
        let turn = match session.turn() {
            Some(running) => running.number,
            None => {
                let turn = session.next_turn();
                self.log(seen.session, seen.stamp(), Event::TurnStarted { turn, origin: TurnOrigin::Message(message) }, step);
                turn
            }
        };
        self.log(seen.session, seen.stamp(), Event::MessageAccepted { message, turn, evidence }, step);
    }

    fn on_not_taken(&mut self, seen: &Seen, id: MessageId, attempt: Attempt, detail: String, step: &mut Step) {
        if !self.is_delivering(seen.session, id, attempt) {
            return;
        }
        let event = if attempt.get() < limits::ATTEMPTS_MAX {
            Event::MessageReturned { message: id, detail }
        } else {
            let why = Undeliverable::NeverTaken { detail };
            Event::MessageEnded { message: id, end: MessageEnd::Undeliverable { why } }
        };
        self.log(seen.session, seen.stamp(), event, step);
    }

    fn on_unclear(&mut self, seen: &Seen, id: MessageId, attempt: Attempt, why: UnknownReason, step: &mut Step) {
        if self.is_delivering(seen.session, id, attempt) {
            let event = Event::MessageEnded { message: id, end: MessageEnd::Unknown { why } };
            self.log(seen.session, seen.stamp(), event, step);
        }
    }

    fn is_delivering(&self, session: SessionId, id: MessageId, wanted: Attempt) -> bool {
        let message = self.sessions.get(&session).and_then(|s| s.messages.get(&id));
        message.is_some_and(|m| matches!(m.state, MessageState::Delivering { attempt, .. } if attempt == wanted))
    }

    fn on_turn_started(&mut self, seen: &Seen, origin: TurnOrigin, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        if session.turn().is_none() {
            let turn = session.next_turn();
            self.log(seen.session, seen.stamp(), Event::TurnStarted { turn, origin }, step);
        }
    }

    fn on_turn_ended(&mut self, seen: &Seen, end: TurnEnd, step: &mut Step) {
        let Some(running) = self.sessions.get(&seen.session).and_then(Session::turn) else { return };
        let (turn, messages) = (running.number, running.messages.clone());
        let open: Vec<RequestId> = running.requests.keys().copied().collect();
        for request in open {
            let event = Event::RequestClosed { request, end: RequestEnd::Withdrawn };
            self.log(seen.session, Stamp::at(seen.observed_at), event, step);
        }
        if let Some(text) = &seen.answer {
            step.texts.push(Text::Answer { session: seen.session, turn, text: Arc::clone(text) });
        }
        let outcome = end.outcome.clone();
        self.log(seen.session, seen.stamp(), Event::TurnEnded { turn, end }, step);
        for message in messages {
            self.settle(seen, message, turn, &outcome, step);
        }
    }

    fn settle(&mut self, seen: &Seen, message: MessageId, turn: TurnNumber, outcome: &Outcome, step: &mut Step) {
        let end = match outcome {
            Outcome::Unknown { why } => MessageEnd::Unknown { why: why.clone() },
            Outcome::Completed | Outcome::Failed { .. } | Outcome::Interrupted | Outcome::Exited => {
                MessageEnd::Settled { turn, outcome: outcome.clone() }
            }
        };
        self.log(seen.session, Stamp::at(seen.observed_at), Event::MessageEnded { message, end }, step);
    }

    fn on_request_opened(&mut self, seen: &Seen, asked: NewRequest, step: &mut Step) {
        let Some(running) = self.sessions.get(&seen.session).and_then(Session::turn) else { return };
        let known = running.requests.values().any(|r| r.asked.native == asked.native);
        if known || running.requests.len() >= limits::REQUESTS_OPEN_MAX {
            return;
        }
        let (turn, request) = (running.number, RequestId::new(self.counters.next_request));
        self.log(seen.session, seen.stamp(), Event::RequestOpened { request, turn, asked }, step);
    }

    fn on_request_closed(&mut self, seen: &Seen, native: &str, end: RequestEnd, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let Some(request) = session.requests().find(|r| r.asked.native == native).map(|r| r.id) else { return };
        self.log(seen.session, seen.stamp(), Event::RequestClosed { request, end }, step);
    }

    fn on_interrupt_passed(&mut self, seen: &Seen, detail: String, step: &mut Step) {
        let Some(turn) = self.sessions.get(&seen.session).and_then(Session::turn).map(|t| t.number) else { return };
        self.log(seen.session, seen.stamp(), Event::TurnInterruptPassed { turn, detail }, step);
    }

    fn on_unseen(&mut self, seen: &Seen, why: UnknownReason, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let told = matches!(&session.phase, Phase::Unseen { why: known, .. } if *known == why);
        if !told {
            self.log(seen.session, seen.stamp(), Event::SessionUnseen { why }, step);
        }
    }

    /// The driver has caught up. A turn that the record says is running and the agent says is not has ended unseen.
    fn on_seen(&mut self, seen: &Seen, working: bool, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let unseen_end = session.turn().is_some() && !working;
        if matches!(session.phase, Phase::Unseen { .. }) {
            self.log(seen.session, seen.stamp(), Event::SessionSeen, step);
        }
        if unseen_end {
            let detail = "the agent is idle, and no end of its turn was recorded".to_owned();
            let outcome = Outcome::Unknown { why: UnknownReason::EndUnseen { detail } };
            self.on_turn_ended(seen, TurnEnd::bare(outcome), step);
        }
        self.renew_orders(seen.session, step);
    }

    /// What was asked for before the driver was attached has not been passed on to it.
    fn renew_orders(&self, id: SessionId, step: &mut Step) {
        let Some(session) = self.sessions.get(&id) else { return };
        if let Some(turn) = session.turn().filter(|t| t.interrupt_asked_at.is_some()) {
            step.acts.push(Act::Interrupt { session: id, turn: turn.number });
        }
        if let Some(stopping) = &session.stopping {
            let grace_ms = if stopping.force { 0 } else { limits::KILL_GRACE_MS };
            step.acts.push(Act::End { session: id, grace_ms });
        }
    }

    fn on_exited(&mut self, seen: &Seen, end: SessionEnd, step: &mut Step) {
        self.end_session(seen, end, step);
    }

    /// Ends what is open in a session, and then the session.
    pub(super) fn end_session(&mut self, seen: &Seen, end: SessionEnd, step: &mut Step) {
        if self.sessions.get(&seen.session).is_some_and(|s| s.turn().is_some()) {
            self.on_turn_ended(seen, TurnEnd::bare(Outcome::Exited), step);
        }
        self.end_messages(seen, &end, step);
        self.log(seen.session, seen.stamp(), Event::SessionExited { end: end.clone() }, step);
        self.hand_over_children(seen, &end, step);
        step.acts.push(Act::Release { session: seen.session });
    }

    fn end_messages(&mut self, seen: &Seen, end: &SessionEnd, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let proof = self.capabilities(session).is_some_and(|c| c.deduplicates);
        let ends: Vec<_> = session.messages.values().map(|m| (m.id, end_of(&m.state, end, proof))).collect();
        for (message, end) in ends {
            self.log(seen.session, Stamp::at(seen.observed_at), Event::MessageEnded { message, end }, step);
        }
    }

    /// Children of a session that has ended go to its parent, which also hears of the end.
    fn hand_over_children(&mut self, seen: &Seen, end: &SessionEnd, step: &mut Step) {
        let parent = self.sessions.get(&seen.session).and_then(|s| s.parent);
        let children: Vec<_> = self.sessions.values().filter(|s| s.parent == Some(seen.session)).map(|s| s.id).collect();
        for child in children {
            self.log(child, Stamp::at(seen.observed_at), Event::SessionReparented { parent }, step);
        }
        if let Some(parent) = parent {
            let event = Event::ChildEnded { child: seen.session, end: end.clone() };
            self.log(parent, Stamp::at(seen.observed_at), event, step);
        }
    }
}

fn was_ready(session: &Session) -> bool {
    match session.phase {
        Phase::Live | Phase::Exited { .. } => true,
        Phase::Starting => false,
        Phase::Unseen { was_ready, .. } => was_ready,
    }
}

/// How a message ends when its session does. `proof` means that a message of which nothing was heard was not taken.
fn end_of(state: &MessageState, end: &SessionEnd, proof: bool) -> MessageEnd {
    let why = Undeliverable::SessionExited;
    match state {
        MessageState::Delivering { .. } if !proof => {
            let detail = "the session ended after the message was handed over".to_owned();
            MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { detail } }
        }
        MessageState::Delayed { .. } | MessageState::Ready | MessageState::Delivering { .. } => match end {
            SessionEnd::Killed => MessageEnd::Cancelled,
            SessionEnd::Ended { .. } | SessionEnd::Lost { .. } | SessionEnd::StartFailed { .. } => {
                MessageEnd::Undeliverable { why }
            }
        },
        MessageState::Running { turn, .. } => MessageEnd::Settled { turn: *turn, outcome: Outcome::Exited },
        MessageState::Ended { end, .. } => end.clone(),
    }
}
