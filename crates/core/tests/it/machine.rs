//! A stand-in for an agent with its runner, which outlives the daemon, and for its driver, which does not.
//!
//! It checks what reaches it: no handing-over comes twice, and no message is taken twice.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use adjutant_core::agent::{
    AgentReport, AnswerSize, Evidence, Level, NewRequest, RequestEnd, RequestKind, SessionEnd, StartFailure, TurnEnd,
    TurnOrigin,
};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::{ExitStatus, FailReason, Outcome, UnknownReason};
use adjutant_core::process::Incarnation;
use adjutant_core::time::BootId;
use adjutant_core::{MessageId, Timestamp};

use crate::choices::Choices;

/// What the supervisor wants of a driver.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Launch,
    Deliver(MessageId, Attempt),
    Interrupt,
    Respond(String),
    End,
}

/// What is told to the host.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) report: AgentReport,
    pub(crate) cursor: Option<u64>,
    pub(crate) answer: Option<Arc<str>>,
}

/// The side of the daemon; it is gone with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Driver {
    read: usize,
    orders: VecDeque<Order>,
    /// Handings-over of which it has to say what became of them before it has caught up.
    handed: Vec<(MessageId, Attempt)>,
    catching_up: bool,
    blind: bool,
    doubts_told: usize,
    said_last: bool,
}

/// The side that lives on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// It refuses a second taking of one message.
    sure: bool,
    /// Nobody says anything wrong about it, so it can demand that it is treated right.
    strict: bool,
    /// It refuses nearly everything that is handed over.
    stubborn: bool,
    up: bool,
    ready: bool,
    over: bool,
    busy: bool,
    asking: Option<String>,
    asked: u32,
    inbox: Vec<(MessageId, Attempt)>,
    seen: BTreeSet<(MessageId, Attempt)>,
    pub(crate) taken: BTreeSet<MessageId>,
    journal: Vec<Told>,
    /// An end that no journal tells of, and what may have been taken just before.
    last_word: Option<AgentReport>,
    doubts: Vec<(MessageId, Attempt)>,
    /// The same of its earlier lives.
    old_doubts: BTreeSet<MessageId>,
    /// How often it was started again.
    life: u32,
    /// The agent's own id of its conversation.
    conversation: String,
    pub(crate) driver: Option<Driver>,
}

const CURSOR_STEP: u64 = 10;

impl Machine {
    pub(crate) fn launched(sure: bool, strict: bool, stubborn: bool, conversation: String) -> Self {
        let driver = Driver { orders: VecDeque::from([Order::Launch]), ..Driver::default() };
        Self { sure, strict, stubborn, conversation, driver: Some(driver), ..Self::default() }
    }

    /// It is started again, with a journal of its own. What its conversation has, it has.
    pub(crate) fn relaunch(&mut self, life: u32) {
        assert!(!self.up || !self.strict, "it is started again while it runs");
        let before = std::mem::take(self);
        let old = before.doubts.iter().map(|(message, _)| *message);
        let old_doubts = before.old_doubts.iter().copied().chain(old).collect();
        let new = Self::launched(before.sure, before.strict, before.stubborn, before.conversation);
        *self = Self { life, seen: before.seen, taken: before.taken, asked: before.asked, old_doubts, ..new };
    }

    /// Which of its lives this is, counted from 0.
    pub(crate) fn life(&self) -> u32 {
        self.life
    }

    /// A new daemon looks for it, with what its records say.
    pub(crate) fn adopt(&mut self, cursor: u64, handed: Vec<(MessageId, Attempt)>) {
        let read = usize::try_from(cursor / CURSOR_STEP).expect("a small cursor");
        self.driver = Some(Driver { read, handed, catching_up: true, ..Driver::default() });
        if !self.up && self.journal.is_empty() {
            self.last_word = Some(AgentReport::StartFailed { why: StartFailure::Withdrawn });
        }
    }

    pub(crate) fn order(&mut self, order: Order) {
        if let Some(driver) = &mut self.driver {
            driver.orders.push_back(order);
        }
    }

    /// The machine it ran on has started anew.
    pub(crate) fn reboot(&mut self) {
        self.driver = None;
        if self.up {
            self.end(None);
        }
    }

    /// Does one thing; what it tells at once, without its journal, is the answer.
    pub(crate) fn work(&mut self, choices: &mut Choices, at: Timestamp, calm: bool) -> Option<Told> {
        match choices.below(3) {
            0 => self.obey(choices, calm),
            1 => {
                self.live(choices, at, calm);
                None
            }
            _ => self.tell(choices, calm),
        }
    }

    /// Carries out the next order.
    pub(crate) fn obey(&mut self, choices: &mut Choices, calm: bool) -> Option<Told> {
        let driver = self.driver.as_mut().filter(|driver| !driver.blind)?;
        match driver.orders.pop_front()? {
            Order::Launch if !calm && choices.once_in(6) => {
                self.over = true;
                let detail = "no such file".to_owned();
                direct(AgentReport::StartFailed { why: StartFailure::AgentNotFound { detail } })
            }
            Order::Launch => {
                self.up = true;
                self.write(started(1));
                None
            }
            Order::Deliver(message, attempt) => self.receive(message, attempt, choices, calm),
            Order::Interrupt => {
                if self.busy && self.up {
                    self.write(AgentReport::InterruptPassed { detail: "signal".to_owned() });
                    if calm || choices.once_in(2) {
                        self.end_turn(Outcome::Interrupted);
                    }
                }
                None
            }
            Order::Respond(native) => {
                if self.asking.as_ref() == Some(&native) && self.up {
                    self.asking = None;
                    self.write(AgentReport::RequestClosed { native, end: RequestEnd::Answered });
                }
                None
            }
            Order::End => {
                if !self.over {
                    let lost = !calm && choices.once_in(5);
                    self.end(Some(SessionEnd::Killed).filter(|_| !lost));
                }
                None
            }
        }
    }

    fn receive(&mut self, message: MessageId, attempt: Attempt, choices: &mut Choices, calm: bool) -> Option<Told> {
        let again = !self.seen.insert((message, attempt));
        assert!(!again || !self.strict, "{message} is handed over twice as number {attempt:?}");
        assert!(!self.taken.contains(&message) || !self.strict, "{message} is handed over and was taken before");
        let refused = direct(AgentReport::NotTaken { message, attempt, detail: "refused".to_owned() });
        if !self.up || (self.stubborn && !calm && choices.below(8) > 0) {
            return refused;
        }
        match choices.below(if calm { 1 } else { 8 }) {
            7 => return refused,
            6 if !self.sure => {
                if choices.once_in(2) {
                    self.inbox.push((message, attempt));
                }
                return direct(unclear(message, attempt));
            }
            _ => self.inbox.push((message, attempt)),
        }
        None
    }

    /// Goes on with its own life, and writes what happens into its journal.
    pub(crate) fn live(&mut self, choices: &mut Choices, at: Timestamp, calm: bool) {
        if !self.up {
            return;
        }
        if !calm && choices.once_in(40) {
            return self.die(choices);
        }
        if !self.ready {
            self.ready = true;
            self.write(AgentReport::Conversation { native: self.conversation.clone() });
            return self.write(AgentReport::Ready);
        }
        match (self.busy, choices.below(if calm { 1 } else { 6 })) {
            (true, 0 | 1) => {
                let outcome = outcome(choices);
                self.end_turn(outcome);
            }
            (true, 2) => self.ask(),
            (true, 3) => {
                if let Some(native) = self.asking.take() {
                    self.write(AgentReport::RequestClosed { native, end: RequestEnd::AnsweredThere });
                }
            }
            (true, _) => {
                if choices.once_in(3) {
                    self.take(at);
                }
            }
            (false, 5) => self.begin(if choices.once_in(2) { TurnOrigin::Person } else { TurnOrigin::Agent }),
            (false, _) => self.take(at),
        }
    }

    fn take(&mut self, at: Timestamp) {
        if self.inbox.is_empty() {
            return;
        }
        let (message, _) = self.inbox.remove(0);
        let again = !self.taken.insert(message);
        assert!(!again || !self.strict, "{message} is taken twice");
        self.busy = true;
        let evidence = Evidence { source: "journal".to_owned(), detail: "taken".to_owned(), at };
        self.write(AgentReport::Taken { message, evidence });
    }

    fn begin(&mut self, origin: TurnOrigin) {
        self.busy = true;
        self.write(AgentReport::TurnStarted { origin });
    }

    fn ask(&mut self) {
        if self.asking.is_none() {
            self.asked += 1;
            let native = format!("q{}", self.asked);
            self.asking = Some(native.clone());
            self.write(AgentReport::RequestOpened { request: question(&native) });
        }
    }

    fn end_turn(&mut self, outcome: Outcome) {
        self.busy = false;
        self.asking = None;
        let size = AnswerSize { bytes: 2, cut_bytes: 0 };
        let end = TurnEnd { answer: size, ..TurnEnd::bare(outcome) };
        self.write(AgentReport::TurnEnded { end });
        if let Some(frame) = self.journal.last_mut() {
            frame.answer = Some("ok".into());
        }
    }

    fn die(&mut self, choices: &mut Choices) {
        if choices.once_in(2) {
            return self.end(Some(SessionEnd::Ended { exit: ExitStatus::Code(3) }));
        }
        // Killed so hard that it had no time to write down what it took last.
        if let Some((message, attempt)) = self.inbox.pop() {
            self.taken.insert(message);
            self.doubts.push((message, attempt));
        }
        self.end(None);
    }

    fn end(&mut self, told: Option<SessionEnd>) {
        self.up = false;
        self.over = true;
        self.busy = false;
        self.doubts.append(&mut self.inbox);
        match told {
            Some(end) => self.write(AgentReport::Exited { end }),
            None => {
                let end = SessionEnd::Lost { detail: "no such process".to_owned() };
                self.last_word = Some(AgentReport::Exited { end });
            }
        }
    }

    fn write(&mut self, report: AgentReport) {
        let cursor = Some((self.journal.len() as u64 + 1) * CURSOR_STEP);
        self.journal.push(Told { report, cursor, answer: None });
    }

    /// Tells the next thing that the journal holds and the host has not heard.
    pub(crate) fn tell(&mut self, choices: &mut Choices, calm: bool) -> Option<Told> {
        let driver = self.driver.as_mut()?;
        if driver.blind {
            return self.open_eyes(choices, calm);
        }
        if let Some(frame) = self.journal.get(driver.read) {
            driver.read += 1;
            return Some(frame.clone());
        }
        // Who can say for sure what was not taken says what may have been.
        let doubt = self.doubts.get(driver.doubts_told).filter(|_| self.sure && self.last_word.is_some());
        if let Some((message, attempt)) = doubt {
            driver.doubts_told += 1;
            return direct(unclear(*message, *attempt));
        }
        if let Some(report) = self.last_word.clone().filter(|_| !driver.said_last) {
            driver.said_last = true;
            return direct(report);
        }
        if driver.catching_up {
            return self.catch_up(choices);
        }
        if !calm && self.up && choices.once_in(12) { self.close_eyes(choices) } else { None }
    }

    /// Says what became of what was handed over before, and then how things stand.
    fn catch_up(&mut self, choices: &mut Choices) -> Option<Told> {
        let (sure, taken) = (self.sure, &self.taken);
        let driver = self.driver.as_mut()?;
        while let Some((message, attempt)) = driver.handed.pop() {
            let here = self.inbox.contains(&(message, attempt));
            if taken.contains(&message) || (here && choices.once_in(2)) {
                continue;
            }
            // Nothing of this number may be taken any more once it is said not to have been.
            self.inbox.retain(|entry| *entry != (message, attempt));
            self.seen.insert((message, attempt));
            let detail = "not in the journal".to_owned();
            let report =
                if sure { AgentReport::NotTaken { message, attempt, detail } } else { unclear(message, attempt) };
            return direct(report);
        }
        driver.catching_up = false;
        direct(AgentReport::Seen { level: Level { working: self.busy } })
    }

    fn close_eyes(&mut self, choices: &mut Choices) -> Option<Told> {
        let driver = self.driver.as_mut()?;
        driver.blind = true;
        if choices.once_in(2) {
            for order in std::mem::take(&mut driver.orders) {
                if let Order::Deliver(message, attempt) = order {
                    driver.handed.push((message, attempt));
                }
            }
        }
        let detail = format!("connection refused ({})", choices.below(2));
        direct(AgentReport::Unseen { why: UnknownReason::RunnerUnreachable { detail } })
    }

    fn open_eyes(&mut self, choices: &mut Choices, calm: bool) -> Option<Told> {
        let driver = self.driver.as_mut()?;
        if calm || choices.once_in(2) {
            driver.blind = false;
            driver.catching_up = true;
        }
        None
    }

    /// Something that was told before, once more; or something said too late to matter.
    pub(crate) fn repeat(&self, choices: &mut Choices) -> Option<Told> {
        let driver = self.driver.as_ref()?;
        if choices.once_in(2) {
            let told = self.journal.get(..driver.read)?;
            return choices.pick(told);
        }
        let taken: Vec<MessageId> = self.taken.iter().copied().collect();
        let message = choices.pick(&taken)?;
        let reported = self.journal[..driver.read].iter();
        let known = reported.map(|told| &told.report).any(|report| takes(report, message));
        let attempt = Attempt::FIRST;
        match choices.below(2) {
            _ if !known => None,
            0 => direct(unclear(message, attempt)),
            _ => direct(AgentReport::NotTaken { message, attempt, detail: "late".to_owned() }),
        }
    }

    /// Whether there is a reason not to know if this message was taken.
    pub(crate) fn may_doubt(&self, message: MessageId) -> bool {
        !self.sure || self.old_doubts.contains(&message) || self.doubts.iter().any(|(other, _)| *other == message)
    }

    /// Whether anything is under way that will still be told.
    pub(crate) fn is_quiet(&self) -> bool {
        let driver = self.driver.as_ref();
        let told = driver.is_none_or(|driver| {
            driver.read == self.journal.len() && driver.orders.is_empty() && !driver.catching_up && !driver.blind
        });
        let done = !self.up || (self.ready && !self.busy && self.inbox.is_empty());
        told && done && (self.last_word.is_none() || driver.is_none_or(|driver| driver.said_last))
    }
}

fn takes(report: &AgentReport, wanted: MessageId) -> bool {
    matches!(report, AgentReport::Taken { message, .. } if *message == wanted)
}

fn direct(report: AgentReport) -> Option<Told> {
    Some(Told { report, cursor: None, answer: None })
}

pub(crate) fn unclear(message: MessageId, attempt: Attempt) -> AgentReport {
    let why = UnknownReason::HandoverUnproven { detail: "no sign of it".to_owned() };
    AgentReport::Unclear { message, attempt, why }
}

pub(crate) fn started(pid: u32) -> AgentReport {
    let runner = Incarnation { boot: BootId([1; 16]), pid: 100 + pid, start_ticks: 5 };
    let agent = Incarnation { boot: BootId([1; 16]), pid: 200 + pid, start_ticks: 6 };
    AgentReport::Started { runner, agent, supervisor: "process".to_owned() }
}

pub(crate) fn question(native: &str) -> NewRequest {
    NewRequest {
        native: native.to_owned(),
        kind: RequestKind::Permission,
        tool: None,
        summary: "may I?".to_owned(),
        options: vec!["yes".to_owned(), "no".to_owned()],
        multiple: false,
        questions: Vec::new(),
        details: "{}".to_owned(),
    }
}

pub(crate) fn outcome(choices: &mut Choices) -> Outcome {
    match choices.below(6) {
        0 => Outcome::Failed { reason: FailReason::CommandFailed },
        1 => Outcome::Interrupted,
        2 => Outcome::Unknown { why: UnknownReason::EndUnseen { detail: "its screen was gone".to_owned() } },
        _ => Outcome::Completed,
    }
}
