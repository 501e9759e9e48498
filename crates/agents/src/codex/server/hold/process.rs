//! The app-server's process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use tokio::net::UnixStream;

use crate::process::{ProcessHandle, incarnation_of};
use crate::runner::{RunnerPlan, ServerPlan};

/// An app-server, and what it prints.
#[derive(Debug)]
pub(super) struct Process {
    /// The process.
    pub(super) handle: ProcessHandle,
    /// Where its words come out, until it closes that.
    pub(super) output: Option<UnixStream>,
}

impl Process {
    /// Starts it in a process group of its own.
    pub(super) fn start(plan: &RunnerPlan, server: &ServerPlan) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        let theirs = OwnedFd::from(theirs);
        let mut command = command(plan, server);
        command.stdin(Stdio::null()).stdout(theirs.try_clone()?).stderr(theirs).process_group(0);
        let child = command.spawn()?;
        // The command holds the other end open.
        drop(command);
        let incarnation = incarnation_of(child.id())?;
        let handle = incarnation.map(|child| ProcessHandle::open(&child)).transpose()?.flatten();
        let handle = handle.ok_or_else(|| io::Error::other("it ended at once"))?;
        ours.set_nonblocking(true)?;
        Ok(Self { handle, output: Some(UnixStream::from_std(ours)?) })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where app-servers are started")]
fn command(plan: &RunnerPlan, server: &ServerPlan) -> Command {
    let mut command = Command::new(&plan.program);
    command.args(&server.arguments).env_clear().envs(&plan.environment).current_dir(&plan.directory);
    command
}
