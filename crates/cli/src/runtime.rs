//! The runtime under a command that calls the daemon, and what interrupts it.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::commands::Outcome;
use crate::error::CommandError;

/// Runs a command to its end, or until somebody interrupts `adj` itself; the session is untouched by that.
pub(crate) fn interruptible(command: impl Future<Output = Outcome>) -> Outcome {
    runtime()?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            biased;
            outcome = command => outcome,
            _ = interrupt.recv() => Err(CommandError::Interrupted),
        }
    })
}

/// Runs a command that deals with signals itself.
pub(crate) fn uninterrupted(command: impl Future<Output = Outcome>) -> Outcome {
    runtime()?.block_on(command)
}

/// Events of the system that a call takes in at once. Tokio makes room for a thousand, and fills it, at every start.
const EVENTS_AT_ONCE: usize = 64;

fn runtime() -> Result<Runtime, CommandError> {
    let mut builder = Builder::new_current_thread();
    Ok(builder.enable_io().enable_time().max_io_events_per_tick(EVENTS_AT_ONCE).build()?)
}

/// The signals by which somebody ends `adj`.
pub(crate) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl EndSignals {
    /// Takes them over from the system.
    pub(crate) fn catch() -> Result<Self, CommandError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one that no key of a terminal sends; gives the exit code that a shell would see.
    pub(crate) async fn recv_sent(&mut self) -> u8 {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => return 143,
                _ = self.hangup.recv() => return 129,
            }
        }
    }

    /// Waits for one; gives the exit code that a shell would see.
    pub(crate) async fn recv(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            _ = self.hangup.recv() => 129,
        }
    }
}
