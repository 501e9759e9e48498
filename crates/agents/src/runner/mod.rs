//! The runner: a small process that owns an agent's process and its terminal, and outlives the daemon.
//!
//! The daemon starts `adj runner <session>` and sends it its plan over standard input. The runner claims the
//! session by making its journal, starts the agent, and from then on writes down what it sees. The daemon reads
//! that journal over a socket, from the offset that it has committed, and gives its orders there. When the daemon
//! goes away nothing happens; when it is back it goes on reading. What the session's processes leave behind comes
//! to the runner, which ends and reaps it, so that nothing is left when it goes.
//!
//! A shell is held in a terminal (`shell/hold`); a program that speaks by lines is held by pipes (`runner/pipes`);
//! a server that sessions share is held by its own folder (`codex/server/hold`).

mod begin;
mod claim;
mod control;
mod drive;
mod ending;
pub mod frame;
mod journal;
mod launch;
mod link;
mod listen;
mod log;
mod outlet;
mod pipes;
mod plan;
mod reap;
mod record;
mod systemd;
mod terminal;
mod viewers;
mod wire;

pub use terminal::{View, open_terminal};

pub(crate) use begin::{Claimed, Signals};
pub(crate) use claim::{Claim, claim, withdraw};
pub(crate) use control::{Caller, Control, read_text};
pub(crate) use drive::{Driven, Driver, Held, Meaning, Seat, Told};
pub(crate) use ending::{Ending, Looked, left};
pub(crate) use journal::{
    Attachment, Found, GIVEN_BACK_BYTES_MIN, Journal, Reader as JournalReader, create as create_journal, give_back,
    skip_hole, wall_ms,
};
pub(crate) use launch::{NotLaunched, launch_held};
pub(crate) use link::{Heard, Link};
pub(crate) use listen::{Endpoint, FromPeer, Peer, Viewed};
pub(crate) use log::OutputLog;
pub(crate) use outlet::Outlet;
pub(crate) use plan::{PipesPlan, RunnerPlan, ServerPlan};
pub(crate) use reap::reap;
pub(crate) use record::{
    AnswerRecord, Entry, ExitRecord, JOURNAL_VERSION, LentRecord, Record, RequestEndRecord, TurnEndRecord,
};
pub(crate) use systemd::Supervisor;
pub(crate) use viewers::Viewers;
pub(crate) use wire::{Notice, OrderLine};

use std::io;
use std::path::Path;
use std::process::ExitCode;

use adjutant_core::process::Liveness;

use crate::process::liveness;

/// Whether a runner may still hold the session with these files: only a proof that none does says `false`. Blocks for a
/// read of a few bytes.
pub fn may_be_held(state_dir: &Path) -> bool {
    let first = match JournalReader::open(state_dir, 0) {
        Ok(mut journal) => journal.next(),
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    match first {
        Some(Ok(Found { entry: Entry { record: Record::Withdrawn { .. }, .. }, .. })) => false,
        Some(Ok(Found { entry: Entry { record: Record::Opened { runner, .. }, .. }, .. })) => {
            runner.incarnation().is_none_or(|runner| liveness(&runner) != Liveness::Dead)
        }
        Some(Ok(_) | Err(_)) | None => true,
    }
}

/// The hidden command `adj runner <session>`: everything it needs comes over its standard input.
///
/// Ends when the session has ended; it says nothing on standard output, and on standard error only why it could not
/// begin.
pub fn runner_main() -> ExitCode {
    match begin::live() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The daemon has pointed this at a file beside the journal; if that is full there is nobody to tell.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("adj runner: {error}\n").as_bytes());
            launch::answer_failure(&error);
            ExitCode::FAILURE
        }
    }
}
