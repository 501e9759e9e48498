//! The runner of a shell session: holds one bash, gives it messages, and writes down what becomes of them.

mod bash;
mod control;
mod end;
mod holder;
mod input;
mod interrupt;
mod marks;
mod orders;
mod output;
mod settle;
mod turn;
mod viewers;

use std::io;

use tokio::sync::mpsc;

use self::holder::{Holder, Signals};
use crate::process::own_incarnation;
use crate::runner::{Endpoint, FromPeer, JOURNAL_VERSION, Journal, Record, RunnerPlan, answer_listening};

/// Inputs from the socket that may wait for the loop.
const INPUTS_WAITING_MAX: usize = 16;

/// The life of a runner after its plan was read: claim the session, listen, hold the shell until it has ended.
pub(crate) async fn hold(plan: RunnerPlan) -> io::Result<()> {
    // From the moment at which anybody can find this runner, no signal may end it by the way.
    let signals = Signals::listen()?;
    let opened = Record::Opened { version: JOURNAL_VERSION, runner: (&own_incarnation()?).into() };
    let mut journal = match Journal::open(&plan.state_dir, &opened) {
        Ok(journal) => journal,
        // The plan was withdrawn: somebody has said already that nothing was started.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("the journal cannot be made: {error}"))),
    };
    let (sender, inputs) = mpsc::channel::<FromPeer>(INPUTS_WAITING_MAX);
    let endpoint = match Endpoint::open(&plan.run_dir, sender) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            journal.append(&Record::StartFailed { detail: format!("the runner cannot listen: {error}") });
            journal.sync();
            return Err(error);
        }
    };
    answer_listening()?;
    Holder::begin(plan, journal, endpoint, signals, inputs).await
}
