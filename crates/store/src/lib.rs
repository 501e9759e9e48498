//! The store: an event log in SQLite and the projections that are folded from it, written in one transaction.
//!
//! [`open`] gives the one [`Writer`] and what the host holds in memory. [`Reader`]s look into the same file beside it.
//! A store that is missing, unreadable, damaged or too new is an [`OpenError`] of its own, and never an empty store.

mod backup;
mod compact;
mod connection;
mod create;
mod error;
mod fault;
mod folded;
mod header;
mod host_file;
mod load;
mod meta;
mod open;
mod place;
mod purge;
mod reader;
mod rebuild;
mod repair;
mod rows;
mod salvage;
mod schema;
mod situation;
mod unknown;
mod utc;
mod verify;
mod write;
mod writer;

pub use crate::backup::{BackupError, backup};
pub use crate::compact::{Compaction, CompactionLimits};
pub use crate::error::{CommitError, OpenError, ReadError, RepairError};
pub use crate::host_file::HostId;
pub use crate::open::{Loaded, Notice, open};
pub use crate::place::Tightened;
pub use crate::reader::{Answered, Counts, Entry, EventPage, Lost, Opaque, Reader, Scope, Selection};
pub use crate::rebuild::{Rebuilt, rebuild};
pub use crate::repair::{Repaired, repair};
pub use crate::salvage::Break;
pub use crate::verify::{Difference, Verification};
pub use crate::writer::{Batch, Tended, Writer};
