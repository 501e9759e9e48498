//! Rows A and G of the command line that live in the core: order, time, attempts, places.

use adjutant_core::agent::{AgentReport, Level, TurnOrigin};
use adjutant_core::call::{NewMessage, NewSession};
use adjutant_core::event::Place;
use adjutant_core::id::Attempt;
use adjutant_core::limits;
use adjutant_core::message::{MessageEnd, MessageState, Undeliverable};
use adjutant_core::outcome::{FailReason, Outcome, UnknownReason};
use adjutant_core::session::{Profile, Status};
use adjutant_core::time::{BootId, BootMoment, Due};
use adjutant_core::{Act, Answer, Call, Input, Refusal, Timestamp, TurnNumber};

use crate::machine::unclear;
use crate::stage::{Stage, message};

#[test]
fn a19_two_messages_to_a_working_session_keep_their_order_and_their_turns() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let first = stage.send(x, "first");
    stage.taken(x, first);
    let (second, third) = (stage.send(x, "second"), stage.send(x, "third"));
    assert_ne!(second, third);
    assert_eq!(stage.session(x).ready, [second, third]);
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.handed(), [(second, 1)]);
    stage.runs(x, second, Outcome::Completed);
    assert_eq!(stage.handed(), [(third, 1)]);
    stage.runs(x, third, Outcome::Completed);
    let ends = [first, second, third].map(|m| stage.end(m));
    let settled = |turn| MessageEnd::Settled { turn: TurnNumber::new(turn), outcome: Outcome::Completed };
    assert_eq!(ends, [1, 2, 3].map(settled));
}

#[test]
fn a20_a_turn_of_a_person_while_a_message_is_in_delivery_is_a_turn_of_its_own() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let ours = stage.send(x, "ours");
    stage.report(x, AgentReport::TurnStarted { origin: TurnOrigin::Person });
    assert!(matches!(stage.state(ours), MessageState::Delivering { .. }));
    stage.ends(x, Outcome::Completed);
    assert!(matches!(stage.state(ours), MessageState::Delivering { .. }), "the person's turn is not the message's");
    assert_eq!(stage.handed(), []);
    stage.runs(x, ours, Outcome::Completed);
    assert_eq!(stage.end(ours), MessageEnd::Settled { turn: TurnNumber::new(2), outcome: Outcome::Completed });
}

#[test]
fn what_is_under_way_to_a_conversation_that_a_person_takes_waits_for_its_return() {
    let mut stage = Stage::new();
    let new = stage.new_session("sure");
    let profile = Profile { headless: true, ..new.profile };
    let Ok(Answer::Created { session: x, .. }) = stage.create(NewSession { profile, ..new }) else { panic!("refused") };
    stage.ready(x);
    let under_way = stage.send(x, "under way");
    stage.report(x, AgentReport::TurnStarted { origin: TurnOrigin::Person });
    stage.not_taken(x, under_way, 1);
    assert_eq!((stage.state(under_way), stage.handed()), (&MessageState::Ready, Vec::new()));
    assert!(stage.session(x).lent_since().is_some());
    let behind = stage.send(x, "behind");
    // A daemon that is replaced finds it so.
    stage.restart();
    stage.seen(x, true);
    assert!(stage.session(x).lent_since().is_some() && stage.handed().is_empty());
    stage.ends(x, Outcome::Completed);
    assert_eq!((stage.handed(), stage.session(x).lent_since()), (vec![(under_way, 2)], None));
    stage.runs(x, under_way, Outcome::Completed);
    assert_eq!(stage.handed(), [(behind, 1)]);
}

#[test]
fn a11_a_message_to_a_session_that_asks_stays_queued() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let first = stage.send(x, "first");
    stage.taken(x, first);
    stage.asks(x, "q1");
    let second = stage.send(x, "second");
    assert_eq!(*stage.state(second), MessageState::Ready);
    assert_eq!(stage.status(x), Status::WaitingForInput);
}

#[test]
fn a11_a_question_that_no_turn_was_seen_to_put_is_not_typed_into_either() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.asks(x, "q1");
    assert_eq!(stage.status(x), Status::WaitingForInput);
    let waiting = stage.send(x, "not an answer");
    assert_eq!(*stage.state(waiting), MessageState::Ready);
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.handed(), [(waiting, 1)]);
}

#[test]
fn g1_a_message_to_an_idle_session_runs_at_once() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let answer = stage.try_send(x, message("now"));
    let Ok(Answer::Queued { message, handed: true, ahead: 0, replayed: false }) = answer else { panic!("{answer:?}") };
    assert_eq!(stage.handed(), [(message, 1)]);
    assert_eq!(stage.events(), ["message.queued", "message.handed"]);
}

#[test]
fn g1_a_message_of_a_create_runs_when_the_agent_is_ready() {
    let mut stage = Stage::new();
    let mut new = stage.new_session("sure");
    new.message = Some(message("first"));
    let x = new.id;
    let answer = stage.create(new);
    let Ok(Answer::Created { message: Some(first), .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(stage.handed(), []);
    stage.ready(x);
    assert_eq!(stage.handed(), [(first, 1)]);
}

#[test]
fn g3_a_head_that_is_not_due_does_not_block() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let later = stage.send_new(x, NewMessage { due: Some(stage.after(3_600_000)), ..message("in an hour") });
    let now = stage.send(x, "now");
    assert_eq!(stage.handed(), [(now, 1)]);
    stage.runs(x, now, Outcome::Completed);
    stage.pass(3_600_000);
    assert_eq!(stage.handed(), [(later, 1)]);
}

#[test]
fn g4_what_is_due_behind_one_that_cannot_run_fires() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let hour = stage.send_new(x, NewMessage { due: Some(stage.after(3_600_000)), ..message("in an hour") });
    let second = stage.send_new(x, NewMessage { due: Some(stage.after(1_000)), ..message("in a second") });
    assert_eq!(stage.host.next_due(stage.now), Some(1_000));
    stage.pass(1_000);
    assert_eq!(stage.handed(), [(second, 1)]);
    assert!(matches!(stage.state(hour), MessageState::Delayed { .. }));
}

#[test]
fn g5_a_crash_between_handing_over_and_acting_delivers_once() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "once");
    assert_eq!(stage.handed(), [(m, 1)]);
    // The act is never carried out.
    stage.restart();
    assert_eq!(stage.status(x), Status::Unknown);
    assert_eq!(stage.handed(), [], "nothing is sent blindly");
    stage.not_taken(x, m, 1);
    assert_eq!(stage.handed(), [], "and nothing before the driver has caught up");
    stage.seen(x, false);
    assert_eq!(stage.handed(), [(m, 2)]);
    stage.runs(x, m, Outcome::Completed);
    assert_eq!(stage.outcome(m), Outcome::Completed);
}

#[test]
fn g5_a_crash_where_nobody_can_look_says_unknown_and_never_sends_again() {
    let mut stage = Stage::new();
    let x = stage.live("plain");
    let m = stage.send(x, "once");
    let next = stage.send(x, "next");
    stage.restart();
    stage.report_at(x, None, unclear(m, Attempt::FIRST));
    assert!(matches!(stage.end(m), MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { .. } }));
    stage.seen(x, false);
    assert_eq!(stage.handed(), [(next, 1)], "only the other one is handed over");
}

#[test]
fn g5_a_turn_that_went_on_without_the_daemon_is_taken_in() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "long");
    stage.restart();
    stage.taken(x, m);
    assert_eq!(stage.status(x), Status::Unknown, "a part of the story is not the present");
    stage.ends(x, Outcome::Failed { reason: FailReason::CommandFailed });
    stage.seen(x, false);
    assert_eq!(stage.status(x), Status::Idle);
    assert_eq!(stage.outcome(m), Outcome::Failed { reason: FailReason::CommandFailed });
}

#[test]
fn g6_a_message_that_is_never_taken_fails_and_is_kept() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "refused");
    let next = stage.send(x, "next");
    for attempt in 1..limits::ATTEMPTS_MAX {
        stage.not_taken(x, m, attempt);
        assert_eq!(stage.handed(), [(m, attempt + 1)]);
    }
    stage.not_taken(x, m, limits::ATTEMPTS_MAX);
    let MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail } } = stage.end(m) else {
        panic!("{:?}", stage.end(m))
    };
    assert_eq!(detail, "its pipe was closed");
    assert_eq!(&*stage.shelf.texts[&m], "refused");
    assert_eq!(stage.handed(), [(next, 1)]);
    let MessageState::Ended { way, .. } = stage.state(m) else { panic!() };
    assert_eq!(way.attempts, limits::ATTEMPTS_MAX);
}

#[test]
fn g6_a_text_that_is_refused_is_not_handed_over_again() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "refused");
    let next = stage.send(x, "next");
    let (attempt, detail) = (Attempt::new(2), "of another attempt".to_owned());
    stage.report_at(x, None, AgentReport::Refused { message: m, attempt, detail });
    assert!(matches!(stage.state(m), MessageState::Delivering { .. }));
    let (attempt, detail) = (Attempt::FIRST, "it would be changed on the way".to_owned());
    stage.report_at(x, None, AgentReport::Refused { message: m, attempt, detail: detail.clone() });
    assert_eq!(stage.end(m), MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail } });
    assert_eq!(stage.handed(), [(next, 1)]);
}

#[test]
fn g6_proof_about_an_earlier_attempt_says_nothing_about_this_one() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "twice");
    stage.not_taken(x, m, 1);
    stage.not_taken(x, m, 1);
    assert_eq!(stage.events(), [] as [&str; 0]);
    stage.taken(x, m);
    stage.report_at(x, None, unclear(m, Attempt::new(2)));
    assert!(matches!(stage.state(m), MessageState::Running { .. }));
}

#[test]
fn g10_the_same_wake_twice_runs_once_with_a_key() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let wake = |stage: &Stage| NewMessage { key: Some("nightly".into()), due: Some(stage.after(50)), ..message("go") };
    let first = stage.send_new(x, wake(&stage));
    let again = stage.try_send(x, wake(&stage));
    assert_eq!(again, Ok(Answer::Queued { message: first, handed: false, ahead: 0, replayed: true }));
    stage.pass(50);
    assert_eq!(stage.handed(), [(first, 1)]);
    let working = stage.try_send(x, wake(&stage));
    assert_eq!(working, Ok(Answer::Queued { message: first, handed: true, ahead: 0, replayed: true }));
    stage.runs(x, first, Outcome::Completed);
    assert_ne!(stage.send_new(x, wake(&stage)), first, "a key lives as long as its message");
}

#[test]
fn g10_equal_texts_without_a_key_stay_two_messages() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    assert_ne!(stage.send(x, "same"), stage.send(x, "same"));
}

#[test]
fn g12_what_was_due_while_nobody_was_there_runs_once_oldest_first() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let b = stage.send_new(x, NewMessage { due: Some(stage.after(200)), ..message("b") });
    let a = stage.send_new(x, NewMessage { due: Some(stage.after(100)), ..message("a") });
    stage.advance(60_000);
    stage.restart();
    assert_eq!(stage.host.next_due(stage.now), Some(0));
    stage.handle(Input::TimeCame);
    assert_eq!(stage.session(x).ready, [a, b]);
    stage.seen(x, false);
    assert_eq!(stage.handed(), [(a, 1)]);
    stage.handle(Input::TimeCame);
    assert_eq!(stage.events(), [] as [&str; 0]);
}

#[test]
fn g14_two_ends_at_once_advance_the_queue_once() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b, c) = (stage.send(x, "a"), stage.send(x, "b"), stage.send(x, "c"));
    stage.runs(x, a, Outcome::Completed);
    assert_eq!(stage.handed(), [(b, 1)]);
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.handed(), []);
    assert!(matches!(stage.state(b), MessageState::Delivering { .. }));
    assert_eq!(*stage.state(c), MessageState::Ready);
}

#[test]
fn g14_an_end_that_is_told_again_later_ends_no_other_turn() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    stage.runs(x, a, Outcome::Completed);
    let told = stage.session(x).cursor;
    stage.taken(x, b);
    let end = adjutant_core::agent::TurnEnd::bare(Outcome::Interrupted);
    stage.report_at(x, Some(told), AgentReport::TurnEnded { end });
    assert!(matches!(stage.state(b), MessageState::Running { .. }), "the journal was read beyond that end before");
    assert!(stage.session(x).cursor > told, "and is not read from there again");
}

#[test]
fn g15_a_wake_whose_session_is_gone_fails() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send_new(x, NewMessage { due: Some(stage.after(500)), ..message("wake up") });
    stage.exits(x, 1);
    assert_eq!(stage.end(m), MessageEnd::Undeliverable { why: Undeliverable::SessionExited });
    assert_eq!(stage.host.next_due(stage.now), None);
    let refused = stage.try_send(x, message("too late"));
    assert!(matches!(refused, Err(Refusal::SessionExited(_))), "{refused:?}");
}

#[test]
fn g16_a_queue_goes_on_after_a_turn_that_failed() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    stage.runs(x, a, Outcome::Failed { reason: FailReason::RateLimited });
    assert_eq!(stage.handed(), [(b, 1)]);
}

#[test]
fn a_delayed_message_joins_the_end_of_the_ready_ones() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let working = stage.send(x, "working");
    stage.taken(x, working);
    let late = stage.send_new(x, NewMessage { due: Some(stage.after(10)), ..message("late") });
    let early = stage.send(x, "early");
    stage.pass(10);
    let last = stage.send(x, "last");
    assert_eq!(stage.session(x).ready, [early, late, last]);
}

#[test]
fn the_order_follows_from_the_times_and_not_from_a_late_timer() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let working = stage.send(x, "working");
    stage.taken(x, working);
    let due = stage.send_new(x, NewMessage { due: Some(stage.after(10)), ..message("due") });
    stage.advance(50);
    let sent = stage.send(x, "sent after it was due, before the timer rang");
    assert_eq!(stage.session(x).ready, [due, sent]);
}

#[test]
fn a_message_that_expired_is_not_delivered_even_if_no_timer_rang() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let working = stage.send(x, "working");
    stage.taken(x, working);
    let m = stage.send_new(x, NewMessage { expires: Some(stage.after(100)), ..message("soon or never") });
    stage.advance(100);
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.end(m), MessageEnd::Expired);
    assert_eq!(stage.handed(), []);
}

#[test]
fn a_message_that_comes_back_after_its_time_expires() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send_new(x, NewMessage { expires: Some(stage.after(100)), ..message("soon or never") });
    assert_eq!(stage.handed(), [(m, 1)]);
    stage.pass(200);
    assert!(matches!(stage.state(m), MessageState::Delivering { .. }), "it may have been taken in time");
    stage.not_taken(x, m, 1);
    assert_eq!(stage.end(m), MessageEnd::Expired);
    let MessageState::Ended { way, .. } = stage.state(m) else { panic!() };
    assert_eq!(way.attempts, 1, "its receipt keeps that it was handed over");
}

#[test]
fn a_message_expires_while_it_is_delayed_held_or_unseen() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.call(Call::Hold { session: x }).expect("held");
    let both = NewMessage { due: Some(stage.after(500)), expires: Some(stage.after(100)), ..message("never") };
    let delayed = stage.send_new(x, both);
    let held = stage.send_new(x, NewMessage { expires: Some(stage.after(200)), ..message("held") });
    stage.restart();
    stage.pass(150);
    assert_eq!(stage.end(delayed), MessageEnd::Expired);
    assert_eq!(*stage.state(held), MessageState::Ready);
    stage.pass(50);
    assert_eq!(stage.end(held), MessageEnd::Expired);
}

#[test]
fn a_delay_keeps_to_the_boot_clock_and_a_date_to_the_wall_clock() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let date = Timestamp::from_millis(stage.now.wall.as_millis() + 10_000);
    let delay = stage.send_new(x, NewMessage { due: Some(stage.after(10_000)), ..message("delay") });
    let dated = stage.send_new(x, NewMessage { due: Some(Due::At(date)), ..message("date") });
    stage.now.wall = stage.now.wall.plus_millis(50_000);
    stage.handle(Input::TimeCame);
    assert_eq!(stage.handed(), [(dated, 1)], "the date has come by the clock on the wall");
    assert_eq!(stage.host.next_due(stage.now), Some(10_000));
    stage.now.boot.millis += 10_000;
    stage.now.wall = Timestamp::from_millis(0);
    stage.handle(Input::TimeCame);
    assert_eq!(*stage.state(delay), MessageState::Ready, "the span is over, whatever the wall says");
}

#[test]
fn a_delay_outlives_a_reboot() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send_new(x, NewMessage { due: Some(stage.after(10_000)), ..message("later") });
    stage.now.boot = BootMoment { boot: BootId([2; 16]), millis: 999_999 };
    stage.now.wall = stage.now.wall.plus_millis(4_000);
    stage.restart();
    stage.seen(x, false);
    assert_eq!(stage.host.next_due(stage.now), Some(6_000));
    stage.pass(6_000);
    assert_eq!(stage.handed(), [(m, 1)]);
}

#[test]
fn an_edit_to_now_runs_at_once() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send_new(x, NewMessage { due: Some(stage.after(10_000)), ..message("later") });
    let edit = Call::Edit { session: x, message: m, text: Some("now".into()), due: Some(None), place: None };
    assert_eq!(stage.call(edit), Ok(Answer::Done));
    assert_eq!(stage.handed(), [(m, 1)]);
    assert_eq!(&*stage.shelf.texts[&m], "now");
    assert_eq!(stage.host.next_due(stage.now), None);
}

#[test]
fn an_edit_to_a_moment_that_has_come_is_an_edit_to_now() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send_new(x, NewMessage { due: Some(stage.after(10_000)), ..message("later") });
    let past = Due::At(Timestamp::from_millis(5));
    stage.call(Call::Edit { session: x, message: m, text: None, due: Some(Some(past)), place: None }).expect("edited");
    assert_eq!(stage.handed(), [(m, 1)]);
}

#[test]
fn an_edit_can_delay_a_ready_message() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let working = stage.send(x, "working");
    stage.taken(x, working);
    let (m, other) = (stage.send(x, "m"), stage.send(x, "other"));
    let due = Some(Some(stage.after(100)));
    stage.call(Call::Edit { session: x, message: m, text: None, due, place: None }).expect("edited");
    assert_eq!(stage.session(x).ready, [other]);
    stage.pass(100);
    assert_eq!(stage.session(x).ready, [other, m]);
}

#[test]
fn places_can_be_given_to_ready_messages_and_to_no_others() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let working = stage.send(x, "working");
    stage.taken(x, working);
    let [a, b, c] = ["a", "b", "c"].map(|text| stage.send(x, text));
    let later = stage.send_new(x, NewMessage { due: Some(stage.after(100)), ..message("later") });
    let place = |m, place| Call::Edit { session: x, message: m, text: None, due: None, place: Some(place) };
    stage.call(place(c, Place::First)).expect("moved");
    assert_eq!(stage.session(x).ready, [c, a, b]);
    stage.call(place(c, Place::After(a))).expect("moved");
    assert_eq!(stage.session(x).ready, [a, c, b]);
    let senseless = [
        place(later, Place::First),
        place(a, Place::After(later)),
        place(a, Place::After(a)),
        place(b, Place::After(working)),
    ];
    for call in senseless {
        let refused = stage.call(call.clone());
        assert!(matches!(refused, Err(Refusal::Misplaced(_) | Refusal::MessageStarted(_))), "{call:?}: {refused:?}");
        assert_eq!(stage.session(x).ready, [a, c, b]);
    }
    let now_and_first =
        Call::Edit { session: x, message: later, text: None, due: Some(None), place: Some(Place::First) };
    stage.call(now_and_first).expect("moved");
    assert_eq!(stage.session(x).ready, [later, a, c, b]);
}

#[test]
fn what_was_started_cannot_be_changed_or_removed() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "started");
    for _ in 0..2 {
        let remove = stage.call(Call::Remove { session: x, message: m });
        assert_eq!(remove, Err(Refusal::MessageStarted(m)));
        let edit = Call::Edit { session: x, message: m, text: Some("other".into()), due: None, place: None };
        assert_eq!(stage.call(edit), Err(Refusal::MessageStarted(m)));
        stage.taken(x, m);
    }
    assert_eq!(&*stage.shelf.texts[&m], "started");
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.call(Call::Remove { session: x, message: m }), Err(Refusal::MessageNotFound(m)));
}

#[test]
fn a_removed_message_is_cancelled_and_kept() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let working = stage.send(x, "working");
    let m = stage.send(x, "removed");
    stage.call(Call::Remove { session: x, message: m }).expect("removed");
    assert_eq!(stage.end(m), MessageEnd::Cancelled);
    assert_eq!(&*stage.shelf.texts[&m], "removed");
    stage.runs(x, working, Outcome::Completed);
    assert_eq!(stage.handed(), []);
}

#[test]
fn a_held_queue_survives_a_restart_and_waits_for_its_release() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.call(Call::Hold { session: x }).expect("held");
    let m = stage.send(x, "held");
    stage.restart();
    stage.seen(x, false);
    assert_eq!(stage.handed(), []);
    stage.call(Call::Release { session: x }).expect("released");
    assert_eq!(stage.handed(), [(m, 1)]);
}

#[test]
fn nothing_is_handed_to_a_session_that_cannot_be_seen() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let why = UnknownReason::RunnerUnreachable { detail: "connection refused".to_owned() };
    stage.report_at(x, None, AgentReport::Unseen { why });
    let m = stage.send(x, "waits");
    assert_eq!(stage.handed(), []);
    stage.seen(x, true);
    assert_eq!(stage.status(x), Status::Working, "it works, and nobody saw at what");
    assert_eq!(stage.handed(), []);
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.handed(), [(m, 1)]);
}

#[test]
fn an_agent_that_gets_ready_unseen_is_given_nothing_before_it_is_seen() {
    let mut stage = Stage::new();
    let x = stage.starting("sure");
    let m = stage.send(x, "first");
    stage.restart();
    stage.ready(x);
    assert_eq!((stage.status(x), stage.handed()), (Status::Unknown, vec![]));
    stage.report_at(x, None, AgentReport::Seen { level: Level { working: false } });
    assert_eq!((stage.status(x), stage.handed()), (Status::Working, vec![(m, 1)]));
}

#[test]
fn the_answer_to_a_send_counts_what_runs_before() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let ahead = |answer: Result<Answer, Refusal>| match answer {
        Ok(Answer::Queued { ahead, handed, .. }) => (ahead, handed),
        other => panic!("{other:?}"),
    };
    assert_eq!(ahead(stage.try_send(x, message("a"))), (0, true));
    assert_eq!(ahead(stage.try_send(x, message("b"))), (1, false));
    let keyed = NewMessage { key: Some("k".into()), ..message("c") };
    assert_eq!(ahead(stage.try_send(x, keyed.clone())), (2, false));
    stage.send(x, "d");
    assert_eq!(ahead(stage.try_send(x, keyed)), (2, false));
    let first = NewMessage { interrupt: true, ..message("e") };
    assert_eq!(ahead(stage.try_send(x, first)), (1, false));
}

#[test]
fn no_act_is_lost_between_the_events_of_a_batch() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.send(x, "one");
    assert!(matches!(stage.last.acts.as_slice(), [Act::Deliver { .. }, Act::Reply { .. }]));
}
