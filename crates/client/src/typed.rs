//! The methods of the table as functions, one line each.

use std::time::Duration;

use adjutant_api::limits::{INTERRUPT_CONFIRM_MS_MAX, READY_MS_DEFAULT};
use adjutant_api::methods;
use adjutant_api::types::daemon::{Check, CheckDaemon, DaemonStatus, Health, StopDaemon, Stopping};
use adjutant_api::types::event::{Event, EventsQuery};
use adjutant_api::types::gateway::{CreateToken, CreatedToken, IntroduceSession, Token};
use adjutant_api::types::goal::{GoalQuery, GoalState, SetGoal};
use adjutant_api::types::hook::{HookAnswer, HookCall};
use adjutant_api::types::log::{LogEntry, LogQuery};
use adjutant_api::types::message::{EditMessage, Message, MessagesQuery};
use adjutant_api::types::project::{AddProject, Project};
use adjutant_api::types::request::{AnswerRequest, Request, RequestsQuery, Responded};
use adjutant_api::types::session::{
    Attach, AttachQuery, Caller, CreateSession, InterruptSession, KillSessions, Killed,
};
use adjutant_api::types::session::{Session, SessionsQuery};
use adjutant_api::types::turn::{Answer, AnswersQuery, TurnResult, TurnsQuery};
use adjutant_api::types::workspace::{
    CleanWorkspaces, CleanedWorkspace, LandWorkspace, LandedWorkspace, Workspace, WorkspaceDiff, WorkspaceDiffQuery,
};
use serde_json::Value;

use crate::call::Call;
use crate::error::ClientError;
use crate::{Client, limits};

type Answered<T> = Result<T, ClientError>;

/// What a call that waits this long in the daemon is given for its answer.
fn beyond(millis: u64) -> Duration {
    Duration::from_millis(millis) + limits::ANSWER_EXTRA
}

impl Client {
    /// Any method that answers with a document, by its row in the table, for callers that are made from it. `parameters` are
    /// the values in its path; `deadline` is for the whole answer.
    ///
    /// # Errors
    /// What the daemon says of the call, or why there is no answer.
    pub async fn document(
        &mut self,
        method: &'static methods::Method,
        parameters: &[&str],
        query: &Value,
        body: &Value,
        deadline: Duration,
    ) -> Answered<Value> {
        let call = Call::new(method, parameters).query(query).within(deadline);
        let answer = self.call(if method.body.is_some() { call.body(body) } else { call }).await?;
        Ok(placed(self.options.endpoint.host(), answer))
    }
}

/// An answer that may be about sessions, which are where their daemon is. To that daemon it is no other host.
trait Placed {
    fn place(&mut self, _host: &str) {}
}

impl Placed for Session {
    fn place(&mut self, host: &str) {
        self.host.get_or_insert_with(|| host.to_owned());
        self.pending.place(host);
    }
}

impl Placed for Request {
    fn place(&mut self, host: &str) {
        self.host.get_or_insert_with(|| host.to_owned());
    }
}

impl Placed for Responded {
    fn place(&mut self, host: &str) {
        self.request.place(host);
    }
}

impl Placed for Caller {
    fn place(&mut self, host: &str) {
        self.session.iter_mut().for_each(|session| session.place(host));
    }
}

impl Placed for Value {
    /// The whole record of a session.
    fn place(&mut self, host: &str) {
        if let Some(known) = self.get_mut("host").filter(|known| known.is_null()) {
            *known = host.into();
        }
    }
}

impl<T: Placed> Placed for Vec<T> {
    fn place(&mut self, host: &str) {
        self.iter_mut().for_each(|one| one.place(host));
    }
}

macro_rules! of_no_place {
    ($($type:ty),+) => { $(impl Placed for $type {})+ };
}

of_no_place!(
    DaemonStatus,
    Health,
    Stopping,
    Check,
    Killed,
    Message,
    Option<TurnResult>,
    TurnResult,
    Answer,
    LogEntry,
    Attach,
    GoalState,
    HookAnswer,
    Event,
    Project,
    Workspace,
    WorkspaceDiff,
    LandedWorkspace,
    CleanedWorkspace,
    Token,
    CreatedToken
);

fn placed<T: Placed>(host: Option<&str>, mut answer: T) -> T {
    if let Some(host) = host {
        answer.place(host);
    }
    answer
}

macro_rules! functions {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident($($argument:ident: $type:ty),*) -> $answer:ty = $call:expr;
    )+) => {
        impl Client {
            $(
                $(#[doc = $doc])*
                ///
                /// # Errors
                /// What the daemon says of the call, or why there is no answer.
                pub async fn $name(&mut self, $($argument: $type),*) -> Answered<$answer> {
                    let answer = self.call($call).await?;
                    Ok(placed(self.options.endpoint.host(), answer))
                }
            )+
        }
    };
}

functions! {
    /// What the daemon says of itself.
    daemon_status() -> DaemonStatus = Call::new(&methods::DAEMON_STATUS, &[]);
    /// Whether a daemon serves.
    health() -> Health = Call::new(&methods::HEALTH, &[]);
    /// Ends the daemon.
    daemon_stop(how: &StopDaemon) -> Stopping =
        Call::new(&methods::DAEMON_STOP, &[]).body(how).within(beyond(how.timeout_ms.unwrap_or(u64::from(u32::MAX))));
    /// Checks store and log.
    daemon_check(what: &CheckDaemon) -> Vec<Check> =
        Call::new(&methods::DAEMON_CHECK, &[]).body(what).within(limits::CHECK);
    /// Who calls.
    whoami() -> Caller = Call::new(&methods::WHOAMI, &[]);
    /// Sessions.
    sessions(query: &SessionsQuery) -> Vec<Session> = Call::new(&methods::SESSIONS, &[]).query(query);
    /// Creates a session. With a key it can be repeated, and is, when the connection breaks.
    create(session: &CreateSession) -> Session = Call::new(&methods::CREATE, &[])
        .body(session)
        .within(beyond(session.timeout_ms.unwrap_or(READY_MS_DEFAULT)))
        .repeatable(session.key.is_some());
    /// Ends sessions.
    kill(which: &KillSessions) -> Vec<Killed> = Call::new(&methods::KILL, &[]).body(which).within(limits::KILL);
    /// One session.
    session(id: &str) -> Session = Call::new(&methods::SESSION, &[id]);
    /// One session, with the evidence for its state.
    explain(id: &str) -> Session = Call::new(&methods::EXPLAIN, &[id]);
    /// The whole record of a session.
    inspect(id: &str) -> Value = Call::new(&methods::INSPECT, &[id]);
    /// The queue of a session.
    messages(id: &str, query: &MessagesQuery) -> Vec<Message> = Call::new(&methods::MESSAGES, &[id]).query(query);
    /// One message.
    message(id: &str, message: &str) -> Message = Call::new(&methods::MESSAGE, &[id, message]);
    /// Changes a queued message.
    edit(id: &str, message: &str, change: &EditMessage) -> Message =
        Call::new(&methods::EDIT, &[id, message]).body(change);
    /// Cancels a queued message.
    remove(id: &str, message: &str) -> Message = Call::new(&methods::REMOVE, &[id, message]);
    /// Cancels all queued messages.
    clear(id: &str) -> Vec<Message> = Call::new(&methods::CLEAR, &[id]);
    /// Sends an ended message again.
    retry(id: &str, message: &str) -> Message = Call::new(&methods::RETRY, &[id, message]);
    /// Stops delivery.
    hold(id: &str) -> Session = Call::new(&methods::HOLD, &[id]);
    /// Resumes delivery.
    release(id: &str) -> Session = Call::new(&methods::RELEASE, &[id]);
    /// Stops the running turn.
    interrupt(id: &str, how: &InterruptSession) -> Option<TurnResult> =
        Call::new(&methods::INTERRUPT, &[id]).body(how).within(beyond(INTERRUPT_CONFIRM_MS_MAX));
    /// The last answers.
    answers(id: &str, query: &AnswersQuery) -> Vec<Answer> = Call::new(&methods::ANSWERS, &[id]).query(query);
    /// Ended turns.
    turns(id: &str, query: &TurnsQuery) -> Vec<TurnResult> = Call::new(&methods::TURNS, &[id]).query(query);
    /// The conversation.
    log(id: &str, query: &LogQuery) -> Vec<LogEntry> = Call::new(&methods::LOG, &[id]).query(query);
    /// How a person sits down at a session.
    attach(id: &str, query: &AttachQuery) -> Attach = Call::new(&methods::ATTACH, &[id]).query(query);
    /// The goal of a session, at once or when it is pursued no more.
    goal(id: &str, query: &GoalQuery) -> GoalState =
        Call::new(&methods::GOAL, &[id]).query(query).within(limits::HOOK);
    /// Sets, holds or forgets the goal of a session.
    set_goal(id: &str, wanted: &SetGoal) -> GoalState = Call::new(&methods::SET_GOAL, &[id]).body(wanted);
    /// Passes on a hook of the agent of the calling session; waits for a decision as long as there is to be one.
    hook(hook: &HookCall) -> HookAnswer = Call::new(&methods::HOOK, &[]).body(hook).within(limits::HOOK);
    /// Open requests.
    requests(query: &RequestsQuery) -> Vec<Request> = Call::new(&methods::REQUESTS, &[]).query(query);
    /// Answers a request.
    respond(request: &str, answer: &AnswerRequest) -> Responded =
        Call::new(&methods::RESPOND, &[request]).body(answer);
    /// Events of the log, as many as there are now.
    events(query: &EventsQuery) -> Vec<Event> = Call::new(&methods::EVENTS, &[]).query(query);
    /// Projects.
    projects() -> Vec<Project> = Call::new(&methods::PROJECTS, &[]);
    /// Gives a directory a name.
    add_project(project: &AddProject) -> Project = Call::new(&methods::PROJECT_ADD, &[]).body(project);
    /// Takes a name away.
    remove_project(name: &str) -> Project = Call::new(&methods::PROJECT_REMOVE, &[name]);
    /// Lets two sessions send to each other.
    introduce(id: &str, whom: &IntroduceSession) -> Vec<Session> = Call::new(&methods::INTRODUCE, &[id]).body(whom);
    /// The tokens of the gateway.
    tokens() -> Vec<Token> = Call::new(&methods::TOKENS, &[]);
    /// Makes a token of the gateway.
    create_token(token: &CreateToken) -> CreatedToken = Call::new(&methods::TOKEN_CREATE, &[]).body(token);
    /// Revokes a token of the gateway.
    revoke_token(id: &str) -> Token = Call::new(&methods::TOKEN_REVOKE, &[id]);
    /// Work trees that were made for sessions.
    workspaces() -> Vec<Workspace> = Call::new(&methods::WORKSPACES, &[]).within(limits::GIT);
    /// What a work tree has changed.
    workspace_diff(id: &str, query: &WorkspaceDiffQuery) -> WorkspaceDiff =
        Call::new(&methods::WORKSPACE_DIFF, &[id]).query(query).within(limits::GIT);
    /// Lands the commits of a work tree.
    land_workspace(id: &str, how: &LandWorkspace) -> LandedWorkspace =
        Call::new(&methods::WORKSPACE_LAND, &[id]).body(how).within(limits::GIT);
    /// Removes work trees.
    clean_workspaces(which: &CleanWorkspaces) -> Vec<CleanedWorkspace> =
        Call::new(&methods::WORKSPACE_CLEAN, &[]).body(which).within(limits::GIT);
}
