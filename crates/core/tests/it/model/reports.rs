//! What drivers see, and what follows from it.

use adjutant_core::agent::{AgentReport, SessionEnd};
use adjutant_core::id::Attempt;
use adjutant_core::limits;
use adjutant_core::message::{MessageEnd, Undeliverable};
use adjutant_core::outcome::{ExitStatus, Outcome, UnknownReason};
use adjutant_core::session::Hold;
use adjutant_core::{MessageId, Now, RequestId, SessionId, TurnNumber};

use super::{At, Model, ModelRequest, ModelSession, ModelTurn};

impl Model {
    pub(super) fn recover(&mut self) {
        let mut alive: Vec<SessionId> = self.sessions.iter().filter(|s| !s.exited && !s.purged).map(|s| s.id).collect();
        alive.sort();
        for id in alive {
            self.change(id, |s| s.seen = false);
            self.acts.push(format!("adopt {id}"));
            self.end_order(id);
        }
    }

    pub(super) fn report(&mut self, id: SessionId, cursor: Option<u64>, report: &AgentReport, now: Now) {
        let Some(s) = self.s(id).filter(|s| !s.exited).cloned() else { return };
        let last_word = matches!(report, AgentReport::StartFailed { .. } | AgentReport::Exited { .. });
        if cursor.is_some_and(|cursor| cursor < s.cursor) && !last_word {
            return;
        }
        if self.observe(&s, report) {
            self.change(id, |s| s.cursor = s.cursor.max(cursor.unwrap_or(0)));
        }
        self.go_on(id, now);
    }

    /// Says whether the log has heard something new, and with it how far the journal was read.
    fn observe(&mut self, s: &ModelSession, report: &AgentReport) -> bool {
        let id = s.id;
        match report {
            // The world tells each start once, or again with the same words.
            AgentReport::Started { .. } => {
                self.change(id, |s| s.started = true);
                !s.started
            }
            AgentReport::Ready => {
                self.change(id, |s| s.ready = true);
                !s.ready
            }
            AgentReport::StartFailed { .. } if s.ready || s.begun > s.before => self.exit(id, false),
            AgentReport::StartFailed { .. } => self.fail_to_start(s),
            AgentReport::Taken { message, .. } => self.taken(s, *message),
            AgentReport::NotTaken { message, attempt, detail } => self.not_taken(id, *message, *attempt, detail),
            AgentReport::Refused { message, attempt, detail } => self.refused(id, *message, *attempt, detail),
            AgentReport::Unclear { message, attempt, why } => {
                let out = self.is_out(id, *message, *attempt);
                if out {
                    self.over(*message, MessageEnd::Unknown { why: why.clone() });
                }
                out
            }
            AgentReport::TurnStarted { .. } => self.begin(id).1,
            AgentReport::TurnEnded { end } => self.end_turn(id, end.outcome.clone(), end.exit),
            AgentReport::RequestOpened { request } => self.ask(id, &request.native),
            AgentReport::RequestClosed { native, .. } => {
                let mut open = self.requests.iter_mut().filter(|r| r.session == id && r.open && r.native == *native);
                open.next().map(|request| request.open = false).is_some()
            }
            AgentReport::Conversation { native } => {
                let news = s.conversation.as_ref() != Some(native);
                self.change(id, |s| s.conversation = Some(native.clone()));
                news
            }
            AgentReport::Goal { goal } => {
                let news = s.goal != *goal;
                self.change(id, |s| s.goal = goal.clone());
                news
            }
            AgentReport::TurnCounted { .. } => {
                let news = s.uncounted;
                self.change(id, |s| s.uncounted = false);
                news
            }
            AgentReport::PolicyApplied { .. } | AgentReport::Notice { .. } => true,
            AgentReport::InterruptPassed { .. } => self.running(id).is_some(),
            AgentReport::Unseen { .. } => {
                self.change(id, |s| s.seen = false);
                true
            }
            AgentReport::Seen { level } => self.see(s, level.working),
            AgentReport::Exited { end: SessionEnd::Ended { .. } | SessionEnd::Lost { .. } }
                if !s.ready && s.begun == s.before && s.stopping.is_none() =>
            {
                self.fail_to_start(s)
            }
            AgentReport::Exited { end } => self.exit(id, matches!(end, SessionEnd::Killed)),
        }
    }

    fn fail_to_start(&mut self, s: &ModelSession) -> bool {
        self.exit(s.id, false);
        if !s.keep_failed && s.stopping.is_none() && s.revivals == 0 {
            self.change(s.id, |s| s.purged = true);
            self.acts.push(format!("remove {} 0", s.id));
        }
        true
    }

    fn is_out(&self, session: SessionId, message: MessageId, attempt: Attempt) -> bool {
        self.of(session).any(|m| m.id == message && m.at == At::Out(attempt.get()))
    }

    /// The running turn, and whether it begins only now.
    fn begin(&mut self, id: SessionId) -> (u32, bool) {
        if let Some(turn) = self.running(id) {
            return (turn.number, false);
        }
        self.change(id, |s| {
            s.begun += 1;
            s.interrupted_by = s.interrupted_by.filter(|_| s.stop_next.is_some());
        });
        let number = self.s(id).map_or(0, |s| s.begun);
        self.turns.push(ModelTurn { session: id, number, outcome: None, exit: None, asked: false });
        (number, true)
    }

    fn taken(&mut self, s: &ModelSession, message: MessageId) -> bool {
        let known = self.of(s.id).find(|m| m.id == message).map(|m| m.at.clone());
        let late = known.is_none() && s.unclear == Some(message);
        if !late && (known.is_none() || matches!(known, Some(At::In(_)))) {
            return false;
        }
        let (number, _) = self.begin(s.id);
        if late {
            self.change(s.id, |s| s.unclear = None);
            return true;
        }
        self.put(message, At::In(number));
        self.joins += 1;
        let joins = self.joins;
        self.messages.iter_mut().filter(|m| m.id == message).for_each(|m| m.joined = joins);
        if s.stop_next == Some(message) {
            self.change(s.id, |s| s.stop_next = None);
            self.ask_stop(s.id);
        }
        true
    }

    fn refused(&mut self, id: SessionId, message: MessageId, attempt: Attempt, detail: &str) -> bool {
        let out = self.is_out(id, message, attempt);
        if out {
            let why = Undeliverable::NeverTaken { detail: detail.to_owned() };
            self.over(message, MessageEnd::Undeliverable { why });
        }
        out
    }

    fn not_taken(&mut self, id: SessionId, message: MessageId, attempt: Attempt, detail: &str) -> bool {
        if !self.is_out(id, message, attempt) {
            return false;
        }
        if attempt.get() >= limits::ATTEMPTS_MAX {
            return self.refused(id, message, attempt, detail);
        }
        self.messages.iter_mut().filter(|m| m.id == message).for_each(|m| m.returned += 1);
        self.front -= 1;
        self.put(message, At::Line(self.front));
        if self.s(id).is_some_and(|s| s.hold != Hold::Off) {
            self.change(id, |s| s.stop_next = s.stop_next.filter(|other| *other != message));
        }
        true
    }

    fn end_turn(&mut self, id: SessionId, outcome: Outcome, exit: Option<ExitStatus>) -> bool {
        let Some(number) = self.running(id).map(|t| t.number) else { return false };
        let turn = self.turns.iter_mut().find(|t| t.session == id && t.number == number).expect("a turn that runs");
        (turn.outcome, turn.exit) = (Some(outcome.clone()), exit);
        self.change(id, |s| s.uncounted = true);
        self.requests.iter_mut().filter(|r| r.session == id).for_each(|r| r.open = false);
        let mut taken: Vec<(u64, MessageId)> =
            self.of(id).filter(|m| m.at == At::In(number)).map(|m| (m.joined, m.id)).collect();
        // They end in the order in which the turn took them in.
        taken.sort_unstable();
        for (_, message) in taken {
            let end = match &outcome {
                Outcome::Unknown { why } => MessageEnd::Unknown { why: why.clone() },
                Outcome::Completed | Outcome::Failed { .. } | Outcome::Interrupted | Outcome::Exited => {
                    MessageEnd::Settled { turn: TurnNumber::new(number), outcome: outcome.clone() }
                }
            };
            self.over(message, end);
        }
        true
    }

    fn ask(&mut self, id: SessionId, native: &str) -> bool {
        let open = self.open(id);
        if open.iter().any(|r| r.native == native) || open.len() >= limits::REQUESTS_OPEN_MAX {
            return false;
        }
        self.begin(id);
        let request = RequestId::new(self.requests.len() as u64 + 1);
        let native = native.to_owned();
        self.requests.push(ModelRequest { id: request, session: id, open: true, native, answered: false });
        true
    }

    fn see(&mut self, s: &ModelSession, working: bool) -> bool {
        let id = s.id;
        let runs = self.running(id).is_some();
        if !s.seen {
            self.change(id, |s| s.seen = true);
            self.requests.iter_mut().filter(|r| r.session == id && r.open).for_each(|r| r.answered = false);
        }
        if runs && !working {
            let detail = "the agent is idle, and no end of its turn was recorded".to_owned();
            self.end_turn(id, Outcome::Unknown { why: UnknownReason::EndUnseen { detail } }, None);
        }
        if working {
            self.begin(id);
        }
        if !s.seen {
            if let Some(turn) = self.running(id).filter(|t| t.asked).map(|t| t.number) {
                self.acts.push(format!("interrupt {id} {turn}"));
            }
            self.end_order(id);
        }
        !s.seen || runs != working
    }

    fn exit(&mut self, id: SessionId, killed: bool) -> bool {
        let Some(s) = self.s(id).cloned() else { return false };
        self.end_turn(id, Outcome::Exited, None);
        let open: Vec<(MessageId, bool)> = self.of(id).map(|m| (m.id, matches!(m.at, At::Out(_)))).collect();
        for (message, was_out) in open {
            let end = if was_out && !self.can(&s.agent).deduplicates {
                let detail = "the session ended after the message was handed over".to_owned();
                MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { detail } }
            } else if killed || s.stopping.is_some() {
                self.cancel(message, true, s.stopped_by.filter(|_| s.stopping.is_some()));
                continue;
            } else {
                MessageEnd::Undeliverable { why: Undeliverable::SessionExited }
            };
            self.over(message, end);
        }
        for child in self.sessions.iter_mut().filter(|other| other.parent == Some(id)) {
            child.parent = s.parent;
        }
        self.change(id, |s| (s.exited, s.stopping) = (true, None));
        self.acts.push(format!("release {id}"));
        true
    }
}
