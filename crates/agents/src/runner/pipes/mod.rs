//! The runner of a program that speaks by lines: what comes in goes to its standard input, each line that it writes
//! goes into the journal, and what it complains of is kept beside it. It knows nothing of what the lines mean, so that
//! the daemon may be away, or be replaced by a newer one, without a word being lost.

mod control;
mod end;
mod hands;
mod input;
mod lent;
mod output;
mod program;

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use adjutant_core::outcome::ExitStatus;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::hands::{Hands, Parting};
use self::input::Input;
use self::lent::Moved;
use self::output::{Complaints, Output};
use self::program::Program;
use super::{Claimed, Control, Ending, Endpoint, FromPeer, Journal, Record, RunnerPlan, Signals, reap};
use crate::limits::{FAREWELL_MS_MAX, JOURNAL_RETRY_MS_MAX, JOURNAL_RETRY_MS_MIN, TERMINATED_GRACE_MS};
use crate::process::own_incarnation;
use crate::timer::{Backoff, Timers};

/// What the loop waits for besides its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Records wait for room on the disk.
    JournalRetry,
    /// The time for a polite end is over.
    Force,
    /// What was ended by force may be gone.
    Leftovers,
    /// The program that is to be handed over takes its time to end.
    HandOver,
    /// Nobody may be at the terminal any more.
    Unwatched,
    /// Somebody who missed output may have room again.
    Lagging,
    /// The terminal gets its own size back.
    Nudge,
}

/// What the loop took in.
enum Taken {
    Output(io::Result<usize>),
    Complaint(io::Result<usize>),
    Wrote(io::Result<usize>),
    Moved(Moved),
    Peer(FromPeer),
    Child,
    Terminate,
    Relisten,
    Due(Timer),
    Nothing,
}

/// A runner at work.
struct Holder {
    plan: RunnerPlan,
    journal: Journal,
    endpoint: Endpoint,
    program: Program,
    /// Whether the program is held by its pipes, or lent.
    hands: Hands,
    /// It has ended there, and is to be held anew, once nothing of it is left.
    parting: Option<Parting>,
    output: Output,
    complaints: Complaints,
    input: Input,
    control: Control,
    ending: Ending,
    timers: Timers<Timer>,
    retry: Backoff,
    ended: Option<ExitStatus>,
    /// Why the session could not go on.
    trouble: Option<String>,
}

/// Holds a program until it has ended and nothing of it is left.
pub(super) async fn hold(claimed: Claimed) -> io::Result<()> {
    let Claimed { plan, mut journal, endpoint, signals, inputs } = claimed;
    let program = match Program::start(&plan) {
        Ok(program) => program,
        Err(error) => {
            let detail = format!("{} cannot be started: {error}", plan.program.display());
            journal.append(&Record::StartFailed { detail });
            journal.sync();
            return Ok(());
        }
    };
    journal.append(&Record::Started {
        runner: (&own_incarnation()?).into(),
        agent: program.incarnation().into(),
        supervisor: plan.supervisor.clone(),
    });
    let passing = plan.pipes.as_ref().map_or_else(Vec::new, |pipes| pipes.passing.clone());
    let holder = Holder {
        output: Output::new(&plan.state_dir, passing),
        complaints: Complaints::new(&plan.state_dir),
        plan,
        journal,
        endpoint,
        program,
        hands: Hands::Pipes,
        parting: None,
        input: Input::default(),
        control: Control::default(),
        ending: Ending::default(),
        timers: Timers::default(),
        retry: Backoff::new(JOURNAL_RETRY_MS_MIN, JOURNAL_RETRY_MS_MAX),
        ended: None,
        trouble: None,
    };
    holder.run(signals, inputs).await
}

impl Holder {
    async fn run(mut self, mut signals: Signals, mut inputs: mpsc::Receiver<FromPeer>) -> io::Result<()> {
        let mut over = false;
        // A record that the disk has no room for yet keeps the runner alive: nothing else has it.
        while !over || self.journal.is_behind() {
            let taken = self.next(&mut signals, &mut inputs).await;
            over |= self.take(taken).is_break();
            self.care_for_journal();
        }
        self.journal.sync();
        if let Some(outlet) = self.control.take_outlet() {
            // The journal keeps what the daemon does not read in time.
            let _ = timeout(Duration::from_millis(FAREWELL_MS_MAX), outlet.close()).await;
        }
        Ok(())
    }

    async fn next(&mut self, signals: &mut Signals, inputs: &mut mpsc::Receiver<FromPeer>) -> Taken {
        let writes = self.input.is_waiting() && !self.journal.is_behind();
        tokio::select! {
            read = self.program.read_output(self.output.room()), if self.program.speaks() => Taken::Output(read),
            read = self.program.read_complaints(self.complaints.room()), if self.program.complains() => {
                Taken::Complaint(read)
            }
            wrote = self.program.write_some(self.input.next()), if writes && self.program.listens() => {
                Taken::Wrote(wrote)
            }
            moved = self.hands.moved() => Taken::Moved(moved),
            Some(peer) = inputs.recv() => Taken::Peer(peer),
            _ = signals.child.recv() => Taken::Child,
            _ = signals.terminate.recv() => Taken::Terminate,
            _ = signals.hangup.recv() => Taken::Relisten,
            _ = signals.interrupt.recv() => Taken::Nothing,
            _ = signals.quit.recv() => Taken::Nothing,
            due = self.timers.due() => Taken::Due(due),
        }
    }

    /// Takes an input in; breaks when the session has ended and nothing of it is left.
    fn take(&mut self, taken: Taken) -> ControlFlow<()> {
        match taken {
            Taken::Output(Ok(read @ 1..)) => self.output.take(read, &mut self.journal),
            Taken::Output(_) => self.program.fall_silent(),
            Taken::Complaint(Ok(read @ 1..)) => self.complaints.take(read),
            Taken::Complaint(_) => self.program.stop_complaining(),
            Taken::Wrote(Ok(count)) => self.input.wrote(count),
            // A program that takes no more has ended, or soon will; that is told elsewhere.
            Taken::Wrote(Err(_)) => self.program.close_input(),
            Taken::Moved(moved) => self.on_moved(moved),
            Taken::Peer(peer) => return self.on_peer(peer),
            Taken::Child => return self.on_child(),
            Taken::Terminate => return self.on_end(TERMINATED_GRACE_MS),
            // Whoever asked for it tries again.
            Taken::Relisten => drop(self.endpoint.reopen()),
            Taken::Due(Timer::JournalRetry) => self.journal.catch_up(),
            Taken::Due(Timer::Force) => return self.on_force(),
            Taken::Due(Timer::Leftovers) if self.parting.is_some() => return self.on_parting(),
            Taken::Due(Timer::Leftovers) => return self.on_leftovers(),
            Taken::Due(Timer::HandOver) => return self.on_slow_hand_over(),
            Taken::Due(Timer::Unwatched) => self.on_unwatched(),
            Taken::Due(Timer::Lagging) => self.on_lagging(),
            Taken::Due(Timer::Nudge) => self.on_nudged(),
            Taken::Nothing => {}
        }
        ControlFlow::Continue(())
    }

    fn on_child(&mut self) -> ControlFlow<()> {
        let reaped = reap(self.held().incarnation().pid);
        self.ending.childless = reaped.none_left;
        let goes_on = !matches!(self.hands, Hands::Pipes) && !self.ending.is_ordered();
        match reaped.agent {
            Some(exit) if goes_on && self.parting.is_none() => self.on_held_ended(exit),
            Some(_) | None if self.parting.is_some() => self.on_parting(),
            Some(exit) => self.on_program_ended(exit),
            None => self.on_leftovers(),
        }
    }

    fn care_for_journal(&mut self) {
        if !self.journal.is_behind() {
            self.timers.disarm(Timer::JournalRetry);
            self.retry.reset();
        } else if !self.timers.is_armed(Timer::JournalRetry) {
            self.timers.arm(Timer::JournalRetry, self.retry.next_ms());
        }
    }
}
