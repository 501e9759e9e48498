//! `adj hook`: what the hooks of an agent call; the agent's driver has told it to.

use std::ffi::OsString;

use crate::commands::{Group, Outcome, Verb};
use crate::house;

/// The verb; what it takes is between the driver and the hook.
pub(crate) const VERB: Verb =
    Verb { name: "hook", group: Group::Hidden, augment: |command| command, run: |_, _| Ok(2), raw: Some(run_hook) };

fn run_hook(words: Vec<OsString>) -> Outcome {
    Ok(house::hook(words))
}
