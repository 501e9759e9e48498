//! Whether a host is in the state that the model predicts.

use std::fmt::Debug;

use adjutant_core::message::{DependencyState, MessageState};
use adjutant_core::session::Session;
use adjutant_core::{Act, Host, Now, Refusal, RequestId, Step};

use crate::auditor::Auditor;
use crate::model::{self, At, Model, ModelMessage};

/// Whether a step does and says what the model predicts.
pub(crate) fn compare_step(step: &Step, model: &Model, moment: &dyn Debug) {
    let acts: Vec<String> = step.acts.iter().filter_map(model::word_of).collect();
    assert_eq!(acts, model.acts, "what {moment:?} leads to: {:#?}", step.events);
    let told: Vec<model::Told> = step.acts.iter().filter_map(told).collect();
    assert_eq!(told, Vec::from_iter(model.told.clone()), "what the caller of {moment:?} is told");
}

fn told(act: &Act) -> Option<model::Told> {
    match act {
        Act::Reply { answer, .. } => Some(answer.clone().map_err(|refusal| word_of_refusal(&refusal))),
        Act::Launch { .. }
        | Act::Adopt { .. }
        | Act::Deliver { .. }
        | Act::Interrupt { .. }
        | Act::Steer { .. }
        | Act::Respond { .. }
        | Act::End { .. }
        | Act::Release { .. }
        | Act::Remove { .. } => None,
    }
}

/// Names are chosen by the host; the model has to know them to refuse them.
pub(crate) fn learn_names(model: &mut Model, host: &Host) {
    for s in model.sessions.iter_mut().filter(|s| s.name.is_none()) {
        s.name = host.session(s.id).map(|session| session.name.clone());
    }
}

pub(crate) fn compare(host: &Host, model: &Model, auditor: &Auditor, now: Now, moment: &dyn Debug) {
    let live = model.sessions.iter().filter(|s| !s.purged);
    assert_eq!(host.sessions().count(), live.clone().count(), "sessions after {moment:?}");
    for s in live {
        let session = host.session(s.id).unwrap_or_else(|| panic!("{} is gone after {moment:?}", s.id));
        assert_eq!(session.status(), model.status(s.id), "status of {} after {moment:?}", s.id);
        assert_eq!(session.hold, s.hold, "hold of {} after {moment:?}", s.id);
        assert_eq!(session.parent, s.parent, "parent of {} after {moment:?}", s.id);
        assert_eq!((session.turns_begun, session.cursor), (s.begun, s.cursor), "{} after {moment:?}", s.id);
        assert_eq!(session.stopping.as_ref().map(|stopping| stopping.force), s.stopping, "{} after {moment:?}", s.id);
        assert_eq!(session.was_ready(), s.ready || s.exited, "{} after {moment:?}", s.id);
        assert_eq!((session.revivals, session.turns_before), (s.revivals, s.before), "{} after {moment:?}", s.id);
        let running = model.running(s.id).map(|turn| turn.number);
        assert_eq!(session.turn().map(|turn| turn.number.get()), running, "turn of {} after {moment:?}", s.id);
        assert_eq!(session.ready, model.line(s.id), "queue of {} after {moment:?}", s.id);
        let open: Vec<RequestId> = model.open(s.id).iter().map(|request| request.id).collect();
        assert_eq!(session.requests().map(|r| r.id).collect::<Vec<_>>(), open, "requests after {moment:?}");
        compare_messages(session, model, auditor, moment);
    }
    assert_eq!(host.next_due(now), model.next_due(now), "the next moment after {moment:?}");
    for request in &model.requests {
        let owner = host.by_request(request.id).map(|session| session.id);
        assert_eq!(owner, Some(request.session).filter(|_| request.open), "owner of {} after {moment:?}", request.id);
    }
}

fn compare_messages(session: &Session, model: &Model, auditor: &Auditor, moment: &dyn Debug) {
    let mine = model.messages.iter().filter(|m| m.session == session.id);
    let mut live = 0;
    for m in mine {
        let state = session.messages.get(&m.id).map(|message| &message.state);
        let same = match (&m.at, state) {
            (At::Later(due), Some(MessageState::Delayed { until })) => due == until,
            (At::Line(_), Some(MessageState::Ready)) => true,
            (At::Out(number), Some(MessageState::Delivering { attempt, .. })) => attempt.get() == *number,
            (At::In(number), Some(MessageState::Running { turn, .. })) => turn.get() == *number,
            (At::Over(_), None) => true,
            (At::Later(_) | At::Line(_) | At::Out(_) | At::In(_) | At::Over(_), _) => false,
        };
        assert!(same, "{m:?} and {state:?} after {moment:?}");
        compare_after(m, session, moment);
        assert_eq!(auditor.is_live(session.id, m.id), state.is_some(), "{m:?} is lost after {moment:?}");
        live += usize::from(state.is_some());
    }
    assert_eq!(session.messages.len(), live, "messages of {} after {moment:?}", session.id);
}

fn compare_after(m: &ModelMessage, session: &Session, moment: &dyn Debug) {
    let Some(message) = session.messages.get(&m.id) else { return };
    let of = message.after.as_ref().map_or(&[][..], |after| &after.of);
    assert_eq!(of.len(), m.after.len(), "what {m:?} waits for after {moment:?}");
    for (dependency, expected) in of.iter().zip(&m.after) {
        match (&dependency.state, expected.settled) {
            (DependencyState::Open { .. }, None) | (DependencyState::Unmet, Some(false)) => {}
            (DependencyState::Settled { how, .. }, Some(true)) => {
                assert!(Model::is_result(expected, how), "{how:?} of {expected:?} after {moment:?}");
            }
            (state, _) => panic!("{state:?} of {expected:?} after {moment:?}"),
        }
    }
}

/// The refusal in the words of the model.
fn word_of_refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::SessionNotFound(_) => "not found",
        Refusal::SessionExited(_) => "exited",
        Refusal::NotResumable { .. } => "not resumable",
        Refusal::ConversationInUse { .. } => "in use",
        Refusal::SessionStopping(_) => "stopping",
        Refusal::NameInUse(_) => "name in use",
        Refusal::MessageNotFound(_) => "no message",
        Refusal::MessageStarted(_) => "started",
        Refusal::QueueFull { .. } => "queue full",
        Refusal::TooManySessions(_) => "too many sessions",
        Refusal::TooDeep(_) => "too deep",
        Refusal::NotSupported { .. } | Refusal::Misplaced(_) => "not supported",
        Refusal::Forbidden(_) => "forbidden",
        Refusal::RequestNotFound(_) => "no request",
        Refusal::RequestNotPending(_) => "not pending",
        Refusal::SessionLives(_) => "lives",
        Refusal::NotASession => "no caller to wake",
        Refusal::AfterTooMany(_) => "too many to wait for",
        Refusal::NotStored(_) => "not stored",
        Refusal::Stopping => "daemon stopping",
    }
}
