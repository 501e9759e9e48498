//! `adj exec`: the program of an agent's terminal; the agent's driver starts it there.

use std::ffi::OsString;

use crate::commands::{Group, Outcome, Verb};
use crate::house;

/// The verb; what it takes is between the driver and this program.
pub(crate) const VERB: Verb =
    Verb { name: "exec", group: Group::Hidden, augment: |command| command, run: |_, _| Ok(2), raw: Some(run_exec) };

fn run_exec(words: Vec<OsString>) -> Outcome {
    Ok(house::exec(words))
}
