//! Calls: what a caller may want changed, and what it is told.

use std::sync::Arc;

use crate::event::Place;
use crate::id::{MessageId, RequestId, SessionId, TokenId, TurnNumber};
use crate::message::{MessageKind, Settlement};
use crate::name::SessionName;
use crate::request::RequestAnswer;
use crate::session::Profile;
use crate::time::{Due, Timestamp};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The user.
    Human,
    /// A session, proven by its token.
    Session(SessionId),
    /// Somebody outside, proven by a token of the gateway.
    Token(TokenId),
}

impl Caller {
    /// The calling session, if it is one.
    pub const fn session(self) -> Option<SessionId> {
        match self {
            Self::Human | Self::Token(_) => None,
            Self::Session(id) => Some(id),
        }
    }
}

/// A session to be created. The parts that are secret or large stay outside the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The id it will have.
    pub id: SessionId,
    /// Where the search for a name begins.
    pub name_seed: u64,
    /// The name it must have.
    pub name: Option<SessionName>,
    /// What is fixed for its life.
    pub profile: Profile,
    /// The session that creates it.
    pub parent: Option<SessionId>,
    /// Its first message.
    pub message: Option<NewMessage>,
    /// Sessions of the token that it belongs to that may live at once; no bound of its own where it belongs to none.
    pub owned_live_max: Option<usize>,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The text.
    pub text: Arc<str>,
    /// What it is.
    pub kind: MessageKind,
    /// The key that makes a repetition harmless.
    pub key: Option<String>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// When its time comes.
    pub due: Option<Due>,
    /// What else it waits for.
    pub after: Option<NewAfter>,
    /// When it expires.
    pub expires: Option<Due>,
    /// Stop the running turn and run this before all others.
    pub interrupt: bool,
}

/// What the start of an exited session needs to be known by. The parts that are secret stay outside the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revival {
    /// The agent's program, absolute.
    pub program: String,
    /// The SHA-256 of its new token, in hexadecimal digits.
    pub token_hash: String,
    /// What is missing of what it had before, in one line.
    pub notice: Option<String>,
    /// Sessions of its token that may live at once.
    pub owned_live_max: Option<usize>,
}

/// What a message is to wait for beside time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAfter {
    /// The first of them is enough.
    pub any: bool,
    /// They.
    pub of: Vec<NewDependency>,
}

/// One of those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewDependency {
    /// All that a session has accepted and will do without being told more.
    Session(SessionId),
    /// One message that has not ended.
    Message {
        /// Its session.
        session: SessionId,
        /// It.
        message: MessageId,
    },
    /// One message that has ended and is in the store alone.
    Ended {
        /// Its session.
        session: SessionId,
        /// It.
        message: MessageId,
        /// How it ended.
        how: Settlement,
        /// When.
        at: Timestamp,
    },
}

/// Something that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Create a session.
    Create(Box<NewSession>),
    /// Put a message into a queue.
    Send {
        /// Which session.
        session: SessionId,
        /// The message.
        message: NewMessage,
        /// When it settles, the calling session is woken with what came of it.
        wake_me: bool,
    },
    /// Start an exited session again on its conversation, and put a message into its queue. One that lives is sent the
    /// message, or its queue is let run on.
    Revive {
        /// Which session.
        session: SessionId,
        /// How it is started.
        revival: Revival,
        /// The message.
        message: Option<NewMessage>,
    },
    /// Stop the running turn and hold the queue.
    Interrupt {
        /// Which session.
        session: SessionId,
        /// Cancel what is queued instead of holding it.
        clear_queue: bool,
    },
    /// End a session.
    Kill {
        /// Which session.
        session: SessionId,
        /// Without grace.
        force: bool,
        /// The user's configuration lets a session end others than its descendants.
        any_allowed: bool,
    },
    /// Forget an exited session.
    Purge {
        /// Which session.
        session: SessionId,
    },
    /// Put a queue on hold.
    Hold {
        /// Which session.
        session: SessionId,
    },
    /// Let a queue run on.
    Release {
        /// Which session.
        session: SessionId,
    },
    /// Take a queued message back.
    Remove {
        /// Which session.
        session: SessionId,
        /// Which message.
        message: MessageId,
    },
    /// Change a queued message.
    Edit {
        /// Which session.
        session: SessionId,
        /// Which message.
        message: MessageId,
        /// Its new text.
        text: Option<Arc<str>>,
        /// Its new time: `Some(None)` is at once.
        due: Option<Option<Due>>,
        /// Its new place.
        place: Option<Place>,
    },
    /// Let two sessions send to each other.
    Introduce {
        /// One of them.
        one: SessionId,
        /// The other.
        other: SessionId,
    },
    /// The calling session has been told otherwise what has become of messages that it sent: notices of that which still
    /// wait in its queue are taken back.
    Heard {
        /// Which messages.
        messages: Vec<MessageId>,
    },
    /// Answer a request.
    Respond {
        /// Which request.
        request: RequestId,
        /// The answer.
        answer: RequestAnswer,
    },
}

/// What a caller is told when its call was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A session is recorded and is being started.
    Created {
        /// Its id.
        session: SessionId,
        /// The same key had created it before.
        replayed: bool,
        /// Its first message.
        message: Option<MessageId>,
    },
    /// An exited session is being started again.
    Revived {
        /// The message that is durable with it.
        message: Option<MessageId>,
    },
    /// A message is durable.
    Queued {
        /// Its id.
        message: MessageId,
        /// It was handed on at once.
        handed: bool,
        /// How many ready messages run before it.
        ahead: usize,
        /// The same key had queued it before.
        replayed: bool,
    },
    /// A turn was asked to stop.
    Interrupting {
        /// Which: the one that runs, or the one that the message in delivery is about to open; `None` without either.
        turn: Option<TurnNumber>,
        /// There is none, and the goal that the agent pursues is to rest.
        goal: bool,
    },
    /// A session is being ended.
    Killing {
        /// It had ended before.
        already: bool,
    },
    /// It was done.
    Done,
}

/// Why a call was not taken; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such session.
    #[error("no session {0}")]
    SessionNotFound(String),
    /// The session's process has ended.
    #[error("{0} has exited")]
    SessionExited(SessionName),
    /// The session's process has ended, and its conversation cannot be taken up again.
    #[error("{session} has exited and cannot be revived: {why}")]
    NotResumable {
        /// The session.
        session: SessionName,
        /// Why not.
        why: String,
    },
    /// Another session that lives has the conversation.
    #[error("the conversation {conversation} is open in {by}, which lives; one conversation has one writer")]
    ConversationInUse {
        /// The agent's own id of the conversation.
        conversation: String,
        /// The session that has it.
        by: SessionName,
    },
    /// The session is being ended.
    #[error("{0} is being ended")]
    SessionStopping(SessionName),
    /// The name is taken.
    #[error("the id {0} is in use")]
    NameInUse(SessionName),
    /// No such message, or it has ended and left the queue.
    #[error("no message {0} waits in that queue")]
    MessageNotFound(MessageId),
    /// The message can no longer be changed.
    #[error("{0} has been started and can no longer be changed")]
    MessageStarted(MessageId),
    /// Only a session can be woken.
    #[error("only a session can ask to be woken, and this call comes from none")]
    NotASession,
    /// More is to be waited for than is allowed.
    #[error("a message may wait for at most {0} others")]
    AfterTooMany(usize),
    /// The queue is full.
    #[error("{session} already holds {messages} queued messages ({bytes} bytes), which is the limit")]
    QueueFull {
        /// The session.
        session: SessionName,
        /// Messages it holds.
        messages: usize,
        /// Bytes it holds.
        bytes: u64,
    },
    /// Too many sessions live.
    #[error("{0} sessions live, which is the limit")]
    TooManySessions(usize),
    /// Too many sessions of one token live.
    #[error("{most} sessions of the token {token} live, which is its limit")]
    TooManyOwned {
        /// The token.
        token: TokenId,
        /// Its limit.
        most: usize,
    },
    /// The descendants would be too deep.
    #[error("a session may have at most {0} generations above it")]
    TooDeep(usize),
    /// The agent cannot do that.
    #[error("{agent} cannot {what}")]
    NotSupported {
        /// The agent.
        agent: String,
        /// What it cannot do.
        what: &'static str,
    },
    /// The message cannot stand there.
    #[error("{0}")]
    Misplaced(&'static str),
    /// The caller may not do that.
    #[error("{0}")]
    Forbidden(String),
    /// No such request.
    #[error("no request {0}")]
    RequestNotFound(RequestId),
    /// The request was answered before, or is no longer open.
    #[error("{0} is no longer open")]
    RequestNotPending(RequestId),
    /// The session has not ended, and so cannot be forgotten.
    #[error("{0} has not ended")]
    SessionLives(SessionName),
    /// The change could not be made durable, so nothing was done.
    #[error("the change could not be stored: {0}")]
    NotStored(String),
    /// The daemon is going away.
    #[error("the daemon is stopping")]
    Stopping,
}
