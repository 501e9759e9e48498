//! What a launch needs and the log must not hold: the caller's environment and the session's token.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use adjutant_agents::process::Inherited;
use adjutant_agents::{LaunchPlan, Place};
use adjutant_core::SessionId;
use adjutant_core::session::{Profile, Resume, Session};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The directories of all sessions of a home.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) state_dir: PathBuf,
    pub(crate) run_dir: PathBuf,
    pub(crate) adj: PathBuf,
    pub(crate) host_id: String,
    /// The variables by which an `adj` inside a session finds the daemon that holds it.
    pub(crate) home_variables: BTreeMap<String, String>,
}

impl Places {
    /// The directories in which those of the sessions are.
    pub(crate) fn of_all(&self) -> [PathBuf; 2] {
        [self.state_dir.join("sessions"), self.run_dir.join("s")]
    }

    /// The directories of a session in its present life.
    pub(crate) fn of(&self, session: &Session) -> Place {
        self.of_life(session.id, session.revivals)
    }

    /// The directories of one life of a session. The one for its socket has the id without its hyphens, to stay short;
    /// no two lives need it at once.
    pub(crate) fn of_life(&self, session: SessionId, revivals: u32) -> Place {
        let (id, [state, run]) = (session.to_string(), self.of_all());
        Place {
            state_dir: state.join(if revivals == 0 { id.clone() } else { format!("{id}.{revivals}") }),
            run_dir: run.join(id.replace('-', "")),
            adj: self.adj.clone(),
            host_id: self.host_id.clone(),
        }
    }
}

/// The session whose directory has this name, under the state directory or the run directory, and which of its lives.
pub(crate) fn life_of_directory(name: &str) -> Option<(SessionId, u32)> {
    let (id, revivals) = match name.split_once('.') {
        Some((id, revivals)) => (id, revivals.parse().ok()?),
        None => (name, 0),
    };
    Uuid::try_parse(id).ok().map(|uuid| (SessionId::from_bytes(*uuid.as_bytes()), revivals))
}

/// What one create, or one wake, brought along.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) caller_environment: BTreeMap<String, String>,
    pub(crate) extra_environment: BTreeMap<String, String>,
    pub(crate) inherited: Inherited,
    pub(crate) token: String,
    pub(crate) ready_ms_max: u64,
}

/// The launches that are planned and not yet under way, by what is kept of their tokens: of several callers who want to
/// revive one session, one comes first, and its launch is the one whose token is on record. In memory only.
#[derive(Debug, Default)]
pub(crate) struct Launches(Mutex<HashMap<String, Launch>>);

impl Launches {
    pub(crate) fn put(&self, token_hash: String, launch: Launch) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token_hash, launch);
    }

    pub(crate) fn forget(&self, token_hash: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token_hash);
    }

    /// Makes the plan of a session that is on record.
    pub(crate) fn take(&self, session: &Session, parent: Option<&Session>, places: &Places) -> Option<LaunchPlan> {
        let profile = &session.profile;
        let launch = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&profile.token_hash)?;
        let mut identity = places.home_variables.clone();
        identity.insert("ADJ_SESSION".to_owned(), session.name.to_string());
        identity.insert("ADJ_SESSION_TOKEN".to_owned(), launch.token);
        if let Some(parent) = parent {
            identity.insert("ADJ_PARENT".to_owned(), parent.name.to_string());
        }
        Some(LaunchPlan {
            program: PathBuf::from(&profile.program),
            directory: PathBuf::from(&profile.path),
            caller_environment: launch.caller_environment,
            extra_environment: launch.extra_environment,
            identity,
            inherited: launch.inherited,
            ready_ms_max: launch.ready_ms_max,
            profile: taking_up(session),
            trust: profile.trust,
            begins_anew: session.revivals > 0 && session.turns_begun == 0,
        })
    }
}

/// The profile of a session, which takes up its own conversation when it has lived before.
fn taking_up(session: &Session) -> Profile {
    let own = session.conversation.clone().filter(|_| session.revivals > 0).map(Resume::Conversation);
    Profile { resume: own.or_else(|| session.profile.resume.clone()), ..session.profile.clone() }
}

/// A fresh token of 256 random bits, in hexadecimal digits.
///
/// # Errors
/// What the system answered when it had no random bytes to give.
pub(crate) fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// What is kept of a token.
pub(crate) fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
