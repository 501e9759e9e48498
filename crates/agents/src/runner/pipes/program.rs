//! The one program of a session, and the three pipes by which it is held.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use adjutant_core::process::Incarnation;
use rustix::process::Pid;
use tokio::net::unix::pipe;

use crate::process::{ProcessHandle, StartIn, incarnation_of};
use crate::runner::RunnerPlan;

/// The process and what the runner holds of it.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) handle: ProcessHandle,
    /// It was told to end by a signal, because it is lent.
    pub(super) told_to_end: bool,
    input: Option<pipe::Sender>,
    output: Option<pipe::Receiver>,
    complaints: Option<pipe::Receiver>,
}

impl Program {
    /// Starts it, in a process group of its own.
    pub(super) fn start(plan: &RunnerPlan) -> io::Result<Self> {
        let place = StartIn::of(&plan.directory, plan.exact)?;
        let mut child = plan.inherited.spawned(|| command(plan, &place).spawn())?;
        plan.inherited.limit(Pid::from_child(&child));
        let incarnation = incarnation_of(child.id())?;
        let handle = incarnation.map(|program| ProcessHandle::open(&program)).transpose()?.flatten();
        let handle = handle.ok_or_else(|| io::Error::other("it ended at once"))?;
        let none = || io::Error::other("it has no pipe");
        let input = OwnedFd::from(child.stdin.take().ok_or_else(none)?);
        let output = OwnedFd::from(child.stdout.take().ok_or_else(none)?);
        let complaints = OwnedFd::from(child.stderr.take().ok_or_else(none)?);
        Ok(Self {
            handle,
            told_to_end: false,
            input: Some(pipe::Sender::from_owned_fd(input)?),
            output: Some(pipe::Receiver::from_owned_fd(output)?),
            complaints: Some(pipe::Receiver::from_owned_fd(complaints)?),
        })
    }

    /// Who it is.
    pub(super) fn incarnation(&self) -> &Incarnation {
        self.handle.incarnation()
    }

    /// Whether its standard output may have more.
    pub(super) fn speaks(&self) -> bool {
        self.output.is_some()
    }

    /// Whether its standard error may have more.
    pub(super) fn complains(&self) -> bool {
        self.complaints.is_some()
    }

    /// Whether it may take more.
    pub(super) fn listens(&self) -> bool {
        self.input.is_some()
    }

    pub(super) fn fall_silent(&mut self) {
        self.output = None;
    }

    pub(super) fn stop_complaining(&mut self) {
        self.complaints = None;
    }

    /// Closes its standard input.
    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    pub(super) async fn read_output(&self, room: &mut [u8]) -> io::Result<usize> {
        read(self.output.as_ref(), room).await
    }

    pub(super) async fn read_complaints(&self, room: &mut [u8]) -> io::Result<usize> {
        read(self.complaints.as_ref(), room).await
    }

    /// Output that is there now; nothing when there is none, or no more.
    pub(super) fn output_now(&self, room: &mut [u8]) -> usize {
        self.output.as_ref().and_then(|output| output.try_read(room).ok()).unwrap_or(0)
    }

    /// Complaints that are there now.
    pub(super) fn complaints_now(&self, room: &mut [u8]) -> usize {
        self.complaints.as_ref().and_then(|complaints| complaints.try_read(room).ok()).unwrap_or(0)
    }

    /// Writes as much to its standard input as it takes now. Can be broken off and called again.
    pub(super) async fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &self.input else { return std::future::pending().await };
        loop {
            input.writable().await?;
            match input.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                wrote => return wrote,
            }
        }
    }
}

async fn read(from: Option<&pipe::Receiver>, room: &mut [u8]) -> io::Result<usize> {
    let Some(from) = from else { return std::future::pending().await };
    loop {
        from.readable().await?;
        match from.try_read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where a runner starts the program that it holds by pipes")]
fn command(plan: &RunnerPlan, place: &StartIn) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(&plan.program);
    let arguments = plan.pipes.as_ref().map_or(&[][..], |pipes| &pipes.arguments);
    command.args(arguments).env_clear().envs(&plan.environment).current_dir(place.path()).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
