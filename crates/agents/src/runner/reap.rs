//! Taking leave of children: the agent's own process, and whatever it left to the runner as its orphans.

use adjutant_core::outcome::ExitStatus;
use rustix::process::{WaitOptions, WaitStatus, wait};

/// What became of the runner's children since the last look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reaped {
    /// How the agent's process ended, if it did.
    pub(crate) agent: Option<ExitStatus>,
    /// No child is left, and so nothing at all that the agent started: every orphan would have become one.
    pub(crate) none_left: bool,
}

/// Reaps every child that has ended. The runner adopts all orphans of its session, so nobody else can reap them.
pub(crate) fn reap(agent_pid: u32) -> Reaped {
    let mut reaped = Reaped::default();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                if u32::try_from(pid.as_raw_nonzero().get()).is_ok_and(|pid| pid == agent_pid) {
                    reaped.agent = exit_of(status);
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return reaped,
            Err(_) => return Reaped { none_left: true, ..reaped },
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<ExitStatus> {
    let code = status.exit_status().map(ExitStatus::Code);
    code.or_else(|| status.terminating_signal().map(ExitStatus::Signal))
}
