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
