//! Claude Code without a terminal: its `stream-json` protocol over pipes, which a runner holds.
//!
//! The runner only keeps lines. What they mean is worked out by a [`machine::Machine`], which reads the journal record by
//! record, so that a daemon that was away comes to the same state as one that was there: turns, open requests, messages
//! that were written and not taken up.

mod command_line;
mod driver;
mod hear;
mod machine;
mod speak;

pub(super) use driver::drive;

use std::io;

use super::{home, transcript};
use crate::{ConversationEntry, ConversationError, ConversationOf};

/// What was said, from the transcript.
pub(super) fn conversation(of: ConversationOf<'_>) -> Result<Vec<ConversationEntry>, ConversationError> {
    let unreadable = |error: io::Error| ConversationError::Unreadable { detail: error.to_string() };
    let native = of.native.ok_or(ConversationError::None)?;
    let config_dir = match home::read(&of.place.state_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ConversationError::None),
        found => found.map_err(unreadable)?,
    };
    let path = transcript::find(&config_dir, native).ok_or(ConversationError::None)?;
    transcript::conversation(&path, of.entries_max, of.since).map_err(unreadable)
}
