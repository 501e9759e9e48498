//! Whose hands the program is in: the daemon's, by its pipes, or those of people, at a terminal. There is never more than one
//! program: the next is started when the one before has ended.

use std::ops::ControlFlow;

use adjutant_core::outcome::ExitStatus;
use rustix::process::Signal;
use tokio::net::unix::OwnedWriteHalf;

use super::lent::{Lent, Moved};
use super::program::Program;
use super::{Holder, Timer};
use crate::limits::{
    DRAIN_PIECES_MAX, HAND_OVER_MS, LAGGING_LOOK_MS, NUDGE_MS, TYPING_BYTES_MAX, UNWATCHED_MS, VIEWER_MS_MAX,
};
use crate::process::{ProcessHandle, own_incarnation};
use crate::runner::frame::{Frame, GIVEN_BACK};
use crate::runner::{LentRecord, Record, Viewed};

/// The key that suspends a program (Ctrl-Z).
const SUSPEND: u8 = 0x1a;

/// Where the program is held, and what is to become of it.
#[derive(Debug)]
pub(super) enum Hands {
    /// By its pipes.
    Pipes,
    /// By its pipes, and on its way into a terminal.
    Lending { arguments: Vec<String>, columns: u16, rows: u16 },
    /// In a terminal.
    Lent(Box<Lent>),
    /// It has ended so in the terminal, and nothing of it was started since.
    Nobody(ExitStatus),
    /// On its way back to its pipes, from wherever it was.
    Returning { lent: Option<Box<Lent>>, arguments: Vec<String>, cut: bool },
}

impl Hands {
    /// The program in its terminal.
    pub(super) fn lent(&mut self) -> Option<&mut Lent> {
        match self {
            Self::Lent(lent) | Self::Returning { lent: Some(lent), .. } => Some(lent),
            Self::Pipes | Self::Lending { .. } | Self::Nobody(_) | Self::Returning { lent: None, .. } => None,
        }
    }

    /// Waits for what happens at the terminal.
    pub(super) async fn moved(&mut self) -> Moved {
        match self.lent() {
            Some(lent) => lent.next().await,
            None => std::future::pending().await,
        }
    }
}

impl Holder {
    /// The process that is the program now, or was it last.
    pub(super) fn held(&self) -> &ProcessHandle {
        match &self.hands {
            Hands::Lent(lent) | Hands::Returning { lent: Some(lent), .. } => &lent.handle,
            Hands::Pipes | Hands::Lending { .. } | Hands::Nobody(_) | Hands::Returning { lent: None, .. } => {
                &self.program.handle
            }
        }
    }

    /// The order to lend the program. From here on nothing is written to it.
    pub(super) fn on_lend(&mut self, arguments: Vec<String>, columns: u16, rows: u16) {
        if matches!(self.hands, Hands::Pipes) && self.ended.is_none() && !self.ending.is_ordered() {
            self.journal.append(&Record::Lent(LentRecord::Begun));
            self.hands = Hands::Lending { arguments, columns: columns.max(1), rows: rows.max(1) };
            self.program.close_input();
            self.timers.arm(Timer::HandOver, HAND_OVER_MS);
        }
    }

    /// The order to take it back.
    pub(super) fn on_take_back(&mut self, arguments: Vec<String>, cut: bool) -> ControlFlow<()> {
        if self.ending.is_ordered() {
            return ControlFlow::Continue(());
        }
        match std::mem::replace(&mut self.hands, Hands::Pipes) {
            Hands::Lending { .. } => self.hands = Hands::Returning { lent: None, arguments, cut },
            Hands::Lent(lent) => {
                let _ = lent.handle.send(Signal::TERM);
                self.hands = Hands::Returning { lent: Some(lent), arguments, cut };
                self.timers.arm(Timer::HandOver, HAND_OVER_MS);
            }
            Hands::Nobody(exit) => return self.take_up(arguments, cut, exit),
            // It is there already, or on its way.
            same @ (Hands::Pipes | Hands::Returning { .. }) => self.hands = same,
        }
        ControlFlow::Continue(())
    }

    /// The program takes its time to end: one that was only shown the end of its input is told, and then it is made to.
    pub(super) fn on_slow_hand_over(&mut self) {
        let signal = match &self.hands {
            Hands::Pipes | Hands::Lent(_) | Hands::Nobody(_) => return,
            Hands::Lending { .. } | Hands::Returning { lent: None, .. } if !self.program.told_to_end => Signal::TERM,
            Hands::Lending { .. } | Hands::Returning { .. } => Signal::KILL,
        };
        self.program.told_to_end = true;
        let _ = self.held().send(signal);
        self.timers.arm(Timer::HandOver, HAND_OVER_MS);
    }

    /// The program has ended, and not the session: whoever is to have it next gets it.
    pub(super) fn on_handed_over(&mut self, exit: ExitStatus) -> ControlFlow<()> {
        self.timers.disarm(Timer::HandOver);
        match std::mem::replace(&mut self.hands, Hands::Nobody(exit)) {
            Hands::Lending { arguments, columns, rows } => self.put_into_terminal(&arguments, columns, rows),
            Hands::Lent(lent) => self.on_lent_ended(*lent, exit),
            Hands::Returning { lent, arguments, cut } => {
                if let Some(mut lent) = lent {
                    lent.show_rest(DRAIN_PIECES_MAX);
                    lent.viewers.close(GIVEN_BACK);
                }
                return self.take_up(arguments, cut, exit);
            }
            same @ (Hands::Pipes | Hands::Nobody(_)) => self.hands = same,
        }
        ControlFlow::Continue(())
    }

    fn put_into_terminal(&mut self, arguments: &[String], columns: u16, rows: u16) {
        self.drain();
        match Lent::start(&self.plan, arguments, columns, rows) {
            Ok(lent) => {
                self.ending.childless = false;
                self.note_started(lent.incarnation());
                self.journal.append(&Record::Lent(LentRecord::Shown));
                self.hands = Hands::Lent(Box::new(lent));
                self.timers.arm(Timer::Unwatched, VIEWER_MS_MAX);
            }
            Err(error) => {
                let detail = format!("{} cannot be started in a terminal: {error}", self.plan.program.display());
                self.journal.append(&Record::Lent(LentRecord::Over { detail }));
            }
        }
    }

    fn on_lent_ended(&mut self, mut lent: Lent, exit: ExitStatus) {
        lent.show_rest(DRAIN_PIECES_MAX);
        let detail = match exit {
            ExitStatus::Code(0) => String::new(),
            ExitStatus::Code(_) | ExitStatus::Signal(_) => {
                format!("its program ended with exit code {}", exit.shell_code())
            }
        };
        let colon = if detail.is_empty() { "" } else { ": " };
        lent.viewers.close(&format!("{GIVEN_BACK}{colon}{detail}"));
        self.journal.append(&Record::Lent(LentRecord::Over { detail }));
    }

    /// Starts the program by its pipes again; where that fails, the session has ended.
    fn take_up(&mut self, arguments: Vec<String>, cut: bool, exit: ExitStatus) -> ControlFlow<()> {
        self.hands = Hands::Pipes;
        self.plan.pipes.get_or_insert_default().arguments = arguments;
        match Program::start(&self.plan) {
            Ok(program) => {
                self.ending.childless = false;
                self.input.begin_anew();
                self.output.begin_anew();
                self.note_started(program.incarnation());
                self.program = program;
                self.journal.append(&Record::Lent(LentRecord::Back { cut }));
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.trouble = Some(format!("{} cannot be started again: {error}", self.plan.program.display()));
                self.on_program_ended(exit)
            }
        }
    }

    fn note_started(&mut self, agent: &adjutant_core::process::Incarnation) {
        // Who could read its own identity at its start is not refused it now.
        if let Ok(own) = own_incarnation() {
            let supervisor = self.plan.supervisor.clone();
            self.journal.append(&Record::Started { runner: (&own).into(), agent: agent.into(), supervisor });
        }
    }

    pub(super) fn on_moved(&mut self, moved: Moved) {
        if let Some(lent) = self.hands.lent() {
            lent.take(moved);
            if lent.viewers.is_lagging() {
                self.timers.arm_once(Timer::Lagging, LAGGING_LOOK_MS);
            }
        }
    }

    pub(super) fn on_viewer(&mut self, number: u64, event: Viewed) {
        let Hands::Lent(lent) = &mut self.hands else {
            if let Viewed::Opened { outlet, .. } = event {
                refuse(outlet);
            }
            return;
        };
        match event {
            Viewed::Opened { columns, rows, read_only, outlet } => {
                lent.bring_back();
                let first = !std::mem::replace(&mut lent.is_shown, true);
                lent.viewers.open(number, read_only, outlet, lent.size(), Vec::new());
                if !read_only {
                    lent.resize(columns, rows);
                }
                if !first {
                    lent.nudge();
                    self.timers.arm(Timer::Nudge, NUDGE_MS);
                }
            }
            Viewed::Input(mut bytes) => {
                // There is no shell behind the program to which a person could go.
                bytes.retain(|byte| *byte != SUSPEND);
                lent.bring_back();
                if lent.viewers.may_type(number) && lent.typing.len() + bytes.len() <= TYPING_BYTES_MAX {
                    lent.typing.extend_from_slice(&bytes);
                }
            }
            Viewed::Resize { columns, rows } => {
                if lent.viewers.may_type(number) {
                    lent.resize(columns, rows);
                    lent.viewers.send(&Frame::Resized { columns, rows });
                }
            }
            Viewed::Gone => lent.viewers.remove(number),
        }
        self.note_watched();
    }

    /// That somebody is there is noted at once; that nobody is, after a while in which somebody may come back.
    fn note_watched(&mut self) {
        let Some(lent) = self.hands.lent() else { return };
        if !lent.viewers.is_attended() {
            return self.timers.arm_once(Timer::Unwatched, UNWATCHED_MS);
        }
        self.timers.disarm(Timer::Unwatched);
        if !std::mem::replace(&mut lent.watched, true) {
            self.journal.append(&Record::Lent(LentRecord::Watched { by_anybody: true }));
        }
    }

    pub(super) fn on_unwatched(&mut self) {
        if let Hands::Lent(lent) = &mut self.hands
            && !lent.viewers.is_attended()
            && std::mem::replace(&mut lent.watched, false)
        {
            self.journal.append(&Record::Lent(LentRecord::Watched { by_anybody: false }));
        }
    }

    /// Who missed some of it has the screen drawn anew.
    pub(super) fn on_lagging(&mut self) {
        let Some(lent) = self.hands.lent() else { return };
        if lent.viewers.catch_up(&[]) {
            lent.nudge();
            self.timers.arm(Timer::Nudge, NUDGE_MS);
        }
        if lent.viewers.is_lagging() {
            self.timers.arm_once(Timer::Lagging, LAGGING_LOOK_MS);
        }
    }

    pub(super) fn on_nudged(&mut self) {
        if let Some(lent) = self.hands.lent() {
            lent.end_nudge();
        }
    }
}

/// Tells a viewer that there is no terminal.
fn refuse(mut outlet: OwnedWriteHalf) {
    tokio::spawn(async move {
        let closed = Frame::Closed(GIVEN_BACK.to_owned()).encode();
        // Whoever does not take it sees the connection end.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut outlet, &closed).await;
    });
}
