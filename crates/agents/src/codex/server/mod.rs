//! The app-servers: one for each CODEX_HOME, held by a runner of its own, used by all sessions of that home.
//!
//! A session that needs one claims it with a file of its own; the server ends when the last claim is taken back. Who
//! claims and who takes back wait for each other at a gate, so that no server is ended under somebody who is just coming.
//! The runner starts the server again when it crashes. The environment in which it runs is in the runner's memory alone.

mod claims;
mod hold;
mod life;

pub(crate) use hold::hold_server;
pub(super) use life::Held;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::SessionId;
use adjutant_core::agent::StartFailure;
use tokio::sync::Mutex as Gate;

use self::claims::Claims;
use super::creators::environment_of;
use super::wire::Link;

/// The file that says of which CODEX_HOME a server is.
const HOME: &str = "home";

/// What a server is started with, if there is none yet.
#[derive(Clone, Debug)]
pub(super) struct ServerPlan {
    /// The program.
    pub(super) program: PathBuf,
    /// Its whole environment but for the stamp.
    pub(super) environment: BTreeMap<String, String>,
    /// The `adj` that holds it.
    pub(super) adj: PathBuf,
    /// The id of the home that owns it.
    pub(super) host_id: String,
    /// Where runners have their directories for sockets, which have to be short.
    pub(super) run_dirs: PathBuf,
}

/// The app-servers of this daemon.
#[derive(Debug, Default)]
pub(super) struct Servers {
    gates: Mutex<HashMap<PathBuf, Arc<Gate<()>>>>,
}

impl Servers {
    /// The directory of the server for this CODEX_HOME, below the one that all agents of an Adjutant home share.
    pub(super) fn directory(shared: &Path, codex_home: &Path) -> PathBuf {
        shared.join("codex").join(format!("{:016x}", fingerprint(codex_home)))
    }

    /// The CODEX_HOME of the server of this directory.
    ///
    /// # Errors
    /// When nobody has written it down.
    pub(super) fn codex_home(directory: &Path) -> io::Result<String> {
        std::fs::read_to_string(directory.join(HOME))
    }

    /// Where the server of this directory listens.
    pub(super) fn socket(directory: &Path) -> PathBuf {
        directory.join(life::SOCKET)
    }

    fn gate(&self, directory: &Path) -> Arc<Gate<()>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(directory.to_owned()).or_default())
    }

    /// Claims the server of this directory for a session, and starts it where there is none.
    ///
    /// # Errors
    /// Why it cannot be started. The claim is taken back then.
    pub(super) async fn claim(
        &self,
        directory: &Path,
        session: SessionId,
        plan: ServerPlan,
    ) -> Result<Held, StartFailure> {
        let gate = self.gate(directory);
        let _entered = gate.lock().await;
        let failed = |error: io::Error| StartFailure::AgentStartFailed {
            detail: format!("the app-server cannot be held: {error}"),
        };
        let claims = Claims::in_directory(directory);
        claims.add(session).map_err(failed)?;
        let home = plan.environment.get("CODEX_HOME").map_or("", String::as_str);
        let current = std::fs::write(directory.join(HOME), home).and_then(|()| life::current(directory));
        let held = match current {
            Ok(Some(held)) => Ok(hold_again(directory, held, plan).await),
            Ok(None) => life::begin(directory, plan).await,
            Err(error) => Err(failed(error)),
        };
        if held.is_err() {
            // What cannot be taken back now is taken back when the session is forgotten.
            let _ = claims.remove(session);
        }
        held
    }

    /// Gives a thread of the server of this directory to a session that has claimed the server; no other has it from then
    /// on, until the claim is taken back.
    ///
    /// # Errors
    /// When another session has it, or nobody can say.
    pub(super) async fn hold_thread(
        &self,
        directory: &Path,
        session: SessionId,
        thread: &str,
    ) -> Result<(), StartFailure> {
        let gate = self.gate(directory);
        let _entered = gate.lock().await;
        let detail = match Claims::in_directory(directory).hold_thread(session, thread) {
            Ok(None) => return Ok(()),
            Ok(Some(holder)) => format!("the conversation {thread} is open in the session {holder}; send to that one"),
            Err(error) => format!("whose the conversation {thread} is cannot be written down: {error}"),
        };
        Err(StartFailure::AgentStartFailed { detail })
    }

    /// The server that a session has claimed before; `None` when it is proven gone. Where its holder was killed it gets
    /// another one, by `plan`, whose environment is of no account: it is the server's own.
    ///
    /// # Errors
    /// When nobody can say.
    pub(super) async fn claimed(&self, directory: &Path, plan: ServerPlan) -> io::Result<Option<Held>> {
        let gate = self.gate(directory);
        let _entered = gate.lock().await;
        match life::current(directory)? {
            Some(held) => Ok(Some(hold_again(directory, held, plan).await)),
            None => Ok(None),
        }
    }

    /// Ends a server that takes connections and answers over none, unless it does by now or another one is there; its
    /// holder starts it again. All its sessions may have found that it hangs, and the first of them ends it.
    ///
    /// # Errors
    /// When it goes on and hangs.
    pub(super) async fn end_deaf(&self, directory: &Path, deaf: &Held) -> io::Result<()> {
        let gate = self.gate(directory);
        let _entered = gate.lock().await;
        let Some(held) = life::current(directory)? else { return Ok(()) };
        match Link::open(&held.socket).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => held.kill_server_of(deaf),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes a claim back. With the last one the server ends, and this returns when nothing of it is left.
    ///
    /// # Errors
    /// When something of it is left.
    pub(super) async fn release(&self, directory: &Path, session: SessionId, host_id: &str) -> io::Result<()> {
        let gate = self.gate(directory);
        let _entered = gate.lock().await;
        let claims = Claims::in_directory(directory);
        claims.remove(session)?;
        if claims.any()? {
            return Ok(());
        }
        life::end(directory, host_id).await
    }
}

/// Gives a server whose holder was killed another one. Without one it goes on as well, until it crashes.
async fn hold_again(directory: &Path, held: Held, plan: ServerPlan) -> Held {
    let Some(server) = held.orphan() else { return held };
    // Nobody else has the environment in which it is started again.
    let again = match environment_of(&server) {
        Ok(environment) => life::hold_again(directory, ServerPlan { environment, ..plan }, &held).await,
        Err(error) => Err(StartFailure::AgentStartFailed { detail: error.to_string() }),
    };
    again.unwrap_or_else(|why| {
        tracing::warn!(?why, "an app-server is held by nobody");
        held
    })
}

/// A number for a path that is the same in every build (FNV-1a).
fn fingerprint(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
