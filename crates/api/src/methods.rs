//! The one table of methods. Routes, client, OpenAPI document and reference are made from it.

use crate::error_code::ErrorCode;
use crate::schema::TypeRef;
use crate::stream::{EventRecord, WaitRecord};
use crate::types::daemon::{Check, CheckDaemon, DaemonStatus, Health, StopDaemon, Stopping};
use crate::types::event::{Event, EventsQuery};
use crate::types::gateway::{CreateToken, CreatedToken, IntroduceSession, Token};
use crate::types::goal::{GoalQuery, GoalState, SetGoal};
use crate::types::hook::{HookAnswer, HookCall};
use crate::types::log::{LogEntry, LogQuery};
use crate::types::message::{EditMessage, Message, MessagesQuery, SendMessage, Sent, WakeSession};
use crate::types::project::{AddProject, Project};
use crate::types::request::{AnswerRequest, Request, RequestsQuery, Responded};
use crate::types::session::{
    Attach, AttachQuery, Caller, CreateSession, InterruptSession, KillSessions, Killed, Session, SessionsQuery,
    TerminalQuery,
};
use crate::types::turn::{Answer, AnswersQuery, TurnResult, TurnsQuery, WaitQuery};
use crate::types::workspace::{
    CleanWorkspaces, CleanedWorkspace, LandWorkspace, LandedWorkspace, Workspace, WorkspaceDiff, WorkspaceDiffQuery,
};

/// The verb of an HTTP call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVerb {
    /// Reads.
    Get,
    /// Does something.
    Post,
    /// Changes something.
    Patch,
    /// Removes something.
    Delete,
}

impl HttpVerb {
    /// As HTTP writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What a caller needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// To see.
    Read,
    /// To change.
    Change,
}

/// Who may call a method at all; over which sessions is decided for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Callers {
    /// The user alone.
    User,
    /// The user, and sessions.
    Inside,
    /// The user, sessions, and whoever has a token of the gateway.
    All,
}

/// What calls of a method wait for each other on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialisedOn {
    /// Nothing: they only read.
    Nothing,
    /// The session that they name.
    Session,
    /// The host.
    Host,
}

/// How a method answers.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// With one JSON document.
    Document(TypeRef),
    /// With a stream of records.
    Stream(TypeRef),
    /// With one document or, with `follow`, with a stream of records.
    Either {
        /// The document.
        document: TypeRef,
        /// The records.
        stream: TypeRef,
    },
    /// With JSON of no type of ours.
    Json,
    /// With a switch to another protocol.
    Upgrade,
}

/// One method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name: what the command line and the MCP server call it by.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Its HTTP verb.
    pub verb: HttpVerb,
    /// Its path, with names of parameters in braces.
    pub path: &'static str,
    /// What its query may say.
    pub query: Option<TypeRef>,
    /// What its body says.
    pub body: Option<TypeRef>,
    /// How it answers.
    pub reply: Reply,
    /// What it can fail with, beside [`COMMON_ERRORS`].
    pub errors: &'static [ErrorCode],
    /// What a caller needs to be allowed.
    pub scope: Scope,
    /// Who may call it.
    pub callers: Callers,
    /// What its calls wait for each other on.
    pub serialised_on: SerialisedOn,
    /// Repeating it changes nothing more.
    pub repeatable: bool,
    /// It keeps its form in every protocol, so that a daemon of another one can be seen and ended.
    pub any_protocol: bool,
}

impl Method {
    /// A reading method without query and body.
    const fn read(name: &'static str, path: &'static str, reply: Reply, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            verb: HttpVerb::Get,
            path,
            query: None,
            body: None,
            reply,
            errors: &[],
            scope: Scope::Read,
            callers: Callers::All,
            serialised_on: SerialisedOn::Nothing,
            repeatable: true,
            any_protocol: false,
        }
    }

    /// A changing method, serialised on its session.
    const fn change(name: &'static str, path: &'static str, reply: Reply, summary: &'static str) -> Self {
        Self {
            verb: HttpVerb::Post,
            scope: Scope::Change,
            serialised_on: SerialisedOn::Session,
            repeatable: false,
            ..Self::read(name, path, reply, summary)
        }
    }

    const fn with_verb(self, verb: HttpVerb) -> Self {
        Self { verb, ..self }
    }

    const fn query<T: crate::schema::Schema>(self) -> Self {
        Self { query: Some(TypeRef::of::<T>()), ..self }
    }

    const fn body<T: crate::schema::Schema>(self) -> Self {
        Self { body: Some(TypeRef::of::<T>()), ..self }
    }

    const fn fails(self, errors: &'static [ErrorCode]) -> Self {
        Self { errors, ..self }
    }

    const fn on(self, serialised_on: SerialisedOn) -> Self {
        Self { serialised_on, ..self }
    }

    const fn by(self, callers: Callers) -> Self {
        Self { callers, ..self }
    }

    const fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    const fn any_protocol(self) -> Self {
        Self { any_protocol: true, ..self }
    }

    /// The names of the parameters in its path, in order.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Its path with values for the parameters, which are escaped.
    pub fn path_with(&self, values: &[&str]) -> String {
        let mut values = values.iter();
        let mut path = String::new();
        for part in self.path.split('/').skip(1) {
            path.push('/');
            match part.starts_with('{') {
                true => path.push_str(&crate::query::percent_encode(values.next().copied().unwrap_or_default())),
                false => path.push_str(part),
            }
        }
        path
    }
}

const fn document<T: crate::schema::Schema>() -> Reply {
    Reply::Document(TypeRef::of::<T>())
}

/// What every method can fail with.
pub const COMMON_ERRORS: &[ErrorCode] = &[
    ErrorCode::Usage,
    ErrorCode::Unauthorized,
    ErrorCode::Forbidden,
    ErrorCode::VersionMismatch,
    ErrorCode::Internal,
    ErrorCode::StoreUnwritable,
    ErrorCode::DaemonUnreachable,
];

/// What a method that reads one session can fail with.
const READS_ONE: &[ErrorCode] = &[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::AmbiguousId];

/// What a method that changes one session can fail with.
const CHANGES_ONE: &[ErrorCode] = &[ErrorCode::SessionNotFound, ErrorCode::IdInvalid];

/// What a method that changes one session that has not ended can fail with.
const CHANGES_LIVE: &[ErrorCode] = &[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::SessionExited];

/// What a method that puts a message into a queue can fail with.
const QUEUES: &[ErrorCode] = &[
    ErrorCode::SessionNotFound,
    ErrorCode::IdInvalid,
    ErrorCode::SessionExited,
    ErrorCode::QueueFull,
    ErrorCode::MessageEmpty,
    ErrorCode::MessageTooLarge,
    ErrorCode::MessageNotText,
    ErrorCode::MessageNotFound,
    ErrorCode::NotSupported,
    ErrorCode::OutcomeUnknown,
];

/// What a call that may start a session again can answer besides.
const WAKES: &[ErrorCode] = &[
    ErrorCode::SessionNotFound,
    ErrorCode::IdInvalid,
    ErrorCode::SessionExited,
    ErrorCode::QueueFull,
    ErrorCode::MessageEmpty,
    ErrorCode::MessageTooLarge,
    ErrorCode::MessageNotText,
    ErrorCode::MessageNotFound,
    ErrorCode::NotSupported,
    ErrorCode::OutcomeUnknown,
    ErrorCode::AgentNotFound,
    ErrorCode::AgentStartFailed,
    ErrorCode::AuthRequired,
    ErrorCode::TrustRequired,
    ErrorCode::PathNotFound,
    ErrorCode::Timeout,
];

/// What a method that changes one message can fail with.
const CHANGES_MESSAGE: &[ErrorCode] = &[
    ErrorCode::SessionNotFound,
    ErrorCode::IdInvalid,
    ErrorCode::SessionExited,
    ErrorCode::MessageNotFound,
    ErrorCode::MessageStarted,
    ErrorCode::MessageEmpty,
    ErrorCode::MessageTooLarge,
    ErrorCode::MessageNotText,
];

macro_rules! methods {
    ($($(#[doc = $doc:literal])* $constant:ident = $method:expr;)+) => {
        $($(#[doc = $doc])* pub const $constant: Method = $method;)+

        /// All methods.
        pub const METHODS: &[Method] = &[$($constant),+];
    };
}

methods! {
    /// Whether a daemon serves.
    HEALTH = Method::read("health", "/v1/health", document::<Health>(), "Whether a daemon serves.").any_protocol();
    /// This table as an OpenAPI document.
    OPENAPI = Method::read("openapi", "/v1/openapi.json", Reply::Json, "The OpenAPI document of this API.");
    /// What the daemon says of itself.
    DAEMON_STATUS = Method::read("daemon.status", "/v1/daemon", document::<DaemonStatus>(),
        "What the daemon says of itself.").by(Callers::Inside).any_protocol();
    /// Ends the daemon; sessions go on.
    DAEMON_STOP = Method::change("daemon.stop", "/v1/daemon/stop", document::<Stopping>(),
        "End the daemon. Sessions go on, and the next daemon takes them over.")
        .body::<StopDaemon>().fails(&[ErrorCode::SessionsWorking, ErrorCode::Timeout]).on(SerialisedOn::Host).by(Callers::User).any_protocol();
    /// Checks store and log.
    DAEMON_CHECK = Method::change("daemon.check", "/v1/daemon/check", document::<Vec<Check>>(),
        "Check the store, and that the log folded anew gives the same projections.")
        .body::<CheckDaemon>().on(SerialisedOn::Host).by(Callers::Inside).repeatable();
    /// Who calls.
    WHOAMI = Method::read("whoami", "/v1/whoami", document::<Caller>(), "Who calls, as the daemon sees it.");
    /// Sessions.
    SESSIONS = Method::read("list", "/v1/sessions", document::<Vec<Session>>(),
        "Sessions, most recently used first.").query::<SessionsQuery>()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::AmbiguousId, ErrorCode::ProjectNotFound,
            ErrorCode::NotSupported]);
    /// Creates a session.
    CREATE = Method::change("create", "/v1/sessions", document::<Session>(),
        "Create a session; answers when its agent is ready, or earlier with `no_wait`.")
        .body::<CreateSession>().on(SerialisedOn::Host).fails(&[
            ErrorCode::AgentNotFound, ErrorCode::AgentStartFailed, ErrorCode::AuthRequired, ErrorCode::TrustRequired,
            ErrorCode::IdInUse, ErrorCode::IdInvalid, ErrorCode::PathNotFound, ErrorCode::PathNotDirectory,
            ErrorCode::NotSupported, ErrorCode::EnvInvalid, ErrorCode::MessageEmpty, ErrorCode::MessageTooLarge,
            ErrorCode::MessageNotText, ErrorCode::SessionNotFound, ErrorCode::QueueFull, ErrorCode::Timeout,
            ErrorCode::OutcomeUnknown,
        ]);
    /// Ends sessions.
    KILL = Method::change("kill", "/v1/sessions/kill", document::<Vec<Killed>>(),
        "End sessions; a failure does not stop the rest.")
        .body::<KillSessions>().on(SerialisedOn::Host).fails(CHANGES_ONE).repeatable();
    /// One session.
    SESSION = Method::read("status", "/v1/sessions/{id}", document::<Session>(), "One session.").fails(READS_ONE);
    /// One session with the evidence for its state.
    EXPLAIN = Method::read("explain", "/v1/sessions/{id}/explain", document::<Session>(),
        "One session, with where its state comes from in `why`.").fails(READS_ONE);
    /// The whole record of a session.
    INSPECT = Method::read("inspect", "/v1/sessions/{id}/inspect", Reply::Json,
        "The session object and all else that the daemon knows of it.").fails(READS_ONE);
    /// The queue of a session.
    MESSAGES = Method::read("queue.list", "/v1/sessions/{id}/messages", document::<Vec<Message>>(),
        "Queued messages in the order in which they will run.").query::<MessagesQuery>().fails(READS_ONE);
    /// Puts a message into the queue.
    SEND = Method::change("send", "/v1/sessions/{id}/messages", document::<Sent>(),
        "Put a message into the queue; answers when it is on disk.").body::<SendMessage>().fails(QUEUES);
    /// Empties a queue.
    CLEAR = Method::change("queue.clear", "/v1/sessions/{id}/messages", document::<Vec<Message>>(),
        "Cancel all queued messages.").with_verb(HttpVerb::Delete).fails(CHANGES_ONE).repeatable();
    /// Puts a message into the queue and revives an ended session.
    WAKE = Method::change("wake", "/v1/sessions/{id}/wake", document::<Option<Sent>>(),
        "Put a message into the queue, now or later, reviving an ended session.").body::<WakeSession>().fails(WAKES);
    /// One message.
    MESSAGE = Method::read("queue.show", "/v1/sessions/{id}/messages/{m}", document::<Message>(), "One message.")
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::AmbiguousId, ErrorCode::MessageNotFound]);
    /// Changes a queued message.
    EDIT = Method::change("queue.edit", "/v1/sessions/{id}/messages/{m}", document::<Message>(),
        "Change text, time or place of a queued message.")
        .with_verb(HttpVerb::Patch).body::<EditMessage>().fails(CHANGES_MESSAGE).repeatable();
    /// Cancels a queued message.
    REMOVE = Method::change("queue.remove", "/v1/sessions/{id}/messages/{m}", document::<Message>(),
        "Cancel a queued message; its text stays in the log.")
        .with_verb(HttpVerb::Delete).fails(CHANGES_MESSAGE).repeatable();
    /// Sends an ended message again.
    RETRY = Method::change("queue.retry", "/v1/sessions/{id}/messages/{m}/retry", document::<Message>(),
        "Send a failed, expired or unknown message again, on purpose.").fails(CHANGES_MESSAGE);
    /// Stops delivery.
    HOLD = Method::change("queue.hold", "/v1/sessions/{id}/hold", document::<Session>(),
        "Stop delivery without touching the running turn.").fails(CHANGES_LIVE).repeatable();
    /// Resumes delivery.
    RELEASE = Method::change("queue.release", "/v1/sessions/{id}/release", document::<Session>(),
        "Resume delivery.").fails(CHANGES_LIVE).repeatable();
    /// Stops the running turn.
    INTERRUPT = Method::change("interrupt", "/v1/sessions/{id}/interrupt", document::<Option<TurnResult>>(),
        "Stop the running turn and keep the session; `null` where no turn runs.").body::<InterruptSession>()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::SessionExited, ErrorCode::NotSupported,
            ErrorCode::OutcomeUnknown]).repeatable();
    /// The goal of a session.
    GOAL = Method::read("goal.show", "/v1/sessions/{id}/goal", document::<GoalState>(),
        "The goal of a session, at once or when it is pursued no more.").query::<GoalQuery>()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::SessionExited, ErrorCode::NotSupported,
            ErrorCode::OutcomeUnknown]);
    /// Sets, holds or forgets the goal of a session.
    SET_GOAL = Method::change("goal.set", "/v1/sessions/{id}/goal", document::<GoalState>(),
        "Set the goal of a session, let it rest, go on with it, or forget it.").body::<SetGoal>()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::SessionExited, ErrorCode::NotSupported,
            ErrorCode::OutcomeUnknown]).repeatable();
    /// The last answers.
    ANSWERS = Method::read("last-message", "/v1/sessions/{id}/answers", document::<Vec<Answer>>(),
        "The last answers, oldest first.").query::<AnswersQuery>().fails(READS_ONE);
    /// Ended turns.
    TURNS = Method::read("turns", "/v1/sessions/{id}/turns", document::<Vec<TurnResult>>(),
        "Ended turns with their final texts, oldest first.").query::<TurnsQuery>().fails(READS_ONE);
    /// The conversation.
    LOG = Method::read("logs", "/v1/sessions/{id}/log", document::<Vec<LogEntry>>(), "The conversation.")
        .query::<LogQuery>().fails(READS_ONE);
    /// The terminal.
    TERMINAL = Method::read("attach", "/v1/sessions/{id}/terminal", Reply::Upgrade,
        "The session's terminal, as frames after a switch to the protocol `adj-terminal`.")
        .query::<TerminalQuery>().by(Callers::Inside)
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::SessionExited, ErrorCode::NotSupported,
            ErrorCode::SessionsWorking, ErrorCode::Timeout]);
    /// How a person sits down at a session.
    ATTACH = Method::read("attach.how", "/v1/sessions/{id}/attach", document::<Attach>(),
        "How a person sits down at a session: at its terminal, or by a program.").query::<AttachQuery>().by(Callers::Inside)
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::SessionExited, ErrorCode::NotSupported]);
    /// Takes in a hook.
    HOOK = Method::change("hook", "/v1/hooks", document::<HookAnswer>(),
        "Pass on a hook that an agent called; answers once it is taken in, or when somebody has decided.")
        .body::<HookCall>().by(Callers::Inside).fails(&[ErrorCode::SessionNotFound, ErrorCode::OutcomeUnknown]);
    /// Open requests.
    REQUESTS = Method::read("requests", "/v1/requests", document::<Vec<Request>>(),
        "Open requests of all sessions, oldest first.").query::<RequestsQuery>().fails(READS_ONE);
    /// Answers a request.
    RESPOND = Method::change("respond", "/v1/requests/{r}/answer", document::<Responded>(),
        "Answer a request; the first answer wins.").body::<AnswerRequest>()
        .fails(&[ErrorCode::RequestNotFound, ErrorCode::RequestNotPending, ErrorCode::IdInvalid,
            ErrorCode::NotSupported, ErrorCode::OutcomeUnknown]);
    /// Waits for work.
    WAIT = Method::read("wait", "/v1/wait", Reply::Stream(TypeRef::of::<WaitRecord>()),
        "Block until the work that the sessions have accepted so far has ended. Resumable by `Last-Event-ID`.")
        .query::<WaitQuery>()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::AmbiguousId, ErrorCode::MessageNotFound,
            ErrorCode::OutcomeUnknown]);
    /// Events.
    EVENTS = Method::read("watch", "/v1/events",
        Reply::Either { document: TypeRef::of::<Vec<Event>>(), stream: TypeRef::of::<EventRecord>() },
        "Events of the log; with `follow` a stream, resumable by `Last-Event-ID`.")
        .query::<EventsQuery>().fails(READS_ONE);
    /// Projects.
    PROJECTS = Method::read("project.list", "/v1/projects", document::<Vec<Project>>(),
        "Registered projects, and the repositories that sessions work in.").fails(&[ErrorCode::StoreUnreadable]);
    /// Gives a directory a name.
    PROJECT_ADD = Method::change("project.add", "/v1/projects", document::<Project>(), "Give a directory a name.")
        .body::<AddProject>().by(Callers::User).on(SerialisedOn::Host).repeatable()
        .fails(&[ErrorCode::IdInUse, ErrorCode::IdInvalid, ErrorCode::PathNotFound, ErrorCode::PathNotDirectory,
            ErrorCode::QueueFull, ErrorCode::StoreUnreadable]);
    /// Takes a name away.
    PROJECT_REMOVE = Method::change("project.remove", "/v1/projects/{project}", document::<Project>(),
        "Take a project's name away; its directory and its sessions stay.").with_verb(HttpVerb::Delete).by(Callers::User)
        .on(SerialisedOn::Host).fails(&[ErrorCode::ProjectNotFound, ErrorCode::StoreUnreadable]);
    /// Workspaces.
    WORKSPACES = Method::read("workspace.list", "/v1/workspaces", document::<Vec<Workspace>>(),
        "The git work trees that were made for sessions.");
    /// What a workspace has changed.
    WORKSPACE_DIFF = Method::read("workspace.diff", "/v1/workspaces/{workspace}/diff", document::<WorkspaceDiff>(),
        "What a workspace has changed since its base.").query::<WorkspaceDiffQuery>()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::Timeout]);
    /// Moves a branch forward to the commits of a workspace.
    WORKSPACE_LAND = Method::change("workspace.land", "/v1/workspaces/{workspace}/land", document::<LandedWorkspace>(),
        "Move the branch from which a workspace began forward to its commits.")
        .body::<LandWorkspace>().on(SerialisedOn::Host).repeatable()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::Timeout]);
    /// Removes workspaces.
    WORKSPACE_CLEAN = Method::change("workspace.clean", "/v1/workspaces/clean", document::<Vec<CleanedWorkspace>>(),
        "Remove work trees that were made for sessions and of which nothing would be lost.")
        .body::<CleanWorkspaces>().on(SerialisedOn::Host).repeatable()
        .fails(&[ErrorCode::SessionNotFound, ErrorCode::IdInvalid, ErrorCode::Timeout]);
    /// Lets two sessions send to each other.
    INTRODUCE = Method::change("introduce", "/v1/sessions/{id}/introduce", document::<Vec<Session>>(),
        "Let two sessions send to each other.").body::<IntroduceSession>().fails(CHANGES_ONE).repeatable();
    /// Tokens of the gateway.
    TOKENS = Method::read("gateway.token.list", "/v1/gateway/tokens", document::<Vec<Token>>(),
        "The tokens of the gateway; none of their texts is kept.").by(Callers::User).fails(&[ErrorCode::StoreUnreadable]);
    /// Makes a token.
    TOKEN_CREATE = Method::change("gateway.token.create", "/v1/gateway/tokens", document::<CreatedToken>(),
        "Make a token for callers outside; its text is in the answer and nowhere else.").body::<CreateToken>()
        .by(Callers::User).on(SerialisedOn::Host).fails(&[ErrorCode::PathNotFound, ErrorCode::PathNotDirectory,
            ErrorCode::NotSupported, ErrorCode::QueueFull, ErrorCode::StoreUnreadable]);
    /// Revokes a token.
    TOKEN_REVOKE = Method::change("gateway.token.revoke", "/v1/gateway/tokens/{token}", document::<Token>(),
        "Revoke a token at once, by its id; what it has open ends.").with_verb(HttpVerb::Delete)
        .by(Callers::User).on(SerialisedOn::Host)
        .fails(&[ErrorCode::TokenNotFound, ErrorCode::IdInvalid, ErrorCode::StoreUnreadable]);
}

/// Finds a method by its name.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_routes_are_unique() {
        let names: BTreeSet<_> = METHODS.iter().map(|m| m.name).collect();
        let routes: BTreeSet<_> = METHODS.iter().map(|m| (m.verb.as_str(), m.path)).collect();
        assert_eq!((names.len(), routes.len()), (METHODS.len(), METHODS.len()));
    }

    #[test]
    fn h7_what_changes_something_is_no_get() {
        for method in METHODS {
            assert_eq!(method.scope == Scope::Read, method.verb == HttpVerb::Get, "{}", method.name);
            assert_eq!(method.scope == Scope::Read, method.serialised_on == SerialisedOn::Nothing, "{}", method.name);
        }
    }

    #[test]
    fn values_in_paths_are_escaped() {
        assert_eq!(REMOVE.parameters().collect::<Vec<_>>(), ["id", "m"]);
        assert_eq!(REMOVE.path_with(&["fizz-top", "m4"]), "/v1/sessions/fizz-top/messages/m4");
        assert_eq!(SESSION.path_with(&["../x?y"]), "/v1/sessions/..%2Fx%3Fy");
    }
}
