//! Writes a log as a daemon would: each event is folded by the core, and a batch holds what has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::agent::{
    AgentName, AnswerSize, Evidence, Mode, NewRequest, Question, QuestionOption, RequestEnd, RequestKind, SessionEnd,
    TurnEnd, TurnOrigin, Usage,
};
use adjutant_core::event::{Event, Logged};
use adjutant_core::host::{Host, HostConfig, Projected};
use adjutant_core::id::{Attempt, MessageId, RequestId, Seq, SessionId, TurnNumber};
use adjutant_core::input::Text;
use adjutant_core::message::{After, Message, MessageEnd, MessageKind, MessageState, Sender};
use adjutant_core::outcome::{ExitStatus, Outcome};
use adjutant_core::process::Incarnation;
use adjutant_core::session::{Policy, Profile, Resume, Session};
use adjutant_core::time::{BootId, Due, Timestamp};
use adjutant_store::Batch;

pub(crate) const START: i64 = 1_795_166_042_118;

pub(crate) struct Scribe {
    host: Host,
    projected: Projected,
    events: Vec<Logged>,
    texts: Vec<Text>,
}

pub(crate) fn id(number: u8) -> SessionId {
    let mut bytes = *b"\x01\x98\xc2\x00\xaa\xbb\x7c\xdd\x8e\xff\x01\x02\x03\x04\x05\x00";
    bytes[15] = number;
    SessionId::from_bytes(bytes)
}

pub(crate) fn process(pid: u32) -> Incarnation {
    Incarnation { boot: BootId([7; 16]), pid, start_ticks: u64::from(pid) * 100 }
}

impl Scribe {
    pub(crate) fn new() -> Self {
        Self::with(Host::new(HostConfig::new(BTreeMap::new())))
    }

    /// Goes on where a store has stopped.
    pub(crate) fn after(loaded: adjutant_store::Loaded) -> Self {
        Self::with(Host::restore(HostConfig::new(BTreeMap::new()), loaded.sessions, loaded.counters))
    }

    fn with(host: Host) -> Self {
        Self { host, projected: Projected::default(), events: Vec::new(), texts: Vec::new() }
    }

    /// A moment that grows with the log.
    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_millis(START + i64::try_from(self.host.counters().next_seq).unwrap())
    }

    pub(crate) fn event(&mut self, session: SessionId, event: Event) {
        let seq = Seq::new(self.host.counters().next_seq);
        let logged = Logged { seq, session, at: self.at(), cursor: Some(seq.get() * 10), event };
        self.host.fold(&logged, &mut self.projected);
        self.events.push(logged);
    }

    /// All that has changed since the last batch.
    pub(crate) fn batch(&mut self) -> Batch {
        let projected = std::mem::take(&mut self.projected);
        Batch {
            events: std::mem::take(&mut self.events),
            texts: std::mem::take(&mut self.texts),
            sessions: projected.sessions.iter().filter_map(|id| self.host.session(*id)).cloned().collect(),
            messages: projected.messages.into_values().collect(),
            turns: projected.turns.into_iter().map(|((session, _), turn)| (session, turn)).collect(),
            requests: projected.requests.into_values().collect(),
            purged: projected.purged.into_iter().collect(),
            counters: self.host.counters(),
        }
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.host.sessions().cloned().collect()
    }

    pub(crate) fn session(&self, session: SessionId) -> &Session {
        self.host.session(session).unwrap()
    }

    pub(crate) fn create(&mut self, session: SessionId, name: &str, parent: Option<SessionId>) {
        let profile = Profile {
            agent: AgentName::new("shell"),
            mode: Mode::Native,
            path: format!("/srv/{name}"),
            project: Some("app".to_owned()),
            worktree: None,
            description: Some(format!("what {name} does: \"quotes\", ünïcode, \\ and\ttabs")),
            model: None,
            effort: Some("high".to_owned()),
            headless: true,
            sandbox: None,
            arguments: vec!["--verbose".to_owned()],
            resume: Some(Resume::Conversation("5a1f".to_owned())),
            policy: Policy { allow: vec!["Read".to_owned()], deny: vec!["Bash(rm *)".to_owned()] },
            program: "/bin/bash".to_owned(),
            env_names: vec!["TERM".to_owned(), "LANG".to_owned()],
            creator: Sender::Human,
            key: Some(format!("create-{name}")),
            token_hash: format!("hash-of-{name}"),
            keep_failed: false,
            trust: true,
            owner: None,
        };
        self.event(session, Event::SessionCreated { name: name.parse().unwrap(), profile: Box::new(profile), parent });
        if let Some(parent) = parent {
            self.event(parent, Event::ChildCreated { child: session });
        }
    }

    pub(crate) fn start(&mut self, session: SessionId) {
        let (runner, agent) = (process(4_000), process(4_001));
        self.event(session, Event::SessionStarted { runner, agent, supervisor: "process".to_owned() });
        self.event(session, Event::SessionReady);
    }

    /// A session that is ready for messages.
    pub(crate) fn ready(&mut self, session: SessionId, name: &str) {
        self.create(session, name, None);
        self.start(session);
    }

    pub(crate) fn send(&mut self, session: SessionId, text: &str) -> MessageId {
        self.send_as(session, text, MessageState::Ready)
    }

    pub(crate) fn send_as(&mut self, session: SessionId, text: &str, state: MessageState) -> MessageId {
        self.send_after(session, text, state, None)
    }

    pub(crate) fn send_after(
        &mut self,
        session: SessionId,
        text: &str,
        state: MessageState,
        after: Option<After>,
    ) -> MessageId {
        let message = Message {
            id: MessageId::new(self.host.counters().next_message),
            session,
            from: Sender::Human,
            kind: MessageKind::Next,
            bytes: text.len() as u64,
            key: Some(format!("key-{}", self.host.counters().next_message)),
            reply_to: None,
            expires: Some(Due::At(Timestamp::from_millis(START * 2))),
            queued_at: self.at(),
            returned: 0,
            after,
            came: None,
            state,
        };
        let id = message.id;
        self.texts.push(Text::Message { message: id, text: Arc::from(text) });
        self.event(session, Event::MessageQueued { message });
        id
    }

    /// The text of a message that waits is changed.
    pub(crate) fn edit(&mut self, session: SessionId, message: MessageId, text: &str) {
        self.texts.push(Text::Message { message, text: Arc::from(text) });
        let bytes = Some(text.len() as u64);
        self.event(session, Event::MessageChanged { message, bytes, due: None, place: None });
    }

    pub(crate) fn hand(&mut self, session: SessionId, message: MessageId) {
        self.event(session, Event::MessageHanded { message, attempt: Attempt::FIRST });
    }

    pub(crate) fn take(&mut self, session: SessionId, message: MessageId) -> TurnNumber {
        let turn = self.session(session).next_turn();
        let evidence = Evidence { source: "control pipe".to_owned(), detail: "start m".to_owned(), at: self.at() };
        self.event(session, Event::TurnStarted { turn, origin: TurnOrigin::Message(message) });
        self.event(session, Event::MessageAccepted { message, turn, evidence });
        turn
    }

    pub(crate) fn end(&mut self, session: SessionId, message: MessageId, turn: TurnNumber, answer: &str) {
        let size = AnswerSize { bytes: answer.len() as u64, cut_bytes: 0 };
        let usage = Usage { input_tokens: 20, output_tokens: 10, cache_read_tokens: 5, cache_write_tokens: 1 };
        let (detail, usage) = (Some("said so".to_owned()), Some(usage));
        let end = TurnEnd { detail, usage, ..TurnEnd::command(ExitStatus::Code(0), size) };
        self.texts.push(Text::Answer { session, turn, text: Arc::from(answer) });
        self.event(session, Event::TurnEnded { turn, end });
        let outcome = Outcome::Completed;
        self.event(session, Event::MessageEnded { message, end: MessageEnd::Settled { turn, outcome } });
    }

    /// One message on its whole way.
    pub(crate) fn work(&mut self, session: SessionId, text: &str, answer: &str) -> (MessageId, TurnNumber) {
        let message = self.send(session, text);
        self.hand(session, message);
        let turn = self.take(session, message);
        self.end(session, message, turn, answer);
        (message, turn)
    }

    pub(crate) fn ask(&mut self, session: SessionId) -> RequestId {
        let request = RequestId::new(self.host.counters().next_request);
        let turn = self.session(session).turn().unwrap().number;
        let option = QuestionOption { label: "allow".to_owned(), description: Some("it is published".to_owned()) };
        let question = Question {
            label: "publish".to_owned(),
            text: "Publish it?".to_owned(),
            options: vec![option],
            multiple: false,
            free_text: true,
        };
        let asked = NewRequest {
            native: format!("native-{request}"),
            kind: RequestKind::Permission,
            tool: Some("Bash".to_owned()),
            summary: "cargo publish".to_owned(),
            options: vec!["allow".to_owned(), "deny".to_owned()],
            multiple: false,
            questions: vec![question],
            details: "{\"command\":\"cargo publish\"}".to_owned(),
        };
        self.event(session, Event::RequestOpened { request, turn, asked });
        request
    }

    pub(crate) fn answer(&mut self, session: SessionId, request: RequestId) {
        self.event(session, Event::RequestAnswered { request, by: Sender::Human, decision: "allow".to_owned() });
        self.event(session, Event::RequestClosed { request, end: RequestEnd::Answered });
    }

    pub(crate) fn exit(&mut self, session: SessionId) {
        self.event(session, Event::SessionExited { end: SessionEnd::Ended { exit: ExitStatus::Code(0) } });
    }

    pub(crate) fn purge(&mut self, session: SessionId) {
        self.event(session, Event::SessionPurged);
    }
}
