//! Sessions: what they are, how they are created and how they are ended.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::ErrorBody;
use crate::schema::{answer, call, words};
use crate::time::WireTime;
use crate::types::request::Request;
use crate::types::turn::OutcomeWord;
use crate::types::workspace::WorkspaceWord;

words! {
    /// The state of a session.
    pub enum StatusWord {
        /// It gets ready.
        Starting = "starting",
        /// It has nothing to do.
        Idle = "idle",
        /// A turn runs.
        Working = "working",
        /// A turn runs, and a request must be answered.
        WaitingForInput = "waiting_for_input",
        /// Its process has ended.
        Exited = "exited",
        /// Nobody can say at the moment.
        Unknown = "unknown",
    }

    /// How much an agent may do without asking.
    pub enum ModeWord {
        /// Everything is permitted.
        Native = "native",
        /// The agent asks, and somebody answers.
        Guarded = "guarded",
        /// It runs in a container.
        Docker = "docker",
    }

    /// Where a statement about a session comes from.
    pub enum SourceWord {
        /// The daemon's own records.
        Daemon = "daemon",
        /// What the agent reports through its control pipe.
        ControlPipe = "control_pipe",
        /// The runner that holds the process.
        Runner = "runner",
        /// The kernel, about a process.
        Process = "process",
        /// The agent's own protocol.
        Protocol = "protocol",
        /// A hook that the agent called.
        Hook = "hook",
        /// The agent's status file.
        StatusFile = "status_file",
    }

    /// How a session ended.
    pub enum EndWord {
        /// Its agent ended, and its parent process saw how.
        Ended = "ended",
        /// Somebody ended it with `kill`.
        Killed = "killed",
        /// Its processes are proven gone, and nobody saw how they ended.
        Lost = "lost",
        /// It never came to life.
        StartFailed = "start_failed",
    }
}

answer! {
    /// One lasting conversation with one agent in one directory.
    pub struct Session {
        /// Its name.
        pub id: String,
        /// Adjutant's own id of it.
        pub uuid: String,
        /// Its agent.
        pub cli: String,
        /// How much the agent may do without asking.
        pub mode: ModeWord,
        /// Its state.
        pub status: StatusWord,
        /// Where the state comes from.
        pub source: SourceWord,
        /// When that was last said.
        pub observed_at: WireTime,
        /// Where the state comes from in full; only when it was asked for, or when the state is `unknown`.
        pub why: Option<Why>,
        /// Its conversation can be taken up again after its process has ended.
        pub resumable: bool,
        /// Its directory.
        pub path: String,
        /// The project that holds the directory.
        pub project: Option<String>,
        /// The top of the linked git work tree that its directory is in.
        pub worktree: Option<String>,
        /// The top of that work tree's main checkout.
        pub checkout: Option<String>,
        /// The id of that work tree where Adjutant made it for the session.
        pub workspace: Option<String>,
        /// The branch that was made with it.
        pub branch: Option<String>,
        /// The host that it runs on; `null` for this one.
        pub host: Option<String>,
        /// What it is for.
        pub description: Option<String>,
        /// The agent's model, where one was chosen.
        pub model: Option<String>,
        /// How hard the agent thinks, where that was chosen.
        pub effort: Option<String>,
        /// It is held by its protocol, without a terminal.
        pub headless: bool,
        /// The session that created it.
        pub parent: Option<String>,
        /// The agent's own id of the conversation.
        pub agent_session: Option<String>,
        /// When it was created.
        pub created_at: WireTime,
        /// When something last happened in it.
        pub last_used_at: WireTime,
        /// The running turn.
        pub turn: Option<CurrentTurn>,
        /// The last turn that ended.
        pub last_turn: Option<LastTurn>,
        /// The requests that are open.
        pub pending: Vec<Request>,
        /// It is held without a terminal, and a person has its conversation at one meanwhile.
        pub lent: bool,
        /// How many messages wait.
        pub queued: u64,
        /// Its queue is on hold.
        pub held: bool,
        /// Its goal.
        pub goal: Option<Value>,
        /// How it ended.
        pub exit: Option<SessionExit>,
    }

    /// The turn that runs.
    pub struct CurrentTurn {
        /// Its number.
        pub number: u32,
        /// When it began.
        pub started_at: WireTime,
        /// How long nothing has been seen of it.
        pub quiet_for_ms: u64,
    }

    /// The turn that ended last.
    pub struct LastTurn {
        /// Its number.
        pub number: u32,
        /// How it ended.
        pub outcome: OutcomeWord,
        /// When it ended.
        pub ended_at: WireTime,
        /// The command's exit code; shell sessions only.
        pub exit_code: Option<i32>,
    }

    /// How a session ended.
    pub struct SessionExit {
        /// In which way.
        pub how: EndWord,
        /// The exit code of the agent's process, 128 plus the number for a signal.
        pub exit_code: Option<i32>,
        /// What was seen.
        pub detail: Option<String>,
        /// When it ended, or when that was found out.
        pub at: WireTime,
    }

    /// Where the word for a session's state comes from.
    pub struct Why {
        /// One sentence.
        pub summary: String,
        /// What each source last said, the one that decided first.
        pub evidence: Vec<Statement>,
        /// What contradicts the state.
        pub contradictions: Vec<String>,
        /// What `unknown` would need to become known.
        pub needs: Option<String>,
        /// The last state that was known, when it is `unknown`.
        pub last_known: Option<StatusWord>,
    }

    /// What one source said.
    pub struct Statement {
        /// Which source.
        pub source: SourceWord,
        /// What it said.
        pub said: String,
        /// When.
        pub at: WireTime,
    }

    /// How a person sits down at a session.
    pub struct Attach {
        /// At the terminal that the daemon passes on.
        pub terminal: bool,
        /// Otherwise by this program, in the person's own terminal: its path and its words.
        pub program: Vec<String>,
        /// Variables for it, on top of the person's own.
        pub environment: BTreeMap<String, String>,
    }

    /// What came of ending one session.
    pub struct Killed {
        /// The session.
        pub id: String,
        /// No process of it is left.
        pub killed: bool,
        /// Why not.
        pub error: Option<ErrorBody>,
    }

    /// Who calls, as the daemon sees it.
    pub struct Caller {
        /// The calling session's id, or `human`.
        pub caller: String,
        /// The calling session.
        pub session: Option<Session>,
        /// Its parent.
        pub parent: Option<String>,
        /// The sessions beside its parent and descendants that it may send to.
        pub introduced: Vec<String>,
        /// What the caller may do.
        pub scope: Vec<String>,
        /// The limits that hold for it, by name.
        pub limits: Value,
    }
}

call! {
    /// Which sessions are wanted; live ones, most recently used first, unless something is named.
    pub struct SessionsQuery {
        /// Exited and killed ones too.
        #[serde(default)]
        pub all: bool,
        /// Only children of this session.
        pub parent: Option<String>,
        /// Only this session and all its descendants.
        pub tree: Option<String>,
        /// Only of this agent.
        pub cli: Option<String>,
        /// Only in one of these states.
        #[serde(default)]
        pub status: Vec<String>,
        /// Only in this directory or below it.
        pub path: Option<String>,
        /// Only in this directory or below it, or in a linked work tree of a checkout there.
        pub checkout: Option<String>,
        /// Only of this project.
        pub project: Option<String>,
        /// Only of this work tree.
        pub worktree: Option<String>,
        /// At most this many.
        pub limit: Option<u64>,
    }

    /// A session to be created.
    pub struct CreateSession {
        /// Its agent.
        pub cli: String,
        /// Its directory, absolute.
        pub path: String,
        /// One of the work trees that git lists for the directory, by path, branch or name: that one instead.
        pub worktree: Option<String>,
        /// Where it works; in the directory itself unless given.
        pub workspace: Option<WorkspaceWord>,
        /// How much the agent may do without asking; the agent's own default unless given.
        pub mode: Option<ModeWord>,
        /// Its name; chosen at random unless given.
        pub id: Option<String>,
        /// What it is for.
        pub description: Option<String>,
        /// The agent's model.
        pub model: Option<String>,
        /// How hard the agent is to think, in its own word.
        pub effort: Option<String>,
        /// Without a terminal, by the agent's protocol alone.
        #[serde(default)]
        pub headless: bool,
        /// The sandbox, in the agent's own word.
        pub sandbox: Option<String>,
        /// The agent's own id of a conversation that is taken up.
        pub resume: Option<String>,
        /// The newest conversation of the directory is taken up.
        #[serde(default)]
        pub resume_latest: bool,
        /// The directory is trusted, as if a person had said so to the agent.
        #[serde(default)]
        pub trust: bool,
        /// Tools that the agent may use without asking, by rules.
        #[serde(default)]
        pub allow_tools: Vec<String>,
        /// Tools that are refused without asking, by rules; they win.
        #[serde(default)]
        pub deny_tools: Vec<String>,
        /// Words for the agent's own command line.
        #[serde(default)]
        pub arguments: Vec<String>,
        /// The session that it belongs to: an id, `self` or `none`; `self` unless given when a session calls.
        pub parent: Option<String>,
        /// The caller's environment. Where it is empty, a base of the daemon's own: `PATH`, `HOME`, the locale and the like.
        /// Never stored.
        #[serde(default)]
        pub environment: BTreeMap<String, String>,
        /// Variables on top of it. Never stored.
        #[serde(default)]
        pub env: BTreeMap<String, String>,
        /// The caller's umask; that of whoever started the daemon unless given.
        pub umask: Option<u32>,
        /// The caller's soft limits by the names of `getrlimit` in lower case without `RLIMIT_`; `null` is no limit. Those of
        /// whoever started the daemon where they are not given.
        #[serde(default)]
        pub soft_limits: BTreeMap<String, Option<u64>>,
        /// A first message, accepted together with the session.
        pub message: Option<String>,
        /// Repeating a create with the same key returns the same session.
        pub key: Option<String>,
        /// Time to get ready; a minute unless given.
        pub timeout_ms: Option<u64>,
        /// Answer as soon as its process exists.
        #[serde(default)]
        pub no_wait: bool,
    }

    /// How a turn is to be stopped.
    pub struct InterruptSession {
        /// Cancel what is queued instead of holding it.
        #[serde(default)]
        pub clear_queue: bool,
    }

    /// How a terminal is looked at.
    pub struct TerminalQuery {
        /// Characters in a row of the viewer's terminal; 80 unless given.
        pub columns: Option<u16>,
        /// Its rows; 24 unless given.
        pub rows: Option<u16>,
        /// Only look: neither type nor give the terminal the viewer's size.
        #[serde(default)]
        pub read_only: bool,
    }

    /// How somebody wants to sit down at a session.
    pub struct AttachQuery {
        /// Only look.
        #[serde(default)]
        pub read_only: bool,
    }

    /// Which sessions are to be ended, and how; exactly one of the first three.
    pub struct KillSessions {
        /// These.
        #[serde(default)]
        pub ids: Vec<String>,
        /// All of the user, or all descendants of the calling session.
        #[serde(default)]
        pub all: bool,
        /// Those in which nothing has happened for this long.
        pub older_than_ms: Option<u64>,
        /// Their descendants too, children first.
        #[serde(default)]
        pub tree: bool,
        /// No grace period; working ones too.
        #[serde(default)]
        pub force: bool,
        /// Delete record and log as well.
        #[serde(default)]
        pub purge: bool,
    }
}
