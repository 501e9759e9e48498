//! `adj runner`: the process that holds an agent's process; the daemon starts it.

use std::ffi::OsString;

use crate::commands::{Group, Outcome, Verb};
use crate::house;

/// The verb; what it takes is between the daemon and the runner.
pub(crate) const VERB: Verb =
    Verb { name: "runner", group: Group::Hidden, augment: |command| command, run: |_, _| Ok(2), raw: Some(run_runner) };

fn run_runner(tokens: Vec<OsString>) -> Outcome {
    Ok(house::runner(tokens))
}
