//! The app-server's process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use adjutant_core::process::Incarnation;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::process::{ProcessHandle, boot_id, incarnation_of};
use crate::runner::{RunnerPlan, ServerPlan};

/// An app-server, and what it prints.
#[derive(Debug)]
pub(super) struct Process {
    /// The process.
    pub(super) handle: ProcessHandle,
    /// Where its words come out, until it closes that.
    pub(super) output: Option<UnixStream>,
    /// Another runner has started it, so that nobody tells us of its end.
    is_adopted: bool,
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
        Ok(Self { handle, output: Some(UnixStream::from_std(ours)?), is_adopted: false })
    }

    /// Takes over one that another runner has started; `None` when it has ended.
    pub(super) fn adopt((pid, start_ticks): (u32, u64)) -> io::Result<Option<Self>> {
        let handle = ProcessHandle::open(&Incarnation { boot: boot_id()?, pid, start_ticks })?;
        Ok(handle.map(|handle| Self { handle, output: None, is_adopted: true }))
    }

    /// What comes of it next. Can be broken off and called again.
    pub(super) async fn hear(&mut self, buffer: &mut [u8]) -> Heard {
        if let Some(output) = &mut self.output {
            return Heard::Words(output.read(buffer).await);
        }
        if self.is_adopted && self.handle.ended().await.is_ok() {
            return Heard::End;
        }
        std::future::pending().await
    }
}

/// What is heard of a server.
#[derive(Debug)]
pub(super) enum Heard {
    /// It prints so many bytes; none when it has closed its output.
    Words(io::Result<usize>),
    /// It has ended, and was started by another runner. Of the end of our own child a signal tells.
    End,
}

#[expect(clippy::disallowed_methods, reason = "this is where app-servers are started")]
fn command(plan: &RunnerPlan, server: &ServerPlan) -> Command {
    let mut command = Command::new(&plan.program);
    command.args(&server.arguments).env_clear().envs(&plan.environment).current_dir(&plan.directory);
    command
}
