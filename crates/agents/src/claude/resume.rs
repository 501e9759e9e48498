//! The conversation that a new session takes up, if it is to take one up.

use std::path::Path;

use adjutant_core::session::Resume;

use super::terminal::status::holder;
use super::transcript::newest;

/// The id of the conversation; Claude Code itself would let two processes write one.
///
/// # Errors
/// Why it cannot be taken up.
pub(super) fn taken_up(wanted: &Resume, config_dir: &Path, directory: &Path) -> Result<String, String> {
    let id = match wanted {
        Resume::Conversation(id) => id.clone(),
        Resume::Latest => newest(config_dir, directory)
            .ok_or_else(|| format!("there is no conversation in {} to continue", directory.display()))?,
    };
    match holder(config_dir, &id) {
        Some(pid) => {
            Err(format!("the conversation {id} is open in the process {pid}; end it first, or start a new one"))
        }
        None => Ok(id),
    }
}
