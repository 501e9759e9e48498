//! The runner of an app-server: starts it, starts it again when it crashes, and ends it when it is told to.

mod holder;
mod process;

use std::io;

use self::holder::Holder;
use crate::process::own_incarnation;
use crate::runner::{JOURNAL_VERSION, Journal, Record, RunnerPlan, answer_listening};

/// The life of such a runner, after its plan was read.
///
/// # Errors
/// When it could not begin.
pub(crate) async fn hold_server(plan: RunnerPlan) -> io::Result<()> {
    let signals = holder::Signals::listen()?;
    let opened = Record::Opened { version: JOURNAL_VERSION, runner: (&own_incarnation()?).into() };
    let journal = Journal::open(&plan.state_dir, &opened)?;
    answer_listening()?;
    Holder::new(plan, journal, signals).live().await
}
