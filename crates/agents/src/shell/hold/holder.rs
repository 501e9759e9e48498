//! The runner's one loop: everything that happens to a shell session is taken in here, one thing after the other.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::time::Duration;

use adjutant_core::outcome::ExitStatus;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::bash::{Bash, READ_BYTES};
use super::control::{Lines, Said};
use super::marks::{Marks, Part};
use super::turn::{Ended, Stream, Turn};
use crate::limits::{END_MARK_MS_MAX, FAREWELL_MS_MAX, JOURNAL_RETRY_MS_MAX, JOURNAL_RETRY_MS_MIN};
use crate::runner::{
    FromPeer, Journal, Notice, OrderLine, Outlet, OutputLog, Peer, Record, RunnerPlan, reap,
};
use crate::shell::text::TurnText;
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
}

/// What bash does, as far as it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It is being set up.
    Starting,
    /// It waits for a message.
    Idle,
    /// It has been given a message.
    Running,
    /// It has ended.
    Ended(ExitStatus),
}

/// What the loop took in.
enum Input {
    Output(usize),
    NoTerminal,
    Said(usize),
    Peer(FromPeer),
    Child,
    Asked(&'static str),
    Due(Timer),
    Nothing,
}

/// A message that waits until bash can take it.
pub(super) struct Waiting {
    message: u64,
    attempt: u32,
    script: OwnedFd,
}

/// The signals that the loop listens to.
struct Signals {
    child: Signal,
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// To listen also means that bash starts with all of these as they are by default.
    fn listen() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// A runner at work.
pub(super) struct Holder {
    pub(super) plan: RunnerPlan,
    pub(super) journal: Journal,
    pub(super) bash: Bash,
    pub(super) doing: Doing,
    pub(super) turn: Option<Turn>,
    pub(super) timers: Timers<Timer>,
    lines: Lines,
    marks: Marks,
    log: OutputLog,
    waiting: Option<Waiting>,
    given: BTreeSet<u64>,
    control: Option<(Peer, Outlet)>,
    next_control: Option<(Peer, u64, tokio::net::unix::OwnedWriteHalf)>,
    retry: Backoff,
    has_terminal: bool,
}

impl Holder {
    /// Starts bash and holds it until it has ended and nothing of the session is left.
    pub(super) async fn begin(plan: RunnerPlan, mut journal: Journal, inputs: mpsc::Receiver<FromPeer>) -> io::Result<()> {
        let signals = Signals::listen()?;
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
        let runner = crate::process::own_incarnation()?;
        journal.append(&Record::Started {
            runner: (&runner).into(),
            agent: bash.incarnation().into(),
            supervisor: plan.supervisor.clone(),
        });
        let holder = Self {
            marks: Marks::new(&nonce),
            log: OutputLog::new(&plan.state_dir),
            plan,
            journal,
            bash,
            doing: Doing::Starting,
            turn: None,
            timers: Timers::default(),
            lines: Lines::default(),
            waiting: None,
            given: BTreeSet::new(),
            control: None,
            next_control: None,
            retry: Backoff::new(JOURNAL_RETRY_MS_MIN, JOURNAL_RETRY_MS_MAX),
            has_terminal: true,
        };
        holder.run(signals, inputs).await
    }

    async fn run(mut self, mut signals: Signals, mut inputs: mpsc::Receiver<FromPeer>) -> io::Result<()> {
        let mut output = [0; READ_BYTES];
        let mut said = [0; 512];
        loop {
            let input = self.next(&mut signals, &mut inputs, &mut output, &mut said).await?;
            if self.take(input, &mut output, &said).is_break() {
                break;
            }
            if self.journal.is_behind() {
                self.timers.arm_once(Timer::JournalRetry, self.retry.next_ms());
            }
        }
        if let Some((_, outlet)) = self.control.take() {
            // The journal keeps what the daemon does not read in time.
            let _ = timeout(Duration::from_millis(FAREWELL_MS_MAX), outlet.close()).await;
        }
        Ok(())
    }

    async fn next(
        &mut self,
        signals: &mut Signals,
        inputs: &mut mpsc::Receiver<FromPeer>,
        output: &mut [u8],
        said: &mut [u8],
    ) -> io::Result<Input> {
        let bash = &self.bash;
        Ok(tokio::select! {
            read = bash.output(output), if self.has_terminal => match read {
                Ok(read) if read > 0 => Input::Output(read),
                _ => Input::NoTerminal,
            },
            read = bash.said(said) => Input::Said(read?),
            Some(peer) = inputs.recv() => Input::Peer(peer),
            _ = signals.child.recv() => Input::Child,
            _ = signals.terminate.recv() => Input::Asked("SIGTERM"),
            _ = signals.interrupt.recv() => Input::Nothing,
            _ = signals.hangup.recv() => Input::Nothing,
            due = self.timers.due() => Input::Due(due),
        })
    }

    fn take(&mut self, input: Input, output: &mut [u8], said: &[u8]) -> ControlFlow<()> {
        match input {
            Input::Output(read) => {
                self.on_output(&output[..read]);
                self.drain_output(output, PIECES_IN_A_ROW);
            }
            // All who had the terminal open have closed it. Whoever opens it again makes itself heard otherwise.
            Input::NoTerminal => self.has_terminal = false,
            Input::Said(read) => {
                let lines = self.lines.push(&said[..read]);
                lines.into_iter().for_each(|line| self.on_said(line, output));
            }
            Input::Peer(peer) => self.on_peer(peer),
            Input::Child => return self.on_child(output),
            Input::Asked(_) => {}
            Input::Due(timer) => self.on_due(timer),
            Input::Nothing => {}
        }
        ControlFlow::Continue(())
    }

    /// Takes the output that is there now.
    fn drain_output(&mut self, buffer: &mut [u8], pieces: usize) {
        for _ in 0..pieces {
            match self.bash.output_now(buffer) {
                Ok(read) if read > 0 => self.on_output(&buffer[..read]),
                _ => return,
            }
        }
    }

    fn on_output(&mut self, bytes: &[u8]) {
        let mut marks = std::mem::replace(&mut self.marks, Marks::new(""));
        marks.split(bytes, |part| match part {
            Part::Bytes(bytes) => {
                self.log.write(bytes);
                if let Some(turn) = &mut self.turn {
                    turn.output(bytes);
                }
            }
            Part::Start(message) => self.on_mark(message, Stream::Within),
            Part::End(message) => self.on_mark(message, Stream::After),
            Part::Person => {}
        });
        self.marks = marks;
        self.settle_if_ended();
    }

    fn on_mark(&mut self, message: u64, stream: Stream) {
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.message == Some(message)) {
            turn.stream = stream;
        }
    }

    fn on_said(&mut self, said: Said, output: &mut [u8]) {
        match said {
            Said::Ready | Said::Fell => {}
            Said::Idle => self.on_idle(),
            Said::Start { message } => self.on_start(message),
            Said::End { message, status, remark } => {
                if let Some(turn) = self.turn.as_mut().filter(|turn| turn.message == Some(message)) {
                    turn.ended = Some(Ended::Told(status, remark));
                    // Everything up to the mark was printed before the loop said this.
                    self.drain_output(output, usize::MAX);
                    self.timers.arm(Timer::EndMark, END_MARK_MS_MAX);
                    self.settle_if_ended();
                }
            }
        }
    }

    fn on_idle(&mut self) {
        match &self.turn {
            // The command got lost in an interrupt. The loop refuses a message that it has run.
            Some(Turn { message: Some(message), script: Some(script), ended: None, .. }) => {
                let (message, script) = (*message, script);
                let _ = self.bash.run(message, script);
            }
            Some(_) => {}
            None => {
                if self.doing == Doing::Starting {
                    self.journal.append(&Record::Ready);
                }
                self.doing = Doing::Idle;
                self.give_waiting();
            }
        }
    }

    fn on_start(&mut self, message: u64) {
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.message == Some(message) && !turn.started) {
            turn.started = true;
            turn.script = None;
            let attempt = turn.attempt;
            self.journal.append(&Record::Taken { message, attempt });
            self.journal.append(&Record::TurnStarted { message: Some(message) });
        }
    }

    fn settle_if_ended(&mut self) {
        if self.turn.as_ref().is_some_and(Turn::is_settled)
            && let Some(turn) = self.turn.take()
        {
            self.timers.disarm(Timer::EndMark);
            super::settle::settle(&mut self.journal, &self.plan.state_dir, turn);
            if !matches!(self.doing, Doing::Ended(_)) {
                self.bash.restore_modes();
                self.doing = Doing::Idle;
            }
        }
    }

    fn on_child(&mut self, output: &mut [u8]) -> ControlFlow<()> {
        let reaped = reap(self.bash.pid());
        self.has_terminal = true;
        let Some(exit) = reaped.agent else { return ControlFlow::Continue(()) };
        self.drain_output(output, usize::MAX);
        self.doing = Doing::Ended(exit);
        if let Some(turn) = &mut self.turn {
            turn.ended = turn.ended.or(Some(Ended::WithShell(exit)));
            turn.unmarked = true;
        }
        self.settle_if_ended();
        self.journal.append(&Record::Exited { exit: Some(exit.into()), killed: false, detail: None });
        self.journal.sync();
        ControlFlow::Break(())
    }

    fn on_due(&mut self, timer: Timer) {
        match timer {
            Timer::JournalRetry => self.journal.catch_up(),
            Timer::EndMark => {
                if let Some(turn) = &mut self.turn {
                    turn.unmarked = true;
                }
                self.settle_if_ended();
            }
        }
    }

    fn on_peer(&mut self, peer: FromPeer) {
        match peer {
            FromPeer::Control { peer, from, outlet } => {
                if let Some((old, _)) = &self.control {
                    // What the old connection has sent comes first; then this one is taken up.
                    old.retire();
                    self.next_control = Some((peer, from, outlet));
                } else {
                    self.take_up(peer, from, outlet);
                }
            }
            FromPeer::Gone { peer } => {
                if self.control.as_ref().is_some_and(|(current, _)| current.number == peer) {
                    self.control = None;
                    // What the old daemon handed over and bash has not taken is handed over anew, if at all.
                    self.waiting = None;
                    if let Some((peer, from, outlet)) = self.next_control.take() {
                        self.take_up(peer, from, outlet);
                    }
                }
            }
            FromPeer::Order { peer, line, text } => {
                if self.control.as_ref().is_some_and(|(current, _)| current.number == peer) {
                    self.on_order(line, text);
                }
            }
            FromPeer::Terminal { .. } => {}
        }
    }

    fn take_up(&mut self, peer: Peer, from: u64, socket: tokio::net::unix::OwnedWriteHalf) {
        let caught_up = Notice::CaughtUp { working: self.turn.is_some() };
        let Ok(reader) = self.journal.reader() else { return };
        let outlet = Outlet::open(socket, reader, from, self.journal.length(), caught_up);
        self.control = Some((peer, outlet));
    }

    fn notify(&self, notice: Notice) {
        if let Some((_, outlet)) = &self.control {
            outlet.notify(notice);
        }
    }

    fn on_order(&mut self, line: OrderLine, text: Option<OwnedFd>) {
        match (line, text) {
            (OrderLine::Deliver { message, attempt, .. }, Some(script)) => self.on_deliver(message, attempt, script),
            (OrderLine::Interrupt {}, _) => {}
            (OrderLine::Respond { .. }, _) => {}
            (OrderLine::End { .. }, _) => {}
            (OrderLine::Deliver { .. }, None) => {}
        }
    }

    fn on_deliver(&mut self, message: u64, attempt: u32, script: OwnedFd) {
        if self.given.contains(&message) {
            return self.notify(Notice::TakenBefore { message });
        }
        let busy = self.waiting.is_some() || self.turn.as_ref().is_some_and(|turn| turn.message.is_some());
        if busy {
            let why = "another message is running".to_owned();
            return self.notify(Notice::Refused { message, attempt, why });
        }
        self.waiting = Some(Waiting { message, attempt, script });
        if self.doing == Doing::Idle {
            self.give_waiting();
        }
    }

    /// Gives bash the message that waits. That it was given is written down first: without this record it never was.
    fn give_waiting(&mut self) {
        let Some(Waiting { message, attempt, script }) = self.waiting.take() else { return };
        self.given.insert(message);
        self.journal.append(&Record::Given { message, attempt });
        // A pipe that cannot be written belongs to a shell that has ended, and that is told elsewhere.
        let _ = self.bash.run(message, &script);
        let text = TurnText::new(self.plan.columns, self.plan.rows);
        self.turn = Some(Turn::of_message(message, attempt, script, text));
        self.doing = Doing::Running;
    }
}

/// What no output can contain by chance.
fn nonce() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
