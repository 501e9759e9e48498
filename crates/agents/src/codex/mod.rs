//! OpenAI's Codex, over its app-server.
//!
//! One app-server for each CODEX_HOME, shared by all sessions of that home and held by a runner of its own
//! (`server`); one connection and one thread of the app-server for each session (`driver`); the protocol in tolerant
//! types of ours (`wire`). A turn ends when the app-server says that it has completed, and with nothing else.

mod attach;
mod check;
mod conversation;
mod creators;
mod driver;
mod environment;
mod find;
mod limits;
mod screen;
mod server;
mod wire;

pub(crate) use server::hold_server;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use adjutant_core::AgentName;
use adjutant_core::agent::{Capabilities, FrameStyle, Mode, Source, StartFailure};

use self::server::Servers;
use crate::skills::SkillReader;
use crate::{
    Agent, Attach, AttachTo, Chosen, ConversationEntry, ConversationError, ConversationOf, DriverTask, Driving, Place,
    Program, SkillPlaces,
};

/// Where it looks for skills. Those of a directory are in the place that several agents share.
pub(crate) const SKILLS: SkillReader =
    SkillReader { variable: "CODEX_HOME", directory: ".codex", program: "codex", local: ".agents/skills" };

/// The agent `codex`.
#[derive(Debug)]
pub struct Codex {
    name: AgentName,
    capabilities: Capabilities,
    servers: Arc<Servers>,
}

impl Codex {
    /// The agent as it is registered.
    pub fn new() -> Self {
        Self {
            name: AgentName::new("codex"),
            capabilities: Capabilities {
                modes: vec![Mode::Native, Mode::Guarded],
                terminal: true,
                interrupt: true,
                steer: true,
                requests: true,
                goals: true,
                resume: true,
                usage: true,
                model: true,
                effort: true,
                headless: false,
                sandbox: true,
                arguments: false,
                policy: true,
                commands: false,
                source: Source::Protocol,
                exit_code: false,
                deduplicates: false,
                frame: FrameStyle::Plain,
            },
            servers: Arc::default(),
        }
    }
}

impl Default for Codex {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent for Codex {
    fn name(&self) -> &AgentName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn find(&self, environment: &BTreeMap<String, String>, _mode: Mode) -> Result<Program, StartFailure> {
        find::codex(environment)
    }

    fn check(&self, chosen: Chosen<'_>) -> Result<(), String> {
        check::check(chosen)
    }

    fn version(&self, place: &Place) -> Option<String> {
        driver::Notes::load(place).ok()??.version
    }

    fn drive(&self, task: DriverTask) -> Driving {
        Box::pin(driver::drive(Arc::clone(&self.servers), task))
    }

    fn conversation(&self, of: ConversationOf<'_>) -> Result<Vec<ConversationEntry>, ConversationError> {
        conversation::read(of)
    }

    fn attach(&self, of: AttachTo<'_>) -> Result<Attach, String> {
        attach::how(of)
    }

    fn skills(&self, environment: &BTreeMap<String, String>) -> Option<SkillPlaces> {
        SKILLS.places(environment)
    }
}

/// What the agents of one Adjutant home share: beside the directory that holds those of its sessions.
fn shared_dir(place: &Place) -> PathBuf {
    let sessions = place.state_dir.parent().unwrap_or(&place.state_dir);
    sessions.parent().unwrap_or(sessions).join("agents")
}
