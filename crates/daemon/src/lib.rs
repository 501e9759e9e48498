//! The per-user daemon: one supervisor loop, the drivers it commands, and the HTTP API through which all others speak.

mod alarm;
mod audit;
mod clock;
mod feed;
mod file;
mod fill;
mod frame;
mod gateway;
mod http;
mod journal;
mod launch;
mod listen;
mod lock;
mod mend;
mod notify;
mod project;
mod read;
mod retention;
mod start;
mod supervisor;
pub mod testpoint;
mod tokens;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use adjutant_api::home::Home;

pub use crate::fill::fill;
pub use crate::gateway::{GatewayOptions, Wake, check_port, run as run_gateway};
pub use crate::mend::{rebuild, repair};
pub use crate::notify::{Notify, Webhook};

/// How a daemon is started.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// Where its files are.
    pub home: Home,
    /// The absolute path of the `adj` binary, from which runners are started.
    pub adj: PathBuf,
    /// It was started by a command that waits for its word on standard output; otherwise it is in the foreground.
    pub detached: bool,
    /// It ends when no session has lived for this long; `None` is never.
    pub idle_exit: Option<Duration>,
    /// Days for which exited sessions are kept; 0 keeps them until they are purged by hand.
    pub keep_days: u32,
    /// Messages that may wait in one session's queue.
    pub queue_max: usize,
    /// Largest message, in bytes.
    pub message_max_bytes: usize,
    /// A session may end any other, not its descendants alone.
    pub sessions_may_kill_any: bool,
    /// What the configuration says about agents.
    pub agents: adjutant_agents::AgentSettings,
    /// How people are told what happens, if at all.
    pub notify: Option<Notify>,
}

/// Runs the daemon until it is told to end. Sessions outlive it.
pub fn run(options: DaemonOptions) -> ExitCode {
    start::run(&options)
}
