//! Interrupts, kills, exits, families, and what is forgotten.

use adjutant_core::agent::{AgentReport, RequestEnd, SessionEnd, StartFailure};
use adjutant_core::call::{NewMessage, NewSession};
use adjutant_core::id::Attempt;
use adjutant_core::limits;
use adjutant_core::message::{MessageEnd, MessageKind, MessageState, Undeliverable};
use adjutant_core::outcome::{ExitStatus, Outcome, UnknownReason};
use adjutant_core::request::RequestAnswer;
use adjutant_core::session::{Goal, Hold, Phase, Status};
use adjutant_core::{Act, Answer, Call, Caller, MessageId, Refusal, SessionId, TurnNumber};

use crate::machine::{question, unclear};
use crate::stage::{Stage, message};

fn interrupts(stage: &Stage) -> usize {
    stage.last.acts.iter().filter(|act| matches!(act, Act::Interrupt { .. })).count()
}

#[test]
fn e11_an_interrupt_holds_the_queue_until_the_next_send() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    stage.taken(x, a);
    assert_eq!(stage.interrupt(x), Ok(Answer::Interrupting { turn: Some(TurnNumber::new(1)), goal: false }));
    assert_eq!(stage.session(x).hold, Hold::AfterInterrupt);
    stage.ends(x, Outcome::Interrupted);
    assert_eq!(stage.handed(), []);
    let c = stage.send(x, "c");
    assert_eq!(stage.handed(), [(b, 1)], "the queue runs on in its order");
    assert_eq!(stage.session(x).ready, [c]);
}

#[test]
fn e11_a_hold_by_hand_is_ended_by_a_release_alone() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    stage.taken(x, a);
    stage.call(Call::Hold { session: x }).expect("held");
    stage.interrupt(x).expect("interrupting");
    stage.ends(x, Outcome::Interrupted);
    let b = stage.send_new(x, NewMessage { interrupt: true, ..message("b") });
    assert_eq!((stage.session(x).hold, stage.handed()), (Hold::ByHand, vec![]));
    stage.call(Call::Release { session: x }).expect("released");
    assert_eq!(stage.handed(), [(b, 1)]);
}

#[test]
fn e11_an_interrupt_can_cancel_the_queue_instead() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    let c = stage.send_new(x, NewMessage { due: Some(stage.after(50)), ..message("c") });
    stage.taken(x, a);
    stage.call(Call::Interrupt { session: x, clear_queue: true }).expect("interrupting");
    assert_eq!((stage.end(b), stage.end(c)), (MessageEnd::Cancelled, MessageEnd::Cancelled));
    assert_eq!(stage.session(x).hold, Hold::Off);
    stage.ends(x, Outcome::Interrupted);
    let d = stage.send(x, "d");
    assert_eq!(stage.handed(), [(d, 1)]);
}

#[test]
fn e11_nothing_to_interrupt_changes_nothing() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    assert_eq!(stage.interrupt(x), Ok(Answer::Interrupting { turn: None, goal: false }));
    assert_eq!((stage.events(), stage.session(x).hold), (vec![], Hold::Off));
}

#[test]
fn e11_between_two_turns_of_a_goal_the_goal_is_interrupted() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let goal = |status: &str| {
        let (objective, status) = ("the tests pass".to_owned(), status.to_owned());
        AgentReport::Goal { goal: Some(Goal { objective, status, token_budget: None }) }
    };
    stage.report_at(x, None, goal("active"));
    assert_eq!(stage.interrupt(x), Ok(Answer::Interrupting { turn: None, goal: true }));
    assert_eq!((interrupts(&stage), stage.session(x).hold), (1, Hold::Off));
    let a = stage.send(x, "a");
    assert_eq!(stage.interrupt(x), Ok(Answer::Interrupting { turn: Some(TurnNumber::new(1)), goal: false }));
    stage.taken(x, a);
    stage.ends(x, Outcome::Interrupted);
    stage.report_at(x, None, goal("paused"));
    assert_eq!(stage.interrupt(x), Ok(Answer::Interrupting { turn: None, goal: false }));
    assert_eq!(interrupts(&stage), 0);
}

#[test]
fn e11_a_message_in_delivery_is_interrupted_as_soon_as_its_turn_begins() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    assert_eq!(stage.interrupt(x), Ok(Answer::Interrupting { turn: Some(TurnNumber::new(1)), goal: false }));
    assert_eq!(interrupts(&stage), 0, "there is no turn yet");
    stage.taken(x, a);
    assert_eq!(interrupts(&stage), 1);
    assert!(stage.session(x).turn().is_some_and(|turn| turn.interrupt_asked_at.is_some()));
    stage.ends(x, Outcome::Interrupted);
    assert_eq!((stage.outcome(a), stage.handed()), (Outcome::Interrupted, vec![]));
    assert_eq!(*stage.state(b), MessageState::Ready);
}

#[test]
fn e11_a_wish_to_interrupt_outlives_the_daemon() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    stage.interrupt(x).expect("interrupting");
    stage.restart();
    stage.taken(x, a);
    stage.restart();
    stage.seen(x, true);
    assert_eq!(interrupts(&stage), 1, "whoever was to pass it on may not have done so");
}

#[test]
fn e11_a_message_that_comes_back_on_hold_is_not_interrupted_later() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    stage.interrupt(x).expect("interrupting");
    stage.not_taken(x, a, 1);
    assert_eq!(stage.handed(), [], "it waits with the queue");
    stage.send(x, "b");
    assert_eq!(stage.handed(), [(a, 2)]);
    stage.taken(x, a);
    assert_eq!(interrupts(&stage), 0);
}

#[test]
fn send_with_interrupt_goes_first_and_stops_the_turn() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let [a, b] = ["a", "b"].map(|text| stage.send(x, text));
    stage.taken(x, a);
    let c = stage.send_new(x, NewMessage { interrupt: true, ..message("c") });
    assert_eq!(interrupts(&stage), 1);
    assert_eq!(stage.session(x).ready, [c, b]);
    stage.ends(x, Outcome::Interrupted);
    assert_eq!(stage.handed(), [(c, 1)]);
}

#[test]
fn send_with_interrupt_stops_what_is_in_delivery_too() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let [a, b] = ["a", "b"].map(|text| stage.send(x, text));
    let c = stage.send_new(x, NewMessage { interrupt: true, ..message("c") });
    stage.not_taken(x, a, 1);
    assert_eq!(stage.handed(), [(a, 2)]);
    stage.taken(x, a);
    assert_eq!(interrupts(&stage), 1, "it is still to be stopped");
    stage.ends(x, Outcome::Interrupted);
    assert_eq!(stage.handed(), [(c, 1)]);
    stage.taken(x, c);
    assert_eq!((interrupts(&stage), stage.session(x).ready.clone()), (0, vec![b]));
}

#[test]
fn what_an_agent_cannot_do_is_refused_and_changes_nothing() {
    let mut stage = Stage::new();
    let (deaf, plain) = (stage.live("deaf"), stage.live("plain"));
    let interrupting = || NewMessage { interrupt: true, ..message("now") };
    let later = NewMessage { due: Some(stage.after(10)), ..interrupting() };
    let calls = [
        Call::Interrupt { session: deaf, clear_queue: true },
        Call::Send { session: deaf, message: interrupting(), wake_me: false },
        Call::Send { session: plain, message: later, wake_me: false },
    ];
    for call in calls {
        let refused = stage.call(call.clone());
        assert!(matches!(refused, Err(Refusal::NotSupported { .. })), "{call:?}: {refused:?}");
        assert!(stage.last.events.is_empty());
    }
}

fn steers(act: &Act, wanted: MessageId) -> bool {
    matches!(act, Act::Steer { message, .. } if *message == wanted)
}

#[test]
fn g13_a_message_joins_the_running_turn_and_comes_too_late_for_one_that_has_ended() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let steer = || NewMessage { kind: MessageKind::Steer, ..message("steer") };
    let first = stage.send(x, "first");
    stage.taken(x, first);
    let m = stage.send_new(x, steer());
    stage.taken(x, m);
    assert_eq!(stage.session(x).turn().map(|turn| turn.messages.clone()), Some(vec![first, m]));
    let late = stage.send_new(x, steer());
    assert!(stage.last.acts.iter().any(|act| steers(act, late)));
    stage.ends(x, Outcome::Completed);
    let detail = "the turn had ended".to_owned();
    stage.report(x, AgentReport::NotTaken { message: late, attempt: Attempt::FIRST, detail });
    assert!(matches!(stage.last.acts[..], [Act::Deliver { message, .. }] if message == late), "it is the next turn");
}

#[test]
fn g13_nothing_is_put_into_an_open_question() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let first = stage.send(x, "first");
    stage.taken(x, first);
    stage.report(x, AgentReport::RequestOpened { request: question("q") });
    let m = stage.send_new(x, NewMessage { kind: MessageKind::Steer, ..message("steer") });
    assert!(stage.session(x).ready.contains(&m));
    stage.report(x, AgentReport::RequestClosed { native: "q".to_owned(), end: RequestEnd::Answered });
    assert!(stage.last.acts.iter().any(|act| steers(act, m)));
}

#[test]
fn g13_what_an_agent_cannot_take_into_its_turn_becomes_the_next_one() {
    let mut stage = Stage::new();
    let (able, unable) = (stage.live("sure"), stage.live("plain"));
    let kinds = [(able, MessageKind::Steer), (unable, MessageKind::Next)];
    for (x, kind) in kinds {
        let first = stage.send(x, "first");
        stage.taken(x, first);
        let m = stage.send_new(x, NewMessage { kind: MessageKind::Steer, ..message("steer") });
        assert_eq!(stage.session(x).messages[&m].kind, kind);
        let (waits, steers) = (stage.session(x).ready.contains(&m), stage.last.acts.iter().any(|act| steers(act, m)));
        assert_eq!((waits, steers), (kind == MessageKind::Next, kind == MessageKind::Steer), "{kind:?}");
    }
}

#[test]
fn g13_where_no_turn_runs_it_is_told_as_the_next_one() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let steer = || NewMessage { kind: MessageKind::Steer, ..message("steer") };
    let first = stage.send_new(x, steer());
    assert_eq!(stage.session(x).messages[&first].kind, MessageKind::Next);
    let second = stage.send_new(x, steer());
    assert_eq!(stage.session(x).messages[&second].kind, MessageKind::Steer, "a turn is about to begin");
    stage.taken(x, first);
    assert!(stage.last.acts.iter().any(|act| steers(act, second)));
}

#[test]
fn e5_a_kill_cancels_the_queue_and_ends_the_turn() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let [a, b] = ["a", "b"].map(|text| stage.send(x, text));
    stage.taken(x, a);
    assert_eq!(stage.kill(x, false), Ok(Answer::Killing { already: false }));
    assert!(matches!(stage.last.acts[..], [Act::End { grace_ms: limits::KILL_GRACE_MS, .. }, Act::Reply { .. }]));
    assert!(matches!(stage.try_send(x, message("late")), Err(Refusal::SessionStopping(_))));
    assert!(matches!(stage.interrupt(x), Err(Refusal::SessionStopping(_))));
    stage.report(x, AgentReport::Exited { end: SessionEnd::Killed });
    assert_eq!((stage.outcome(a), stage.end(b)), (Outcome::Exited, MessageEnd::Cancelled));
    assert_eq!(stage.status(x), Status::Exited);
    assert_eq!(stage.kill(x, true), Ok(Answer::Killing { already: true }));
    assert!(stage.last.events.is_empty());
}

#[test]
fn e5_a_kill_can_be_made_harder_but_not_softer() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let graces = |stage: &Stage| -> Vec<u64> {
        let acts = stage.last.acts.iter();
        acts.filter_map(|act| if let Act::End { grace_ms, .. } = act { Some(*grace_ms) } else { None }).collect()
    };
    stage.kill(x, false).expect("killing");
    assert_eq!(graces(&stage), [limits::KILL_GRACE_MS]);
    stage.kill(x, false).expect("killing");
    assert_eq!(graces(&stage), []);
    stage.kill(x, true).expect("killing");
    assert_eq!(graces(&stage), [0]);
    stage.kill(x, false).expect("killing");
    assert_eq!(graces(&stage), []);
    stage.restart();
    assert_eq!(graces(&stage), [0], "whoever comes after the daemon goes on with it, seen or not");
    stage.seen(x, false);
    assert_eq!(graces(&stage), [0]);
}

#[test]
fn e5_a_session_killed_while_it_starts_never_runs_its_queue() {
    let mut stage = Stage::new();
    let x = stage.starting("sure");
    let m = stage.send(x, "never");
    stage.kill(x, false).expect("killing");
    stage.ready(x);
    assert_eq!(stage.handed(), []);
    stage.report(x, AgentReport::Exited { end: SessionEnd::Killed });
    assert_eq!(stage.end(m), MessageEnd::Cancelled);
}

#[test]
fn e5_a_start_that_fails_because_it_was_killed_keeps_its_record() {
    let mut stage = Stage::new();
    let mut new = stage.new_session("sure");
    new.profile.keep_failed = false;
    let x = new.id;
    stage.create(new).expect("created");
    let m = stage.send(x, "never");
    stage.kill(x, true).expect("killing");
    stage.report_at(x, None, AgentReport::StartFailed { why: StartFailure::Withdrawn });
    assert_eq!((stage.status(x), stage.end(m)), (Status::Exited, MessageEnd::Cancelled));
}

#[test]
fn e5_a_kill_cancels_even_if_the_exit_is_seen_as_something_else() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    let b = stage.send(x, "b");
    stage.taken(x, a);
    stage.kill(x, true).expect("killing");
    stage.restart();
    stage.report_at(x, None, AgentReport::Exited { end: SessionEnd::Ended { exit: ExitStatus::Signal(9) } });
    assert_eq!(stage.end(b), MessageEnd::Cancelled);
}

#[test]
fn an_exit_makes_the_queue_undeliverable() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let [a, b] = ["a", "b"].map(|text| stage.send(x, text));
    let c = stage.send_new(x, NewMessage { due: Some(stage.after(10)), ..message("c") });
    stage.taken(x, a);
    stage.exits(x, 3);
    assert_eq!(stage.outcome(a), Outcome::Exited);
    for m in [b, c] {
        assert_eq!(stage.end(m), MessageEnd::Undeliverable { why: Undeliverable::SessionExited });
    }
    assert_eq!(stage.events().last(), Some(&"session.exited"));
}

#[test]
fn a_message_in_delivery_at_an_exit_was_not_taken_if_the_agent_deduplicates() {
    let mut stage = Stage::new();
    let (sure, plain) = (stage.live("sure"), stage.live("plain"));
    let (m, n) = (stage.send(sure, "m"), stage.send(plain, "n"));
    stage.exits(sure, 0);
    stage.exits(plain, 0);
    assert_eq!(stage.end(m), MessageEnd::Undeliverable { why: Undeliverable::SessionExited });
    assert!(matches!(stage.end(n), MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { .. } }));
}

#[test]
fn what_its_driver_doubts_at_a_death_is_unknown_and_the_rest_was_not_taken() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (doubted, next) = (stage.send(x, "given to it, and no word of it"), stage.send(x, "next"));
    stage.report_at(x, None, unclear(doubted, Attempt::FIRST));
    assert_eq!(stage.handed(), [(next, 1)], "nobody knows yet that it is dead");
    let lost = SessionEnd::Lost { detail: "no such process".to_owned() };
    stage.report_at(x, None, AgentReport::Exited { end: lost });
    assert!(matches!(stage.end(doubted), MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { .. } }));
    assert_eq!(stage.end(next), MessageEnd::Undeliverable { why: Undeliverable::SessionExited });
}

#[test]
fn nothing_contradicts_an_exit() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "m");
    stage.taken(x, m);
    stage.exits(x, 0);
    let evidence = stage.evidence();
    for late in [AgentReport::Ready, AgentReport::Taken { message: m, evidence }] {
        stage.report(x, late);
        assert!(stage.last.events.is_empty());
    }
    stage.exits(x, 1);
    let Phase::Exited { end: SessionEnd::Ended { exit }, .. } = &stage.session(x).phase else { panic!() };
    assert_eq!(*exit, ExitStatus::Code(0));
}

#[test]
fn children_go_to_their_grandparent() {
    let mut stage = Stage::new();
    let top = stage.live("sure");
    let middle = stage.child_of(top);
    let (low, done) = (stage.child_of(middle), stage.child_of(middle));
    stage.exits(done, 0);
    stage.exits(middle, 0);
    assert_eq!((stage.session(low).parent, stage.session(done).parent), (Some(top), Some(top)));
    assert_eq!(stage.events(), ["session.exited", "session.reparented", "session.reparented", "child.ended"]);
    assert!(stage.host.descends(low, top) && !stage.host.descends(low, middle));
    stage.exits(top, 0);
    assert_eq!(stage.session(low).parent, None);
}

#[test]
fn nobody_becomes_the_child_of_a_session_that_has_ended_or_is_ending() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let try_child = |stage: &mut Stage, parent: SessionId| {
        let new = NewSession { parent: Some(parent), ..stage.new_session("sure") };
        stage.create(new)
    };
    stage.kill(x, false).expect("killing");
    assert!(matches!(try_child(&mut stage, x), Err(Refusal::SessionStopping(_))));
    stage.exits(x, 0);
    assert!(matches!(try_child(&mut stage, x), Err(Refusal::SessionExited(_))));
    assert!(matches!(try_child(&mut stage, crate::cast::session_id(99)), Err(Refusal::SessionNotFound(_))));
}

#[test]
fn e8_a_session_kills_its_descendants_and_nobody_else() {
    let mut stage = Stage::new();
    let top = stage.live("sure");
    let middle = stage.child_of(top);
    let low = stage.child_of(middle);
    let other = stage.live("sure");
    let kill = |session, any_allowed| Call::Kill { session, force: false, any_allowed };
    for forbidden in [top, middle, other] {
        let refused = stage.call_as(Caller::Session(middle), kill(forbidden, false));
        assert!(matches!(refused, Err(Refusal::Forbidden(_))), "{refused:?}");
    }
    stage.call_as(Caller::Session(top), kill(low, false)).expect("a grandchild");
    stage.call_as(Caller::Session(middle), kill(other, true)).expect("the configuration allows it");
    stage.exits(low, 0);
    let forget = |session| Call::Purge { session };
    stage.exits(other, 0);
    let refused = stage.call_as(Caller::Session(middle), forget(other));
    assert!(matches!(refused, Err(Refusal::Forbidden(_))), "{refused:?}");
    stage.call_as(Caller::Session(middle), forget(low)).expect("its own");
}

#[test]
fn a_session_answers_its_descendants_and_nobody_else() {
    let mut stage = Stage::new();
    let top = stage.live("sure");
    let low = stage.child_of(top);
    let other = stage.live("sure");
    stage.ready(low);
    let m = stage.send(low, "may I?");
    stage.taken(low, m);
    let r = stage.asks(low, "q1");
    let respond = || Call::Respond { request: r, answer: RequestAnswer::Allow };
    for forbidden in [low, other] {
        let refused = stage.call_as(Caller::Session(forbidden), respond());
        assert!(matches!(refused, Err(Refusal::Forbidden(_))), "{refused:?}");
    }
    stage.call_as(Caller::Session(top), respond()).expect("its parent");
}

#[test]
fn a_purge_forgets_everything_and_gives_the_name_and_the_key_free() {
    let mut stage = Stage::new();
    let mut new = stage.new_session("sure");
    new.name = Some("chosen".parse().expect("a name"));
    new.profile.key = Some("once".to_owned());
    let x = new.id;
    stage.create(new.clone()).expect("created");
    let mut same_key = stage.new_session("sure");
    same_key.profile.key = Some("once".to_owned());
    let replayed = stage.create(same_key);
    assert_eq!(replayed, Ok(Answer::Created { session: x, replayed: true, message: None }));
    stage.ready(x);
    let m = stage.send(x, "m");
    stage.runs(x, m, Outcome::Completed);
    assert!(matches!(stage.call(Call::Purge { session: x }), Err(Refusal::SessionLives(_))));
    stage.exits(x, 0);
    stage.call(Call::Purge { session: x }).expect("forgotten");
    assert!(stage.host.session(x).is_none() && stage.host.by_token_hash(&new.profile.token_hash).is_none());
    assert!(stage.shelf.messages.is_empty() && stage.shelf.texts.is_empty() && stage.shelf.turns.is_empty());
    assert!(matches!(stage.call(Call::Purge { session: x }), Err(Refusal::SessionNotFound(_))));
    let mut again = stage.new_session("sure");
    again.name = new.name;
    again.profile.key = new.profile.key;
    let created = stage.create(again);
    assert!(matches!(created, Ok(Answer::Created { replayed: false, .. })), "{created:?}");
    assert_ne!(stage.host.counters().next_message, 1, "ids are never used twice");
}

#[test]
fn a_create_that_comes_twice_overwrites_nothing() {
    let mut stage = Stage::new();
    let new = stage.new_session("sure");
    stage.create(new.clone()).expect("created");
    let m = stage.send(new.id, "m");
    let again = stage.create(new.clone());
    assert_eq!(again, Ok(Answer::Created { session: new.id, replayed: true, message: None }));
    assert!(stage.session(new.id).messages.contains_key(&m));
}

#[test]
fn a_token_proves_nothing_once_its_session_has_exited() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let hash = stage.session(x).profile.token_hash.clone();
    assert_eq!(stage.host.by_token_hash(&hash).map(|s| s.id), Some(x));
    stage.exits(x, 0);
    assert!(stage.host.by_token_hash(&hash).is_none());
}
