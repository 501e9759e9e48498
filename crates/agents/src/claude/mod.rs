//! Claude Code, in a terminal or by its protocol alone.

mod answer;
mod changes;
mod directory;
mod environment;
mod find;
mod form;
mod headless;
mod home;
mod hooks;
mod login;
mod requests;
mod resume;
mod terminal;
mod transcript;

pub use hooks::hook_main;
pub use terminal::exec_main;

use std::collections::BTreeMap;

use adjutant_core::AgentName;
use adjutant_core::agent::{Capabilities, FrameStyle, Mode, Source, StartFailure};

use crate::skills::SkillReader;
use crate::{
    Agent, Attach, AttachTo, ConversationEntry, ConversationError, ConversationOf, DriverStart, DriverTask, Driving,
    Program, SkillPlaces,
};

/// Where it looks for skills.
pub(crate) const SKILLS: SkillReader =
    SkillReader { variable: "CLAUDE_CONFIG_DIR", directory: ".claude", program: "claude", local: ".claude/skills" };

/// The agent `claude`.
#[derive(Debug)]
pub struct Claude {
    name: AgentName,
    /// The program that starts it in a container.
    wrapper: String,
    capabilities: Capabilities,
}

impl Claude {
    /// The agent as it is registered; `wrapper` is the program that starts it in a container.
    pub fn new(wrapper: String) -> Self {
        Self {
            name: AgentName::new("claude"),
            wrapper,
            capabilities: Capabilities {
                modes: vec![Mode::Native, Mode::Guarded, Mode::Docker],
                terminal: true,
                interrupt: true,
                steer: true,
                requests: true,
                goals: false,
                resume: true,
                usage: true,
                model: true,
                effort: true,
                headless: true,
                sandbox: false,
                arguments: true,
                policy: true,
                commands: true,
                source: Source::Hook,
                exit_code: false,
                deduplicates: false,
                frame: FrameStyle::Plain,
            },
        }
    }
}

impl Agent for Claude {
    fn name(&self) -> &AgentName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn find(&self, environment: &BTreeMap<String, String>, mode: Mode) -> Result<Program, StartFailure> {
        match mode {
            Mode::Native | Mode::Guarded => find::claude(environment),
            Mode::Docker => find::wrapper(environment, &self.wrapper),
        }
    }

    fn drive(&self, task: DriverTask) -> Driving {
        let headless = match &task.start {
            DriverStart::Launch(plan) => plan.profile.headless,
            DriverStart::Adopt(adoption) => adoption.profile.headless,
        };
        if headless { Box::pin(headless::drive(task)) } else { Box::pin(terminal::drive(task)) }
    }

    fn conversation(&self, of: ConversationOf<'_>) -> Result<Vec<ConversationEntry>, ConversationError> {
        if of.profile.headless { headless::conversation(of) } else { terminal::conversation(of) }
    }

    fn attach(&self, of: AttachTo<'_>) -> Result<Attach, String> {
        match of.profile.headless {
            true => Ok(Attach::Lent),
            false => terminal::attach(of.place, of.read_only),
        }
    }

    fn skills(&self, environment: &BTreeMap<String, String>) -> Option<SkillPlaces> {
        SKILLS.places(environment)
    }
}
