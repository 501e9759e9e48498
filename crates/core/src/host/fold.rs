//! The fold: the one place where state changes, used by the live run and by a rebuild from the log.

use super::{Host, Projected};
use crate::agent::{Evidence, RequestEnd, SessionEnd, Source, TurnEnd, TurnOrigin, Usage};
use crate::event::{Event, Logged, Place};
use crate::id::{Attempt, MessageId, RequestId, SessionId, TurnNumber};
use crate::message::{Came, DependencyState, Message, MessageEnd, MessageState, Settlement, Way};
use crate::name::SessionName;
use crate::outcome::UnknownReason;
use crate::request::Request;
use crate::session::{Basis, Hold, Phase, Processes, Profile, Session, Stopping, Work};
use crate::time::Timestamp;
use crate::turn::{EndedTurn, RunningTurn};

impl Host {
    /// Takes one event into the state, and notes in `projected` which rows it changes.
    ///
    /// An event of a session that is not there changes nothing but the counters: its session was forgotten.
    pub fn fold(&mut self, logged: &Logged, projected: &mut Projected) {
        self.counters.next_seq = self.counters.next_seq.max(logged.seq.get() + 1);
        self.aftermath.reached.clear();
        match &logged.event {
            Event::SessionCreated { name, profile, parent } => self.fold_created(logged, name, profile, *parent),
            Event::SessionPurged => {
                self.forget(logged.session);
                projected.purge(logged.session);
                return;
            }
            Event::SessionExited { end } => self.fold_exited(logged, end),
            Event::SessionRevived { program, token_hash, .. } => {
                self.fold_revived(logged, program, token_hash);
            }
            Event::SessionReparented { parent } => self.fold_reparented(logged.session, *parent),
            Event::MessageQueued { message } => {
                self.counters.next_message = self.counters.next_message.max(message.id.get() + 1);
            }
            Event::RequestOpened { request, .. } => {
                self.counters.next_request = self.counters.next_request.max(request.get() + 1);
            }
            Event::SessionStarted { .. }
            | Event::SessionReady
            | Event::SessionUnseen { .. }
            | Event::SessionSeen
            | Event::SessionConversation { .. }
            | Event::GoalChanged { .. }
            | Event::SessionNotice { .. }
            | Event::SessionStopAsked { .. }
            | Event::SessionIntroduced { .. }
            | Event::ChildEnded { .. }
            | Event::ChildCreated { .. }
            | Event::QueueHeld { .. }
            | Event::QueueReleased
            | Event::MessageAfterSettled { .. }
            | Event::MessageDue { .. }
            | Event::MessageChanged { .. }
            | Event::MessageHanded { .. }
            | Event::MessageReturned { .. }
            | Event::MessageAccepted { .. }
            | Event::MessageEnded { .. }
            | Event::TurnStarted { .. }
            | Event::TurnInterruptAsked { .. }
            | Event::TurnInterruptPassed { .. }
            | Event::TurnEnded { .. }
            | Event::TurnCounted { .. }
            | Event::RequestAnswered { .. }
            | Event::RequestClosed { .. }
            | Event::RequestPolicy { .. } => {}
        }
        let Some(session) = self.sessions.get_mut(&logged.session) else { return };
        fold_into(session, logged, projected);
        session.settle_basis(logged);
        // A report that comes once more, with an older cursor, does not take back what is in the log.
        session.cursor = session.cursor.max(logged.cursor.unwrap_or_default());
        projected.sessions.insert(logged.session);
        self.watch_message(logged);
        self.watch_requests(logged);
        self.advance_dependents(logged, projected);
    }

    fn fold_created(&mut self, logged: &Logged, name: &SessionName, profile: &Profile, parent: Option<SessionId>) {
        let basis = Basis { source: Source::Daemon, at: logged.at, said: "session.created".to_owned() };
        self.insert(Session {
            id: logged.session,
            name: name.clone(),
            profile: profile.clone(),
            parent,
            created_at: logged.at,
            last_used_at: logged.at,
            phase: Phase::Starting,
            work: Work::Idle,
            stopping: None,
            hold: Hold::Off,
            processes: None,
            conversation: None,
            goal: None,
            contacts: Vec::new(),
            basis,
            turns_begun: 0,
            last_turn: None,
            messages: Default::default(),
            ready: Vec::new(),
            stop_next: None,
            interrupted_by: None,
            unclear: None,
            cursor: 0,
            revivals: 0,
            turns_before: 0,
        });
    }

    /// What an earlier life knew of processes and journals is nothing to the next one.
    fn fold_revived(&mut self, logged: &Logged, program: &str, token_hash: &str) {
        let id = logged.session;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        self.live += usize::from(session.has_exited());
        self.tokens.remove(&session.profile.token_hash);
        self.tokens.insert(token_hash.to_owned(), id);
        program.clone_into(&mut session.profile.program);
        token_hash.clone_into(&mut session.profile.token_hash);
        session.phase = Phase::Starting;
        session.basis = Basis { source: Source::Daemon, at: logged.at, said: logged.event.type_name().to_owned() };
        session.processes = None;
        (session.stop_next, session.unclear, session.interrupted_by) = (None, None, None);
        session.cursor = 0;
        session.revivals += 1;
        session.turns_before = session.turns_begun;
    }

    fn fold_exited(&mut self, logged: &Logged, end: &SessionEnd) {
        let Some(session) = self.sessions.get_mut(&logged.session) else { return };
        self.live -= usize::from(!session.has_exited());
        session.phase = Phase::Exited { end: end.clone(), at: logged.at };
        session.stopping = None;
    }

    fn fold_reparented(&mut self, child: SessionId, parent: Option<SessionId>) {
        let Some(former) = self.sessions.get(&child).map(|session| session.parent) else { return };
        self.leave_parent(child, former);
        if let Some(parent) = parent {
            self.children.entry(parent).or_default().insert(child);
        }
    }

    /// Keeps the timetable, and who waits for whom, in step with the message an event is about.
    fn watch_message(&mut self, logged: &Logged) {
        let Some(id) = message_of(&logged.event) else { return };
        if let Some(message) = self.sessions.get(&logged.session).and_then(|s| s.messages.get(&id)) {
            self.timetable.watch(message);
            self.dependents.watch(message);
        } else {
            self.timetable.forget((logged.session, id));
            self.dependents.forget((logged.session, id));
        }
    }

    /// Keeps the list of open requests in step. A turn closes its requests before it ends.
    fn watch_requests(&mut self, logged: &Logged) {
        let (Event::RequestOpened { request, .. } | Event::RequestClosed { request, .. }) = &logged.event else {
            return;
        };
        if self.sessions.get(&logged.session).is_some_and(|s| s.request(*request).is_some()) {
            self.requests.insert(*request, logged.session);
        } else {
            self.requests.remove(request);
        }
    }
}

/// The message an event is about.
fn message_of(event: &Event) -> Option<MessageId> {
    match event {
        Event::MessageQueued { message } => Some(message.id),
        Event::MessageAfterSettled { message, .. }
        | Event::MessageDue { message, .. }
        | Event::MessageChanged { message, .. }
        | Event::MessageHanded { message, .. }
        | Event::MessageReturned { message, .. }
        | Event::MessageAccepted { message, .. }
        | Event::MessageEnded { message, .. } => Some(*message),
        Event::SessionCreated { .. }
        | Event::SessionStarted { .. }
        | Event::SessionRevived { .. }
        | Event::SessionReady
        | Event::SessionUnseen { .. }
        | Event::SessionSeen
        | Event::SessionConversation { .. }
        | Event::GoalChanged { .. }
        | Event::SessionNotice { .. }
        | Event::SessionStopAsked { .. }
        | Event::SessionExited { .. }
        | Event::SessionReparented { .. }
        | Event::SessionIntroduced { .. }
        | Event::ChildEnded { .. }
        | Event::ChildCreated { .. }
        | Event::SessionPurged
        | Event::QueueHeld { .. }
        | Event::QueueReleased
        | Event::TurnStarted { .. }
        | Event::TurnInterruptAsked { .. }
        | Event::TurnInterruptPassed { .. }
        | Event::TurnEnded { .. }
        | Event::TurnCounted { .. }
        | Event::RequestOpened { .. }
        | Event::RequestAnswered { .. }
        | Event::RequestClosed { .. }
        | Event::RequestPolicy { .. } => None,
    }
}

fn fold_into(session: &mut Session, logged: &Logged, projected: &mut Projected) {
    let at = logged.at;
    match &logged.event {
        Event::SessionCreated { .. }
        | Event::SessionPurged
        | Event::SessionExited { .. }
        | Event::SessionRevived { .. }
        | Event::ChildCreated { .. }
        | Event::ChildEnded { .. }
        | Event::SessionNotice { .. }
        | Event::RequestPolicy { .. }
        | Event::TurnInterruptPassed { .. } => {}
        Event::SessionStarted { runner, agent, supervisor } => {
            session.processes = Some(Processes { runner: *runner, agent: *agent, supervisor: supervisor.clone() });
        }
        Event::SessionReady => session.become_ready(),
        Event::SessionUnseen { why } => session.lose_sight(why, at),
        Event::SessionSeen => session.see(projected),
        Event::SessionConversation { native } => session.conversation = Some(native.clone()),
        Event::GoalChanged { goal } => session.goal = goal.clone(),
        Event::SessionStopAsked { by, force } => {
            session.stopping = Some(Stopping { at, force: *force, by: by.session() })
        }
        Event::SessionReparented { parent } => session.parent = *parent,
        Event::SessionIntroduced { to } => session.meet(*to),
        Event::QueueHeld { by_hand } => session.hold = if *by_hand { Hold::ByHand } else { Hold::AfterInterrupt },
        Event::QueueReleased => session.hold = Hold::Off,
        Event::MessageQueued { message } => session.enqueue(message, projected),
        Event::MessageAfterSettled { message, which, how, .. } => {
            session.settle_dependency(*message, *which, how, at, projected);
        }
        Event::MessageDue { message, came } => session.make_ready(*message, *came, projected),
        Event::MessageChanged { message, bytes, due, place } => {
            session.change(*message, *bytes, *due, *place, projected);
        }
        Event::MessageHanded { message, attempt } => session.hand(*message, *attempt, at, projected),
        Event::MessageReturned { message, .. } => session.take_back(*message, projected),
        Event::MessageAccepted { message, turn, evidence } => {
            session.accept(*message, *turn, evidence, at, projected);
        }
        Event::MessageEnded { message, end } => session.end_message(*message, end.clone(), at, projected),
        Event::TurnStarted { turn, origin } => session.begin_turn(*turn, *origin, at),
        Event::TurnInterruptAsked { turn, by } => session.ask_stop(*turn, by.session(), at),
        Event::TurnEnded { turn, end } => session.end_turn(*turn, end, at, projected),
        Event::TurnCounted { turn, usage } => session.count(*turn, *usage, projected),
        Event::RequestOpened { request, turn, asked } => {
            let opened = Request {
                id: *request,
                session: session.id,
                turn: *turn,
                asked: asked.clone(),
                opened_at: at,
                answered_at: None,
            };
            session.open_request(opened, projected);
        }
        Event::RequestAnswered { request, .. } => session.answer_request(*request, at, projected),
        Event::RequestClosed { request, end } => session.close_request(*request, end, projected),
    }
}

impl Session {
    /// An agent that is ready while nobody is caught up with it is seen only once somebody is.
    fn become_ready(&mut self) {
        match &mut self.phase {
            Phase::Unseen { was_ready, .. } => *was_ready = true,
            Phase::Starting | Phase::Live | Phase::Exited { .. } => self.phase = Phase::Live,
        }
    }

    fn lose_sight(&mut self, why: &UnknownReason, at: Timestamp) {
        let (since, was_ready) = match self.phase {
            Phase::Live => (at, true),
            Phase::Unseen { since, was_ready, .. } => (since, was_ready),
            Phase::Starting | Phase::Exited { .. } => (at, false),
        };
        self.phase = Phase::Unseen { since, why: why.clone(), was_ready };
    }

    /// What is still open now was not answered: whoever had the answer in hand may be gone with it.
    fn see(&mut self, projected: &mut Projected) {
        if let Phase::Unseen { was_ready, .. } = self.phase {
            self.phase = if was_ready { Phase::Live } else { Phase::Starting };
        }
        let requests = self.turn_mut().into_iter().flat_map(|turn| turn.requests.values_mut());
        for request in requests.filter(|request| request.answered_at.is_some()) {
            request.answered_at = None;
            projected.requests.insert(request.id, (request.clone(), None));
        }
    }

    /// What the daemon itself did says nothing new of the agent's state, but for the ends and losses of sight.
    fn settle_basis(&mut self, logged: &Logged) {
        let sight = matches!(logged.event, Event::SessionUnseen { .. } | Event::SessionSeen);
        // That a daemon came and went is no use of a session.
        if !sight && !matches!(logged.event, Event::SessionReparented { .. }) {
            self.last_used_at = logged.at.max(self.last_used_at);
        }
        let source = logged.event.source();
        if source != Source::Daemon || sight {
            self.basis = Basis { source, at: logged.at, said: logged.event.type_name().to_owned() };
        }
    }

    fn enqueue(&mut self, message: &Message, projected: &mut Projected) {
        if message.state == MessageState::Ready {
            self.ready.push(message.id);
        }
        self.messages.insert(message.id, message.clone());
        projected.messages.insert(message.id, message.clone());
    }

    /// A turn that has not begun is the one that the message in delivery will open.
    fn ask_stop(&mut self, number: TurnNumber, by: Option<SessionId>, at: Timestamp) {
        self.interrupted_by = by;
        match self.turn_mut().filter(|turn| turn.number == number) {
            Some(turn) => turn.interrupt_asked_at = Some(at),
            None => self.stop_next = self.delivering().map(|message| message.id),
        }
    }

    /// Gives one message a new state and notes its row.
    fn set_state(&mut self, id: MessageId, state: MessageState, projected: &mut Projected) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.state = state;
            projected.messages.insert(id, message.clone());
        }
    }

    fn settle_dependency(
        &mut self,
        id: MessageId,
        which: u32,
        how: &Settlement,
        at: Timestamp,
        projected: &mut Projected,
    ) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let which = usize::try_from(which).unwrap_or(usize::MAX);
        if let Some(dependency) = message.after.as_mut().and_then(|after| after.of.get_mut(which)) {
            dependency.state = DependencyState::Settled { how: how.clone(), at };
            projected.messages.insert(id, message.clone());
        }
    }

    fn make_ready(&mut self, id: MessageId, came: Option<Came>, projected: &mut Projected) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.came = came;
            message.stop_waiting();
        }
        self.set_state(id, MessageState::Ready, projected);
        if self.messages.contains_key(&id) && !self.ready.contains(&id) {
            self.ready.push(id);
        }
    }

    fn change(
        &mut self,
        id: MessageId,
        bytes: Option<u64>,
        due: Option<Option<crate::time::Due>>,
        place: Option<Place>,
        projected: &mut Projected,
    ) {
        match due {
            None => {}
            Some(None) => self.make_ready(id, None, projected),
            Some(Some(until)) => {
                self.ready.retain(|other| *other != id);
                self.set_state(id, MessageState::Delayed { until: Some(until) }, projected);
            }
        }
        if let Some(message) = self.messages.get_mut(&id) {
            message.bytes = bytes.unwrap_or(message.bytes);
            projected.messages.insert(id, message.clone());
        }
        if let Some(place) = place.filter(|_| self.ready.contains(&id)) {
            self.ready.retain(|other| *other != id);
            let index = match place {
                Place::First => 0,
                Place::After(other) => self.ready.iter().position(|m| *m == other).map_or(self.ready.len(), |i| i + 1),
            };
            self.ready.insert(index, id);
        }
    }

    fn hand(&mut self, id: MessageId, attempt: Attempt, at: Timestamp, projected: &mut Projected) {
        self.ready.retain(|other| *other != id);
        self.set_state(id, MessageState::Delivering { attempt, handed_at: at }, projected);
    }

    /// What was not taken waits at the head again. On hold it need not be stopped any more: it does not run.
    fn take_back(&mut self, id: MessageId, projected: &mut Projected) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        message.returned += 1;
        self.set_state(id, MessageState::Ready, projected);
        self.ready.insert(0, id);
        if self.hold != Hold::Off {
            self.stop_next = self.stop_next.filter(|other| *other != id);
        }
    }

    fn accept(
        &mut self,
        id: MessageId,
        turn: TurnNumber,
        evidence: &Evidence,
        at: Timestamp,
        projected: &mut Projected,
    ) {
        // Evidence that came too late for the message is still evidence of its turn.
        self.unclear = self.unclear.filter(|other| *other != id);
        let Some(message) = self.messages.get(&id) else { return };
        let way = way_of(message);
        let state = MessageState::Running {
            attempt: Attempt::new(way.attempts.max(1)),
            handed_at: way.handed_at.unwrap_or(evidence.at),
            evidence: evidence.clone(),
            turn,
        };
        self.ready.retain(|other| *other != id);
        self.set_state(id, state, projected);
        let stop = self.stop_next.take_if(|other| *other == id).is_some();
        let Some(running) = self.turn_mut() else { return };
        if !running.messages.contains(&id) {
            running.messages.push(id);
        }
        if stop {
            running.interrupt_asked_at = Some(at);
        }
    }

    fn end_message(&mut self, id: MessageId, end: MessageEnd, at: Timestamp, projected: &mut Projected) {
        let Some(mut message) = self.messages.remove(&id) else { return };
        self.ready.retain(|other| *other != id);
        self.stop_next = self.stop_next.filter(|other| *other != id);
        let delivering = matches!(message.state, MessageState::Delivering { .. });
        if delivering && matches!(end, MessageEnd::Unknown { .. }) {
            self.unclear = Some(id);
        }
        let way = way_of(&message);
        message.stop_waiting();
        message.state = MessageState::Ended { end, at, way };
        projected.messages.insert(id, message);
    }

    fn begin_turn(&mut self, number: TurnNumber, origin: TurnOrigin, at: Timestamp) {
        self.turns_begun = self.turns_begun.max(number.get());
        // Who asked before it began asked for the end of this one.
        self.interrupted_by = self.interrupted_by.filter(|_| self.stop_next.is_some());
        self.work = Work::Turn(RunningTurn {
            number,
            origin,
            started_at: at,
            messages: Vec::new(),
            interrupt_asked_at: None,
            requests: Default::default(),
        });
    }

    fn end_turn(&mut self, number: TurnNumber, end: &TurnEnd, at: Timestamp, projected: &mut Projected) {
        let Work::Turn(running) = std::mem::replace(&mut self.work, Work::Idle) else { return };
        let ended = EndedTurn {
            number,
            origin: running.origin,
            started_at: running.started_at,
            ended_at: at,
            messages: running.messages,
            end: end.clone(),
        };
        projected.turns.insert((self.id, number), ended.clone());
        self.last_turn = Some(ended);
    }

    fn count(&mut self, number: TurnNumber, usage: Usage, projected: &mut Projected) {
        if let Some(ended) = self.last_turn.as_mut().filter(|ended| ended.number == number) {
            ended.end.usage = Some(usage);
            projected.turns.insert((self.id, number), ended.clone());
        }
    }

    fn open_request(&mut self, request: Request, projected: &mut Projected) {
        projected.requests.insert(request.id, (request.clone(), None));
        if let Some(turn) = self.turn_mut() {
            turn.requests.insert(request.id, request);
        }
    }

    fn answer_request(&mut self, id: RequestId, at: Timestamp, projected: &mut Projected) {
        if let Some(request) = self.turn_mut().and_then(|turn| turn.requests.get_mut(&id)) {
            request.answered_at = Some(at);
            projected.requests.insert(id, (request.clone(), None));
        }
    }

    fn close_request(&mut self, id: RequestId, end: &RequestEnd, projected: &mut Projected) {
        if let Some(request) = self.turn_mut().and_then(|turn| turn.requests.remove(&id)) {
            projected.requests.insert(id, (request, Some(end.clone())));
        }
    }
}

/// What is known of a message's way, with the times it came back.
fn way_of(message: &Message) -> Way {
    let way = message.state.way();
    Way { attempts: way.attempts.max(message.returned), ..way }
}
