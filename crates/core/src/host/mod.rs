//! The host: all machines of one home behind two doors, [`Host::handle`] and [`Host::next_due`].

mod after;
mod authority;
mod dependents;
mod fold;
mod on_call;
mod on_report;
mod projected;
mod queue;
mod recover;
mod revive;
mod step;
mod timetable;

use std::collections::{BTreeMap, BTreeSet};

use self::after::Aftermath;
pub use self::authority::Right;
use self::dependents::Dependents;
use self::on_call::sender;
pub use self::projected::{Counters, Projected};
pub use self::step::Step;
use self::timetable::Timetable;
use crate::agent::{AgentName, Capabilities};
use crate::call::Caller;
use crate::id::{RequestId, SessionId};
use crate::input::Input;
use crate::limits;
use crate::message::Sender;
use crate::name::SessionName;
use crate::session::Session;
use crate::time::Now;

/// What a host may hold, and what its agents can do.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The agents of this build.
    pub agents: BTreeMap<AgentName, Capabilities>,
    /// Messages that may wait in one queue.
    pub queue_messages_max: usize,
    /// Bytes that may wait in one queue.
    pub queue_bytes_max: u64,
    /// Notices that may wait in one queue.
    pub notices_waiting_max: usize,
    /// Sessions that may live at once.
    pub sessions_live_max: usize,
}

impl HostConfig {
    /// The limits of this build for these agents.
    pub fn new(agents: BTreeMap<AgentName, Capabilities>) -> Self {
        Self {
            agents,
            queue_messages_max: limits::QUEUE_MESSAGES_MAX,
            queue_bytes_max: limits::QUEUE_BYTES_MAX,
            notices_waiting_max: limits::NOTICES_WAITING_MAX,
            sessions_live_max: limits::SESSIONS_LIVE_MAX,
        }
    }
}

/// All sessions of one home, and what follows from what happens to them.
#[derive(Clone, Debug)]
pub struct Host {
    config: HostConfig,
    counters: Counters,
    sessions: BTreeMap<SessionId, Session>,
    names: BTreeMap<SessionName, SessionId>,
    /// How many of these names are plain ones, so that a search for a free one knows when there is none.
    plain_names: usize,
    /// The keys of creates, each of its creator's.
    create_keys: BTreeMap<(Sender, String), SessionId>,
    tokens: BTreeMap<String, SessionId>,
    /// Which session has which request open.
    requests: BTreeMap<RequestId, SessionId>,
    /// The sessions that each session has created or inherited.
    children: BTreeMap<SessionId, BTreeSet<SessionId>>,
    /// Messages with a moment to watch: delayed ones and those that expire.
    timetable: Timetable,
    /// Messages that wait for others.
    dependents: Dependents,
    /// What follows from the input that is being taken in; empty between two inputs.
    aftermath: Aftermath,
    /// When this host was restored: what had come before that was seen by nobody.
    recovered: Option<Now>,
    /// Sessions that are neither exited nor purged.
    live: usize,
}

impl Host {
    /// A host without sessions.
    pub fn new(config: HostConfig) -> Self {
        Self {
            config,
            counters: Counters::default(),
            sessions: BTreeMap::new(),
            names: BTreeMap::new(),
            plain_names: 0,
            create_keys: BTreeMap::new(),
            tokens: BTreeMap::new(),
            requests: BTreeMap::new(),
            children: BTreeMap::new(),
            timetable: Timetable::default(),
            dependents: Dependents::default(),
            aftermath: Aftermath::default(),
            recovered: None,
            live: 0,
        }
    }

    /// A host as the store holds it. Follow it with [`Input::Recovered`] before anything else.
    pub fn restore(config: HostConfig, sessions: Vec<Session>, counters: Counters) -> Self {
        let mut host = Self::new(config);
        host.counters = counters;
        for session in sessions {
            host.insert(session);
        }
        host
    }

    /// Takes in one thing that happened and says what follows: events to make durable, then acts to carry out.
    ///
    /// The host has already changed when this returns. If the events cannot be made durable, it is ahead of the disk
    /// and has to be restored from the store.
    ///
    /// Whatever is due by `now` comes first, so that the order of messages follows from their times and not from how
    /// late a timer rang. Only [`Input::Recovered`] does not look at the clock: nothing is attached yet.
    pub fn handle(&mut self, input: Input, now: Now) -> Step {
        let mut step = Step::default();
        match input {
            Input::Call { id, caller, call } => {
                self.on_time(now, &mut step);
                self.on_call(id, caller, call, now, &mut step);
            }
            Input::Agent { session, observed_at, cursor, report, answer } => {
                self.on_time(now, &mut step);
                let seen = on_report::Seen { session, observed_at, cursor, answer };
                self.on_report(&seen, report, now, &mut step);
                self.clear_up(now, &mut step);
            }
            Input::TimeCame => self.on_time(now, &mut step),
            Input::Recovered => self.on_recovered(now, &mut step),
        }
        step.counters = self.counters;
        step
    }

    /// The moment at which [`Input::TimeCame`] is wanted, as milliseconds from now; `None` when nothing waits for time.
    pub fn next_due(&self, now: Now) -> Option<u64> {
        self.timetable.millis_left(now)
    }

    /// All sessions, exited ones included, in the order of their ids.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// One session.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The session of that name.
    pub fn by_name(&self, name: &SessionName) -> Option<&Session> {
        self.names.get(name).and_then(|id| self.sessions.get(id))
    }

    /// The session whose token has this hash, as long as it lives.
    pub fn by_token_hash(&self, hash: &str) -> Option<&Session> {
        self.tokens.get(hash).and_then(|id| self.sessions.get(id)).filter(|s| !s.has_exited())
    }

    /// The session that this caller has created with this key.
    pub fn by_create_key(&self, caller: Caller, key: &str) -> Option<&Session> {
        self.create_keys.get(&(sender(caller), key.to_owned())).and_then(|id| self.sessions.get(id))
    }

    /// The session that has this request open.
    pub fn by_request(&self, id: RequestId) -> Option<&Session> {
        self.requests.get(&id).and_then(|owner| self.sessions.get(owner))
    }

    /// What the agent of a session can do; `None` for an agent that this build does not have.
    pub fn capabilities(&self, session: &Session) -> Option<&Capabilities> {
        self.config.agents.get(&session.profile.agent)
    }

    /// The next ids to be given.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether `other` was created by `ancestor`, or by one of its descendants.
    pub fn descends(&self, other: SessionId, ancestor: SessionId) -> bool {
        self.ancestors(other).any(|id| id == ancestor)
    }

    /// The sessions above one, nearest first.
    pub fn ancestors(&self, id: SessionId) -> impl Iterator<Item = SessionId> {
        let parent = move |id: &SessionId| self.sessions.get(id).and_then(|s| s.parent);
        // A bound, so that a damaged record cannot make a loop of the line.
        std::iter::successors(parent(&id), parent).take(limits::DESCENDANT_DEPTH_MAX + 1)
    }

    fn insert(&mut self, session: Session) {
        let id = session.id;
        self.names.insert(session.name.clone(), id);
        self.plain_names += usize::from(session.name.is_plain());
        self.tokens.insert(session.profile.token_hash.clone(), id);
        if let Some(key) = &session.profile.key {
            self.create_keys.insert((session.profile.creator, key.clone()), id);
        }
        if let Some(parent) = session.parent {
            self.children.entry(parent).or_default().insert(id);
        }
        self.requests.extend(session.requests().map(|request| (request.id, id)));
        for message in session.messages.values() {
            self.timetable.watch(message);
            self.dependents.watch(message);
        }
        self.live += usize::from(!session.has_exited());
        self.sessions.insert(id, session);
    }

    fn forget(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.names.remove(&session.name);
        self.plain_names -= usize::from(session.name.is_plain());
        if self.tokens.get(&session.profile.token_hash) == Some(&id) {
            self.tokens.remove(&session.profile.token_hash);
        }
        if let Some(key) = &session.profile.key {
            self.create_keys.remove(&(session.profile.creator, key.clone()));
        }
        self.leave_parent(id, session.parent);
        self.children.remove(&id);
        for request in session.requests() {
            self.requests.remove(&request.id);
        }
        for message in session.messages.keys() {
            self.timetable.forget((id, *message));
            self.dependents.forget((id, *message));
        }
        self.live -= usize::from(!session.has_exited());
    }

    fn leave_parent(&mut self, child: SessionId, parent: Option<SessionId>) {
        let Some(children) = parent.and_then(|parent| self.children.get_mut(&parent)) else { return };
        children.remove(&child);
        if let Some(parent) = parent.filter(|_| children.is_empty()) {
            self.children.remove(&parent);
        }
    }
}
