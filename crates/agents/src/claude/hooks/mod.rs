//! What Claude Code tells through its hooks: `adj hook` writes each call into the session's spool, and a call that wants a
//! decision waits for one.
//!
//! The spool is a file that lies on the disk before the hook returns, whether a daemon runs or not. A driver reads it from
//! the offset that was committed, like a journal, and writes its own notes into it: what it typed, what it answered. A
//! decision is a file as well, so that a question stays open while daemons come and go.

mod call;
mod refusal;
mod settings;
mod spool;

pub use call::hook_main;
pub(crate) use refusal::{keep_rules, refused};
pub(crate) use settings::{given, merge, settings};
pub(crate) use spool::{Line, Spool, SpoolReader, file_answer};
