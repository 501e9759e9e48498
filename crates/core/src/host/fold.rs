//! The fold: the one place where state changes, used by the live run and by a rebuild from the log.

use super::{Host, Projected};
use crate::agent::{RequestEnd, SessionEnd, Source, TurnEnd, TurnOrigin};
use crate::event::{Event, Logged, Place};
use crate::id::{Attempt, MessageId, RequestId, SessionId, TurnNumber};
use crate::message::{Message, MessageEnd, MessageState};
use crate::name::SessionName;
use crate::request::Request;
use crate::session::{Basis, Hold, Phase, Processes, Profile, Session, Stopping, Work};
use crate::time::Timestamp;
use crate::turn::{EndedTurn, RunningTurn};

/// Whether a message has a moment to watch.
pub(super) fn is_timed(message: &Message) -> bool {
    match message.state {
        MessageState::Delayed { .. } => true,
        MessageState::Ready => message.expires.is_some(),
        MessageState::Delivering { .. } | MessageState::Running { .. } | MessageState::Ended { .. } => false,
    }
}

impl Host {
    /// Takes one event into the state, and notes in `projected` which rows it changes.
    ///
    /// An event of a session that is not there changes nothing but the counters: its session was forgotten.
    pub fn fold(&mut self, logged: &Logged, projected: &mut Projected) {
        self.counters.next_seq = self.counters.next_seq.max(logged.seq.get() + 1);
        match &logged.event {
            Event::SessionCreated { name, profile, parent } => self.fold_created(logged, name, profile, *parent),
            Event::SessionPurged => {
                self.forget(logged.session);
                projected.sessions.remove(&logged.session);
                projected.purged.insert(logged.session);
                return;
            }
            Event::SessionExited { end } => self.fold_exited(logged, end),
            Event::MessageQueued { message } => self.fold_queued(message, projected),
            Event::RequestOpened { request, .. } => {
                self.counters.next_request = self.counters.next_request.max(request.get() + 1);
            }
            Event::SessionStarted { .. }
            | Event::SessionReady
            | Event::SessionUnseen { .. }
            | Event::SessionSeen
            | Event::SessionStopAsked { .. }
            | Event::SessionReparented { .. }
            | Event::ChildEnded { .. }
            | Event::ChildCreated { .. }
            | Event::QueueHeld { .. }
            | Event::QueueReleased
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
            | Event::RequestAnswered { .. }
            | Event::RequestClosed { .. } => {}
        }
        let Some(session) = self.sessions.get_mut(&logged.session) else { return };
        fold_into(session, logged, projected);
        session.settle_basis(logged);
        session.cursor = logged.cursor.unwrap_or(session.cursor);
        projected.sessions.insert(logged.session);
        self.watch_time(logged);
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
            basis,
            turns_begun: 0,
            last_turn: None,
            messages: Default::default(),
            ready: Vec::new(),
            cursor: 0,
        });
    }

    fn fold_exited(&mut self, logged: &Logged, end: &SessionEnd) {
        let Some(session) = self.sessions.get_mut(&logged.session) else { return };
        self.live -= usize::from(!session.has_exited());
        session.phase = Phase::Exited { end: end.clone(), at: logged.at };
        session.stopping = None;
    }

    fn fold_queued(&mut self, message: &Message, projected: &mut Projected) {
        self.counters.next_message = self.counters.next_message.max(message.id.get() + 1);
        projected.messages.insert(message.id, message.clone());
    }

    /// Keeps the list of messages with a moment to watch in step with the message an event is about.
    fn watch_time(&mut self, logged: &Logged) {
        let Some(id) = message_of(&logged.event) else { return };
        let message = self.sessions.get(&logged.session).and_then(|s| s.messages.get(&id));
        if message.is_some_and(is_timed) {
            self.timed.insert((logged.session, id));
        } else {
            self.timed.remove(&(logged.session, id));
        }
    }
}

/// The message an event is about.
fn message_of(event: &Event) -> Option<MessageId> {
    match event {
        Event::MessageQueued { message } => Some(message.id),
        Event::MessageDue { message }
        | Event::MessageChanged { message, .. }
        | Event::MessageHanded { message, .. }
        | Event::MessageReturned { message, .. }
        | Event::MessageAccepted { message, .. }
        | Event::MessageEnded { message, .. } => Some(*message),
        Event::SessionCreated { .. }
        | Event::SessionStarted { .. }
        | Event::SessionReady
        | Event::SessionUnseen { .. }
        | Event::SessionSeen
        | Event::SessionStopAsked { .. }
        | Event::SessionExited { .. }
        | Event::SessionReparented { .. }
        | Event::ChildEnded { .. }
        | Event::ChildCreated { .. }
        | Event::SessionPurged
        | Event::QueueHeld { .. }
        | Event::QueueReleased
        | Event::TurnStarted { .. }
        | Event::TurnInterruptAsked { .. }
        | Event::TurnInterruptPassed { .. }
        | Event::TurnEnded { .. }
        | Event::RequestOpened { .. }
        | Event::RequestAnswered { .. }
        | Event::RequestClosed { .. } => None,
    }
}

fn fold_into(session: &mut Session, logged: &Logged, projected: &mut Projected) {
    let at = logged.at;
    match &logged.event {
        Event::SessionCreated { .. }
        | Event::SessionPurged
        | Event::SessionExited { .. }
        | Event::ChildCreated { .. }
        | Event::ChildEnded { .. }
        | Event::TurnInterruptPassed { .. } => {}
        Event::SessionStarted { runner, agent, supervisor } => {
            session.processes = Some(Processes { runner: *runner, agent: *agent, supervisor: supervisor.clone() });
        }
        Event::SessionReady => session.phase = Phase::Live,
        Event::SessionUnseen { why } => {
            let was_ready = match session.phase {
                Phase::Live => true,
                Phase::Unseen { was_ready, .. } => was_ready,
                Phase::Starting | Phase::Exited { .. } => false,
            };
            session.phase = Phase::Unseen { since: at, why: why.clone(), was_ready };
        }
        Event::SessionSeen => session.see(),
        Event::SessionStopAsked { force, .. } => session.stopping = Some(Stopping { at, force: *force }),
        Event::SessionReparented { parent } => session.parent = *parent,
        Event::QueueHeld { by_hand } => session.hold = if *by_hand { Hold::ByHand } else { Hold::AfterInterrupt },
        Event::QueueReleased => session.hold = Hold::Off,
        Event::MessageQueued { message } => session.enqueue(message),
        Event::MessageDue { message } => session.make_ready(*message, projected),
        Event::MessageChanged { message, bytes, due, place } => {
            session.change(*message, *bytes, *due, *place, projected);
        }
        Event::MessageHanded { message, attempt } => session.hand(*message, *attempt, at, projected),
        Event::MessageReturned { message, .. } => session.take_back(*message, projected),
        Event::MessageAccepted { message, turn, evidence } => {
            session.accept(*message, *turn, evidence.clone(), projected);
        }
        Event::MessageEnded { message, end } => session.end_message(*message, end.clone(), at, projected),
        Event::TurnStarted { turn, origin } => session.begin_turn(*turn, *origin, at),
        Event::TurnInterruptAsked { .. } => {
            if let Some(turn) = session.turn_mut() {
                turn.interrupt_asked_at = Some(at);
            }
        }
        Event::TurnEnded { turn, end } => session.end_turn(*turn, end, at, projected),
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
    fn see(&mut self) {
        if let Phase::Unseen { was_ready, .. } = self.phase {
            self.phase = if was_ready { Phase::Live } else { Phase::Starting };
        }
    }

    /// What the daemon itself did says nothing new of the agent's state, but for the ends and losses of sight.
    fn settle_basis(&mut self, logged: &Logged) {
        self.last_used_at = logged.at.max(self.last_used_at);
        let source = logged.event.source();
        let sight = matches!(logged.event, Event::SessionUnseen { .. } | Event::SessionSeen | Event::SessionExited { .. });
        if source != Source::Daemon || sight {
            self.basis = Basis { source, at: logged.at, said: logged.event.type_name().to_owned() };
        }
    }

    fn enqueue(&mut self, message: &Message) {
        if message.state == MessageState::Ready {
            self.ready.push(message.id);
        }
        self.messages.insert(message.id, message.clone());
    }

    /// Gives one message a new state and notes its row.
    fn set_state(&mut self, id: MessageId, state: MessageState, projected: &mut Projected) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.state = state;
            projected.messages.insert(id, message.clone());
        }
    }

    fn make_ready(&mut self, id: MessageId, projected: &mut Projected) {
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
            Some(None) => self.make_ready(id, projected),
            Some(Some(until)) => {
                self.ready.retain(|other| *other != id);
                self.set_state(id, MessageState::Delayed { until }, projected);
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

    fn take_back(&mut self, id: MessageId, projected: &mut Projected) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.returned += 1;
        }
        self.set_state(id, MessageState::Ready, projected);
        self.ready.insert(0, id);
    }

    fn accept(
        &mut self,
        id: MessageId,
        turn: TurnNumber,
        evidence: crate::agent::Evidence,
        projected: &mut Projected,
    ) {
        let Some(message) = self.messages.get(&id) else { return };
        let way = message.state.way();
        let state = MessageState::Running {
            attempt: Attempt::new(way.attempts.max(1)),
            handed_at: way.handed_at.unwrap_or(evidence.at),
            evidence,
            turn,
        };
        self.ready.retain(|other| *other != id);
        self.set_state(id, state, projected);
        if let Some(running) = self.turn_mut()
            && !running.messages.contains(&id)
        {
            running.messages.push(id);
        }
    }

    fn end_message(&mut self, id: MessageId, end: MessageEnd, at: Timestamp, projected: &mut Projected) {
        let Some(mut message) = self.messages.remove(&id) else { return };
        self.ready.retain(|other| *other != id);
        let way = message.state.way();
        message.state = MessageState::Ended { end, at, way };
        projected.messages.insert(id, message);
    }

    fn begin_turn(&mut self, number: TurnNumber, origin: TurnOrigin, at: Timestamp) {
        self.turns_begun = self.turns_begun.max(number.get());
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
