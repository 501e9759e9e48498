//! The doors to the daemon and the agents: the one file of the command line that knows these crates.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use adjutant_api::home::Home;

use crate::commands::Outcome;
use crate::config::Config;
use crate::error::CommandError;

/// How the daemon is run.
pub(crate) struct DaemonCall {
    pub(crate) home: Home,
    pub(crate) detached: bool,
    pub(crate) idle_exit: Option<Duration>,
    pub(crate) config: Config,
}

/// Runs the daemon to its end.
pub(crate) fn run_daemon(call: DaemonCall) -> Outcome {
    let _ = (call.home, call.detached, call.idle_exit, call.config);
    Err(CommandError::usage("not yet"))
}

/// Leaves the terminal and the process group of the command that starts the daemon.
pub(crate) fn leave_terminal() {
    // A process that leads its group already has left them.
    let _ = rustix::process::setsid();
}

/// The runner: what it is told comes over its standard input.
pub(crate) fn runner(tokens: Vec<OsString>) -> u8 {
    let _ = tokens;
    1
}

/// Every agent of this build, with its program or why there is none.
pub(crate) fn find_agents(environment: &BTreeMap<String, String>) -> Vec<(String, Result<String, String>)> {
    let _ = environment;
    Vec::new()
}

/// Fills a store for benches.
pub(crate) fn fill(home: &Home, sessions: usize, events: usize) -> Result<(), CommandError> {
    let _ = (home, sessions, events);
    Err(CommandError::usage("not yet"))
}
