//! What waiting for others leads to.

use std::collections::BTreeSet;

use adjutant_core::agent::FrameStyle;
use adjutant_core::call::{NewAfter, NewDependency};
use adjutant_core::message::{MessageEnd, Settlement, Undeliverable};
use adjutant_core::outcome::{ExitStatus, FailReason, Outcome};
use adjutant_core::session::Hold;
use adjutant_core::{MessageId, Now, SessionId, limits};

use super::{At, Model, ModelDependency, ModelMessage, due_by};

impl Model {
    pub(super) fn begin_after(&self, new: Option<&NewAfter>) -> Result<Vec<ModelDependency>, &'static str> {
        if new.is_some_and(|after| after.of.len() > limits::AFTER_MAX) {
            return Err("too many to wait for");
        }
        new.into_iter().flat_map(|after| &after.of).map(|wanted| self.begin_dependency(wanted)).collect()
    }

    fn begin_dependency(&self, wanted: &NewDependency) -> Result<ModelDependency, &'static str> {
        let (session, named, given) = match wanted {
            NewDependency::Session(session) => (*session, None, None),
            NewDependency::Message { session, message } => (*session, Some(*message), None),
            NewDependency::Ended { session, message, how, .. } => (*session, Some(*message), Some(how.clone())),
        };
        let s = self.s(session).ok_or("not found")?;
        let (mut turn, mut messages, mut readiness) = (None, Vec::new(), false);
        if given.is_none()
            && let Some(message) = named
        {
            self.of(session).find(|m| m.id == message).ok_or("no message")?;
            messages.push(message);
        }
        if named.is_none() {
            turn = self.running(session).map(|turn| turn.number);
            let held = s.hold != Hold::Off;
            let belongs = self.of(session).filter(|m| match m.at {
                At::Later(_) | At::Over(_) => false,
                At::Line(_) => !held,
                At::Out(_) | At::In(_) => true,
            });
            messages = belongs.map(|m| m.id).collect();
            readiness = !s.ready && !s.exited;
        }
        let open = turn.is_some() || !messages.is_empty() || readiness;
        let settled = (given.is_some() || !open).then_some(true);
        let given = given.or_else(|| settled.map(|_| self.level(session)));
        Ok(ModelDependency { session, named, turn, messages, readiness, given, settled })
    }

    /// What is to be said of a session that has nothing to do.
    fn level(&self, session: SessionId) -> Settlement {
        let last = self.turns.iter().rev().find(|t| t.session == session && t.outcome.is_some());
        match last {
            Some(turn) => Settlement::Turn(adjutant_core::message::TurnResult {
                turn: adjutant_core::TurnNumber::new(turn.number),
                outcome: turn.outcome.clone().unwrap_or(Outcome::Completed),
                exit: None,
            }),
            None if self.s(session).is_some_and(|s| s.exited) => Settlement::Exited,
            None => Settlement::Idle,
        }
    }

    fn has_ended(&self, of: &ModelDependency) -> bool {
        // One that was forgotten had exited.
        let exited = self.s(of.session).is_none_or(|s| s.exited);
        let turn = |number: u32| {
            self.turns.iter().any(|t| t.session == of.session && t.number == number && t.outcome.is_some())
        };
        let over = |id: &MessageId| matches!(self.m(*id).map(|m| &m.at), Some(At::Over(_)));
        let ready = !of.readiness || self.s(of.session).is_some_and(|s| s.ready);
        exited || (of.turn.is_none_or(turn) && of.messages.iter().all(over) && ready)
    }

    pub(super) fn is_met(&self, m: &ModelMessage) -> bool {
        let any = m.any && m.after.iter().any(|of| of.settled == Some(true));
        any || m.after.iter().all(|of| of.settled.is_some())
    }

    /// Looks through all that wait, whether something of it has ended.
    fn latch(&mut self) {
        let mut ended = Vec::new();
        for m in self.messages.iter().filter(|m| matches!(m.at, At::Later(_)) && self.s(m.session).is_some()) {
            for (which, of) in m.after.iter().enumerate() {
                if of.settled.is_none() && self.has_ended(of) {
                    ended.push((m.session, m.id, which, self.result(of)));
                }
            }
        }
        for (session, id, which, result) in ended {
            for m in self.messages.iter_mut().filter(|m| m.id == id) {
                (m.after[which].settled, m.after[which].given) = (Some(true), Some(result.clone()));
            }
            self.woken.insert((session, id));
        }
    }

    pub(super) fn freeze(&mut self, id: MessageId) {
        self.latch();
        let open = self.messages.iter_mut().filter(|m| m.id == id).flat_map(|m| &mut m.after);
        open.filter(|of| of.settled.is_none()).for_each(|of| of.settled = Some(false));
    }

    pub(super) fn waits_for(&self, sleeper: SessionId, session: SessionId, id: MessageId) -> bool {
        let by_it = |of: &ModelDependency| of.session == session && of.named == Some(id) && of.settled.is_none();
        let mut asleep = self.of(sleeper).filter(|m| matches!(m.at, At::Later(_)));
        asleep.any(|m| m.after.iter().any(by_it))
    }

    /// Whether the end of a turn wakes a session, with nothing else of the set open and nothing graver in it.
    fn waits_for_turn(&self, sleeper: SessionId, session: SessionId, id: MessageId, number: u32) -> bool {
        let over =
            |turn: u32| self.turns.iter().any(|t| t.session == session && t.number == turn && t.outcome.is_some());
        let ready = self.s(session).is_some_and(|s| s.ready);
        let fine = |other: &MessageId| match self.m(*other).map(|m| &m.at) {
            Some(At::Over(MessageEnd::Settled { .. })) => true,
            Some(At::In(turn)) => *turn == number,
            Some(At::Over(_) | At::Later(_) | At::Line(_) | At::Out(_)) | None => false,
        };
        let by_it = |of: &ModelDependency| {
            let open = of.session == session && of.settled.is_none() && (ready || !of.readiness);
            open && of.turn.is_none_or(over) && of.messages.contains(&id) && of.messages.iter().all(fine)
        };
        let mut asleep = self.of(sleeper).filter(|m| matches!(m.at, At::Later(_)));
        asleep.any(|m| m.after.iter().any(by_it))
    }

    pub(super) fn note_end(&mut self, id: MessageId, end: &MessageEnd, killed: bool, by: Option<SessionId>) {
        let Some(m) = self.m(id) else { return };
        let Some(sender) = m.sender.filter(|_| !m.notice) else { return };
        let of = self.s(m.session).expect("a session that the model knows");
        let silent = match end {
            MessageEnd::Settled { turn, outcome } => {
                let own_doing = match outcome {
                    Outcome::Completed => true,
                    Outcome::Failed { .. } | Outcome::Unknown { .. } => false,
                    Outcome::Interrupted => of.interrupted_by == Some(sender),
                    Outcome::Exited => of.stopping.is_some() && of.stopped_by == Some(sender),
                };
                own_doing || sender == m.session || self.waits_for_turn(sender, m.session, id, turn.get())
            }
            MessageEnd::Cancelled => by == Some(sender),
            MessageEnd::Undeliverable { .. } | MessageEnd::Expired | MessageEnd::Unknown { .. } => false,
        };
        if !silent && !self.waits_for(sender, m.session, id) {
            self.in_vain.insert(id, (sender, killed));
        }
    }

    pub(super) fn cancel(&mut self, id: MessageId, killed: bool, by: Option<SessionId>) {
        self.note_end(id, &MessageEnd::Cancelled, killed, by);
        self.over(id, MessageEnd::Cancelled);
    }

    /// Notices of what a session has heard otherwise go.
    pub(super) fn heard(&mut self, by: SessionId, of: &[MessageId]) {
        let waits = self.of(by).filter(|m| m.notice && matches!(m.at, At::Line(_) | At::Later(_)));
        let about: Vec<MessageId> =
            waits.filter(|m| m.about.is_some_and(|about| of.contains(&about))).map(|m| m.id).collect();
        about.into_iter().for_each(|notice| self.over(notice, MessageEnd::Cancelled));
    }

    pub(super) fn clear_up(&mut self, now: Now) {
        loop {
            self.latch();
            let (woken, in_vain) = (std::mem::take(&mut self.woken), std::mem::take(&mut self.in_vain));
            if woken.is_empty() && in_vain.is_empty() {
                return;
            }
            let mut sessions: BTreeSet<SessionId> = woken.iter().map(|(session, _)| *session).collect();
            for (id, (sender, killed)) in in_vain {
                let lives = self.s(sender).is_some_and(|s| !s.exited && s.stopping.is_none());
                let before = self.waits(sender).iter().filter(|m| m.notice).count();
                let room = before < self.config.notices_waiting_max;
                if lives && room && self.waits(sender).len() < self.config.queue_messages_max {
                    let mut text = self.notice(id, killed);
                    if before + 1 == self.config.notices_waiting_max {
                        text.push_str(" More of your messages may have ended badly: ");
                        text.push_str("until these notices are read, no other is written.");
                    }
                    self.own_words(sender, Some(id), &text, Vec::new());
                    sessions.insert(sender);
                }
            }
            for (_, id) in woken {
                let due = self.m(id).is_some_and(|m| match &m.at {
                    At::Later(due) => self.is_met(m) && due.is_none_or(|due| due_by(&due, now)),
                    At::Line(_) | At::Out(_) | At::In(_) | At::Over(_) => false,
                });
                if due && !self.expire(id, now) {
                    self.line_up(id);
                }
            }
            for session in sessions {
                self.go_on(session, now);
            }
        }
    }

    /// What is said of a message of which nothing will come.
    fn notice(&self, id: MessageId, killed: bool) -> String {
        let m = self.m(id).expect("a message that the model knows");
        let name = self.name_of(m.session);
        let what = match &m.at {
            At::Over(MessageEnd::Cancelled) if killed => {
                format!("was cancelled before it ran, because {name} was killed")
            }
            At::Over(MessageEnd::Cancelled) => "was taken back by somebody else".to_owned(),
            At::Over(MessageEnd::Expired) => "has expired".to_owned(),
            At::Over(MessageEnd::Undeliverable { why: Undeliverable::SessionExited }) => {
                "could not be delivered: the session exited before it ran".to_owned()
            }
            At::Over(MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { .. } }) => {
                "could not be delivered: the agent never took it".to_owned()
            }
            At::Over(MessageEnd::Unknown { .. }) => {
                let doubt = "nobody can know whether it was taken";
                format!("may or may not have run, and is not sent again by itself: {doubt}")
            }
            At::Over(MessageEnd::Settled { turn, outcome: Outcome::Interrupted }) => {
                format!("was interrupted in turn {turn}")
            }
            At::Over(MessageEnd::Settled { turn, outcome: Outcome::Exited }) => {
                format!("did not come to its end: {name} exited in the middle of turn {turn}")
            }
            At::Over(MessageEnd::Settled { turn, outcome: Outcome::Failed { reason } }) => {
                let ended = self.turns.iter().find(|t| t.session == m.session && t.number == turn.get());
                let why = match (reason, ended.and_then(|t| t.exit)) {
                    (FailReason::CommandFailed, Some(ExitStatus::Code(code))) => {
                        format!("its command ended with exit code {code}")
                    }
                    (FailReason::CommandFailed, Some(ExitStatus::Signal(number))) => {
                        format!("its command ended with exit code {}", 128 + number)
                    }
                    (FailReason::CommandFailed, None) => "its command failed".to_owned(),
                    (FailReason::AgentError, _) => "the agent called it an error".to_owned(),
                    (FailReason::ApiError, _) => "the model's service answered with an error".to_owned(),
                    (other, _) => panic!("the simulation has learned {other:?}, and the model has not"),
                };
                format!("failed in turn {turn}: {why}")
            }
            At::Over(MessageEnd::Settled { .. }) | At::Later(_) | At::Line(_) | At::Out(_) | At::In(_) => {
                panic!("nobody is told of {m:?}")
            }
        };
        format!("Adjutant: your message {id} to {name} {what}.")
    }

    /// A name, also of a session that was forgotten.
    pub(super) fn name_of(&self, session: SessionId) -> String {
        let s = self.sessions.iter().rev().find(|s| s.id == session);
        s.and_then(|s| s.name.as_ref()).expect("the name was learned").to_string()
    }

    /// A message whose words are the host's.
    pub(super) fn own_words(
        &mut self,
        session: SessionId,
        about: Option<MessageId>,
        text: &str,
        after: Vec<ModelDependency>,
    ) {
        let agent = self.s(session).map(|s| s.agent.clone()).expect("a session that the model knows");
        let around = match self.can(&agent).frame {
            FrameStyle::Plain => 0,
            FrameStyle::Variables => "ADJ_NOTICE=''".len(),
        };
        let id = MessageId::new(self.messages.len() as u64 + 1);
        self.back += 1;
        let open = after.iter().any(|of| of.settled.is_none());
        self.messages.push(ModelMessage {
            id,
            session,
            at: if open { At::Later(None) } else { At::Line(self.back) },
            bytes: (text.len() + around) as u64,
            key: None,
            expires: None,
            returned: 0,
            steers: false,
            sender: about.is_none().then_some(session),
            notice: about.is_some(),
            about,
            any: false,
            after,
            joined: 0,
            ended: 0,
        });
    }

    /// Whether this is the result of what has ended.
    pub(crate) fn is_result(of: &ModelDependency, how: &Settlement) -> bool {
        match (&of.given, how) {
            (Some(Settlement::Turn(expected)), Settlement::Turn(got)) => {
                (expected.turn, &expected.outcome) == (got.turn, &got.outcome)
            }
            (expected, got) => expected.as_ref() == Some(got),
        }
    }

    fn result(&self, of: &ModelDependency) -> Settlement {
        let mut turn = of.turn.unwrap_or(0);
        let mut fallen: Vec<(u8, u64, Settlement)> = Vec::new();
        for m in of.messages.iter().filter_map(|id| self.m(*id)) {
            let At::Over(end) = &m.at else { continue };
            let grave = match end {
                MessageEnd::Settled { turn: taken_by, .. } => {
                    turn = turn.max(taken_by.get());
                    continue;
                }
                MessageEnd::Unknown { .. } => 2,
                MessageEnd::Undeliverable { .. } => 1,
                MessageEnd::Cancelled | MessageEnd::Expired => 0,
            };
            fallen.push((grave, m.ended, Settlement::Fallen { message: m.id, end: end.clone() }));
        }
        fallen.sort_by_key(|(grave, age, _)| (*grave, *age));
        let last = self.turns.iter().find(|t| t.session == of.session && t.number == turn);
        let turn = last.and_then(|turn| turn.outcome.clone()).map(|outcome| {
            let turn = adjutant_core::TurnNumber::new(turn);
            Settlement::Turn(adjutant_core::message::TurnResult { turn, outcome, exit: None })
        });
        let without = if self.s(of.session).is_none_or(|s| s.exited) { Settlement::Exited } else { Settlement::Idle };
        match fallen.pop() {
            Some((0, _, fallen)) => turn.unwrap_or(fallen),
            Some((_, _, fallen)) => fallen,
            None => turn.unwrap_or(without),
        }
    }
}
