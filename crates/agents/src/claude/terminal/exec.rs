//! `adj exec <run directory>`: the program of the pane. It hands over a clean environment, starts Claude Code and records
//! its exit, whether a daemon runs or not.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::limits::{LISTEN_MS_MAX, PLAN_BYTES_MAX, TMUX_MS_MAX};
use crate::process::{ProcessHandle, StartIn, incarnation_of, own_incarnation};
use crate::runner::{ExitRecord, JOURNAL_VERSION, Journal, Record};

/// How it is held, as the record says.
pub(super) const SUPERVISOR: &str = "tmux";

/// Lines of the screen that are recorded with the exit.
const LAST_LINES_MAX: usize = 12;

/// What is to be started. It goes over a socket and is never stored: it holds the caller's environment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ExecPlan {
    pub(super) state_dir: PathBuf,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) directory: PathBuf,
    /// No part of that may have become a link.
    #[serde(default)]
    pub(super) exact: bool,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) tmux: PathBuf,
}

/// Where the plan is fetched.
pub(super) fn socket_in(run_dir: &Path) -> PathBuf {
    run_dir.join("exec")
}

/// The hidden command `adj exec`; `words` are what stands behind it.
pub fn exec_main(words: &[OsString]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(run(words)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The pane closes with this process; whoever attaches in that moment may read it.
            let _ = io::Write::write_all(&mut io::stderr(), format!("adj exec: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[OsString]) -> io::Result<()> {
    let [run_dir] = words else { return Err(io::Error::other("it takes the directory of a session")) };
    // A hang-up is for the agent, which ends by it; this process stays to see how.
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let _interrupt = signal(SignalKind::interrupt())?;
    let plan = fetch(Path::new(run_dir)).await?;
    let own = own_incarnation()?;
    let mut journal =
        Journal::open(&plan.state_dir, &Record::Opened { version: JOURNAL_VERSION, runner: (&own).into() })?;
    let mut child = match spawn(&plan) {
        Ok(child) => child,
        Err(error) => {
            journal.append(&Record::StartFailed { detail: format!("{}: {error}", plan.program.display()) });
            return Err(error);
        }
    };
    let agent = child.id().map(incarnation_of).transpose()?.flatten();
    let agent = agent.ok_or_else(|| io::Error::other("the agent was gone at once"))?;
    let supervisor = SUPERVISOR.to_owned();
    journal.append(&Record::Started { runner: (&own).into(), agent: (&agent).into(), supervisor });
    let handle = ProcessHandle::open(&agent)?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = hang_up.recv() => {}
            _ = terminate.recv() => if let Some(handle) = &handle {
                handle.send(rustix::process::Signal::TERM)?;
            },
        }
    };
    let detail = last_lines(&plan.tmux).await;
    journal.append(&Record::Exited { exit: Some(exit_of(status)), killed: false, detail });
    Ok(())
}

async fn fetch(run_dir: &Path) -> io::Result<ExecPlan> {
    let read = async {
        let stream = UnixStream::connect(socket_in(run_dir)).await?;
        let mut line = Vec::new();
        BufReader::new(stream.take(PLAN_BYTES_MAX)).read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            return Err(io::Error::other("whoever wanted this started has gone away"));
        }
        Ok(serde_json::from_slice(&line)?)
    };
    timeout(Duration::from_millis(LISTEN_MS_MAX), read).await?
}

#[expect(clippy::disallowed_methods, reason = "this is where an agent in a terminal is started")]
fn spawn(plan: &ExecPlan) -> io::Result<Child> {
    let place = StartIn::of(&plan.directory, plan.exact)?;
    let mut command = Command::new(&plan.program);
    command.args(&plan.arguments).current_dir(place.path()).env_clear().envs(&plan.environment);
    // The terminal is tmux's, whatever the caller's was.
    command.envs(std::env::var_os("TERM").map(|term| ("TERM", term)));
    command.stdin(Stdio::inherit()).spawn()
}

fn exit_of(status: ExitStatus) -> ExitRecord {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitRecord::Code(code),
        (None, signal) => ExitRecord::Signal(signal.unwrap_or(0)),
    }
}

/// What the screen shows last; nothing where tmux does not say.
#[expect(clippy::disallowed_methods, reason = "tmux is spoken to through its own program")]
async fn last_lines(tmux: &Path) -> Option<String> {
    let socket = std::env::var("TMUX").ok()?.split(',').next()?.to_owned();
    let mut command = Command::new(tmux);
    command.args(["-u", "-S", &socket, "capture-pane", "-p", "-t", &std::env::var("TMUX_PANE").ok()?]);
    command.env_clear().env("LANG", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
    let shown = timeout(Duration::from_millis(TMUX_MS_MAX), command.output()).await.ok()?.ok()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let lines: Vec<&str> = shown.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES_MAX)..];
    (!last.is_empty()).then(|| last.join("\n"))
}
