//! Rules that every step keeps, whatever led to it: read from events and acts alone.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::id::Attempt;
use adjutant_core::message::MessageKind;
use adjutant_core::{Act, Event, Logged, MessageId, RequestId, SessionId, Step, TurnNumber};

/// What the events have told of one session.
#[derive(Clone, Debug, Default)]
struct Course {
    turn: Option<TurnNumber>,
    turns: u32,
    live: BTreeSet<MessageId>,
    handed: Option<MessageId>,
    asking: BTreeSet<RequestId>,
    /// Messages that are meant for a running turn.
    steering: BTreeSet<MessageId>,
    exited: bool,
}

/// A reader of the log who knows nothing of the host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Auditor {
    courses: BTreeMap<SessionId, Course>,
    ended: BTreeSet<MessageId>,
    attempts: BTreeMap<MessageId, u32>,
}

impl Auditor {
    /// Reads one step: its events one by one, and whether its acts follow from them.
    pub(crate) fn read(&mut self, step: &Step) {
        for logged in &step.events {
            self.event(logged);
        }
        for act in step.acts.iter().filter(|act| !matches!(act, Act::Reply { .. })) {
            assert!(step.events.iter().any(|logged| warrants(logged, act)), "no event before {act:?}");
        }
    }

    /// Every message that was ever queued is live or has ended.
    pub(crate) fn is_live(&self, session: SessionId, message: MessageId) -> bool {
        self.courses.get(&session).is_some_and(|course| course.live.contains(&message))
    }

    fn event(&mut self, logged: &Logged) {
        if matches!(logged.event, Event::SessionCreated { .. }) {
            assert!(self.courses.insert(logged.session, Course::default()).is_none(), "created twice: {logged:?}");
            return;
        }
        if logged.event == Event::SessionPurged {
            let course = self.courses.remove(&logged.session);
            assert!(course.is_some_and(|course| course.exited), "forgotten while it lives: {logged:?}");
            return;
        }
        let course = self.courses.get_mut(&logged.session).unwrap_or_else(|| panic!("no session: {logged:?}"));
        if matches!(logged.event, Event::SessionRevived { .. }) {
            assert!(std::mem::take(&mut course.exited), "revived while it lives: {logged:?}");
            return;
        }
        let after_exit = matches!(logged.event, Event::SessionReparented { .. } | Event::SessionIntroduced { .. });
        assert!(!course.exited || after_exit, "its end was not the end: {logged:?}");
        match &logged.event {
            Event::MessageQueued { message } => {
                if message.kind == MessageKind::Steer {
                    course.steering.insert(message.id);
                }
                assert!(
                    course.live.insert(message.id) && !self.ended.contains(&message.id),
                    "queued twice: {logged:?}"
                );
            }
            Event::MessageHanded { message, attempt } => {
                assert!(course.live.contains(message), "handed over and not there: {logged:?}");
                let fits = course.turn.is_none() || (course.steering.contains(message) && *attempt == Attempt::FIRST);
                assert!(fits, "handed over into a turn: {logged:?}");
                assert!(course.asking.is_empty(), "handed over into a question: {logged:?}");
                assert_eq!(course.handed.replace(*message), None, "two in flight: {logged:?}");
                let before = self.attempts.insert(*message, attempt.get()).unwrap_or(0);
                assert_eq!(*attempt, Attempt::new(before + 1), "attempts are dense: {logged:?}");
            }
            Event::MessageReturned { message, .. } => {
                assert_eq!(course.handed.take(), Some(*message), "returned and not handed over: {logged:?}");
            }
            Event::MessageAccepted { message, turn, .. } => {
                assert_eq!(course.turn, Some(*turn), "taken by no turn: {logged:?}");
                course.handed.take_if(|handed| handed == message);
            }
            Event::MessageEnded { message, .. } => {
                assert!(course.live.remove(message) && self.ended.insert(*message), "ended twice: {logged:?}");
                course.handed.take_if(|handed| handed == message);
            }
            Event::TurnStarted { turn, .. } => {
                assert_eq!(course.turn.replace(*turn), None, "two turns at once: {logged:?}");
                course.turns += 1;
                assert_eq!(*turn, TurnNumber::new(course.turns), "numbers are dense: {logged:?}");
            }
            Event::TurnEnded { turn, .. } => {
                assert_eq!(course.turn.take(), Some(*turn), "ended and not running: {logged:?}");
                assert!(course.asking.is_empty(), "a question outlives its turn: {logged:?}");
            }
            Event::RequestOpened { request, turn, .. } => {
                assert_eq!(course.turn, Some(*turn), "asked outside of a turn: {logged:?}");
                assert!(course.asking.insert(*request), "asked twice: {logged:?}");
            }
            Event::RequestAnswered { request, .. } => assert!(course.asking.contains(request), "{logged:?}"),
            Event::RequestClosed { request, .. } => assert!(course.asking.remove(request), "closed twice: {logged:?}"),
            Event::SessionExited { .. } => {
                assert!(
                    course.turn.is_none() && course.live.is_empty(),
                    "something is left open: {logged:?} {course:?}"
                );
                course.exited = true;
            }
            Event::SessionCreated { .. }
            | Event::SessionStarted { .. }
            | Event::SessionRevived { .. }
            | Event::SessionReady
            | Event::SessionUnseen { .. }
            | Event::SessionSeen
            | Event::SessionConversation { .. }
            | Event::GoalChanged { .. }
            | Event::TurnCounted { .. }
            | Event::SessionNotice { .. }
            | Event::RequestPolicy { .. }
            | Event::SessionStopAsked { .. }
            | Event::SessionReparented { .. }
            | Event::SessionIntroduced { .. }
            | Event::ChildEnded { .. }
            | Event::ChildCreated { .. }
            | Event::SessionPurged
            | Event::QueueHeld { .. }
            | Event::QueueReleased
            | Event::MessageAfterSettled { .. }
            | Event::MessageDue { .. }
            | Event::MessageChanged { .. }
            | Event::TurnInterruptAsked { .. }
            | Event::TurnInterruptPassed { .. } => {}
        }
    }
}

/// Whether this event is what this act follows from. An answer to a caller follows from the call itself.
fn warrants(logged: &Logged, act: &Act) -> bool {
    let event = &logged.event;
    let (session, fits) = match act {
        Act::Reply { .. } => return true,
        Act::Launch { session } => {
            (session, matches!(event, Event::SessionCreated { .. } | Event::SessionRevived { .. }))
        }
        Act::Adopt { session } => (session, matches!(event, Event::SessionUnseen { .. })),
        Act::Deliver { session, message, attempt } | Act::Steer { session, message, attempt } => {
            (session, *event == Event::MessageHanded { message: *message, attempt: *attempt })
        }
        Act::Interrupt { session, turn: None } => (session, matches!(event, Event::SessionNotice { .. })),
        Act::Interrupt { session, turn: Some(turn) } => {
            let asked = matches!(event, Event::TurnInterruptAsked { turn: asked, .. } if asked == turn);
            let begun = matches!(event, Event::MessageAccepted { turn: begun, .. } if begun == turn);
            (session, asked || begun || *event == Event::SessionSeen)
        }
        Act::Respond { session, request, .. } => {
            (session, matches!(event, Event::RequestAnswered { request: answered, .. } if answered == request))
        }
        Act::End { session, .. } => {
            let asked = matches!(event, Event::SessionStopAsked { .. });
            (session, asked || matches!(event, Event::SessionSeen | Event::SessionUnseen { .. }))
        }
        Act::Release { session } => (session, matches!(event, Event::SessionExited { .. })),
        Act::Remove { session, .. } => (session, *event == Event::SessionPurged),
    };
    fits && logged.session == *session
}
