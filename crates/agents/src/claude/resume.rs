//! The conversation that a session takes up, if it is to take one up.

use std::path::Path;

use adjutant_core::session::Resume;

use super::terminal::status::holder;
use super::transcript::{find, newest};
use crate::LaunchPlan;

/// The id of the conversation, `None` for a new one; Claude Code itself would let two processes write one.
///
/// # Errors
/// Why it cannot be taken up.
pub(super) fn taken_up(plan: &LaunchPlan, config_dir: &Path) -> Result<Option<String>, String> {
    let directory = &plan.directory;
    let id = match &plan.profile.resume {
        None => return Ok(None),
        Some(Resume::Conversation(id)) => id.clone(),
        Some(Resume::Latest) => newest(config_dir, directory)
            .ok_or_else(|| format!("there is no conversation in {} to continue", directory.display()))?,
    };
    // Asked for what is not there, it would offer a choice to a person.
    if find(config_dir, &id).is_none() {
        // It writes nothing down before the first turn.
        return if plan.begins_anew { Ok(None) } else { Err(format!("Claude Code has no conversation {id}")) };
    }
    match holder(config_dir, &id, None) {
        Some(pid) => {
            Err(format!("the conversation {id} is open in the process {pid}; end it first, or start a new one"))
        }
        None => Ok(Some(id)),
    }
}
