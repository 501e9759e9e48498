//! The runner's one loop: everything that happens to a shell session is taken in here, one thing after the other.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use adjutant_core::outcome::ExitStatus;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::bash::{Bash, READ_BYTES};
use super::control::Lines;
use super::input::Watch;
use super::marks::Marks;
use super::orders::Delivery;
use super::settle::Answers;
use super::turn::Turn;
use crate::limits::{FAREWELL_MS_MAX, JOURNAL_RETRY_MS_MAX, JOURNAL_RETRY_MS_MIN, TERMINATED_GRACE_MS};
use crate::process::own_incarnation;
use crate::runner::{
    Control, Ending, Endpoint, FromPeer, Journal, OutputLog, Record, RunnerPlan, Signals, Viewers, reap,
};
use crate::timer::{Backoff, Timers};

/// Pieces of output that are taken in a row before anything else is looked at.
const PIECES_IN_A_ROW: usize = 64;

/// What the loop waits for besides its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Records wait for room on the disk.
    JournalRetry,
    /// The turn has ended, and the mark of its end has not come.
    EndMark,
    /// The interrupt has not ended the turn.
    Interrupt,
    /// The turn has been quiet for a while.
    Quiet,
    /// The session is to end, and its turn has been interrupted.
    Hangup,
    /// The time for a polite end is over.
    Force,
    /// What was ended by force may be gone.
    Leftovers,
    /// Bash should have left its prompt.
    Wake,
    /// A viewer who missed output may have room again.
    Lagging,
}

/// What bash does, as far as it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It is being set up.
    Starting,
    /// The loop waits to be told what to do.
    Waiting,
    /// It does what it has been told.
    Running,
    /// It shows its prompt, or runs what was typed there.
    AtPrompt,
    /// It has ended.
    Ended(ExitStatus),
}

/// What the loop took in.
enum Input {
    Output(usize),
    NoTerminal,
    Said(usize),
    Typed(usize),
    Peer(FromPeer),
    Child,
    Terminate,
    Relisten,
    Due(Timer),
    Nothing,
}

/// What the loop reads into.
struct Buffers {
    output: [u8; READ_BYTES],
    said: [u8; 512],
}

/// A runner at work.
pub(super) struct Holder {
    pub(super) plan: RunnerPlan,
    pub(super) journal: Journal,
    endpoint: Endpoint,
    pub(super) bash: Bash,
    pub(super) doing: Doing,
    pub(super) turn: Option<Turn>,
    pub(super) timers: Timers<Timer>,
    pub(super) lines: Lines,
    pub(super) marks: Marks,
    pub(super) log: OutputLog,
    pub(super) answers: Answers,
    pub(super) delivery: Delivery,
    pub(super) control: Control,
    pub(super) watch: Watch,
    pub(super) ending: Ending,
    /// Processes that the shell left behind when it ended.
    pub(super) left_behind: usize,
    pub(super) viewers: Viewers,
    /// What is to be typed into the terminal.
    pub(super) typing: Vec<u8>,
    /// Bash was taken away from its prompt, and may have saved what was half typed there.
    pub(super) woken: bool,
    /// What was saved there is to come back with the prompt that is shown now.
    pub(super) restoring: bool,
    retry: Backoff,
    has_terminal: bool,
}

impl Holder {
    /// Starts bash and holds it until it has ended and nothing of the session is left.
    pub(super) async fn begin(
        plan: RunnerPlan,
        mut journal: Journal,
        endpoint: Endpoint,
        signals: Signals,
        inputs: mpsc::Receiver<FromPeer>,
    ) -> io::Result<()> {
        let nonce = nonce()?;
        let bash = match Bash::start(&plan, &nonce) {
            Ok(bash) => bash,
            Err(error) => {
                let program = plan.program.display();
                journal.append(&Record::StartFailed { detail: format!("{program} cannot be started: {error}") });
                journal.sync();
                return Ok(());
            }
        };
        journal.append(&Record::Started {
            runner: (&own_incarnation()?).into(),
            agent: bash.incarnation().into(),
            supervisor: plan.supervisor.clone(),
        });
        Self::new(plan, journal, endpoint, bash, &nonce).run(signals, inputs).await
    }

    fn new(plan: RunnerPlan, journal: Journal, endpoint: Endpoint, bash: Bash, nonce: &str) -> Self {
        Self {
            marks: Marks::new(nonce),
            log: OutputLog::new(&plan.state_dir),
            answers: Answers::new(&plan.state_dir),
            plan,
            journal,
            endpoint,
            bash,
            doing: Doing::Starting,
            turn: None,
            timers: Timers::default(),
            lines: Lines::default(),
            delivery: Delivery::default(),
            control: Control::default(),
            watch: Watch::default(),
            ending: Ending::default(),
            left_behind: 0,
            viewers: Viewers::default(),
            typing: Vec::new(),
            woken: false,
            restoring: false,
            retry: Backoff::new(JOURNAL_RETRY_MS_MIN, JOURNAL_RETRY_MS_MAX),
            has_terminal: true,
        }
    }

    async fn run(mut self, mut signals: Signals, mut inputs: mpsc::Receiver<FromPeer>) -> io::Result<()> {
        let mut buffers = Buffers { output: [0; READ_BYTES], said: [0; 512] };
        let mut over = false;
        // A record that the disk has no room for yet keeps the runner alive: nothing else has it.
        while !over || self.journal.is_behind() {
            let input = self.next(&mut signals, &mut inputs, &mut buffers).await?;
            over |= self.take(input, &buffers).is_break();
            self.care_for_journal();
        }
        self.journal.sync();
        self.viewers.close("the session has ended");
        if let Some(outlet) = self.control.take_outlet() {
            // The journal keeps what the daemon does not read in time.
            let _ = timeout(Duration::from_millis(FAREWELL_MS_MAX), outlet.close()).await;
        }
        Ok(())
    }

    async fn next(
        &mut self,
        signals: &mut Signals,
        inputs: &mut mpsc::Receiver<FromPeer>,
        buffers: &mut Buffers,
    ) -> io::Result<Input> {
        let bash = &self.bash;
        Ok(tokio::select! {
            read = bash.output(&mut buffers.output), if self.has_terminal => match read {
                Ok(read) if read > 0 => Input::Output(read),
                _ => Input::NoTerminal,
            },
            read = bash.said(&mut buffers.said) => Input::Said(read?),
            wrote = bash.type_some(&self.typing), if !self.typing.is_empty() && self.has_terminal => {
                Input::Typed(wrote.unwrap_or(self.typing.len()))
            }
            Some(peer) = inputs.recv() => Input::Peer(peer),
            _ = signals.child.recv() => Input::Child,
            _ = signals.terminate.recv() => Input::Terminate,
            _ = signals.interrupt.recv() => Input::Nothing,
            _ = signals.hangup.recv() => Input::Relisten,
            _ = signals.quit.recv() => Input::Nothing,
            due = self.timers.due() => Input::Due(due),
        })
    }

    /// Takes an input in; breaks when the session has ended and nothing of it is left.
    fn take(&mut self, input: Input, buffers: &Buffers) -> ControlFlow<()> {
        match input {
            Input::Output(read) => {
                self.on_output(&buffers.output[..read]);
                self.drain_output(PIECES_IN_A_ROW);
            }
            // All who had the terminal open have closed it. Whoever opens it again makes itself heard otherwise.
            Input::NoTerminal => self.has_terminal = false,
            Input::Said(read) => self.on_said(&buffers.said[..read]),
            Input::Typed(count) => drop(self.typing.drain(..count)),
            Input::Peer(peer) => return self.on_peer(peer),
            Input::Child => return self.on_child(),
            Input::Terminate => return self.on_end(TERMINATED_GRACE_MS),
            // Whoever asked for it tries again.
            Input::Relisten => drop(self.endpoint.reopen()),
            Input::Due(timer) => return self.on_due(timer),
            Input::Nothing => {}
        }
        ControlFlow::Continue(())
    }

    fn on_due(&mut self, timer: Timer) -> ControlFlow<()> {
        match timer {
            Timer::JournalRetry => self.journal.catch_up(),
            Timer::EndMark => self.on_no_end_mark(),
            Timer::Interrupt => self.on_interrupt_step(),
            Timer::Quiet => self.on_quiet(),
            Timer::Hangup => self.hang_up(),
            Timer::Force => return self.on_force(),
            Timer::Leftovers => return self.on_leftovers(),
            Timer::Wake => self.on_not_woken(),
            Timer::Lagging => self.on_lagging(),
        }
        ControlFlow::Continue(())
    }

    fn on_child(&mut self) -> ControlFlow<()> {
        let reaped = reap(self.bash.pid());
        self.has_terminal = true;
        self.ending.childless = reaped.none_left;
        match reaped.agent {
            Some(exit) => self.on_shell_ended(exit),
            None => self.on_leftovers(),
        }
    }

    fn care_for_journal(&mut self) {
        if !self.journal.is_behind() {
            if self.timers.is_armed(Timer::JournalRetry) {
                self.timers.disarm(Timer::JournalRetry);
                self.give_waiting();
            }
            self.retry.reset();
        } else if !self.timers.is_armed(Timer::JournalRetry) {
            self.timers.arm(Timer::JournalRetry, self.retry.next_ms());
        }
    }
}

/// What no output can contain by chance.
fn nonce() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
