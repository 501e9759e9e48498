//! The agents that Adjutant can hold, one folder each, and what they stand on.
//!
//! The daemon sees an agent through [`Agent`]: what it can do, whether its program is there, and one task per session
//! that drives it. A driver takes [`Order`]s and sends [`DriverReport`]s; it decides nothing about messages, turns or
//! sessions, it only says what it saw. Adding an agent is a folder here and a line in [`registry`].

pub mod claude;
pub mod codex;
mod conversation;
mod goal;
mod limits;
mod path;
mod policy;
pub mod process;
pub mod runner;
pub mod shell;
mod skills;
mod timer;
mod variables;
mod watch;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use adjutant_core::agent::{AgentReport, Capabilities, Mode, StartFailure};
use adjutant_core::id::Attempt;
use adjutant_core::process::Incarnation;
pub use adjutant_core::request::RequestAnswer;
use adjutant_core::session::Profile;
use adjutant_core::{AgentName, MessageId, SessionId, SessionName, Timestamp};
use tokio::sync::{mpsc, oneshot};

pub use self::conversation::{ConversationEntry, ConversationError, ConversationOf, Speaker};
pub use self::goal::{Goal, GoalAnswer, GoalWish};
pub use self::policy::{Verdict, is_rule, verdict};
pub use self::skills::SkillPlaces;
pub use self::variables::{is_common_variable, is_plain_variable};

/// Orders that may wait for one driver; the supervisor never waits for more.
pub const ORDERS_WAITING_MAX: usize = 256;

/// A task that drives one session until the session has ended or the daemon lets go of it.
pub type Driving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Words that a caller has chosen for a new session, and that are the agent's own.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The word of its sandbox.
    pub sandbox: Option<&'a str>,
    /// The conversation that is to be taken up.
    pub conversation: Option<&'a str>,
}

/// One kind of agent.
pub trait Agent: Send + Sync {
    /// The name under which it is registered.
    fn name(&self) -> &AgentName;

    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// Finds its program for a caller with this environment, before anything is recorded or started. Blocks: it may
    /// ask the program for its version.
    ///
    /// # Errors
    /// [`StartFailure::AgentNotFound`] with what was looked for where, and how to install it.
    fn find(&self, environment: &BTreeMap<String, String>, mode: Mode) -> Result<Program, StartFailure>;

    /// Looks at words that a caller has chosen for a new session, before anything is recorded or started.
    ///
    /// # Errors
    /// What is wrong with a word: not that something is not there, but that it can be nothing.
    fn check(&self, chosen: Chosen<'_>) -> Result<(), String> {
        let _ = chosen;
        Ok(())
    }

    /// The version of the agent that runs a session, as it last said itself. Blocks for as long as it takes to read a small
    /// file.
    fn version(&self, place: &Place) -> Option<String> {
        let _ = place;
        None
    }

    /// Starts or adopts one session and drives it. The future ends after it has reported [`AgentReport::Exited`] or
    /// [`AgentReport::StartFailed`], or after [`Order::LetGo`], which leaves the session running.
    fn drive(&self, task: DriverTask) -> Driving;

    /// What was said in a session, from the agent's own record, oldest first. Blocks for as long as reading the end of
    /// that record takes, whatever its length.
    ///
    /// # Errors
    /// [`ConversationError::None`] where the agent keeps no record of its own; Adjutant's messages and answers are all
    /// there is then.
    fn conversation(&self, of: ConversationOf<'_>) -> Result<Vec<ConversationEntry>, ConversationError> {
        let _ = of;
        Err(ConversationError::None)
    }

    /// How a person sits down at a session. Blocks for as long as looking at a few files takes.
    ///
    /// # Errors
    /// Why nobody can sit down there now, in one line.
    fn attach(&self, of: AttachTo<'_>) -> Result<Attach, String> {
        let _ = of;
        Ok(Attach::Terminal)
    }

    /// Where it looks for skills when a caller with this environment starts it; nothing where it knows none. Blocks for
    /// as long as looking for a few files takes.
    fn skills(&self, environment: &BTreeMap<String, String>) -> Option<SkillPlaces> {
        let _ = environment;
        None
    }
}

/// A session that somebody wants to sit down at.
#[derive(Clone, Copy, Debug)]
pub struct AttachTo<'a> {
    /// Where its files are.
    pub place: &'a Place,
    /// What was fixed at its creation.
    pub profile: &'a Profile,
    /// The agent's own id of the conversation.
    pub conversation: Option<&'a str>,
    /// Only look.
    pub read_only: bool,
}

/// How a person sits down at a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// At the terminal that its runner holds.
    Terminal,
    /// At a terminal of its runner's that its driver gets it first, by [`Order::Lend`]: the session is held without one.
    Lent,
    /// By a program that is run in the person's own terminal.
    Program {
        /// The program and its words.
        argv: Vec<String>,
        /// Variables on top of the person's own.
        environment: BTreeMap<String, String>,
    },
}

/// Somebody who is about to sit down at a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sitting {
    /// Characters in a row of their terminal.
    pub columns: u16,
    /// Its rows.
    pub rows: u16,
    /// They only look.
    pub read_only: bool,
}

/// Why nobody can sit down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotLent {
    /// The session is at something that has to end first: what it is at, as a sentence about it.
    Busy(&'static str),
    /// It cannot be, for this reason.
    Never(String),
}

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its version, where asking for it costs nothing.
    pub version: Option<String>,
}

/// What a driver is given.
pub struct DriverTask {
    /// The session.
    pub session: SessionId,
    /// Its name, for the agent's own `ADJ_SESSION`.
    pub name: SessionName,
    /// Where its files are and what stands on them.
    pub place: Place,
    /// Whether it is to be started or is there already.
    pub start: DriverStart,
    /// What the supervisor wants done, in order.
    pub orders: mpsc::Receiver<Order>,
    /// Where reports go, in the order in which things happened.
    pub reports: mpsc::Sender<DriverReport>,
}

/// The places that belong to one life of a session: each has a state directory of its own. The runtime directory has the
/// same name in all of them and is empty at the beginning of each.
#[derive(Clone, Debug)]
pub struct Place {
    /// The session's own directory under the state directory: journal, log. 0700, made by the driver.
    pub state_dir: PathBuf,
    /// The session's own directory under the runtime directory: socket, payloads. 0700, made by the driver, short
    /// enough that a socket's path in it has at most 107 bytes.
    pub run_dir: PathBuf,
    /// The absolute path of the `adj` binary, to be started as the runner.
    pub adj: PathBuf,
    /// The id of the home that owns the session; it is stamped on every process.
    pub host_id: String,
}

/// How a driver finds its session.
#[derive(Debug)]
pub enum DriverStart {
    /// It is planned and durable, and has not been started in the life that its places belong to.
    Launch(LaunchPlan),
    /// It was started, or perhaps only planned, by an earlier daemon.
    Adopt(Adoption),
}

/// What is started. Never stored: it holds the caller's environment.
#[derive(Clone, Debug)]
pub struct LaunchPlan {
    /// The agent's program.
    pub program: PathBuf,
    /// The directory to start in.
    pub directory: PathBuf,
    /// The caller's variables, as they were sent; the agent's folder chooses from them.
    pub caller_environment: BTreeMap<String, String>,
    /// Variables that the caller named with `--env`; they win.
    pub extra_environment: BTreeMap<String, String>,
    /// The `ADJ_` variables of this session, set last: its name, its parent, its token.
    pub identity: BTreeMap<String, String>,
    /// What the caller would have handed on to a child of its own besides.
    pub inherited: process::Inherited,
    /// Time to get ready, in milliseconds.
    pub ready_ms_max: u64,
    /// What was fixed at its creation: mode, model and the rest. One that has lived before takes up its own conversation.
    pub profile: Profile,
    /// The caller trusts the directory, as if a person had said so to the agent.
    pub trust: bool,
    /// It has lived before and never had a turn: where the agent knows nothing of its conversation, it begins one.
    pub begins_anew: bool,
}

impl LaunchPlan {
    /// Whether the session may work in the directory that was checked for it and in no other: it belongs to a token of the
    /// gateway, and whoever has that may be able to put a link in the directory's place. A tree that was made for it is ours.
    pub(crate) fn is_confined(&self) -> bool {
        let made = self.profile.worktree.as_ref().is_some_and(|tree| tree.made.is_some());
        self.profile.owner.is_some() && !made
    }
}

/// What the records say of a session that is to be adopted.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// Where reading its journal goes on: the last cursor that was committed, 0 for the beginning.
    pub cursor: u64,
    /// The runner on record, `None` when the daemon ended before it heard of it.
    pub runner: Option<Incarnation>,
    /// The agent's process on record.
    pub agent: Option<Incarnation>,
    /// Messages that were handed over and of which nothing was heard.
    pub handed: Vec<(MessageId, Attempt)>,
    /// What was fixed at its creation.
    pub profile: Profile,
    /// The agent's own id of the conversation, once it was told.
    pub conversation: Option<String>,
    /// A turn has ended last, and what it has cost is not on record.
    pub uncounted: bool,
}

/// What the supervisor wants of a driver. An order is carried out once and never fails silently: what came of it is
/// reported.
#[derive(Debug)]
pub enum Order {
    /// Hand over a message. Reported as `Taken`, `NotTaken` or `Unclear`.
    Deliver {
        /// Which message.
        message: MessageId,
        /// Which handing-over of it.
        attempt: Attempt,
        /// Its exact text.
        text: Arc<str>,
        /// The text is meant as a command of the agent's own.
        as_command: bool,
    },
    /// Put a message into the turn that runs. Reported as `Taken`, or as `NotTaken` when the turn had ended before.
    Steer {
        /// Which message.
        message: MessageId,
        /// Which handing-over of it.
        attempt: Attempt,
        /// Its exact text.
        text: Arc<str>,
    },
    /// Stop the running turn, with escalation. Reported as `InterruptPassed` and, when it ends, `TurnEnded`.
    Interrupt,
    /// Answer a request. Reported as `RequestClosed`.
    Respond {
        /// The agent's own id of the request.
        native: String,
        /// The answer, of a kind that the request takes.
        answer: RequestAnswer,
    },
    /// A hook of the agent called. It is answered once it has been taken in, at once or when somebody has decided;
    /// a hook that is dropped unanswered has not been heard.
    Hook {
        /// What the agent calls the event.
        event: String,
        /// What it told, as JSON text.
        payload: String,
        /// Where the answer goes: JSON text, or nothing for no opinion. Closed when the hook waits no longer.
        answer: oneshot::Sender<Option<String>>,
    },
    /// Give the conversation to a person at a terminal of the runner's; only where the agent says [`Attach::Lent`]. It comes
    /// back by itself when nobody is at the terminal any more. Reported as a turn of a person's.
    Lend {
        /// Who sits down.
        sitting: Sitting,
        /// Where the answer goes, once the terminal is there; or why it cannot be.
        answer: oneshot::Sender<Result<(), NotLent>>,
    },
    /// Something about the goal of the session; only where the agent has goals. Unanswered when the driver ends.
    Goal {
        /// What.
        wish: GoalWish,
        /// Where the answer goes.
        answer: oneshot::Sender<GoalAnswer>,
    },
    /// End the session: politely, and after the grace by force; reported as `Exited` when nothing of it is left.
    End {
        /// The time between polite and forced, in milliseconds; 0 for none.
        grace_ms: u64,
    },
    /// Stop driving and leave the session as it is: the daemon is going away.
    LetGo,
}

/// What a driver saw.
#[derive(Clone, Debug)]
pub struct DriverReport {
    /// The session.
    pub session: SessionId,
    /// When it was seen, by the clock of whoever saw it first.
    pub observed_at: Timestamp,
    /// Where a later adoption goes on reading once this report is committed; `None` leaves the cursor where it is.
    pub cursor: Option<u64>,
    /// What was seen.
    pub report: AgentReport,
    /// The text of the answer, beside `TurnEnded`.
    pub answer: Option<Arc<str>>,
}

/// What the configuration says about agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSettings {
    /// The program that starts Claude Code in a container: a name on the caller's PATH, or an absolute path. It takes the
    /// words that Claude Code takes.
    pub docker: String,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self { docker: "clauded".to_owned() }
    }
}

/// All agents of this build, by name.
pub fn registry(settings: &AgentSettings) -> BTreeMap<AgentName, Arc<dyn Agent>> {
    let agents: [Arc<dyn Agent>; 3] = [
        Arc::new(claude::Claude::new(settings.docker.clone())),
        Arc::new(codex::Codex::new()),
        Arc::new(shell::Shell::new()),
    ];
    agents.into_iter().map(|agent| (agent.name().clone(), agent)).collect()
}
