//! Waits that begin in the middle of a simulation, and what the model says of them.

use adjutant_core::message::MessageEnd;
use adjutant_core::session::{Hold, Session};
use adjutant_core::wait::{Fallen, Verdict, WaitOptions, Waiting};
use adjutant_core::{Event, Logged, MessageId, RequestId, Seq, SessionId, Step, TurnNumber};

use crate::choices::Choices;
use crate::model::{At, Model};

/// One wait, with what was accepted when it began, as the model saw it.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    waiting: Waiting,
    options: WaitOptions,
    session: SessionId,
    turn: Option<u32>,
    /// The turn that is the next to end.
    next_turn: u32,
    messages: Vec<MessageId>,
    readiness: bool,
    requests: u64,
    /// The messages of the set in the order in which they ended.
    ended: Vec<MessageId>,
    /// A copy that somebody carried away, and the place in the log up to which it knows.
    copy: (Waiting, Seq),
    /// The verdict, and the event that brought it.
    verdict: Option<(Verdict, Seq)>,
}

impl Wait {
    /// Begins a wait, and says in a word how it ended when it is over at once.
    pub(crate) fn begin(
        session: &Session,
        model: &Model,
        choices: &mut Choices,
        seq: Seq,
    ) -> Result<Self, &'static str> {
        let id = session.id;
        let all: Vec<MessageId> = model.messages.iter().filter(|m| m.session == id).map(|m| m.id).collect();
        let options = WaitOptions {
            next_turn: choices.once_in(5),
            only: choices.pick(&all).filter(|_| choices.once_in(4)),
            through_input: choices.once_in(3),
            include_delayed: choices.once_in(3),
        };
        let options = WaitOptions { next_turn: options.next_turn && options.only.is_none(), ..options };
        let (waiting, verdict) = Waiting::begin(session, options);
        let wait = Self::of_model(waiting, options, model, seq);
        let expected = wait.at_once(model);
        assert_eq!(verdict, expected, "what is known at once of {options:?} in {session:?}");
        verdict.map_or(Ok(wait), |verdict| Err(word_of(&verdict)))
    }

    fn of_model(waiting: Waiting, options: WaitOptions, model: &Model, seq: Seq) -> Self {
        let id = waiting.session;
        let whole = options.only.is_none() && !options.next_turn;
        let s = model.s(id).expect("a session that the model knows");
        let held = s.hold != Hold::Off;
        let mine = model.messages.iter().filter(|m| m.session == id && whole);
        let belongs = mine.filter(|m| match &m.at {
            At::Later(_) => options.include_delayed,
            At::Line(_) => !held,
            At::Out(_) | At::In(_) => true,
            At::Over(_) => false,
        });
        let running = model.running(id).map(|turn| turn.number);
        Self {
            copy: (waiting.clone(), seq),
            waiting,
            options,
            session: id,
            turn: running.filter(|_| whole),
            next_turn: running.unwrap_or(s.begun + 1),
            messages: belongs.map(|m| m.id).chain(options.only).collect(),
            readiness: whole && !s.ready && !s.exited,
            requests: model.requests.len() as u64,
            ended: Vec::new(),
            verdict: None,
        }
    }

    fn at_once(&self, model: &Model) -> Option<Verdict> {
        let only = self.options.only.and_then(|id| model.m(id));
        if let Some(gone) = only.filter(|m| matches!(m.at, At::Over(_))) {
            return Some(Verdict::EndedBefore(gone.id));
        }
        let open: Vec<RequestId> = model.open(self.session).iter().map(|r| r.id).collect();
        let is_seen = model.s(self.session).is_some_and(|s| s.seen);
        if !open.is_empty() && !self.options.through_input && is_seen {
            return Some(Verdict::Input(open));
        }
        let exited = model.s(self.session).is_some_and(|s| s.exited);
        if self.options.next_turn || self.turn.is_some() || !self.messages.is_empty() || self.readiness {
            return Some(Verdict::Exited).filter(|_| exited);
        }
        let last = model.turns.iter().rev().find(|t| t.session == self.session && t.outcome.is_some());
        let without = if exited { Verdict::Exited } else { Verdict::NeverWorked };
        Some(last.map_or(without, |turn| Verdict::Turn(TurnNumber::new(turn.number))))
    }

    /// What the model says now: `None` while accepted work has not ended.
    fn expected(&self, model: &Model) -> Option<Verdict> {
        let exited = model.s(self.session).is_none_or(|s| s.exited);
        let ended = |number: u32| {
            model.turns.iter().any(|t| t.session == self.session && t.number == number && t.outcome.is_some())
        };
        if self.options.next_turn && ended(self.next_turn) {
            return Some(Verdict::Turn(TurnNumber::new(self.next_turn)));
        }
        let ready = !self.readiness || model.s(self.session).is_some_and(|s| s.ready);
        let done =
            !self.options.next_turn && ready && self.turn.is_none_or(ended) && self.ended.len() == self.messages.len();
        if done || exited {
            let without = if exited { Verdict::Exited } else { Verdict::NeverWorked };
            return Some(self.result(model).unwrap_or(without));
        }
        let asked: Vec<RequestId> =
            model.open(self.session).iter().map(|r| r.id).filter(|r| r.get() > self.requests).collect();
        (!self.options.through_input && !asked.is_empty()).then_some(Verdict::Input(asked))
    }

    fn result(&self, model: &Model) -> Option<Verdict> {
        let mut turn = self.turn.unwrap_or(0);
        let mut fallen: Vec<(u8, usize, Fallen)> = Vec::new();
        for (age, id) in self.ended.iter().enumerate() {
            let Some(At::Over(end)) = model.m(*id).map(|m| &m.at) else { continue };
            let grave = match end {
                MessageEnd::Settled { turn: taken_by, .. } => {
                    turn = turn.max(taken_by.get());
                    continue;
                }
                MessageEnd::Unknown { .. } => 2,
                MessageEnd::Undeliverable { .. } => 1,
                MessageEnd::Cancelled | MessageEnd::Expired => 0,
            };
            fallen.push((grave, age, Fallen { message: *id, end: end.clone() }));
        }
        fallen.sort_by_key(|(grave, age, _)| (*grave, *age));
        let turn = Some(TurnNumber::new(turn)).filter(|number| number.get() > 0).map(Verdict::Turn);
        match fallen.pop() {
            Some((0, _, fallen)) => turn.or(Some(Verdict::Fallen(fallen))),
            Some((_, _, fallen)) => Some(Verdict::Fallen(fallen)),
            None => turn,
        }
    }

    /// Takes in a step that is as good as durable, and compares with the model after it.
    pub(crate) fn follow(&mut self, step: &Step, model: &Model, choices: &mut Choices) {
        if self.verdict.is_some() {
            return;
        }
        for logged in &step.events {
            self.note_end(logged);
            if self.verdict.is_none() {
                self.verdict = self.waiting.on_event(logged).map(|verdict| (verdict, logged.seq));
            }
        }
        let got = self.verdict.as_ref().map(|(verdict, _)| verdict.clone());
        assert_eq!(got, self.expected(model), "{self:?} after {:?}", step.events);
        if let Some(last) = step.events.last().filter(|_| got.is_none() && choices.once_in(4)) {
            self.copy = (self.waiting.clone(), last.seq);
        }
    }

    fn note_end(&mut self, logged: &Logged) {
        if let Event::MessageEnded { message, .. } = &logged.event
            && self.messages.contains(message)
        {
            self.ended.push(*message);
        }
    }

    /// Whether it may outlast all work: nobody promises another turn.
    pub(crate) fn may_last(&self) -> bool {
        self.options.next_turn
    }

    /// How it ended, in a word. The copy then reads the log from where it was, and has to come to the same end.
    pub(crate) fn is_over(&self, log: &[Logged]) -> Option<&'static str> {
        let (verdict, seq) = self.verdict.as_ref()?;
        let (mut copy, from) = self.copy.clone();
        let rest = log.iter().filter(|logged| logged.seq > from);
        let again = rest.map(|logged| (copy.on_event(logged), logged.seq)).find(|(verdict, _)| verdict.is_some());
        assert_eq!(again, Some((Some(verdict.clone()), *seq)), "resumed after {from}: {self:?}");
        Some(word_of(verdict))
    }
}

fn word_of(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Turn(_) => "wait: turn",
        Verdict::Fallen(_) => "wait: fallen",
        Verdict::Input(_) => "wait: input",
        Verdict::NeverWorked => "wait: never worked",
        Verdict::Exited => "wait: exited",
        Verdict::EndedBefore(_) => "wait: ended before",
    }
}
