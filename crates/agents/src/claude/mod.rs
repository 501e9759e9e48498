//! Claude Code, in a terminal or by its protocol alone.

mod environment;
mod find;
mod headless;
mod requests;

use std::collections::BTreeMap;

use adjutant_core::AgentName;
use adjutant_core::agent::{Capabilities, FrameStyle, Mode, Source, StartFailure};

use crate::{Agent, Attach, AttachTo, DriverTask, Driving, Program};

/// The agent `claude`.
#[derive(Debug)]
pub struct Claude {
    name: AgentName,
    capabilities: Capabilities,
}

impl Claude {
    /// The agent as it is registered.
    pub fn new() -> Self {
        Self {
            name: AgentName::new("claude"),
            capabilities: Capabilities {
                modes: vec![Mode::Native, Mode::Guarded],
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

impl Default for Claude {
    fn default() -> Self {
        Self::new()
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
        find::claude(environment, mode)
    }

    fn drive(&self, task: DriverTask) -> Driving {
        Box::pin(headless::drive(task))
    }

    fn attach(&self, of: AttachTo<'_>) -> Result<Attach, String> {
        match of.profile.headless {
            true => Err("it is held without a terminal; its conversation is in `adj logs`".to_owned()),
            false => Ok(Attach::Terminal),
        }
    }
}
