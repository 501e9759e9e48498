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
    DRAIN_PIECES_MAX, HAND_OVER_MS, LAGGING_LOOK_MS, NUDGE_MS, TYPING_BYTES_MAX, UNCLEAR_LOOK_MS, UNWATCHED_MS,
    VIEWER_MS_MAX,
};
use crate::process::{Left, ProcessHandle, Stamp, left_of, own_incarnation};
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
    Returning { lent: Option<Box<Lent>>, back: Return },
}

/// How the program is to be started by its pipes again.
#[derive(Debug)]
pub(super) struct Return {
    pub(super) arguments: Vec<String>,
    /// It is at work where it is.
    pub(super) cut: bool,
    /// Nobody can say what it is at.
    pub(super) unseen: bool,
}

/// The program's own process has ended, and others of its terminal or group may be left, which may be the one that holds
/// the conversation: a wrapper's child, say.
#[derive(Debug)]
pub(super) struct Parting {
    /// How it has ended.
    pub(super) exit: ExitStatus,
    /// What was left was told to end.
    told: bool,
    /// A look has found nothing; what was just being started may have slipped through it.
    found_nothing: bool,
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
    pub(super) fn on_take_back(&mut self, back: Return) -> ControlFlow<()> {
        if self.ending.is_ordered() {
            return ControlFlow::Continue(());
        }
        match std::mem::replace(&mut self.hands, Hands::Pipes) {
            Hands::Lending { .. } => self.hands = Hands::Returning { lent: None, back },
            Hands::Lent(lent) => {
                let _ = lent.handle.send(Signal::TERM);
                self.hands = Hands::Returning { lent: Some(lent), back };
                self.timers.arm(Timer::HandOver, HAND_OVER_MS);
            }
            Hands::Nobody(exit) => return self.take_up(back, exit),
            // It is there already, or on its way.
            same @ (Hands::Pipes | Hands::Returning { .. }) => self.hands = same,
        }
        ControlFlow::Continue(())
    }

    /// The program takes its time to end: one that was only shown the end of its input is told, and then it is made to.
    pub(super) fn on_slow_hand_over(&mut self) -> ControlFlow<()> {
        if self.parting.is_some() {
            for handle in self.left_of_held().ours {
                // What may not be signalled is still there at the next look.
                let _ = handle.send(Signal::KILL);
            }
            self.timers.arm(Timer::HandOver, HAND_OVER_MS);
            return self.on_parting();
        }
        let signal = match &self.hands {
            Hands::Pipes | Hands::Lent(_) | Hands::Nobody(_) => return ControlFlow::Continue(()),
            Hands::Lending { .. } | Hands::Returning { lent: None, .. } if !self.program.told_to_end => Signal::TERM,
            Hands::Lending { .. } | Hands::Returning { .. } => Signal::KILL,
        };
        self.program.told_to_end = true;
        let _ = self.held().send(signal);
        self.timers.arm(Timer::HandOver, HAND_OVER_MS);
        ControlFlow::Continue(())
    }

    /// What is left of the program's terminal and process group. What it has put into a group of its own, such as a server
    /// that it began, stays with the session.
    fn left_of_held(&self) -> Left {
        let stamp = Stamp::from_text(self.plan.stamp.clone());
        let left = left_of(std::process::id(), &stamp, self.held().incarnation().pid);
        left.unwrap_or(Left { ours: Vec::new(), unclear: 1 })
    }

    /// The program's own process has ended, and not the session.
    pub(super) fn on_held_ended(&mut self, exit: ExitStatus) -> ControlFlow<()> {
        self.parting = Some(Parting { exit, told: false, found_nothing: false });
        self.timers.arm(Timer::HandOver, HAND_OVER_MS);
        self.on_parting()
    }

    /// Looks whether anything of the program is left; if nothing is, the next may be started.
    pub(super) fn on_parting(&mut self) -> ControlFlow<()> {
        let left = if self.ending.childless { Left::default() } else { self.left_of_held() };
        let Some(parting) = &mut self.parting else { return ControlFlow::Continue(()) };
        if !left.ours.is_empty() && !std::mem::replace(&mut parting.told, true) {
            for handle in &left.ours {
                // One that does not hear this hears what follows.
                let _ = handle.send(Signal::TERM);
            }
        }
        let (nothing, exit) = (left.is_nothing(), parting.exit);
        let again = std::mem::replace(&mut parting.found_nothing, nothing);
        if self.ending.childless || (again && nothing) {
            self.parting = None;
            return self.on_handed_over(exit);
        }
        if nothing || left.unclear > 0 {
            self.timers.arm(Timer::Leftovers, UNCLEAR_LOOK_MS);
        }
        ControlFlow::Continue(())
    }

    /// Nothing of the program is left: whoever is to have it next gets it.
    fn on_handed_over(&mut self, exit: ExitStatus) -> ControlFlow<()> {
        self.timers.disarm(Timer::HandOver);
        match std::mem::replace(&mut self.hands, Hands::Nobody(exit)) {
            Hands::Lending { arguments, columns, rows } => self.put_into_terminal(&arguments, columns, rows),
            Hands::Lent(lent) => self.on_lent_ended(*lent, exit),
            Hands::Returning { lent, back } => {
                if let Some(mut lent) = lent {
                    lent.show_rest(DRAIN_PIECES_MAX);
                    lent.viewers.close(GIVEN_BACK);
                }
                return self.take_up(back, exit);
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
                self.journal.append(&Record::Lent(LentRecord::Over { detail, killed: false }));
            }
        }
    }

    fn on_lent_ended(&mut self, mut lent: Lent, exit: ExitStatus) {
        lent.show_rest(DRAIN_PIECES_MAX);
        let (detail, killed) = match exit {
            ExitStatus::Code(0) => (String::new(), false),
            ExitStatus::Code(code) => (format!("its program ended with exit code {code}"), false),
            ExitStatus::Signal(signal) => (format!("its program was ended by signal {signal}"), true),
        };
        let colon = if detail.is_empty() { "" } else { ": " };
        lent.viewers.close(&format!("{GIVEN_BACK}{colon}{detail}"));
        self.journal.append(&Record::Lent(LentRecord::Over { detail, killed }));
    }

    /// Starts the program by its pipes again; where that fails, the session has ended.
    fn take_up(&mut self, back: Return, exit: ExitStatus) -> ControlFlow<()> {
        let Return { arguments, cut, unseen } = back;
        self.hands = Hands::Pipes;
        self.plan.pipes.get_or_insert_default().arguments = arguments;
        match Program::start(&self.plan) {
            Ok(program) => {
                self.ending.childless = false;
                self.input.begin_anew();
                self.output.begin_anew();
                self.note_started(program.incarnation());
                self.program = program;
                self.journal.append(&Record::Lent(LentRecord::Back { cut, unseen }));
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
        if self.hands.lent().is_some_and(|lent| !lent.end_nudge()) {
            self.timers.arm(Timer::Nudge, NUDGE_MS);
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
