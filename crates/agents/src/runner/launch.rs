//! The daemon's side of a runner's start.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use adjutant_core::SessionId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::journal::journal_path;
use super::plan::{RunnerPlan, plan_line};
use super::systemd::{Supervisor, in_scope};
use crate::limits::{LISTEN_MS_MAX, RUNNER_GONE_MS_MAX};
use crate::process::Stamp;

/// Where a runner's own complaints go.
const COMPLAINTS: &str = "runner.err";

/// Bytes of complaints that are quoted.
const COMPLAINTS_BYTES_MAX: u64 = 2048;

/// What a runner answers over the way by which its plan came, when it listens; or this, and why it will not.
const LISTENING: u8 = b'+';
/// See [`LISTENING`].
const FAILED: u8 = b'-';

/// Why a runner did not come to listen.
#[derive(Debug)]
pub(crate) enum NotLaunched {
    /// Nothing was started, and nothing will be.
    Never(String),
    /// It was started and has not said that it listens.
    Silent(String),
}

/// Starts a runner and waits until it listens.
async fn launch(adj: &Path, session: SessionId, plan: &RunnerPlan, supervisor: &Supervisor) -> Result<(), NotLaunched> {
    let started = prepare(plan).and_then(|()| spawn(command(adj, session, supervisor), plan));
    let mut started = started.map_err(|error| NotLaunched::Never(format!("the runner cannot be started: {error}")))?;
    let line = plan_line(plan).map_err(|error| NotLaunched::Never(error.to_string()))?;
    let within = Duration::from_millis(LISTEN_MS_MAX);
    match timeout(within, started.listens(&line)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(started.judge(&plan.state_dir, &error).await),
        Err(_) => Err(NotLaunched::Silent(format!("the runner did not listen within {LISTEN_MS_MAX} ms"))),
    }
}

/// Starts a runner as its supervisor wants it, or by itself where that is proven to have started nothing.
pub(crate) async fn launch_held(
    adj: &Path,
    session: SessionId,
    mut plan: RunnerPlan,
    supervisor: &Supervisor,
) -> Result<(), NotLaunched> {
    let launched = launch(adj, session, &plan, supervisor).await;
    let (Supervisor::Scope(_), Err(NotLaunched::Never(detail))) = (supervisor, &launched) else { return launched };
    // Nothing was started, which is proven; so there are never two runners.
    tracing::warn!(session = %session, detail, "no scope of systemd; the runner holds itself");
    plan.supervisor = Supervisor::Process.name().to_owned();
    launch(adj, session, &plan, &Supervisor::Process).await
}

/// The runner's answer that it listens. It lets go of the way by which the plan came.
///
/// # Errors
/// When the standard input cannot be replaced.
pub(crate) fn answer_listening() -> io::Result<()> {
    // A daemon that went away in between finds the journal.
    let _ = rustix::io::write(io::stdin().as_fd(), &[LISTENING]);
    let nothing = OwnedFd::from(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?);
    Ok(rustix::stdio::dup2_stdin(&nothing)?)
}

/// The runner's answer that it will not listen.
pub(super) fn answer_failure(error: &io::Error) {
    let mut answer = vec![FAILED];
    answer.extend_from_slice(error.to_string().as_bytes());
    // After it has said that it listens this goes nowhere, and is not meant to go anywhere.
    let _ = rustix::io::write(io::stdin().as_fd(), &answer);
}

/// A runner that has just been started.
struct Started {
    stream: UnixStream,
    ended: oneshot::Receiver<()>,
}

impl Started {
    async fn listens(&mut self, plan: &[u8]) -> io::Result<()> {
        self.stream.write_all(plan).await?;
        if self.stream.read_u8().await? == LISTENING {
            return Ok(());
        }
        let mut why = String::new();
        (&mut self.stream).take(COMPLAINTS_BYTES_MAX).read_to_string(&mut why).await?;
        Err(io::Error::other(why))
    }

    /// A runner that has ended without a journal has started nothing, and never will.
    async fn judge(self, state_dir: &Path, error: &io::Error) -> NotLaunched {
        let detail = match complaints(state_dir) {
            Some(said) => said,
            None => format!("the runner did not listen: {error}"),
        };
        let ended = timeout(Duration::from_millis(RUNNER_GONE_MS_MAX), self.ended).await;
        let no_journal = std::fs::symlink_metadata(journal_path(state_dir))
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if ended.is_ok() && no_journal { NotLaunched::Never(detail) } else { NotLaunched::Silent(detail) }
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
fn spawn(mut command: Command, plan: &RunnerPlan) -> io::Result<Started> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let mut options = std::fs::OpenOptions::new();
    let complaints = options.create(true).append(true).mode(0o600).open(plan.state_dir.join(COMPLAINTS))?;
    command.env(Stamp::VARIABLE, &plan.stamp).stdin(Stdio::from(OwnedFd::from(theirs)));
    command.stdout(complaints.try_clone()?).stderr(complaints);
    let mut child = command.spawn()?;
    let (tell, ended) = oneshot::channel();
    // While this daemon lives it is the parent, and reaps.
    tokio::spawn(async move {
        let _ = child.wait().await;
        // Nobody asks any more once the runner listens.
        let _ = tell.send(());
    });
    ours.set_nonblocking(true)?;
    Ok(Started { stream: UnixStream::from_std(ours)?, ended })
}

fn command(adj: &Path, session: SessionId, supervisor: &Supervisor) -> Command {
    let mut command = match supervisor {
        Supervisor::Process => by_itself(adj),
        Supervisor::Scope(unit) => {
            let mut command = in_scope(unit);
            command.arg(adj);
            command
        }
    };
    // The plan brings the agent's environment; and the runner's own directory holds no file system busy.
    command.arg("runner").arg(session.to_string()).current_dir("/");
    command
}

#[expect(clippy::disallowed_methods, reason = "this is where the daemon starts runners")]
fn by_itself(adj: &Path) -> Command {
    let mut command = Command::new(adj);
    command.env_clear();
    command
}

fn complaints(state_dir: &Path) -> Option<String> {
    let mut said = String::new();
    let file = std::fs::File::open(state_dir.join(COMPLAINTS)).ok()?;
    file.take(COMPLAINTS_BYTES_MAX).read_to_string(&mut said).ok()?;
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_owned())
}
