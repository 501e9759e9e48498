//! One life of a holder: where it is written down, how it is begun, found and ended.

use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant_core::agent::StartFailure;
use adjutant_core::process::{Incarnation, Liveness};
use adjutant_core::{SessionId, SessionName};
use rustix::process::Signal;
use tokio::time::timeout;

use super::ServerPlan as Wanted;
use crate::codex::limits::HOLDER_END_MS_MAX;
use crate::limits::LEFTOVERS_MS_MAX;
use crate::process::{Inherited, ProcessHandle, Stamp, end_leftovers, liveness};
use crate::runner::{JournalReader, NotLaunched, Record, RunnerPlan, ServerPlan, Supervisor, launch_held};

/// Names the life that is the last one.
const CURRENT: &str = "current";

/// The link to the socket.
pub(super) const SOCKET: &str = "s.sock";

/// A server that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) struct Held {
    /// The runner that holds it.
    pub(in crate::codex) holder: Incarnation,
    /// How the runner itself is held.
    pub(in crate::codex) supervisor: String,
    /// Where the server listens.
    pub(in crate::codex) socket: PathBuf,
    life: PathBuf,
    /// Whose stamp the server has.
    stamped: SessionId,
    /// The server's process, as it was started last.
    server: Option<Incarnation>,
}

/// What the journal of a life says.
#[derive(Debug, Default)]
struct Told {
    holder: Option<Incarnation>,
    server: Option<Incarnation>,
    supervisor: String,
    failed: Option<String>,
    ended: Option<String>,
}

impl Held {
    /// Whether it is proven that nobody listens, and that nobody will.
    pub(in crate::codex) fn is_over(&self) -> bool {
        is_dead(&self.holder) && self.server.as_ref().is_none_or(is_dead)
    }

    /// The server, if it goes on while its holder is gone: nobody would start it again.
    pub(super) fn orphan(&self) -> Option<Incarnation> {
        self.server.filter(|server| is_dead(&self.holder) && !is_dead(server))
    }

    /// Kills the server, if it is still the one of `other`; its holder starts it again.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub(super) fn kill_server_of(&self, other: &Self) -> io::Result<()> {
        let same = self.server.filter(|server| other.server.as_ref() == Some(server));
        match same.map(|server| ProcessHandle::open(&server)).transpose()?.flatten() {
            Some(server) => server.send(Signal::KILL).map(drop),
            None => Ok(()),
        }
    }

    /// Why the holder ended, as far as it wrote that down.
    pub(in crate::codex) fn last_words(&self) -> String {
        let told = read(&self.life).unwrap_or_default();
        told.failed.or(told.ended).unwrap_or_else(|| "its holder is gone without a word".to_owned())
    }
}

fn is_dead(process: &Incarnation) -> bool {
    liveness(process) == Liveness::Dead
}

/// The life that goes on; `None` when there is none, which is proven. A server whose holder was killed goes on too.
pub(super) fn current(directory: &Path) -> io::Result<Option<Held>> {
    let Some(Life { life, stamped }) = last_life(directory)? else { return Ok(None) };
    let told = match read(&life) {
        Ok(told) => told,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Told { holder: Some(holder), server, supervisor, .. } = told else { return Ok(None) };
    let held = Held { holder, supervisor, socket: directory.join(SOCKET), life, stamped, server };
    Ok((!held.is_over()).then_some(held))
}

/// The name of a life's directory among those of the sessions: as short as theirs, and never taken for one of theirs, which
/// are removed when nobody knows the session.
fn run_name(id: &SessionId) -> String {
    let digits = id.to_string().replace('-', "");
    format!("x{}", digits.get(1..).unwrap_or_default())
}

/// Begins a life: a holder that starts the server.
pub(super) async fn begin(directory: &Path, plan: Wanted) -> Result<Held, StartFailure> {
    clear_up(directory, &plan.host_id).await.map_err(|error| failed(format!("an earlier app-server: {error}")))?;
    live(directory, plan, None).await
}

/// Gives a server whose holder is gone a new one.
pub(super) async fn hold_again(directory: &Path, plan: Wanted, held: &Held) -> Result<Held, StartFailure> {
    let Some(server) = held.orphan() else { return Ok(held.clone()) };
    let again = live(directory, plan, Some((held.stamped, server))).await;
    match (&again, held.life.file_name()) {
        // What is left of the life before is of no account.
        (Ok(_), _) => drop(std::fs::remove_dir_all(&held.life)),
        // The life that was is the one that goes on.
        (Err(_), Some(life)) => {
            let name = format!("{} {}", life.display(), held.stamped);
            name_life(directory, &name).map_err(|error| failed(error.to_string()))?;
        }
        (Err(_), None) => {}
    }
    again
}

fn failed(detail: String) -> StartFailure {
    StartFailure::AgentStartFailed { detail }
}

async fn live(directory: &Path, plan: Wanted, orphan: Option<(SessionId, Incarnation)>) -> Result<Held, StartFailure> {
    let stamped = orphan.map(|(stamped, _)| stamped);
    let (id, life) = new_life(directory, stamped).map_err(|error| failed(error.to_string()))?;
    let name = format!("codex-{}", &id.to_string()[..8]).parse::<SessionName>();
    let supervisor = match &name {
        Ok(name) => Supervisor::choose(&plan.host_id, name).await,
        Err(_) => Supervisor::Process,
    };
    let stamp = Stamp::of_session(&plan.host_id, &stamped.unwrap_or(id));
    let socket = directory.join(SOCKET);
    let mut environment = plan.environment;
    environment.insert(Stamp::VARIABLE.to_owned(), stamp.as_str().to_owned());
    let arguments = ["app-server", "--listen", &format!("unix://{}", socket.display())].map(str::to_owned).to_vec();
    let runner_plan = RunnerPlan {
        state_dir: life.clone(),
        run_dir: plan.run_dirs.join(run_name(&id)),
        stamp: stamp.as_str().to_owned(),
        supervisor: supervisor.name().to_owned(),
        // It serves sessions of several creators.
        inherited: Inherited::default(),
        program: plan.program,
        directory: PathBuf::from("/"),
        exact: false,
        environment,
        columns: 0,
        rows: 0,
        pipes: None,
        server: Some(ServerPlan {
            arguments,
            socket,
            adopted: orphan.map(|(_, server)| (server.pid, server.start_ticks)),
        }),
    };
    let launched = launch_held(&plan.adj, id, runner_plan, &supervisor).await;
    launched.map_err(|error| match error {
        NotLaunched::Never(detail) | NotLaunched::Silent(detail) => failed(detail),
    })?;
    let held = current(directory).map_err(|error| failed(error.to_string()))?;
    held.ok_or_else(|| failed(read(&life).unwrap_or_default().failed.unwrap_or("its holder ended at once".to_owned())))
}

/// Ends the life that goes on, and waits until nothing of it is left.
pub(super) async fn end(directory: &Path, host_id: &str) -> io::Result<()> {
    let told = current(directory)?;
    let handle = told.map(|held| ProcessHandle::open(&held.holder)).transpose()?.flatten();
    if let Some(handle) = handle {
        handle.send(Signal::TERM)?;
        if timeout(Duration::from_millis(HOLDER_END_MS_MAX), handle.ended()).await.is_err() {
            handle.send(Signal::KILL)?;
            handle.ended().await?;
        }
    }
    clear_up(directory, host_id).await
}

/// Ends what a life that is over may have left, and forgets it.
async fn clear_up(directory: &Path, host_id: &str) -> io::Result<()> {
    let Some(Life { life, stamped }) = last_life(directory)? else { return Ok(()) };
    let stamp = Stamp::of_session(host_id, &stamped);
    match timeout(Duration::from_millis(LEFTOVERS_MS_MAX), end_leftovers(&stamp, None)).await {
        Ok(ended) => ended.map(drop)?,
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    }
    match std::fs::remove_dir_all(life) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The last life: its directory, and whose stamp its server has, which may have been started in an earlier one.
struct Life {
    life: PathBuf,
    stamped: SessionId,
}

fn last_life(directory: &Path) -> io::Result<Option<Life>> {
    let name = match std::fs::read_to_string(directory.join(CURRENT)) {
        Ok(name) => name,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (id, stamped) = name.trim().split_once(' ').unwrap_or((name.trim(), name.trim()));
    let (Ok(id), Ok(stamped)) = (id.parse::<SessionId>(), stamped.parse::<SessionId>()) else {
        return Err(io::Error::other("the record of the app-server's holder is damaged"));
    };
    Ok(Some(Life { life: directory.join(id.to_string()), stamped }))
}

/// Names a new life before it begins, so that it is found whatever happens; and whose stamp its server has.
fn new_life(directory: &Path, stamped: Option<SessionId>) -> io::Result<(SessionId, PathBuf)> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let id = SessionId::from_bytes(bytes);
    let stamped = stamped.unwrap_or(id);
    name_life(directory, &format!("{id} {stamped}"))?;
    Ok((id, directory.join(id.to_string())))
}

fn name_life(directory: &Path, name: &str) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let draft = directory.join("current.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    io::Write::write_all(&mut file, name.as_bytes())?;
    std::fs::rename(draft, directory.join(CURRENT))
}

fn read(life: &Path) -> io::Result<Told> {
    let mut told = Told::default();
    for found in JournalReader::open(life, 0)? {
        let record = found?.entry.record;
        if let Record::Opened { runner, .. } = record {
            told.holder = runner.incarnation();
        } else if let Record::Started { supervisor, agent, .. } = record {
            told.supervisor = supervisor;
            told.server = agent.incarnation();
        } else if let Record::StartFailed { detail } = record {
            told.failed = Some(detail);
        } else if let Record::Exited { detail, .. } = record {
            told.ended = detail;
        }
    }
    Ok(told)
}
