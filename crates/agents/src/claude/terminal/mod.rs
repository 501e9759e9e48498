//! Claude Code in a terminal: a tmux server of the session's own, in which a person can sit down at any time.
//!
//! What happens is told by the agent's hooks, whose spool is this driver's journal; its status file is the level with which
//! that is reconciled; what was typed is confirmed by the hook that tells of it. The screen is looked at for a draft of a
//! person's and for the dialogs of a start, and never for the state of a turn.

pub(super) mod ask;
mod begin;
mod deliver;
mod end;
mod exec;
mod level;
mod machine;
mod screen;
pub(super) mod status;
mod stop;
mod text;
mod tmux;
mod typing;
mod usage;
mod words;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use adjutant_core::agent::AgentReport;
use adjutant_core::id::Attempt;
use adjutant_core::process::Incarnation;
use adjutant_core::{MessageId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use self::exec::exec_main;

use self::begin::Seat;
use self::machine::{Machine, RESTED, RestedNote, Told};
use self::tmux::Tmux;
use self::typing::Typing;
use self::usage::Uncounted;
use crate::claude::changes::Changes;
use crate::claude::hooks::{Line, Spool, SpoolReader, file_answer};
use crate::claude::transcript;
use crate::process::{ProcessHandle, Stamp};
use crate::runner::wall_ms;
use crate::timer::Timers;
use crate::{
    Attach, ConversationEntry, ConversationError, ConversationOf, DriverReport, DriverStart, DriverTask, Order, Place,
};

/// The daemon takes no reports, or has let go.
#[derive(Debug)]
struct LetGo;

type Driven<T = ()> = Result<T, LetGo>;

/// What a driver waits for besides changes and its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// It should be ready by now.
    Ready,
    /// It is not ready, and a dialog may be why.
    Dialog,
    /// What was typed should have been confirmed by now.
    Confirm,
    /// What the status file says has been so for a while.
    Settled,
    /// The key that interrupts should have had its effect by now.
    Interrupt,
    /// The session should have ended by now.
    End,
    /// What a turn has cost should be in the transcript by now.
    Usage,
}

/// What a driver of a later daemon has to know, and what no secret is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    tmux: PathBuf,
    config_dir: PathBuf,
    /// Since when it runs behind a wrapper, in milliseconds of the wall clock; without one, the process in the terminal is
    /// Claude Code itself.
    #[serde(default)]
    wrapped_since: Option<i64>,
    /// What `@` names in a text stays a name.
    #[serde(default)]
    keeps_mentions: bool,
}

impl Facts {
    fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("terminal.json")
    }

    fn read(state_dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(Self::path(state_dir))?)?)
    }
}

/// The driver of one session.
struct Driver {
    session: SessionId,
    place: Place,
    stamp: Stamp,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<DriverReport>,
    facts: Facts,
    tmux: Tmux,
    changes: Changes,
    machine: Machine,
    spool: Spool,
    reader: SpoolReader,
    /// Up to here the spool has been reported.
    offset: u64,
    /// Up to here the daemon has everything on record when it hands over the next message.
    committed: u64,
    /// The turn that runs, or ran last, took a message.
    took: bool,
    /// It was told that the spool is full.
    told_full: bool,
    runner: Option<Incarnation>,
    runner_handle: Option<ProcessHandle>,
    agent: Option<Incarnation>,
    /// Orders that wait for a state that allows them.
    held: VecDeque<Order>,
    /// The message that is just being pasted.
    typing: Typing,
    /// A part of a message stands in the line that was not sent.
    leftover: bool,
    /// A message that was interrupted before its first answer: the agent puts it back into the line. As `bones`.
    given_back: Option<(u64, u64)>,
    /// The turn of which is not known yet what it has cost.
    uncounted: Option<Uncounted>,
    /// Rings when the transcript may have more, while something is looked for in it.
    transcript_written: Option<Changes>,
    /// What the screen showed at the last look for what was typed, and the processor time that the agent had taken.
    shown: Option<(Vec<String>, u64)>,
    interrupts: u32,
    status_watched: bool,
    ordered_end: Option<u64>,
    /// Why the session is being ended before it was ready.
    not_ready: Option<adjutant_core::agent::StartFailure>,
    timers: Timers<Timer>,
}

/// Drives one session to its end, or until the daemon lets go of it.
pub(super) async fn drive(task: DriverTask) {
    // An error here means that nobody takes the reports any more: the daemon is going away.
    let DriverTask { session, place, start, orders, reports, .. } = task;
    let seat = Seat { session, place, orders, reports };
    let _ = match start {
        DriverStart::Launch(plan) => seat.launch(plan).await,
        DriverStart::Adopt(adoption) => seat.adopt(adoption).await,
    };
}

/// How a person sits down at the session.
pub(super) fn attach(place: &Place, read_only: bool) -> Result<Attach, String> {
    let facts = Facts::read(&place.state_dir).map_err(|error| format!("its terminal is not known: {error}"))?;
    let argv = Tmux::new(facts.tmux, Tmux::socket_in(&place.run_dir)).attach_words(read_only);
    Ok(Attach::Program { argv, environment: std::collections::BTreeMap::new() })
}

/// What was said in the session, from the transcript.
pub(super) fn conversation(of: ConversationOf<'_>) -> Result<Vec<ConversationEntry>, ConversationError> {
    let unreadable = |error: io::Error| ConversationError::Unreadable { detail: error.to_string() };
    let native = of.native.ok_or(ConversationError::None)?;
    let facts = Facts::read(&of.place.state_dir).map_err(unreadable)?;
    let path = transcript::find(&facts.config_dir, native).ok_or(ConversationError::None)?;
    transcript::conversation(&path, of.entries_max, of.since).map_err(unreadable)
}

impl Driver {
    async fn send(&self, at: i64, cursor: Option<u64>, report: AgentReport, answer: Option<String>) -> Driven {
        let report = DriverReport {
            session: self.session,
            observed_at: Timestamp::from_millis(at),
            cursor,
            report,
            answer: answer.map(Into::into),
        };
        self.reports.send(report).await.map_err(|_| LetGo)
    }

    /// What Claude Code says that it is doing, where it says so.
    fn status(&self) -> Option<status::Status> {
        let config_dir = &self.facts.config_dir;
        match self.facts.wrapped_since {
            None => status::read(config_dir, &self.agent?),
            Some(since) => status::read_behind(config_dir, self.machine.conversation.as_deref()?, since),
        }
    }

    async fn report(&self, report: AgentReport) -> Driven {
        self.send(wall_ms(), None, report, None).await
    }

    /// Drives the session until it has ended.
    async fn follow(&mut self) -> Driven {
        loop {
            if self.read_journal().await? {
                return Ok(());
            }
            self.read_spool().await?;
            self.look_at_status().await?;
            // What was noted on the way is read before anything waits.
            self.read_spool().await?;
            self.count_late().await?;
            self.look_at_room().await?;
            self.work_off().await?;
            self.read_spool().await?;
            if self.wait().await? {
                return Ok(());
            }
        }
    }

    /// Waits for something to do; says whether the session is over.
    async fn wait(&mut self) -> Driven<bool> {
        let gone = async {
            match &self.runner_handle {
                Some(handle) => handle.ended().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let written = async {
            match &self.transcript_written {
                Some(written) => written.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.changes.next() => {}
            () = written => {}
            pasted = self.typing.done() => self.on_pasted(pasted).await?,
            _ = gone => return self.on_runner_gone().await,
            order = self.orders.recv() => match order {
                None | Some(Order::LetGo) => return Err(LetGo),
                Some(Order::End { grace_ms }) => self.end(grace_ms),
                Some(order) => self.held.push_back(order),
            },
            timer = self.timers.due() => return self.on_timer(timer).await,
        }
        Ok(false)
    }

    /// Reports what is new in the spool.
    async fn read_spool(&mut self) -> Driven {
        loop {
            let found = self.reader.next().unwrap_or_else(|error| {
                tracing::warn!(session = %self.session, %error, "the spool of hooks cannot be read");
                None
            });
            let Some((line, next)) = found else { return Ok(()) };
            if line.event == RESTED && !self.holds_here(&line) {
                continue;
            }
            let began_at = self.machine.turn.as_ref().map(|turn| turn.began_at);
            let mut told = self.machine.take(&line);
            if next > self.offset {
                self.count(began_at, line.at, &mut told);
            } else {
                self.count_again(began_at, line.at, &told);
            }
            self.tell(line.at, next, told).await?;
            self.after_line();
        }
    }

    /// Whether a note of what is known at rest stands right behind the line that it tells of.
    fn holds_here(&self, line: &Line) -> bool {
        let note = serde_json::from_str::<RestedNote>(line.payload.get());
        note.is_ok_and(|note| note.behind == self.reader.began())
    }

    /// Gives back the room of what nobody reads again, once all that it came to is noted behind it. Only the end of a message's
    /// turn is known to be on record: the next message is handed over after that.
    async fn forget(&mut self) -> Driven {
        if !self.spool.is_worth_forgetting(self.committed) {
            return Ok(());
        }
        let behind = self.reader.next_offset();
        let Some(note) = self.machine.rested(behind) else { return Ok(()) };
        let noted = self.note(RESTED, &note);
        self.read_spool().await?;
        // What came in between is known by now, and the note holds for nobody.
        if noted && self.reader.began() == behind {
            self.spool.forget(self.committed);
        }
        Ok(())
    }

    /// Tells people once that the spool takes no more.
    async fn look_at_room(&mut self) -> Driven {
        let full = self.spool.is_full();
        if full && !std::mem::replace(&mut self.told_full, full) {
            let text = "the spool of hooks is full: what Claude Code tells is not taken down until this turn has ended";
            self.report(AgentReport::Notice { text: text.to_owned() }).await?;
        }
        self.told_full = full;
        Ok(())
    }

    /// Reports what a line means, unless that was done before; the last report carries the place behind it.
    async fn tell(&mut self, at: i64, next: u64, mut told: Vec<Told>) -> Driven {
        if next <= self.offset {
            return Ok(());
        }
        self.offset = next;
        for (report, _) in &told {
            if matches!(report, AgentReport::Taken { .. }) {
                self.took = true;
            } else if matches!(report, AgentReport::TurnEnded { .. }) && std::mem::replace(&mut self.took, false) {
                self.committed = next;
            }
        }
        // What was given up is not called ready on its way out.
        told.retain(|(report, _)| self.not_ready.is_none() || !matches!(report, AgentReport::Ready));
        let last = told.len().saturating_sub(1);
        for (number, (report, answer)) in told.into_iter().enumerate() {
            let cursor = (number == last).then_some(next);
            self.send(at, cursor, report, answer).await?;
        }
        Ok(())
    }

    /// Files the decisions of rules, and lets go the calls whose questions are closed.
    fn after_line(&mut self) {
        for (id, answer) in std::mem::take(&mut self.machine.decided) {
            self.file(&id, &answer);
        }
        for id in std::mem::take(&mut self.machine.released) {
            self.file(&id, "");
        }
        if self.machine.ready {
            self.timers.disarm(Timer::Ready);
            self.timers.disarm(Timer::Dialog);
        }
        if self.machine.pending.is_none() {
            self.timers.disarm(Timer::Confirm);
        }
        if self.machine.turn.is_some() {
            self.given_back = None;
        } else {
            self.timers.disarm(Timer::Interrupt);
            self.interrupts = 0;
        }
    }

    fn file(&self, id: &str, answer: &str) {
        if let Err(error) = file_answer(&self.place.state_dir, id, answer) {
            tracing::warn!(session = %self.session, %error, "a decision cannot be filed");
        }
    }

    fn note<T: Serialize>(&self, event: &str, note: &T) -> bool {
        self.spool
            .note(event, note)
            .inspect_err(|error| {
                tracing::warn!(session = %self.session, %error, "the spool takes no note");
            })
            .is_ok()
    }

    async fn on_timer(&mut self, timer: Timer) -> Driven<bool> {
        match timer {
            Timer::Ready => self.on_not_ready().await?,
            Timer::Dialog => self.look_for_dialog().await?,
            Timer::Confirm => self.on_unconfirmed().await?,
            // The loop looks at the status again.
            Timer::Settled => {}
            Timer::Interrupt => self.interrupt_again().await?,
            Timer::End => self.end_by_force(),
            Timer::Usage => self.uncounted = None,
        }
        Ok(false)
    }

    async fn not_taken(&self, message: MessageId, attempt: Attempt, detail: &str) -> Driven {
        self.report(AgentReport::NotTaken { message, attempt, detail: detail.to_owned() }).await
    }
}
