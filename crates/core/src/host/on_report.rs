//! What follows from what a driver saw.

use std::sync::Arc;

use super::Host;
use super::after::TakenBack;
use super::step::{Stamp, Step};
use crate::agent::{
    AgentReport, Evidence, NewRequest, RequestEnd, SessionEnd, StartFailure, TurnEnd, TurnOrigin, Usage,
};
use crate::event::Event;
use crate::id::{Attempt, MessageId, RequestId, SessionId, TurnNumber};
use crate::input::{Act, Text};
use crate::limits;
use crate::message::{Dependency, DependencyState, MessageEnd, MessageState, Undeliverable};
use crate::outcome::{Outcome, UnknownReason};
use crate::session::{Goal, Phase, Processes, Session};
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
        // The end of a session is in the log, and nothing that is still under way may contradict it. Neither does what
        // comes twice: the journal was taken in beyond it before. A last word is true whenever it comes.
        let last_word = matches!(report, AgentReport::StartFailed { .. } | AgentReport::Exited { .. });
        let twice = seen.cursor.is_some_and(|cursor| cursor < session.cursor);
        if session.has_exited() || (twice && !last_word) {
            return;
        }
        match report {
            AgentReport::Started { runner, agent, supervisor } => {
                self.on_started(seen, Processes { runner, agent, supervisor }, step);
            }
            AgentReport::Ready => self.on_ready(seen, step),
            AgentReport::StartFailed { why } => self.on_start_failed(seen, why, step),
            AgentReport::Taken { message, evidence } => self.on_taken(seen, message, evidence, step),
            AgentReport::NotTaken { message, attempt, detail } => {
                self.on_not_taken(seen, message, attempt, detail, step);
            }
            AgentReport::Refused { message, attempt, detail } => self.on_refused(seen, message, attempt, detail, step),
            AgentReport::Unclear { message, attempt, why } => self.on_unclear(seen, message, attempt, why, step),
            AgentReport::TurnStarted { origin } => {
                self.turn_for(seen, origin, step);
            }
            AgentReport::TurnEnded { end } => self.on_turn_ended(seen, end, step),
            AgentReport::RequestOpened { request } => self.on_request_opened(seen, request, step),
            AgentReport::RequestClosed { native, end } => self.on_request_closed(seen, &native, end, step),
            AgentReport::Conversation { native } => self.on_conversation(seen, native, step),
            AgentReport::Goal { goal } => self.on_goal(seen, goal, step),
            AgentReport::TurnCounted { usage } => self.on_counted(seen, usage, step),
            AgentReport::PolicyApplied { tool, decision, summary } => {
                self.log(seen.session, seen.stamp(), Event::RequestPolicy { tool, decision, summary }, step);
            }
            AgentReport::Notice { text } => {
                self.log(seen.session, seen.stamp(), Event::SessionNotice { text }, step);
            }
            AgentReport::InterruptPassed { detail } => self.on_interrupt_passed(seen, detail, step),
            AgentReport::Unseen { why } => self.on_unseen(seen, why, step),
            AgentReport::Seen { level } => self.on_seen(seen, level.working, step),
            AgentReport::Exited { end } => self.on_exited(seen, end, step),
        }
        self.deliver_next(seen.session, now, step);
    }

    fn on_started(&mut self, seen: &Seen, found: Processes, step: &mut Step) {
        if self.sessions.get(&seen.session).is_some_and(|s| s.processes.as_ref() != Some(&found)) {
            let Processes { runner, agent, supervisor } = found;
            self.log(seen.session, seen.stamp(), Event::SessionStarted { runner, agent, supervisor }, step);
        }
    }

    /// What a person takes up inside of an agent nobody can refuse; that another session has it is told at least.
    fn on_conversation(&mut self, seen: &Seen, native: String, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        if session.conversation.as_ref() == Some(&native) {
            return;
        }
        if let Some(by) = self.writer_besides(seen.session, &session.profile.agent, &native) {
            let text =
                format!("two sessions write one conversation now, {native}: this one and {}; end one of them", by.name);
            self.log(seen.session, Stamp::at(seen.observed_at), Event::SessionNotice { text }, step);
        }
        self.log(seen.session, seen.stamp(), Event::SessionConversation { native }, step);
    }

    fn on_goal(&mut self, seen: &Seen, goal: Option<Goal>, step: &mut Step) {
        if self.sessions.get(&seen.session).is_some_and(|session| session.goal != goal) {
            self.log(seen.session, seen.stamp(), Event::GoalChanged { goal }, step);
        }
    }

    /// Only what is not known yet is counted: a later word about another turn must not change this one.
    fn on_counted(&mut self, seen: &Seen, usage: Usage, step: &mut Step) {
        let last = self.sessions.get(&seen.session).and_then(|session| session.last_turn.as_ref());
        if let Some(turn) = last.filter(|turn| turn.end.usage.is_none()).map(|turn| turn.number) {
            self.log(seen.session, seen.stamp(), Event::TurnCounted { turn, usage }, step);
        }
    }

    fn on_ready(&mut self, seen: &Seen, step: &mut Step) {
        if self.sessions.get(&seen.session).is_some_and(|s| !s.was_ready()) {
            self.log(seen.session, seen.stamp(), Event::SessionReady, step);
        }
    }

    /// A start that failed leaves no record, unless nobody waited for it, or somebody asked for its end, or it has lived
    /// before.
    fn on_start_failed(&mut self, seen: &Seen, why: StartFailure, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        if session.was_ready() || session.has_worked() {
            let detail = format!("it had come to life before its start was said to have failed: {why}");
            return self.end_session(seen, SessionEnd::Lost { detail }, step);
        }
        let keep = session.profile.keep_failed || session.stopping.is_some() || session.revivals > 0;
        self.end_session(seen, SessionEnd::StartFailed { why }, step);
        if !keep {
            self.log(seen.session, Stamp::at(seen.observed_at), Event::SessionPurged, step);
            step.acts.push(Act::Remove { session: seen.session, revivals: 0 });
        }
    }

    /// A message that was taken opens a turn, or joins the one that runs.
    ///
    /// A message that was given up as unknown stays what it is, for its sender has been told; its turn is real.
    fn on_taken(&mut self, seen: &Seen, message: MessageId, evidence: Evidence, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let news = match session.messages.get(&message).map(|m| &m.state) {
            Some(MessageState::Delayed { .. } | MessageState::Ready | MessageState::Delivering { .. }) => true,
            Some(MessageState::Running { .. } | MessageState::Ended { .. }) => false,
            None => session.unclear == Some(message),
        };
        if !news {
            return;
        }
        let stop = session.stop_next == Some(message);
        let turn = self.turn_for(seen, TurnOrigin::Message(message), step);
        let evidence = self.beside(seen.session, message, evidence);
        self.log(seen.session, seen.stamp(), Event::MessageAccepted { message, turn, evidence }, step);
        if stop {
            step.acts.push(Act::Interrupt { session: seen.session, turn: Some(turn) });
        }
    }

    /// What was taken is more than the message's text where that had waited for others.
    fn beside(&self, session: SessionId, message: MessageId, mut evidence: Evidence) -> Evidence {
        if let Some(after) = self.message(session, message).and_then(|message| message.after.as_ref()) {
            let ended = |of: &&Dependency| matches!(of.state, DependencyState::Settled { .. });
            let (ended, all) = (after.of.iter().filter(ended).count(), after.of.len());
            evidence.detail.push_str(&format!("; beside its text, the results of {ended} of {all} that it waited for"));
        }
        evidence
    }

    /// The turn that runs, or one that begins here because of what was seen.
    fn turn_for(&mut self, seen: &Seen, origin: TurnOrigin, step: &mut Step) -> TurnNumber {
        let session = self.sessions.get(&seen.session);
        if let Some(running) = session.and_then(Session::turn) {
            return running.number;
        }
        let turn = session.map_or(TurnNumber::new(1), Session::next_turn);
        self.log(seen.session, seen.stamp(), Event::TurnStarted { turn, origin }, step);
        turn
    }

    fn on_not_taken(&mut self, seen: &Seen, id: MessageId, attempt: Attempt, detail: String, step: &mut Step) {
        if !self.is_delivering(seen.session, id, attempt) {
            return;
        }
        if attempt.get() >= limits::ATTEMPTS_MAX {
            return self.on_refused(seen, id, attempt, detail, step);
        }
        self.log(seen.session, seen.stamp(), Event::MessageReturned { message: id, detail }, step);
    }

    /// What is refused is not handed over again.
    fn on_refused(&mut self, seen: &Seen, id: MessageId, attempt: Attempt, detail: String, step: &mut Step) {
        if self.is_delivering(seen.session, id, attempt) {
            let end = MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail } };
            self.log(seen.session, seen.stamp(), Event::MessageEnded { message: id, end }, step);
        }
    }

    fn on_unclear(&mut self, seen: &Seen, id: MessageId, attempt: Attempt, why: UnknownReason, step: &mut Step) {
        if self.is_delivering(seen.session, id, attempt) {
            let event = Event::MessageEnded { message: id, end: MessageEnd::Unknown { why } };
            self.log(seen.session, seen.stamp(), event, step);
        }
    }

    fn is_delivering(&self, session: SessionId, id: MessageId, wanted: Attempt) -> bool {
        let state = self.message(session, id).map(|m| &m.state);
        state.is_some_and(|s| matches!(s, MessageState::Delivering { attempt, .. } if *attempt == wanted))
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

    /// Who asks is at work, even if nobody saw the beginning: nothing may be typed into an open question.
    fn on_request_opened(&mut self, seen: &Seen, asked: NewRequest, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let known = session.requests().any(|r| r.asked.native == asked.native);
        if known || session.requests().count() >= limits::REQUESTS_OPEN_MAX {
            return;
        }
        let turn = self.turn_for(seen, TurnOrigin::Agent, step);
        let request = RequestId::new(self.counters.next_request);
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

    /// The driver has caught up. A turn that the record says is running and the agent says is not has ended unseen, and
    /// work that the record does not know of has begun unseen.
    fn on_seen(&mut self, seen: &Seen, working: bool, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let (was_unseen, unseen_end) =
            (matches!(session.phase, Phase::Unseen { .. }), session.turn().is_some() && !working);
        if was_unseen {
            self.log(seen.session, seen.stamp(), Event::SessionSeen, step);
        }
        if unseen_end {
            let detail = "the agent is idle, and no end of its turn was recorded".to_owned();
            let outcome = Outcome::Unknown { why: UnknownReason::EndUnseen { detail } };
            self.on_turn_ended(seen, TurnEnd::bare(outcome), step);
        }
        if working {
            self.turn_for(seen, TurnOrigin::Agent, step);
        }
        if was_unseen {
            self.renew_interrupt(seen.session, step);
            self.renew_end(seen.session, step);
        }
    }

    /// Whoever was asked to pass the wish on before sight was lost may not have done it.
    fn renew_interrupt(&self, id: SessionId, step: &mut Step) {
        let running = self.sessions.get(&id).and_then(Session::turn);
        if let Some(turn) = running.filter(|turn| turn.interrupt_asked_at.is_some()) {
            step.acts.push(Act::Interrupt { session: id, turn: Some(turn.number) });
        }
    }

    /// The same for the end of the session, which needs no sight of it.
    pub(super) fn renew_end(&self, id: SessionId, step: &mut Step) {
        if let Some(stopping) = self.sessions.get(&id).and_then(|s| s.stopping.as_ref()) {
            let grace_ms = if stopping.force { 0 } else { limits::KILL_GRACE_MS };
            step.acts.push(Act::End { session: id, grace_ms });
        }
    }

    /// An agent that ends before it was ready has failed to start, unless somebody wanted its end.
    fn on_exited(&mut self, seen: &Seen, end: SessionEnd, step: &mut Step) {
        let Some(session) = self.sessions.get(&seen.session) else { return };
        let came_to_life = session.was_ready() || session.has_worked() || session.stopping.is_some();
        let detail = match &end {
            SessionEnd::Ended { exit } => {
                format!("the agent ended with exit code {} before it was ready", exit.shell_code())
            }
            SessionEnd::Lost { detail } => format!("the agent ended before it was ready: {detail}"),
            SessionEnd::Killed | SessionEnd::StartFailed { .. } => return self.end_session(seen, end, step),
        };
        match came_to_life {
            true => self.end_session(seen, end, step),
            false => self.on_start_failed(seen, StartFailure::AgentStartFailed { detail }, step),
        }
    }

    /// Ends what is open in a session, and then the session.
    fn end_session(&mut self, seen: &Seen, end: SessionEnd, step: &mut Step) {
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
        let killed = session.stopping.is_some() || matches!(end, SessionEnd::Killed);
        let by = session.stopping.as_ref().and_then(|stopping| stopping.by);
        let ends: Vec<_> = session.messages.values().map(|m| (m.id, end_of(&m.state, killed, proof))).collect();
        for (message, end) in ends {
            let stamp = Stamp::at(seen.observed_at);
            if end == MessageEnd::Cancelled {
                self.cancel(seen.session, message, TakenBack { by, killed: true }, stamp, step);
            } else {
                self.log(seen.session, stamp, Event::MessageEnded { message, end }, step);
            }
        }
    }

    /// Children of a session that has ended go to its parent, which also hears of the end.
    fn hand_over_children(&mut self, seen: &Seen, end: &SessionEnd, step: &mut Step) {
        let parent = self.sessions.get(&seen.session).and_then(|s| s.parent);
        let children = self.children.get(&seen.session).cloned().unwrap_or_default();
        for child in children {
            self.log(child, Stamp::at(seen.observed_at), Event::SessionReparented { parent }, step);
        }
        if let Some(parent) = parent {
            let event = Event::ChildEnded { child: seen.session, end: end.clone() };
            self.log(parent, Stamp::at(seen.observed_at), event, step);
        }
    }
}

/// How a message ends when its session does. `proof` means that a message of which nothing was heard was not taken.
fn end_of(state: &MessageState, killed: bool, proof: bool) -> MessageEnd {
    match state {
        MessageState::Delivering { .. } if !proof => {
            let detail = "the session ended after the message was handed over".to_owned();
            MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { detail } }
        }
        MessageState::Delayed { .. } | MessageState::Ready | MessageState::Delivering { .. } if killed => {
            MessageEnd::Cancelled
        }
        MessageState::Delayed { .. } | MessageState::Ready | MessageState::Delivering { .. } => {
            MessageEnd::Undeliverable { why: Undeliverable::SessionExited }
        }
        MessageState::Running { turn, .. } => MessageEnd::Settled { turn: *turn, outcome: Outcome::Exited },
        MessageState::Ended { end, .. } => end.clone(),
    }
}
