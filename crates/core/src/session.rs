//! A session: a lasting conversation with one agent in one directory.

use std::collections::BTreeMap;

use crate::agent::{AgentName, Mode, SessionEnd, Source, TurnOrigin};
use crate::id::{MessageId, RequestId, SessionId, TokenId, TurnNumber};
use crate::limits;
use crate::message::{Message, MessageState, Sender};
use crate::name::SessionName;
use crate::outcome::UnknownReason;
use crate::process::Incarnation;
use crate::request::Request;
use crate::time::Timestamp;
use crate::turn::{EndedTurn, RunningTurn};

/// What is fixed when a session is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The agent it talks to.
    pub agent: AgentName,
    /// How much that agent may do without asking.
    pub mode: Mode,
    /// The directory it works in, absolute and resolved.
    pub path: String,
    /// The project that holds the directory.
    pub project: Option<String>,
    /// The linked git work tree that the directory is in.
    pub worktree: Option<Worktree>,
    /// One line for people; never put into another agent's prompt.
    pub description: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// How hard the agent is to think, in its own word.
    pub effort: Option<String>,
    /// It is held by its protocol, without a terminal.
    pub headless: bool,
    /// The sandbox that was asked for, in the agent's own word.
    pub sandbox: Option<String>,
    /// Words for the agent's own command line, behind all that Adjutant says there.
    pub arguments: Vec<String>,
    /// The conversation that it takes up.
    pub resume: Option<Resume>,
    /// Requests that are answered without anybody.
    pub policy: Policy,
    /// The agent's program, absolute.
    pub program: String,
    /// The names, not the values, of the variables that the caller named with `--env`.
    pub env_names: Vec<String>,
    /// Who created it; the host says so itself, whatever a caller has put here.
    pub creator: Sender,
    /// The key of the create that made it. It is its creator's alone: the same key of somebody else's is another one.
    pub key: Option<String>,
    /// The SHA-256 of the token by which the session proves who it is, in hexadecimal digits.
    pub token_hash: String,
    /// A start that fails leaves the record, because nobody waited for it.
    pub keep_failed: bool,
    /// Its directory is trusted, as if a person had said so to the agent.
    pub trust: bool,
    /// The token of the gateway with which it, or the first of its ancestors, was created.
    pub owner: Option<TokenId>,
}

impl Profile {
    /// A session of which nothing is asked but that this agent's program runs in this directory, without asking anybody.
    pub fn bare(agent: AgentName, path: &str, program: &str) -> Self {
        Self {
            agent,
            mode: Mode::Native,
            path: path.to_owned(),
            project: None,
            worktree: None,
            description: None,
            model: None,
            effort: None,
            headless: false,
            sandbox: None,
            arguments: Vec::new(),
            resume: None,
            policy: Policy::default(),
            program: program.to_owned(),
            env_names: Vec::new(),
            creator: Sender::Human,
            key: None,
            token_hash: String::new(),
            keep_failed: false,
            trust: false,
            owner: None,
        }
    }

    /// Whether what lies in its directory is nobody's word: it asks before it acts, and it belongs to a token of the
    /// gateway, whose holder may write there what would make of that something else.
    pub fn distrusts_directory(&self) -> bool {
        match self.mode {
            Mode::Guarded => self.owner.is_some(),
            Mode::Native | Mode::Docker => false,
        }
    }
}

/// Which conversation of the agent's a session takes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The one with this id of the agent's own.
    Conversation(String),
    /// The newest of its directory.
    Latest,
}

/// Rules by which requests are answered; what none of them names is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Tools, or patterns of tools, that are permitted.
    pub allow: Vec<String>,
    /// Tools, or patterns of tools, that are refused; they win.
    pub deny: Vec<String>,
}

/// A linked work tree of a git repository, with a session in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// Its top directory.
    pub top: String,
    /// The top directory of the repository's main checkout.
    pub checkout: String,
    /// What Adjutant knows of a tree that it made for the session; `None` for one of the user's.
    pub made: Option<MadeWorktree>,
}

/// A work tree that Adjutant made for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeWorktree {
    /// Its id, which is the last part of its path.
    pub id: String,
    /// The branch that was made with it.
    pub branch: String,
    /// The commit from which that branch began, in hexadecimal digits.
    pub base: String,
    /// The branch that the commit was on.
    pub base_branch: Option<String>,
}

/// The processes that hold a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// The runner.
    pub runner: Incarnation,
    /// The agent.
    pub agent: Incarnation,
    /// How the runner is held: `process`, or the name of its unit.
    pub supervisor: String,
}

/// Where a session is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its record is durable; its process may or may not exist yet.
    Starting,
    /// Its agent accepts messages.
    Live,
    /// It lives, as far as anybody knows, and cannot be observed now.
    Unseen {
        /// Since when.
        since: Timestamp,
        /// Why not.
        why: UnknownReason,
        /// It had been ready before.
        was_ready: bool,
    },
    /// Its process has ended.
    Exited {
        /// How.
        end: SessionEnd,
        /// When that was seen.
        at: Timestamp,
    },
}

/// Whether a queue is on hold, and what ends that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is not.
    Off,
    /// A turn was interrupted; the next message that is sent lets it run on.
    AfterInterrupt,
    /// Somebody held it; only a release lets it run on.
    ByHand,
}

/// The work a session is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// None.
    Idle,
    /// One turn.
    Turn(RunningTurn),
}

/// The word that `adj status` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not ready yet.
    Starting,
    /// Ready, and at no work.
    Idle,
    /// A turn is running.
    Working,
    /// A turn is running and somebody has to answer.
    WaitingForInput,
    /// It cannot be observed now.
    Unknown,
    /// Its process has ended.
    Exited,
}

/// On what the present status rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Who said it.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// What.
    pub said: String,
}

/// A request to end a session that has not been fulfilled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// Since when.
    pub at: Timestamp,
    /// Without grace.
    pub force: bool,
    /// Who asked: `None` is the user.
    pub by: Option<SessionId>,
}

/// What an agent pursues by itself over several turns. What it has cost so far is known to the agent alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// What is to be reached, as one line; of a long one the beginning.
    pub objective: String,
    /// How it stands, in the agent's word: `active` while it is pursued.
    pub status: String,
    /// Tokens that it may cost.
    pub token_budget: Option<u64>,
}

impl Goal {
    /// Whether the agent pursues it: it begins turns by itself.
    pub fn is_pursued(&self) -> bool {
        self.status == "active"
    }
}

/// Everything the host holds of one session in memory. Ended messages and turns live in the store alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Adjutant's id of it.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    /// What was fixed at its creation.
    pub profile: Profile,
    /// The session that created it.
    pub parent: Option<SessionId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last did or was told anything.
    pub last_used_at: Timestamp,
    /// Where it is in its life.
    pub phase: Phase,
    /// What it works at.
    pub work: Work,
    /// Somebody has asked for its end.
    pub stopping: Option<Stopping>,
    /// Whether its queue is on hold.
    pub hold: Hold,
    /// Its processes, once they are known.
    pub processes: Option<Processes>,
    /// The agent's own id of the conversation, once it is known.
    pub conversation: Option<String>,
    /// What the agent pursues by itself, as far as it tells.
    pub goal: Option<Goal>,
    /// The sessions that it was introduced to, in that order; it may send to them.
    pub contacts: Vec<SessionId>,
    /// On what the status rests.
    pub basis: Basis,
    /// The number of the last turn that began, 0 before the first.
    pub turns_begun: u32,
    /// The last turn that ended.
    pub last_turn: Option<EndedTurn>,
    /// Its messages that have not ended.
    pub messages: BTreeMap<MessageId, Message>,
    /// The messages that may run, in the order in which they will.
    pub ready: Vec<MessageId>,
    /// The message in delivery whose turn somebody wants stopped as soon as it begins.
    pub stop_next: Option<MessageId>,
    /// The session that asked last for the end of the turn that runs, ran last, or is about to begin.
    pub interrupted_by: Option<SessionId>,
    /// The newest message that ended while nobody knew whether it was taken; evidence may still come.
    pub unclear: Option<MessageId>,
    /// How far its driver's journal has been taken into the log. Each life of a session has a journal of its own.
    pub cursor: u64,
    /// How often it was revived.
    pub revivals: u32,
    /// The number of the last turn of its earlier lives, 0 for none.
    pub turns_before: u32,
}

impl Session {
    /// Takes up a session that it may send to.
    pub(crate) fn meet(&mut self, other: SessionId) {
        if !self.contacts.contains(&other) {
            self.contacts.push(other);
        }
        if self.contacts.len() > limits::CONTACTS_MAX {
            self.contacts.remove(0);
        }
    }

    /// The word for its state.
    pub fn status(&self) -> Status {
        match (&self.phase, &self.work) {
            (Phase::Starting, _) => Status::Starting,
            (Phase::Unseen { .. }, _) => Status::Unknown,
            (Phase::Exited { .. }, _) => Status::Exited,
            // A message on its way is work that the session has, though its agent has not said so yet.
            (Phase::Live, Work::Idle) if self.delivering().is_some() => Status::Working,
            (Phase::Live, Work::Idle) => Status::Idle,
            (Phase::Live, Work::Turn(turn)) if turn.requests.is_empty() => Status::Working,
            (Phase::Live, Work::Turn(_)) => Status::WaitingForInput,
        }
    }

    /// Whether its agent has ever accepted messages, as far as anybody knows.
    pub fn was_ready(&self) -> bool {
        match self.phase {
            Phase::Live | Phase::Exited { .. } => true,
            Phase::Starting => false,
            Phase::Unseen { was_ready, .. } => was_ready,
        }
    }

    /// Whether a turn has begun in its present life.
    pub fn has_worked(&self) -> bool {
        self.turns_begun > self.turns_before
    }

    /// Whether this conversation of its agent's is its own, or the one that it is to take up.
    pub fn holds(&self, conversation: &str) -> bool {
        match (&self.conversation, &self.profile.resume) {
            (Some(own), _) => own == conversation,
            (None, Some(Resume::Conversation(wanted))) => wanted == conversation,
            (None, Some(Resume::Latest) | None) => false,
        }
    }

    /// Whether its process has ended.
    pub fn has_exited(&self) -> bool {
        matches!(self.phase, Phase::Exited { .. })
    }

    /// The running turn.
    pub fn turn(&self) -> Option<&RunningTurn> {
        match &self.work {
            Work::Idle => None,
            Work::Turn(turn) => Some(turn),
        }
    }

    /// The running turn, to be changed by a fold.
    pub(crate) fn turn_mut(&mut self) -> Option<&mut RunningTurn> {
        match &mut self.work {
            Work::Idle => None,
            Work::Turn(turn) => Some(turn),
        }
    }

    /// Since when a person has its conversation: one that is held without a terminal is lent to whoever sits down at it, and
    /// that is a turn of the person's.
    pub fn lent_since(&self) -> Option<Timestamp> {
        let turn = self.turn().filter(|turn| self.profile.headless && turn.origin == TurnOrigin::Person);
        turn.map(|turn| turn.started_at)
    }

    /// The number the next turn will have.
    pub fn next_turn(&self) -> TurnNumber {
        TurnNumber::new(self.turns_begun + 1)
    }

    /// Its open requests, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.turn().into_iter().flat_map(|turn| turn.requests.values())
    }

    /// One open request.
    pub fn request(&self, id: RequestId) -> Option<&Request> {
        self.turn().and_then(|turn| turn.requests.get(&id))
    }

    /// The message that was handed over and of which nothing was heard yet.
    pub fn delivering(&self) -> Option<&Message> {
        self.messages.values().find(|m| matches!(m.state, MessageState::Delivering { .. }))
    }

    /// Whether a turn runs, or is about to.
    pub fn is_at_work(&self) -> bool {
        self.turn().is_some() || self.delivering().is_some() || !self.ready.is_empty()
    }

    /// How many messages wait, ready or delayed.
    pub fn queued(&self) -> usize {
        self.messages.values().filter(|m| m.state.is_queued()).count()
    }

    /// Bytes of the messages that wait.
    pub fn queued_bytes(&self) -> u64 {
        self.messages.values().filter(|m| m.state.is_queued()).map(|m| m.bytes).sum()
    }

    /// Whether messages may go to it now, whatever it is at.
    fn takes_messages(&self) -> bool {
        self.phase == Phase::Live && self.stopping.is_none() && self.hold == Hold::Off
    }

    /// The message that may be handed over now, if the session can take one.
    pub fn deliverable(&self) -> Option<MessageId> {
        let first = *self.ready.first()?;
        (self.takes_messages() && self.work == Work::Idle && self.delivering().is_none()).then_some(first)
    }

    /// The message that is meant for the running turn and may be put into it now. One that came back opens a turn.
    pub fn steerable(&self) -> Option<MessageId> {
        let turn = self.turn()?;
        let free = self.takes_messages();
        // Nothing is put into an open question, nor into a turn that is to end.
        if !free || !turn.requests.is_empty() || turn.interrupt_asked_at.is_some() || self.delivering().is_some() {
            return None;
        }
        let message = |id: &&MessageId| self.messages.get(id);
        let mut meant = self.ready.iter().filter(|id| message(id).is_some_and(Message::is_for_running_turn));
        meant.next().copied()
    }
}
