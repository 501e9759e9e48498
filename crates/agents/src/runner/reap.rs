//! Taking leave of children: the agent's own process, and whatever it left to the runner as its orphans.

use adjutant_core::outcome::ExitStatus;
use rustix::process::{WaitOptions, WaitStatus, wait};

/// Reaps every child that has ended, and tells how the agent's process did, if it is among them. The runner adopts all
/// orphans of its session, so nobody else can reap them.
pub(crate) fn reap(agent_pid: u32) -> Option<ExitStatus> {
    let mut agent = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                if u32::try_from(pid.as_raw_nonzero().get()).is_ok_and(|pid| pid == agent_pid) {
                    agent = exit_of(status);
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return agent,
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<ExitStatus> {
    let code = status.exit_status().map(ExitStatus::Code);
    code.or_else(|| status.terminating_signal().map(ExitStatus::Signal))
}
