//! The one bash of a session, in its terminal.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use adjutant_core::process::Incarnation;
use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rustix::termios::{InputModes, OptionalActions, Termios, Winsize};
use rustix::termios::{tcgetattr, tcgetpgrp, tcsetattr, tcsetwinsize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::process::{ProcessHandle, StartIn, incarnation_of};
use crate::runner::RunnerPlan;
use crate::watch::watch;

/// The loop that bash runs.
const RC: &str = include_str!("rc.bash");

/// A bash that has this variable from the start reads no loop: it is given it behind the loop.
const POSIX: &str = "POSIXLY_CORRECT";
/// See [`POSIX`].
const TURN_POSIX: &str = "export POSIXLY_CORRECT=y";

/// Typed by the runner alone: save what is half typed, and take up the loop.
pub(super) const WAKE_KEYS: &[u8] = b"\x1b[99971;1~\x1b[99971;3~";
/// Typed by the runner alone: put back what was half typed.
pub(super) const RESTORE_KEYS: &[u8] = b"\x1b[99971;2~";

/// Bytes that are read from the terminal at once; the kernel gives no more.
pub(super) const READ_BYTES: usize = 4096;

/// The files in memory and the pipes by which the loop is reached. Bash opens them by these paths for a moment each
/// time, so that it holds none of them open and no child inherits one.
#[derive(Debug)]
struct Loop {
    /// Bash reads its next command here.
    commands: (OwnedFd, OwnedFd),
    /// Bash says what it does here; the end for writing is kept open so that the pipe has no end.
    said: (AsyncFd<OwnedFd>, OwnedFd),
    _rc: OwnedFd,
}

/// The shell process and all that the runner holds of it.
#[derive(Debug)]
pub(super) struct Bash {
    pub(super) terminal: AsyncFd<OwnedFd>,
    pub(super) handle: ProcessHandle,
    control: Loop,
    modes: Termios,
}

/// The path by which another process of the same user opens one of this process's files.
fn path_of(file: &impl AsFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_fd().as_raw_fd())
}

fn not_blocking(file: OwnedFd) -> io::Result<OwnedFd> {
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags | OFlags::NONBLOCK)?;
    Ok(file)
}

fn write_all(file: &impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(file, bytes))?;
        bytes = &bytes[written..];
    }
    Ok(())
}

impl Loop {
    /// Makes the pipes and the loop's text; says the text's path.
    fn make(nonce: &str, posix: bool) -> io::Result<(Self, String)> {
        let commands = pipe_with(PipeFlags::CLOEXEC)?;
        let (said_reader, said_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let text = RC.replace("@NONCE@", nonce).replace("@IN@", &path_of(&commands.0));
        let text = text.replace("@OUT@", &path_of(&said_writer));
        let text = text.replace("@POSIX@", if posix { TURN_POSIX } else { "" });
        let rc = memfd_create("adj-rc", MemfdFlags::CLOEXEC)?;
        write_all(&rc, text.as_bytes())?;
        let path = path_of(&rc);
        let said = (watch(not_blocking(said_reader)?, Interest::READABLE)?, said_writer);
        Ok((Self { commands, said, _rc: rc }, path))
    }
}

impl Bash {
    /// Starts bash in a terminal of its own, as the leader of a session of its own.
    pub(super) fn start(plan: &RunnerPlan, nonce: &str) -> io::Result<Self> {
        let (control, rc) = Loop::make(nonce, plan.environment.contains_key(POSIX))?;
        let (terminal, theirs) = pty_process::blocking::open().map_err(io::Error::other)?;
        terminal.resize(pty_process::Size::new(plan.rows, plan.columns)).map_err(io::Error::other)?;
        let terminal = not_blocking(OwnedFd::from(terminal))?;
        let mut modes = tcgetattr(&terminal)?;
        // Nobody may be there to take back a Ctrl-S, and bytes beyond ASCII are characters to the line editor.
        modes.input_modes.remove(InputModes::IXON);
        modes.input_modes.insert(InputModes::IUTF8);
        tcsetattr(&terminal, OptionalActions::Now, &modes)?;
        let place = StartIn::of(&plan.directory, plan.exact)?;
        let command = command(plan, &place, &rc);
        let child = plan.inherited.spawned(|| command.spawn(theirs)).map_err(io::Error::other)?;
        // Bash reads its loop meanwhile, and starts nothing before it is given a message.
        plan.inherited.limit(Pid::from_child(&child));
        let incarnation = incarnation_of(child.id())?;
        let handle = incarnation.map(|bash| ProcessHandle::open(&bash)).transpose()?.flatten();
        let handle = handle.ok_or_else(|| io::Error::other("bash ended at once"))?;
        Ok(Self { terminal: watch(terminal, Interest::READABLE | Interest::WRITABLE)?, handle, control, modes })
    }

    /// Who it is.
    pub(super) fn incarnation(&self) -> &Incarnation {
        self.handle.incarnation()
    }

    /// Its process id, which is also the number of its kernel session.
    pub(super) fn pid(&self) -> u32 {
        self.incarnation().pid
    }

    /// Points the loop at a message.
    pub(super) fn run(&self, message: u64, script: &OwnedFd) -> io::Result<()> {
        write_all(&self.control.commands.1, format!("run {message} {}\n", path_of(script)).as_bytes())
    }

    /// Lets the loop show its prompt.
    pub(super) fn show_prompt(&self) -> io::Result<()> {
        write_all(&self.control.commands.1, b"prompt\n")
    }

    /// Waits for what the loop says.
    pub(super) async fn said(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let reader = &self.control.said.0;
        reader.async_io(Interest::READABLE, |file| Ok(rustix::io::read(file, &mut *buffer)?)).await
    }

    /// What the loop has said by now, without waiting.
    pub(super) fn said_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.control.said.0.get_ref(), buffer)?)
    }

    /// Waits for output.
    pub(super) async fn output(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.terminal.async_io(Interest::READABLE, |file| Ok(rustix::io::read(file, &mut *buffer)?)).await
    }

    /// Output that is there now; `WouldBlock` when there is none, and then all that was printed before this has come.
    pub(super) fn output_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.terminal.get_ref(), buffer)?)
    }

    /// Types into the terminal as much as it takes now.
    pub(super) async fn type_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.terminal.async_io(Interest::WRITABLE, |file| Ok(rustix::io::write(file, bytes)?)).await
    }

    /// The process group in the terminal's foreground.
    pub(super) fn foreground(&self) -> Option<Pid> {
        tcgetpgrp(self.terminal.get_ref()).ok()
    }

    /// The path by which programs know the terminal.
    pub(super) fn terminal_path(&self) -> Option<String> {
        rustix::pty::ptsname(self.terminal.get_ref(), Vec::new()).ok()?.into_string().ok()
    }

    /// The modes that the terminal has now.
    pub(super) fn modes(&self) -> io::Result<Termios> {
        Ok(tcgetattr(self.terminal.get_ref())?)
    }

    /// Gives the terminal the modes back that it had at the start. Unless somebody may be typing ahead, what was
    /// typed and not read is dropped: it was for a command that has ended.
    pub(super) fn restore_modes(&self, is_attended: bool) {
        let how = if is_attended { OptionalActions::Now } else { OptionalActions::Flush };
        // It fails only when the terminal has gone, and then there is nothing to restore.
        let _ = tcsetattr(self.terminal.get_ref(), how, &self.modes);
    }

    /// Gives the terminal a size; the programs in it are told by the kernel.
    pub(super) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // As above.
        let _ = tcsetwinsize(self.terminal.get_ref(), size);
    }
}

fn command(plan: &RunnerPlan, place: &StartIn, rc: &str) -> pty_process::blocking::Command {
    pty_process::blocking::Command::new(&plan.program)
        .args(["--noprofile", "--rcfile", rc, "-i"])
        .arg0("bash")
        .env_clear()
        .envs(plan.environment.iter().filter(|(name, _)| *name != POSIX))
        .current_dir(place.path())
}
