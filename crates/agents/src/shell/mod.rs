//! The plain shell: one bash per session, which takes each message as a script.
//!
//! What a message leaves behind is there for the next one: the directory, variables, functions, options, traps,
//! background jobs. Begin and exit status come over a pipe of the runner's, never from the screen; what was printed
//! is read from the terminal and resolved to the text that a person would have seen. `exit` and `exec` end the
//! session, as they would end anybody's shell.

mod driver;
mod environment;
mod find;
mod hold;
mod text;

pub(crate) use hold::hold;

use std::collections::BTreeMap;

use adjutant_core::AgentName;
use adjutant_core::agent::{Capabilities, FrameStyle, Mode, Source, StartFailure};

use crate::{Agent, DriverTask, Driving, Program};

/// The agent `shell`.
#[derive(Debug)]
pub struct Shell {
    name: AgentName,
    capabilities: Capabilities,
}

impl Shell {
    /// The agent as it is registered.
    pub fn new() -> Self {
        Self {
            name: AgentName::new("shell"),
            capabilities: Capabilities {
                modes: vec![Mode::Native],
                terminal: true,
                interrupt: true,
                steer: false,
                requests: true,
                goals: false,
                resume: false,
                usage: false,
                model: false,
                effort: false,
                headless: false,
                sandbox: false,
                arguments: false,
                policy: false,
                commands: false,
                source: Source::ControlPipe,
                exit_code: true,
                deduplicates: true,
                frame: FrameStyle::Variables,
            },
        }
    }
}

impl Default for Shell {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent for Shell {
    fn name(&self) -> &AgentName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn find(&self, environment: &BTreeMap<String, String>, _: Mode) -> Result<Program, StartFailure> {
        find::bash(environment)
    }

    fn drive(&self, task: DriverTask) -> Driving {
        Box::pin(driver::drive(task))
    }
}
