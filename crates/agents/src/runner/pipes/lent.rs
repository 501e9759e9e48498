//! A program that is lent: it is started again in a terminal, for the people who look at it.

use std::io;
use std::os::fd::OwnedFd;

use adjutant_core::process::Incarnation;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::limits::NUDGE_LOOKS_MAX;
use crate::process::{ProcessHandle, incarnation_of};
use crate::runner::{RunnerPlan, Viewers};
use crate::watch::watch;

/// Bytes that are read from the terminal at once; the kernel gives no more.
const READ_BYTES: usize = 4096;

/// What the terminal is called to the program.
const TERM: (&str, &str) = ("TERM", "xterm-256color");

/// The program in its terminal.
#[derive(Debug)]
pub(super) struct Lent {
    terminal: AsyncFd<OwnedFd>,
    pub(super) handle: ProcessHandle,
    pub(super) viewers: Viewers,
    /// What is to be typed.
    pub(super) typing: Vec<u8>,
    room: Vec<u8>,
    columns: u16,
    rows: u16,
    /// Somebody has looked. Until then nothing is read, so that the first to look misses nothing.
    pub(super) is_shown: bool,
    /// It was last said that somebody is there.
    pub(super) watched: bool,
    /// The terminal has no more to say.
    silent: bool,
    /// It has drawn something since the last [`Self::nudge`], and how often that was looked for.
    drawn: bool,
    looks: u32,
}

impl Lent {
    /// Starts the program of a plan with these words, as the leader of a terminal session of its own.
    pub(super) fn start(plan: &RunnerPlan, arguments: &[String], columns: u16, rows: u16) -> io::Result<Self> {
        let (terminal, theirs) = pty_process::blocking::open().map_err(io::Error::other)?;
        terminal.resize(pty_process::Size::new(rows, columns)).map_err(io::Error::other)?;
        let terminal = OwnedFd::from(terminal);
        let flags = fcntl_getfl(&terminal)?;
        fcntl_setfl(&terminal, flags | OFlags::NONBLOCK)?;
        let command = command(plan, arguments);
        let child = plan.inherited.spawned(|| command.spawn(theirs)).map_err(io::Error::other)?;
        plan.inherited.limit(Pid::from_child(&child));
        let incarnation = incarnation_of(child.id())?;
        let handle = incarnation.map(|program| ProcessHandle::open(&program)).transpose()?.flatten();
        let handle = handle.ok_or_else(|| io::Error::other("it ended at once"))?;
        Ok(Self {
            terminal: watch(terminal, Interest::READABLE | Interest::WRITABLE)?,
            handle,
            viewers: Viewers::default(),
            typing: Vec::new(),
            room: vec![0; READ_BYTES],
            columns,
            rows,
            is_shown: false,
            watched: true,
            silent: false,
            drawn: true,
            looks: 0,
        })
    }

    /// Who it is.
    pub(super) fn incarnation(&self) -> &Incarnation {
        self.handle.incarnation()
    }

    /// The size of the terminal: its columns and its rows.
    pub(super) fn size(&self) -> (u16, u16) {
        (self.columns, self.rows)
    }

    /// Reads what the terminal shows next, types what is to be typed, and says which of them it was. Can be broken off and
    /// called again.
    pub(super) async fn next(&mut self) -> Moved {
        let Self { terminal, typing, room, is_shown, silent, .. } = self;
        tokio::select! {
            read = terminal.async_io(Interest::READABLE, |file| Ok(rustix::io::read(file, &mut *room)?)),
                if *is_shown && !*silent => Moved::Shown(read.unwrap_or(0)),
            wrote = terminal.async_io(Interest::WRITABLE, |file| Ok(rustix::io::write(file, &*typing)?)),
                if !typing.is_empty() => Moved::Typed(wrote.unwrap_or(usize::MAX)),
            else => std::future::pending().await,
        }
    }

    /// Takes in what [`Self::next`] has said.
    pub(super) fn take(&mut self, moved: Moved) {
        match moved {
            // Its end is told by the process.
            Moved::Shown(0) => self.silent = true,
            Moved::Shown(read) => {
                self.drawn = true;
                self.viewers.show(&self.room[..read]);
            }
            Moved::Typed(count) => drop(self.typing.drain(..count.min(self.typing.len()))),
        }
    }

    /// Shows what the terminal has to show now, and no more than so many pieces of it.
    pub(super) fn show_rest(&mut self, pieces: usize) {
        for _ in 0..pieces {
            match rustix::io::read(self.terminal.get_ref(), &mut *self.room) {
                Ok(read @ 1..) => self.viewers.show(&self.room[..read]),
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Brings a program back that a person has suspended: it has given the terminal back, and waits for this.
    pub(super) fn bring_back(&self) {
        let mode = tcgetattr(self.terminal.get_ref());
        if mode.is_ok_and(|mode| mode.local_modes.contains(LocalModes::ICANON)) {
            // What has ended meanwhile is told by its process.
            let _ = self.handle.send(Signal::CONT);
        }
    }

    /// Gives the terminal a size; the program is told by the kernel.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        if columns > 0 && rows > 0 {
            (self.columns, self.rows) = (columns, rows);
            self.set_size(columns, rows);
        }
    }

    /// Makes the terminal a little smaller, until [`Self::end_nudge`]: a program draws its screen anew only when the size
    /// has changed.
    pub(super) fn nudge(&mut self) {
        (self.drawn, self.looks) = (false, 0);
        self.set_size(self.columns.saturating_sub(1).max(1), self.rows);
    }

    /// Ends [`Self::nudge`] once the program has noticed it, or has been given enough time to; says whether it did. Two
    /// sizes that follow each other too fast are none to a program that is slow.
    pub(super) fn end_nudge(&mut self) -> bool {
        self.looks += 1;
        let is_over = self.drawn || self.looks >= NUDGE_LOOKS_MAX;
        if is_over {
            self.set_size(self.columns, self.rows);
        }
        is_over
    }

    fn set_size(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // It fails only when the terminal has gone, and then nobody needs a size.
        let _ = tcsetwinsize(self.terminal.get_ref(), size);
    }
}

/// What has happened at the terminal.
#[derive(Debug)]
pub(super) enum Moved {
    /// So many bytes are to be shown; none when there will be no more.
    Shown(usize),
    /// So many bytes were typed.
    Typed(usize),
}

fn command(plan: &RunnerPlan, arguments: &[String]) -> pty_process::blocking::Command {
    pty_process::blocking::Command::new(&plan.program)
        .args(arguments)
        .env_clear()
        .envs(&plan.environment)
        .env(TERM.0, TERM.1)
        .current_dir(&plan.directory)
}
