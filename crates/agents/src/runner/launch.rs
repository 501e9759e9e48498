//! The daemon's side of a runner's start.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use adjutant_core::SessionId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::plan::{RunnerPlan, plan_line};
use crate::limits::LISTEN_MS_MAX;
use crate::process::Stamp;

/// Where a runner's own complaints go.
const COMPLAINTS: &str = "runner.err";

/// Bytes of complaints that are quoted.
const COMPLAINTS_BYTES_MAX: u64 = 2048;

/// Why a runner did not come to listen.
#[derive(Debug)]
pub(crate) enum NotLaunched {
    /// Nothing was started, and nothing will be.
    Never(String),
    /// It was started and has not said that it listens.
    Silent(String),
}

/// Starts a runner and waits until it listens.
pub(crate) async fn launch(adj: &Path, session: SessionId, plan: &RunnerPlan) -> Result<(), NotLaunched> {
    let started = prepare(plan).and_then(|()| spawn(adj, session, plan));
    let mut stream = started.map_err(|error| NotLaunched::Never(format!("the runner cannot be started: {error}")))?;
    let line = plan_line(plan).map_err(|error| NotLaunched::Never(error.to_string()))?;
    let listening = async {
        stream.write_all(&line).await?;
        // The runner answers one byte when it listens, and ends the stream when it will not.
        stream.read_u8().await
    };
    match timeout(Duration::from_millis(LISTEN_MS_MAX), listening).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(NotLaunched::Silent(complaints(&plan.state_dir, &error))),
        Err(_) => Err(NotLaunched::Silent(format!("the runner did not listen within {LISTEN_MS_MAX} ms"))),
    }
}

fn prepare(plan: &RunnerPlan) -> io::Result<()> {
    for dir in [&plan.state_dir, &plan.run_dir] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        // The mode above is cut by the umask, and an old directory may have any.
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Starts the process. It leaves the daemon's session by itself, first of all that it does.
fn spawn(adj: &Path, session: SessionId, plan: &RunnerPlan) -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let mut options = std::fs::OpenOptions::new();
    let complaints = options.create(true).append(true).mode(0o600).open(plan.state_dir.join(COMPLAINTS))?;
    let mut command = command(adj, session);
    command.env(Stamp::VARIABLE, &plan.stamp).stdin(Stdio::from(OwnedFd::from(theirs)));
    command.stdout(complaints.try_clone()?).stderr(complaints);
    let mut child = command.spawn()?;
    // While this daemon lives it is the parent, and reaps.
    tokio::spawn(async move { child.wait().await });
    ours.set_nonblocking(true)?;
    UnixStream::from_std(ours)
}

#[expect(clippy::disallowed_methods, reason = "this is where the daemon starts runners")]
fn command(adj: &Path, session: SessionId) -> Command {
    let mut command = Command::new(adj);
    // The plan brings the agent's environment; the runner needs none, and its directory holds no file system busy.
    command.arg("runner").arg(session.to_string()).env_clear().current_dir("/");
    command
}

fn complaints(state_dir: &Path, error: &io::Error) -> String {
    let mut said = String::new();
    let read = std::fs::File::open(state_dir.join(COMPLAINTS))
        .and_then(|file| file.take(COMPLAINTS_BYTES_MAX).read_to_string(&mut said));
    match (read, said.trim()) {
        (Ok(_), said) if !said.is_empty() => said.to_owned(),
        _ => format!("the runner ended before it listened ({error})"),
    }
}
