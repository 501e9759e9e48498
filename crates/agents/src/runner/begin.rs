//! The beginning of a runner's life: it reads its plan, claims its session and listens.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::journal::Journal;
use super::launch::answer_listening;
use super::listen::{Endpoint, FromPeer};
use super::plan::{RunnerPlan, read_plan};
use super::record::{JOURNAL_VERSION, Record};
use crate::process::own_incarnation;

/// Inputs from the socket that may wait for the loop.
const INPUTS_WAITING_MAX: usize = 16;

/// A session that this runner has claimed.
pub(crate) struct Claimed {
    /// What it is to hold.
    pub(crate) plan: RunnerPlan,
    /// Its journal, with the record that claims it.
    pub(crate) journal: Journal,
    /// Its socket.
    pub(crate) endpoint: Endpoint,
    /// The signals that come.
    pub(crate) signals: Signals,
    /// What comes over the socket.
    pub(crate) inputs: mpsc::Receiver<FromPeer>,
}

/// The signals that a runner listens to. To listen also means that its agent starts with all of these as they are by
/// default.
pub(crate) struct Signals {
    pub(crate) child: Signal,
    pub(crate) hangup: Signal,
    pub(crate) terminate: Signal,
    pub(crate) interrupt: Signal,
    pub(crate) quit: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }
}

/// The life of a runner: read the plan, claim the session, listen, hold the agent until it has ended.
pub(super) fn live() -> io::Result<()> {
    // Away from the terminal and the session of whoever started the daemon. It fails where systemd did it already.
    let _ = rustix::process::setsid();
    let Some(plan) = read_plan(io::stdin().lock())? else { return Ok(()) };
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match claim(plan)? {
            Some(claimed) if claimed.plan.pipes.is_some() => super::pipes::hold(claimed).await,
            Some(claimed) if claimed.plan.server.is_some() => crate::codex::hold_server(claimed).await,
            Some(claimed) => crate::shell::hold(claimed).await,
            // The plan was withdrawn: somebody has said already that nothing was started.
            None => Ok(()),
        }
    })
}

fn claim(plan: RunnerPlan) -> io::Result<Option<Claimed>> {
    // From the moment at which anybody can find this runner, no signal may end it by the way.
    let signals = Signals::listen()?;
    let opened = Record::Opened { version: JOURNAL_VERSION, runner: (&own_incarnation()?).into() };
    let mut journal = match Journal::open(&plan.state_dir, &opened) {
        Ok(journal) => journal,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
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
    Ok(Some(Claimed { plan, journal, endpoint, signals, inputs }))
}
