//! The one loop of an app-server's runner.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use adjutant_core::outcome::ExitStatus;
use rustix::process::Signal;
use tokio::time::Instant;

use super::process::{Heard, Process};
use crate::codex::limits::{
    CRASHES_MAX, DRAIN_AGAIN_MS_MAX, DRAIN_MS_MAX, LAST_WORDS_BYTES_MAX, RESTART_MS_MAX, RESTART_MS_MIN, SOUND_LIFE_MS,
};
use crate::limits::{DRAIN_PIECES_MAX, FORCED_LOOKS_MAX, LEFTOVER_LOOK_MS};
use crate::process::{Stamp, left_below, own_incarnation};
use crate::runner::{Journal, OutputLog, Record, RunnerPlan, ServerPlan, Signals, reap};
use crate::timer::{Backoff, Timers, pause};

/// Bytes of output that are read at once.
const READ_BYTES: usize = 4096;

/// What the loop waits for besides its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The pause after a crash is over.
    Restart,
    /// It should have ended by now, and is told again.
    Again,
    /// It should have ended by now, and is killed.
    Force,
}

/// A runner at work.
pub(super) struct Holder {
    plan: RunnerPlan,
    server: ServerPlan,
    journal: Journal,
    signals: Signals,
    log: OutputLog,
    process: Option<Process>,
    born: Instant,
    crashes: u32,
    lives: u32,
    last_words: Vec<u8>,
    backoff: Backoff,
    timers: Timers<Timer>,
    ending: bool,
}

impl Holder {
    pub(super) fn new(plan: RunnerPlan, server: ServerPlan, journal: Journal, signals: Signals) -> Self {
        let log = OutputLog::new(&plan.state_dir);
        Self {
            plan,
            server,
            journal,
            signals,
            log,
            process: None,
            born: Instant::now(),
            crashes: 0,
            lives: 0,
            last_words: Vec::new(),
            backoff: Backoff::new(RESTART_MS_MIN, RESTART_MS_MAX),
            timers: Timers::default(),
            ending: false,
        }
    }

    /// Holds the server until it is told to end it, or cannot keep it alive.
    pub(super) async fn live(mut self) -> io::Result<()> {
        let mut flow = self.begin();
        let mut buffer = [0; READ_BYTES];
        while flow.is_continue() {
            let heard = async {
                match self.process.as_mut() {
                    Some(process) => process.hear(&mut buffer).await,
                    None => std::future::pending().await,
                }
            };
            flow = tokio::select! {
                heard = heard => match heard {
                    Heard::Words(read) => { self.on_output(read, &buffer); ControlFlow::Continue(()) }
                    Heard::End => self.on_adopted_end().await,
                },
                _ = self.signals.child.recv() => self.on_child().await,
                _ = self.signals.terminate.recv() => self.on_end(),
                _ = self.signals.interrupt.recv() => self.on_end(),
                _ = self.signals.hangup.recv() => ControlFlow::Continue(()),
                due = self.timers.due() => self.on_due(due),
            };
        }
        self.journal.sync();
        // Nobody speaks to it there, and nobody looks for it.
        let _ = std::fs::remove_dir_all(&self.plan.run_dir);
        Ok(())
    }

    /// Takes over the server that runs already, or starts one.
    fn begin(&mut self) -> ControlFlow<()> {
        let adopted = self.server.adopted.map(Process::adopt).transpose();
        if let Ok(Some(Some(process))) = adopted {
            self.lives += 1;
            self.take(process);
            return ControlFlow::Continue(());
        }
        // One that an earlier holder left says nothing of this one's server.
        let _ = std::fs::remove_file(&self.server.socket);
        self.start()
    }

    fn take(&mut self, process: Process) {
        if let Ok(runner) = own_incarnation() {
            let agent = process.handle.incarnation().into();
            let supervisor = self.plan.supervisor.clone();
            self.journal.append(&Record::Started { runner: (&runner).into(), agent, supervisor });
        }
        self.process = Some(process);
    }

    fn start(&mut self) -> ControlFlow<()> {
        self.born = Instant::now();
        self.lives += 1;
        match Process::start(&self.plan, &self.server) {
            Ok(process) => {
                self.take(process);
                ControlFlow::Continue(())
            }
            Err(error) => self.on_crash(&format!("{} cannot be started: {error}", self.plan.program.display())),
        }
    }

    fn on_output(&mut self, read: io::Result<usize>, buffer: &[u8]) {
        match (read, &mut self.process) {
            (Ok(bytes @ 1..), _) => self.note(&buffer[..bytes]),
            // Its end is told by a signal; a server that closed its output and lives is left alone.
            (Ok(0) | Err(_), Some(process)) => process.output = None,
            (Ok(0) | Err(_), None) => {}
        }
    }

    fn note(&mut self, words: &[u8]) {
        self.log.write(words);
        self.last_words.extend_from_slice(words);
        let surplus = self.last_words.len().saturating_sub(LAST_WORDS_BYTES_MAX);
        self.last_words.drain(..surplus);
    }

    /// Some child has ended: the server, or something that it left to us.
    async fn on_child(&mut self) -> ControlFlow<()> {
        let pid = self.process.as_ref().map_or(0, |process| process.handle.incarnation().pid);
        let Some(exit) = reap(pid).agent else { return ControlFlow::Continue(()) };
        self.drain();
        self.process = None;
        let left = self.end_what_it_left().await;
        if self.ending {
            return self.finish(Some(exit), left);
        }
        let said = String::from_utf8_lossy(&self.last_words).trim().to_owned();
        let how = match exit {
            ExitStatus::Code(code) => format!("it ended with exit code {code}"),
            ExitStatus::Signal(signal) => format!("it was ended by signal {signal}"),
        };
        let told = if said.is_empty() { how } else { format!("{how}; its last words: {said}") };
        self.on_crash(&told)
    }

    /// The server that was taken over has ended. How, only who started it would have heard.
    async fn on_adopted_end(&mut self) -> ControlFlow<()> {
        self.process = None;
        let left = self.end_what_it_left().await;
        match self.ending {
            true => self.finish(None, left),
            false => self.on_crash("it ended"),
        }
    }

    /// Takes in what it printed before it ended.
    fn drain(&mut self) {
        let mut buffer = [0; READ_BYTES];
        let Some(output) = self.process.as_mut().and_then(|process| process.output.take()) else { return };
        for _ in 0..DRAIN_PIECES_MAX {
            let Ok(bytes @ 1..) = output.try_read(&mut buffer) else { return };
            self.note(&buffer[..bytes]);
        }
    }

    fn on_crash(&mut self, told: &str) -> ControlFlow<()> {
        if self.ending {
            return self.finish(None, None);
        }
        let age = self.born.elapsed();
        if self.lives == 1 && !self.has_listened() {
            self.journal.append(&Record::StartFailed { detail: format!("the app-server did not start: {told}") });
            return ControlFlow::Break(());
        }
        if age > Duration::from_millis(SOUND_LIFE_MS) {
            self.crashes = 0;
            self.backoff.reset();
        }
        self.crashes += 1;
        if self.crashes > CRASHES_MAX {
            let detail = format!("the app-server crashed {} times in a row, and is given up: {told}", self.crashes);
            return self.finish(None, Some(detail));
        }
        self.timers.arm(Timer::Restart, self.backoff.next_ms());
        ControlFlow::Continue(())
    }

    /// Whether any life of the server came so far as to listen. It takes its socket away when it ends by itself alone.
    fn has_listened(&self) -> bool {
        std::fs::symlink_metadata(&self.server.socket).is_ok()
    }

    fn on_end(&mut self) -> ControlFlow<()> {
        self.timers.disarm(Timer::Restart);
        if std::mem::replace(&mut self.ending, true) {
            return ControlFlow::Continue(());
        }
        let Some(process) = &self.process else { return self.finish(None, None) };
        // What has ended already is told by its signal.
        let _ = process.handle.send(Signal::TERM);
        self.timers.arm(Timer::Again, DRAIN_MS_MAX);
        ControlFlow::Continue(())
    }

    fn on_due(&mut self, due: Timer) -> ControlFlow<()> {
        match (due, &self.process) {
            (Timer::Restart, _) => return self.start(),
            (Timer::Again, Some(process)) => {
                let _ = process.handle.send(Signal::TERM);
                self.timers.arm(Timer::Force, DRAIN_AGAIN_MS_MAX);
            }
            (Timer::Force, Some(process)) => {
                let _ = process.handle.send(Signal::KILL);
            }
            (Timer::Again | Timer::Force, None) => {}
        }
        ControlFlow::Continue(())
    }

    /// Ends by force what an ended server left to us. Commands of the sessions have stamps of their own, and whoever
    /// drives the session looks for them.
    async fn end_what_it_left(&self) -> Option<String> {
        let stamp = Stamp::from_text(self.plan.stamp.clone());
        let mut ended = 0;
        for _ in 0..FORCED_LOOKS_MAX {
            let Ok(left) = left_below(std::process::id(), &stamp) else { break };
            if left.is_nothing() {
                break;
            }
            for handle in &left.ours {
                // What may not be signalled is still there at the next look.
                let _ = handle.send(Signal::KILL);
                ended += 1;
            }
            pause(LEFTOVER_LOOK_MS).await;
            reap(0);
        }
        (ended > 0).then(|| format!("{ended} processes that it left have been ended"))
    }

    fn finish(&mut self, exit: Option<ExitStatus>, detail: Option<String>) -> ControlFlow<()> {
        let killed = self.ending;
        self.journal.append(&Record::Exited { exit: exit.map(Into::into), killed, detail });
        ControlFlow::Break(())
    }
}
