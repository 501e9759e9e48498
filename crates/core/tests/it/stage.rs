//! A small host for one scene at a time, with the store, the model and the auditor looking on.

use adjutant_core::agent::{AgentReport, Evidence, Level, SessionEnd, TurnEnd};
use adjutant_core::call::{NewMessage, NewSession};
use adjutant_core::id::Attempt;
use adjutant_core::message::{MessageEnd, MessageKind, MessageState};
use adjutant_core::outcome::{ExitStatus, Outcome};
use adjutant_core::session::{Session, Status};
use adjutant_core::time::{BootId, BootMoment, Due};
use adjutant_core::{
    Act, Answer, Call, CallId, Caller, Event, Host, HostConfig, Input, Logged, MessageId, Now, Refusal, RequestId,
    SessionId, Step, Timestamp,
};

use crate::auditor::Auditor;
use crate::cast::{config, profile, session_id};
use crate::compare::{compare, compare_step, learn_names};
use crate::machine::{question, started};
use crate::model::Model;
use crate::shelf::Shelf;

pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) now: Now,
    pub(crate) shelf: Shelf,
    config: HostConfig,
    model: Model,
    auditor: Auditor,
    calls: u64,
    sessions: u8,
    cursor: u64,
    /// What the last input led to.
    pub(crate) last: Step,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: HostConfig) -> Self {
        let boot = BootMoment { boot: BootId([1; 16]), millis: 1_000 };
        Self {
            host: Host::new(config.clone()),
            now: Now { wall: Timestamp::from_millis(1_000_000), boot },
            shelf: Shelf::default(),
            model: Model::new(config.clone()),
            config,
            auditor: Auditor::default(),
            calls: 0,
            sessions: 0,
            cursor: 0,
            last: Step::default(),
        }
    }

    // Inputs.

    pub(crate) fn handle(&mut self, input: Input) {
        let moment = input.clone();
        self.model.take(&input, self.now);
        self.last = self.host.handle(input, self.now);
        self.auditor.read(&self.last);
        compare_step(&self.last, &self.model, &moment);
        learn_names(&mut self.model, &self.host);
        compare(&self.host, &self.model, &self.auditor, self.now, &moment);
        self.shelf.commit(&self.last, &self.host);
        self.shelf.check_fold(self.config.clone());
    }

    pub(crate) fn call_as(&mut self, caller: Caller, call: Call) -> Result<Answer, Refusal> {
        self.calls += 1;
        self.handle(Input::Call { id: CallId(self.calls), caller, call });
        match self.last.acts.last() {
            Some(Act::Reply { id, answer }) if *id == CallId(self.calls) => answer.clone(),
            other => panic!("no reply: {other:?}"),
        }
    }

    pub(crate) fn call(&mut self, call: Call) -> Result<Answer, Refusal> {
        self.call_as(Caller::Human, call)
    }

    /// Something that the journal tells.
    pub(crate) fn report(&mut self, session: SessionId, report: AgentReport) {
        self.cursor += 10;
        self.report_at(session, Some(self.cursor), report);
    }

    pub(crate) fn report_at(&mut self, session: SessionId, cursor: Option<u64>, report: AgentReport) {
        self.handle(Input::Agent { session, observed_at: self.now.wall, cursor, report, answer: None });
    }

    pub(crate) fn advance(&mut self, millis: u64) {
        self.now.wall = self.now.wall.plus_millis(millis);
        self.now.boot.millis += millis;
    }

    /// Lets a span pass and rings the timer at its end.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.advance(millis);
        self.handle(Input::TimeCame);
    }

    /// The daemon is killed after its last commit, and another one begins.
    pub(crate) fn restart(&mut self) {
        self.host = self.shelf.restore(self.config.clone());
        self.handle(Input::Recovered);
    }

    // Sessions.

    pub(crate) fn new_session(&mut self, agent: &str) -> NewSession {
        self.sessions += 1;
        NewSession {
            id: session_id(self.sessions),
            name_seed: u64::from(self.sessions),
            name: None,
            profile: profile(agent, self.sessions),
            parent: None,
            message: None,
            owned_live_max: None,
        }
    }

    pub(crate) fn create(&mut self, new: NewSession) -> Result<Answer, Refusal> {
        self.call(Call::Create(Box::new(new)))
    }

    /// A session that is being started.
    pub(crate) fn starting(&mut self, agent: &str) -> SessionId {
        let new = self.new_session(agent);
        let id = new.id;
        self.create(new).expect("created");
        id
    }

    pub(crate) fn child_of(&mut self, parent: SessionId) -> SessionId {
        let new = NewSession { parent: Some(parent), ..self.new_session("sure") };
        let id = new.id;
        self.create(new).expect("created");
        id
    }

    /// A session that accepts messages.
    pub(crate) fn live(&mut self, agent: &str) -> SessionId {
        let id = self.starting(agent);
        self.ready(id);
        id
    }

    pub(crate) fn ready(&mut self, id: SessionId) {
        self.report(id, started(1));
        self.report(id, AgentReport::Ready);
    }

    pub(crate) fn session(&self, id: SessionId) -> &Session {
        self.host.session(id).expect("the session is there")
    }

    pub(crate) fn status(&self, id: SessionId) -> Status {
        self.session(id).status()
    }

    pub(crate) fn kill(&mut self, id: SessionId, force: bool) -> Result<Answer, Refusal> {
        self.call(Call::Kill { session: id, force, any_allowed: false })
    }

    pub(crate) fn exits(&mut self, id: SessionId, code: i32) {
        self.report(id, AgentReport::Exited { end: SessionEnd::Ended { exit: ExitStatus::Code(code) } });
    }

    pub(crate) fn seen(&mut self, id: SessionId, working: bool) {
        self.report_at(id, None, AgentReport::Seen { level: Level { working } });
    }

    // Messages and turns.

    pub(crate) fn send(&mut self, id: SessionId, text: &str) -> MessageId {
        self.send_new(id, message(text))
    }

    pub(crate) fn send_new(&mut self, id: SessionId, message: NewMessage) -> MessageId {
        match self.try_send(id, message) {
            Ok(Answer::Queued { message, .. }) => message,
            other => panic!("not queued: {other:?}"),
        }
    }

    pub(crate) fn try_send(&mut self, id: SessionId, message: NewMessage) -> Result<Answer, Refusal> {
        self.call(Call::Send { session: id, message, wake_me: false })
    }

    pub(crate) fn after(&self, millis: u64) -> Due {
        Due::after(self.now, millis)
    }

    pub(crate) fn taken(&mut self, id: SessionId, message: MessageId) {
        self.report(id, AgentReport::Taken { message, evidence: self.evidence() });
    }

    pub(crate) fn evidence(&self) -> Evidence {
        Evidence { source: "journal".to_owned(), detail: "start".to_owned(), at: self.now.wall }
    }

    pub(crate) fn not_taken(&mut self, id: SessionId, message: MessageId, attempt: u32) {
        let attempt = Attempt::new(attempt);
        self.report_at(id, None, AgentReport::NotTaken { message, attempt, detail: "its pipe was closed".to_owned() });
    }

    pub(crate) fn ends(&mut self, id: SessionId, outcome: Outcome) {
        self.report(id, AgentReport::TurnEnded { end: TurnEnd::bare(outcome) });
    }

    /// A message runs from its beginning to its end.
    pub(crate) fn runs(&mut self, id: SessionId, message: MessageId, outcome: Outcome) {
        self.taken(id, message);
        self.ends(id, outcome);
    }

    pub(crate) fn asks(&mut self, id: SessionId, native: &str) -> RequestId {
        self.report(id, AgentReport::RequestOpened { request: question(native) });
        self.session(id).requests().last().expect("a request is open").id
    }

    pub(crate) fn interrupt(&mut self, id: SessionId) -> Result<Answer, Refusal> {
        self.call(Call::Interrupt { session: id, clear_queue: false })
    }

    // What came of it.

    /// The messages that the last input handed over.
    pub(crate) fn handed(&self) -> Vec<(MessageId, u32)> {
        let of = |logged: &Logged| {
            let Event::MessageHanded { message, attempt } = &logged.event else { return None };
            Some((*message, attempt.get()))
        };
        self.last.events.iter().filter_map(of).collect()
    }

    pub(crate) fn state(&self, message: MessageId) -> &MessageState {
        &self.shelf.messages.get(&message).expect("its row is there").state
    }

    /// How a message ended.
    pub(crate) fn end(&self, message: MessageId) -> MessageEnd {
        let state = self.state(message);
        let MessageState::Ended { end, .. } = state else { panic!("{message} has not ended: {state:?}") };
        end.clone()
    }

    pub(crate) fn outcome(&self, message: MessageId) -> Outcome {
        let end = self.end(message);
        let MessageEnd::Settled { outcome, .. } = end else { panic!("no turn settled {message}: {end:?}") };
        outcome
    }

    pub(crate) fn events(&self) -> Vec<&'static str> {
        self.last.events.iter().map(|logged| logged.event.type_name()).collect()
    }
}

pub(crate) fn message(text: &str) -> NewMessage {
    NewMessage {
        text: text.into(),
        kind: MessageKind::Next,
        key: None,
        reply_to: None,
        due: None,
        after: None,
        expires: None,
        interrupt: false,
    }
}
