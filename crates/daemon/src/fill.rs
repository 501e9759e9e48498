//! A large store for the benches: sessions that have lived and ended, written through the same machines as real ones.

use std::sync::Arc;

use adjutant_agents::{AgentSettings, registry};
use adjutant_api::home::Home;
use adjutant_api::protocol::VERSION;
use adjutant_core::agent::{AnswerSize, Evidence, SessionEnd, TurnEnd};
use adjutant_core::call::{Call, Caller, NewMessage, NewSession};
use adjutant_core::message::MessageKind;
use adjutant_core::session::Profile;
use adjutant_core::{AgentReport, CallId, ExitStatus, Host, HostConfig, Input, MessageId, SessionId, Step};
use adjutant_store::Writer;
use uuid::Uuid;

use crate::clock::Clock;
use crate::listen::private_directory;
use crate::lock::HomeLock;
use crate::supervisor::batch_of;

/// Steps that are committed together.
const STEPS_AT_ONCE: usize = 2_000;

/// Adds `sessions` ended sessions, and one session with at least `events` events, to the store of a stopped daemon.
///
/// # Errors
/// In words, when a daemon serves the home or the store cannot be written.
pub fn fill(home: &Home, sessions: usize, events: usize) -> Result<(), String> {
    private_directory(&home.state).map_err(|error| error.to_string())?;
    let _lock = HomeLock::take(&home.state).map_err(|error| error.to_string())?;
    let (writer, loaded) = adjutant_store::open(&home.state, VERSION).map_err(|error| error.to_string())?;
    let agents = registry(&AgentSettings::default());
    let agent = agents.keys().next().cloned().ok_or("this build has no agent")?;
    let capabilities = agents.iter().map(|(name, agent)| (name.clone(), agent.capabilities().clone())).collect();
    let host = Host::restore(HostConfig::new(capabilities), loaded.sessions, loaded.counters);
    let mut filler = Filler { host, writer, clock: Clock::new(), step: Step::default(), steps: 0, agent };
    for _ in 0..sessions {
        let id = filler.begin()?;
        filler.turn(id)?;
        filler.end(id)?;
    }
    if events > 0 {
        filler.long_session(events)?;
    }
    filler.flush()
}

struct Filler {
    host: Host,
    writer: Writer,
    clock: Clock,
    step: Step,
    steps: usize,
    agent: adjutant_core::AgentName,
}

impl Filler {
    fn handle(&mut self, input: Input) -> Result<(), String> {
        let step = self.host.handle(input, self.clock.now());
        self.step.append(step);
        self.steps += 1;
        if self.steps >= STEPS_AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), String> {
        // A step in which nothing was handled has no counters of its host.
        if self.steps == 0 {
            return Ok(());
        }
        let step = std::mem::take(&mut self.step);
        self.steps = 0;
        self.writer.commit(&batch_of(&self.host, &step)).map_err(|error| error.to_string())
    }

    fn report(&mut self, session: SessionId, report: AgentReport, answer: Option<&str>) -> Result<(), String> {
        let observed_at = self.clock.now().wall;
        self.handle(Input::Agent { session, observed_at, cursor: None, report, answer: answer.map(Arc::from) })
    }

    fn begin(&mut self) -> Result<SessionId, String> {
        let uuid = Uuid::now_v7();
        let id = SessionId::from_bytes(*uuid.as_bytes());
        let profile = Profile {
            project: Some("app".to_owned()),
            description: Some("made for a bench".to_owned()),
            token_hash: uuid.to_string(),
            keep_failed: true,
            ..Profile::bare(self.agent.clone(), "/srv/app", "/bin/false")
        };
        let seed = u64::from_be_bytes(uuid.as_bytes()[8..].try_into().unwrap_or_default());
        let new =
            NewSession { id, name_seed: seed, name: None, profile, parent: None, message: None, owned_live_max: None };
        self.handle(Input::Call { id: CallId(0), caller: Caller::Human, call: Call::Create(Box::new(new)) })?;
        self.report(id, AgentReport::Ready, None)?;
        Ok(id)
    }

    fn turn(&mut self, session: SessionId) -> Result<(), String> {
        let message = MessageId::new(self.host.counters().next_message);
        let new = NewMessage {
            text: Arc::from("true"),
            kind: MessageKind::Next,
            key: None,
            reply_to: None,
            due: None,
            after: None,
            expires: None,
            interrupt: false,
        };
        self.handle(Input::Call {
            id: CallId(0),
            caller: Caller::Human,
            call: Call::Send { session, message: new, wake_me: false },
        })?;
        let at = self.clock.now().wall;
        let evidence = Evidence { source: "bench".to_owned(), detail: "made for a bench".to_owned(), at };
        self.report(session, AgentReport::Taken { message, evidence }, None)?;
        let end = TurnEnd::command(ExitStatus::Code(0), AnswerSize { bytes: 4, cut_bytes: 0 });
        self.report(session, AgentReport::TurnEnded { end }, Some("done"))
    }

    fn end(&mut self, session: SessionId) -> Result<(), String> {
        self.report(session, AgentReport::Exited { end: SessionEnd::Ended { exit: ExitStatus::Code(0) } }, None)
    }

    fn long_session(&mut self, events: usize) -> Result<(), String> {
        let id = self.begin()?;
        let last = self.host.counters().next_seq + events as u64;
        while self.host.counters().next_seq < last {
            self.turn(id)?;
        }
        self.end(id)
    }
}
