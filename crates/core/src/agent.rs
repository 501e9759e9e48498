//! What the domain knows of agents: a name, what each can do, and what its driver reports.

use std::fmt;

use crate::id::{Attempt, MessageId};
use crate::outcome::{ExitStatus, FailReason, Outcome, UnknownReason};
use crate::process::Incarnation;
use crate::session::Goal;
use crate::time::Timestamp;

/// The name under which an agent is registered, such as `shell`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(String);

impl AgentName {
    /// Takes a name; whether an agent of that name exists is for the registry to say.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much an agent may do without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Everything is permitted.
    Native,
    /// The agent asks, and somebody answers.
    Guarded,
    /// It runs in a container, through the configured wrapper.
    Docker,
}

/// What an agent can do; behaviour follows from these values and never from a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The modes it can honour; the first is its default.
    pub modes: Vec<Mode>,
    /// It has a terminal that a person can sit down at.
    pub terminal: bool,
    /// A running turn can be stopped while the session stays.
    pub interrupt: bool,
    /// Text can be put into a running turn.
    pub steer: bool,
    /// It can put requests that block it.
    pub requests: bool,
    /// It pursues goals over several turns by itself.
    pub goals: bool,
    /// An ended session can be started again with its conversation.
    pub resume: bool,
    /// It counts tokens.
    pub usage: bool,
    /// A model can be chosen.
    pub model: bool,
    /// How hard it thinks can be chosen.
    pub effort: bool,
    /// It can be held without a terminal, by its protocol alone.
    pub headless: bool,
    /// It runs what it does in a sandbox that can be chosen.
    pub sandbox: bool,
    /// Words for its own command line can be given.
    pub arguments: bool,
    /// Requests of it can be answered by rules, without anybody.
    pub policy: bool,
    /// It has commands of its own, which can be sent on purpose.
    pub commands: bool,
    /// On what its driver's statements about its turns rest.
    pub source: Source,
    /// Its turns end with the exit code of a command.
    pub exit_code: bool,
    /// The same message may be handed over again, because the agent's side refuses a second taking of one id. Its driver
    /// names every message that may have been taken before it reports the end of the session.
    pub deduplicates: bool,
    /// How what Adjutant itself adds to a message reaches it, so that it is read and never obeyed.
    pub frame: FrameStyle,
}

/// How an agent is given words that nobody has sent to it as a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameStyle {
    /// As text behind the message's own.
    Plain,
    /// As values of shell variables that are set before the message's own text runs. A comment would not do: a shell can
    /// be told to run what stands in one, and a quote that the text leaves open would end in it.
    Variables,
}

impl FrameStyle {
    /// A notice in this form, as a message of its own.
    pub(crate) fn notice(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Variables => format!("ADJ_NOTICE={}", shell_quoted(text)),
        }
    }
}

/// A text as one literal word of a shell, whatever is in it.
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What shows that the agent took exactly this message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Who said so, such as `control pipe` or `hook`.
    pub source: String,
    /// What was said.
    pub detail: String,
    /// When it was said.
    pub at: Timestamp,
}

/// Where a statement about a session comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The daemon's own records.
    Daemon,
    /// The runner's journal, written from the agent's control pipe.
    ControlPipe,
    /// The runner's journal, about the process it holds.
    Runner,
    /// The kernel, about a process.
    Process,
    /// The agent's own protocol.
    Protocol,
    /// A hook that the agent called.
    Hook,
    /// The agent's status file.
    StatusFile,
}

/// The final text of a turn, without the text itself, which the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AnswerSize {
    /// Bytes kept.
    pub bytes: u64,
    /// Bytes of the whole text that were left out of its middle; 0 when it is whole.
    pub cut_bytes: u64,
}

/// What a turn cost, as the agent counted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens that the model read and that were in no cache.
    pub input_tokens: u64,
    /// Tokens that the model wrote.
    pub output_tokens: u64,
    /// Tokens that were read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens that were put into a cache.
    pub cache_write_tokens: u64,
}

/// The end of a turn as the agent's own protocol told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// The exit of the command, where the agent runs commands.
    pub exit: Option<ExitStatus>,
    /// The agent's own words about a failure, or a remark about the end; one line.
    pub detail: Option<String>,
    /// The size of the final text.
    pub answer: AnswerSize,
    /// What it cost, where the agent counts that.
    pub usage: Option<Usage>,
}

impl TurnEnd {
    /// The end of a turn that left no text and no exit code.
    pub fn bare(outcome: Outcome) -> Self {
        Self { outcome, exit: None, detail: None, answer: AnswerSize::default(), usage: None }
    }

    /// The end of a shell command: code 0 is done, anything else has failed.
    pub fn command(exit: ExitStatus, answer: AnswerSize) -> Self {
        let outcome = match exit {
            ExitStatus::Code(0) => Outcome::Completed,
            ExitStatus::Code(_) | ExitStatus::Signal(_) => Outcome::Failed { reason: FailReason::CommandFailed },
        };
        Self { outcome, exit: Some(exit), detail: None, answer, usage: None }
    }
}

/// How a session's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its agent ended, and its parent saw how.
    Ended {
        /// The exit of the agent's process.
        exit: ExitStatus,
    },
    /// Somebody ended it with `kill`.
    Killed,
    /// Its processes are proven gone, and nobody saw how they ended.
    Lost {
        /// What was looked at, and what it showed.
        detail: String,
    },
    /// It never came to life.
    StartFailed {
        /// Why not.
        why: StartFailure,
    },
}

/// Why a session did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartFailure {
    /// The agent's program is not on the caller's PATH.
    #[error("{detail}")]
    AgentNotFound {
        /// Which program, and how to install it.
        detail: String,
    },
    /// It was started and did not get ready.
    #[error("{detail}")]
    AgentStartFailed {
        /// The last lines it said.
        detail: String,
    },
    /// It is not logged in.
    #[error("{detail}")]
    AuthRequired {
        /// What it said.
        detail: String,
    },
    /// It does not trust the directory.
    #[error("{detail}")]
    TrustRequired {
        /// What it said.
        detail: String,
    },
    /// It was not ready within its time.
    #[error("{detail}")]
    NotReady {
        /// What was waited for, and how long.
        detail: String,
    },
    /// The daemon ended between planning it and starting it, and nothing was started.
    #[error("the daemon ended before the agent was started, and nothing was started")]
    Withdrawn,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// May it do this?
    Permission,
    /// Which of these?
    Choice,
    /// What should it be?
    Input,
}

/// A request as the agent put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// The agent's own id of it; the same id again is the same request.
    pub native: String,
    /// What kind of answer it wants.
    pub kind: RequestKind,
    /// The tool it is about, if any.
    pub tool: Option<String>,
    /// One line for a person.
    pub summary: String,
    /// The labels of its options, in order.
    pub options: Vec<String>,
    /// More than one option may be chosen.
    pub multiple: bool,
    /// The questions of a request that asks for choices, in order; none for another.
    pub questions: Vec<Question>,
    /// The agent's own details, as JSON text.
    pub details: String,
}

/// One question of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// A word or two by which it is named in an answer.
    pub label: String,
    /// The question itself.
    pub text: String,
    /// What can be chosen, in order.
    pub options: Vec<QuestionOption>,
    /// More than one option may be chosen.
    pub multiple: bool,
    /// A text of one's own is an answer too.
    pub free_text: bool,
}

/// One option of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionOption {
    /// What it says.
    pub label: String,
    /// What choosing it means.
    pub description: Option<String>,
}

/// How a request was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestEnd {
    /// An answer given through Adjutant reached the agent.
    Answered,
    /// A person at the agent's own terminal answered.
    AnsweredThere,
    /// It was withdrawn: its turn ended, or the agent no longer waits.
    Withdrawn,
}

/// What opened a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnOrigin {
    /// A message of ours.
    Message(MessageId),
    /// A person at the terminal.
    Person,
    /// The agent by itself, or nobody saw what.
    Agent,
}

/// What the level of an agent is when its driver has caught up with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// A turn is running.
    pub working: bool,
}

/// What a driver reports of one session. All it says is an observation; what follows from it is the core's to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentReport {
    /// The processes exist.
    Started {
        /// The process that owns the agent's process.
        runner: Incarnation,
        /// The agent's process.
        agent: Incarnation,
        /// How the runner is held: `process`, or the name of its unit.
        supervisor: String,
    },
    /// The agent accepts messages.
    Ready,
    /// The agent did not come to life; nothing of it is left.
    StartFailed {
        /// Why not.
        why: StartFailure,
    },
    /// The agent has taken a message.
    Taken {
        /// Which.
        message: MessageId,
        /// What shows it.
        evidence: Evidence,
    },
    /// Proof that a message which was handed over has not been taken and never will be by that handing-over.
    NotTaken {
        /// Which.
        message: MessageId,
        /// Which handing-over.
        attempt: Attempt,
        /// What shows it.
        detail: String,
    },
    /// The agent will never take this text, however often it is handed over; nothing of it was passed on.
    Refused {
        /// Which message.
        message: MessageId,
        /// Which handing-over.
        attempt: Attempt,
        /// Why not, and what would be taken.
        detail: String,
    },
    /// The driver looked for evidence of a message that was handed over and found none either way.
    Unclear {
        /// Which.
        message: MessageId,
        /// Which handing-over.
        attempt: Attempt,
        /// What was looked at.
        why: UnknownReason,
    },
    /// A turn has begun.
    TurnStarted {
        /// What opened it.
        origin: TurnOrigin,
    },
    /// The running turn has ended. The text of its answer travels beside this report.
    TurnEnded {
        /// How.
        end: TurnEnd,
    },
    /// The agent has put a request.
    RequestOpened {
        /// What it asks.
        request: NewRequest,
    },
    /// A request is no longer open.
    RequestClosed {
        /// The agent's own id of it.
        native: String,
        /// How.
        end: RequestEnd,
    },
    /// The agent has its conversation under this id from now on.
    Conversation {
        /// The agent's own id of it.
        native: String,
    },
    /// The goal that the agent pursues, as it stands; the same again is no news.
    Goal {
        /// The goal; `None` when there is none.
        goal: Option<Goal>,
    },
    /// A request was answered by a rule of the session, and nobody was asked.
    PolicyApplied {
        /// The tool it was about.
        tool: String,
        /// The decision in a word, such as `allow`.
        decision: String,
        /// One line for a person.
        summary: String,
    },
    /// What the turn that ended last has cost, where that was not known at its end.
    TurnCounted {
        /// What it has cost.
        usage: Usage,
    },
    /// Something worth telling that changes no state, such as a retry of the agent's own.
    Notice {
        /// One line.
        text: String,
    },
    /// The interrupt that was asked for has been passed on to the agent.
    InterruptPassed {
        /// How, such as `SIGINT to process group 4242`.
        detail: String,
    },
    /// The driver can no longer see the session.
    Unseen {
        /// Why not.
        why: UnknownReason,
    },
    /// The driver sees the session again and has reported all that happened meanwhile.
    Seen {
        /// What is the case now.
        level: Level,
    },
    /// The agent's process has ended, and all that it left has been reported before this: what it took as `Taken`, and
    /// what it may have taken as `Unclear`.
    Exited {
        /// How.
        end: SessionEnd,
    },
}
