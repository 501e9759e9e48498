//! Waiting for others, one rule at a time: what counts as their end, what it says, and who hears of what never comes.

use adjutant_core::agent::{AgentReport, SessionEnd, TurnEnd};
use adjutant_core::call::{NewAfter, NewDependency, NewMessage};
use adjutant_core::limits;
use adjutant_core::message::{
    Came, DependencyState, MessageEnd, MessageKind, MessageState, Sender, Settlement, TurnResult, Undeliverable,
};
use adjutant_core::outcome::{ExitStatus, FailReason, Outcome};
use adjutant_core::{
    Answer, Call, Caller, Event, MessageId, Refusal, SessionId, Timestamp, TurnNumber, agent::AnswerSize,
};

use crate::stage::{Stage, message};

fn after(of: Vec<NewDependency>, any: bool) -> NewMessage {
    NewMessage { kind: MessageKind::Wake, after: Some(NewAfter { any, of }), ..message("go on") }
}

fn after_session(session: SessionId) -> NewMessage {
    after(vec![NewDependency::Session(session)], false)
}

fn after_message(session: SessionId, message: MessageId) -> NewMessage {
    after(vec![NewDependency::Message { session, message }], false)
}

fn results(stage: &Stage, id: MessageId) -> Vec<Option<Settlement>> {
    let of = |state: &DependencyState| match state {
        DependencyState::Settled { how, .. } => Some(how.clone()),
        DependencyState::Open { .. } | DependencyState::Unmet => None,
    };
    let message = stage.shelf.messages.get(&id).and_then(|row| row.after.as_ref()).expect("it waits for something");
    message.of.iter().map(|dependency| of(&dependency.state)).collect()
}

fn command(stage: &mut Stage, session: SessionId, message: MessageId, code: i32) {
    stage.taken(session, message);
    let end = TurnEnd::command(ExitStatus::Code(code), AnswerSize::default());
    stage.report(session, AgentReport::TurnEnded { end });
}

fn failed_with_3(turn: u32) -> Settlement {
    let outcome = Outcome::Failed { reason: FailReason::CommandFailed };
    Settlement::Turn(TurnResult { turn: TurnNumber::new(turn), outcome, exit: Some(ExitStatus::Code(3)) })
}

/// The notices that a session has been sent.
fn notices(stage: &Stage, session: SessionId) -> Vec<MessageId> {
    let mine = stage.shelf.messages.values().filter(|row| row.session == session);
    mine.filter(|row| row.kind == MessageKind::Notice).map(|row| row.id).collect()
}

#[test]
fn a_wake_waits_for_all_that_the_session_had_accepted_and_for_nothing_later() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let (first, second) = (stage.send(a, "first"), stage.send(a, "second"));
    let wake = stage.send_new(b, after_session(a));
    let third = stage.send(a, "third");
    command(&mut stage, a, first, 0);
    assert!(matches!(stage.state(wake), MessageState::Delayed { until: None }));
    command(&mut stage, a, second, 3);
    assert_eq!(stage.handed(), [(third, 1), (wake, 1)]);
    assert_eq!(results(&stage, wake), [Some(failed_with_3(2))]);
    assert_eq!(stage.events()[2..5], ["message.after_settled", "message.handed", "message.due"]);
}

#[test]
fn what_has_ended_before_counts_at_once() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let idle = stage.send_new(b, after_session(a));
    assert_eq!(stage.handed(), [(idle, 1)]);
    assert_eq!(results(&stage, idle), [Some(Settlement::Idle)]);
    let m = stage.send(a, "m");
    command(&mut stage, a, m, 3);
    let wake = stage.send_new(b, after_session(a));
    assert_eq!(results(&stage, wake), [Some(failed_with_3(1))]);
    let how = failed_with_3(1);
    let ended = NewDependency::Ended { session: a, message: m, how: how.clone(), at: Timestamp::from_millis(1) };
    let third = stage.send_new(b, after(vec![ended], false));
    assert_eq!(results(&stage, third), [Some(how)]);
}

#[test]
fn any_is_met_by_the_first_and_the_others_are_left_alone() {
    let mut stage = Stage::new();
    let (a, b, c) = (stage.live("sure"), stage.live("sure"), stage.live("sure"));
    let (in_a, in_b) = (stage.send(a, "a"), stage.send(b, "b"));
    let both = || vec![NewDependency::Session(a), NewDependency::Session(b)];
    let any = stage.send_new(c, after(both(), true));
    let all = stage.send_new(c, after(both(), false));
    command(&mut stage, b, in_b, 3);
    assert_eq!(stage.handed(), [(any, 1)]);
    assert_eq!(results(&stage, any), [None, Some(failed_with_3(1))]);
    stage.runs(c, any, Outcome::Completed);
    assert_eq!(stage.handed(), []);
    stage.restart();
    [a, b, c].into_iter().for_each(|session| stage.seen(session, session == a));
    command(&mut stage, a, in_a, 0);
    assert_eq!(stage.handed(), [(all, 1)]);
    assert_eq!(results(&stage, any), [None, Some(failed_with_3(1))], "what it was handed over with does not change");
}

#[test]
fn g9_time_and_others_have_to_come_both() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let m = stage.send(a, "m");
    let late = NewMessage { due: Some(stage.after(100)), ..after_session(a) };
    let sooner = stage.send_new(b, late.clone());
    assert_eq!(stage.host.next_due(stage.now), None, "its time alone does not make it due");
    stage.pass(200);
    command(&mut stage, a, m, 0);
    assert_eq!(stage.handed(), [(sooner, 1)]);
    stage.runs(b, sooner, Outcome::Completed);
    let later = stage.send_new(b, NewMessage { due: Some(stage.after(100)), ..late });
    assert!(matches!(stage.state(later), MessageState::Delayed { until: Some(_) }));
    stage.pass(100);
    assert_eq!(stage.handed(), [(later, 1)]);
}

#[test]
fn a_session_that_ends_settles_what_waits_for_it() {
    let mut stage = Stage::new();
    let (a, b, c) = (stage.starting("sure"), stage.live("sure"), stage.live("sure"));
    let m = stage.send(a, "never");
    let wakes = [after_session(a), after_message(a, m)].map(|new| stage.send_new(b, new));
    stage.report(a, AgentReport::Exited { end: SessionEnd::Lost { detail: "gone".to_owned() } });
    let end = MessageEnd::Undeliverable { why: Undeliverable::SessionExited };
    let fallen = Some(Settlement::Fallen { message: m, end });
    assert_eq!(wakes.map(|wake| results(&stage, wake)), [[fallen.clone()], [fallen]]);
    let gone = stage.send_new(c, after_session(a));
    assert_eq!(results(&stage, gone), [Some(Settlement::Exited)]);
    stage.call(Call::Purge { session: a }).expect("forgotten");
    assert_eq!(stage.try_send(c, after_session(a)), Err(Refusal::SessionNotFound(a.to_string())));
}

#[test]
fn g8_what_is_not_there_is_refused_and_nothing_is_queued() {
    let mut stage = Stage::new();
    let a = stage.live("sure");
    let next = MessageId::new(stage.host.counters().next_message);
    let itself = stage.try_send(a, after_message(a, next));
    assert_eq!(itself, Err(Refusal::MessageNotFound(next)), "a message cannot wait for itself");
    let many = (0..=limits::AFTER_MAX).map(|_| NewDependency::Session(a)).collect();
    assert_eq!(stage.try_send(a, after(many, true)), Err(Refusal::AfterTooMany(limits::AFTER_MAX)));
    assert!(stage.last.events.is_empty() && stage.last.texts.is_empty());
}

#[test]
fn a_session_may_wait_for_its_own_work() {
    let mut stage = Stage::new();
    let a = stage.live("sure");
    let m = stage.send(a, "m");
    let wake = stage.send_new(a, after_session(a));
    let between = stage.send(a, "between");
    command(&mut stage, a, m, 3);
    assert_eq!(stage.handed(), [(between, 1)], "a wake joins the end of the ready ones");
    assert_eq!(stage.session(a).ready, [wake]);
    assert_eq!(results(&stage, wake), [Some(failed_with_3(1))]);
}

#[test]
fn a_wait_for_others_may_expire_be_edited_and_be_removed() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let m = stage.send(a, "long");
    let expires = stage.send_new(b, NewMessage { expires: Some(stage.after(50)), ..after_session(a) });
    let (now, removed) = (stage.send_new(b, after_session(a)), stage.send_new(b, after_session(a)));
    stage.pass(50);
    assert_eq!(stage.end(expires), MessageEnd::Expired);
    let edit = Call::Edit { session: b, message: now, text: None, due: Some(None), place: None };
    stage.call(edit).expect("at once");
    assert_eq!(stage.handed(), [(now, 1)]);
    stage.call(Call::Remove { session: b, message: removed }).expect("removed");
    command(&mut stage, a, m, 0);
    assert_eq!(stage.events(), ["turn.started", "message.delivered", "turn.completed", "message.ended"].split_at(2).1);
    assert_eq!([expires, now, removed].map(|wake| results(&stage, wake)), [[None], [None], [None]]);
}

#[test]
fn g12_what_was_overdue_says_so() {
    let mut stage = Stage::new();
    let a = stage.live("sure");
    let m = stage.send_new(a, NewMessage { due: Some(stage.after(100)), ..message("late") });
    stage.advance(1_100);
    stage.restart();
    stage.handle(adjutant_core::Input::TimeCame);
    let came = |stage: &Stage, id| stage.shelf.messages.get(&id).and_then(|row| row.came);
    assert_eq!(came(&stage, m), Some(Came { late_ms: 1_000, overdue: true }));
    stage.seen(a, false);
    assert_eq!(stage.handed(), [(m, 1)]);
    stage.runs(a, m, Outcome::Completed);
    let n = stage.send_new(a, NewMessage { due: Some(stage.after(100)), ..message("in time") });
    stage.pass(103);
    assert_eq!(came(&stage, n), Some(Came { late_ms: 3, overdue: false }));
}

#[test]
fn a_point_in_time_follows_a_clock_that_jumps_and_a_delay_does_not() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let date = adjutant_core::time::Due::At(stage.now.wall.plus_millis(1_000));
    let dated = stage.send_new(a, NewMessage { due: Some(date), ..message("dated") });
    let delayed = stage.send_new(b, NewMessage { due: Some(stage.after(1_000)), ..message("delayed") });
    stage.now.wall = stage.now.wall.plus_millis(5_000);
    stage.handle(adjutant_core::Input::TimeCame);
    assert_eq!(stage.handed(), [(dated, 1)]);
    stage.now.wall = Timestamp::from_millis(0);
    stage.now.boot.millis += 1_000;
    stage.handle(adjutant_core::Input::TimeCame);
    assert_eq!(stage.handed(), [(delayed, 1)]);
}

#[test]
fn a_sender_is_woken_with_what_came_of_its_message() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("plain"));
    let send = |session, new| Call::Send { session, message: new, wake_me: true };
    assert_eq!(stage.call(send(b, message("x"))), Err(Refusal::NotASession));
    let keyed = || NewMessage { key: Some("k".to_owned()), ..message("build") };
    let told = stage.call_as(Caller::Session(a), send(b, keyed()));
    let Ok(Answer::Queued { message: build, .. }) = told else { panic!("{told:?}") };
    assert_eq!(stage.events()[..2], ["message.queued", "message.queued"], "both in one step");
    stage.call_as(Caller::Session(a), send(b, keyed())).expect("repeated");
    assert_eq!(stage.events(), [] as [&str; 0], "who waits already does not wait twice");
    command(&mut stage, b, build, 3);
    let [(wake, 1)] = stage.handed()[..] else { panic!("{:?}", stage.handed()) };
    assert_eq!(results(&stage, wake), [Some(failed_with_3(1))]);
    assert_eq!(stage.shelf.messages[&wake].from, Sender::Session(a));
}

/// A session's message to another.
fn send_as(stage: &mut Stage, from: SessionId, to: SessionId, new: NewMessage, wake_me: bool) -> MessageId {
    let call = Call::Send { session: to, message: new, wake_me };
    let told = stage.call_as(Caller::Session(from), call);
    let Ok(Answer::Queued { message, .. }) = told else { panic!("{told:?}") };
    message
}

/// What the notices say that a session has been sent, and of which message; the other session is called `B`.
fn told(stage: &Stage, session: SessionId, of: SessionId) -> Vec<(MessageId, String)> {
    let name = stage.session(of).name.to_string();
    let one = |id: MessageId| {
        let row = &stage.shelf.messages[&id];
        assert_eq!(row.from, Sender::Host);
        let text = stage.shelf.texts[&id].to_string().replace(&name, "B");
        let about = row.reply_to.expect("it is about a message");
        let words = text.strip_prefix(&format!("ADJ_NOTICE='Adjutant: your message {about} to B "));
        let words = words.and_then(|words| words.strip_suffix("'")).unwrap_or_else(|| panic!("{text}"));
        (about, words.to_owned())
    };
    notices(stage, session).into_iter().map(one).collect()
}

#[test]
fn g6_g15_a_sender_is_told_once_of_a_message_that_ends_in_vain() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let hour = NewMessage { due: Some(stage.after(3_600_000)), ..message("later") };
    let mine = send_as(&mut stage, a, b, hour.clone(), false);
    stage.call_as(Caller::Session(a), Call::Remove { session: b, message: mine }).expect("removed");
    assert_eq!(told(&stage, a, b), [], "who took it back knows");
    let other = send_as(&mut stage, a, b, hour.clone(), false);
    let gone = send_as(&mut stage, a, b, hour.clone(), false);
    let heard = send_as(&mut stage, a, b, hour, true);
    stage.call(Call::Remove { session: b, message: other }).expect("removed");
    let taken_back = (other, "was taken back by somebody else.".to_owned());
    assert_eq!(told(&stage, a, b), std::slice::from_ref(&taken_back));
    stage.exits(b, 0);
    let exited = (gone, "could not be delivered: the session exited before it ran.".to_owned());
    assert_eq!(told(&stage, a, b)[..1], [taken_back], "{heard} is told by the wake");
    assert_eq!(told(&stage, a, b)[1].0, exited.0);
    assert!(stage.last.events.iter().any(|logged| matches!(logged.event, Event::MessageAfterSettled { .. })));
}

#[test]
fn g6_a_sender_is_told_once_that_its_message_failed() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let done = send_as(&mut stage, a, b, message("done"), false);
    command(&mut stage, b, done, 0);
    let asked = send_as(&mut stage, a, b, message("asked"), true);
    command(&mut stage, b, asked, 3);
    let own = send_as(&mut stage, a, a, message("own"), false);
    assert_eq!(told(&stage, a, b), [], "what was done, what is told by the wake");
    let wake = notices(&stage, a);
    assert_eq!(wake, []);
    let failed = send_as(&mut stage, a, b, message("fails"), false);
    command(&mut stage, b, failed, 3);
    let expected = (failed, "failed in turn 3: its command ended with exit code 3.".to_owned());
    assert_eq!(told(&stage, a, b), [expected], "once, and nothing of {own}, which a itself runs");
    let human = stage.send(b, "human");
    command(&mut stage, b, human, 3);
    assert_eq!(notices(&stage, a).len(), 1, "nobody is told of another's message");
}

#[test]
fn g6_who_stops_a_turn_is_not_told_that_it_was_stopped() {
    for (stopper, expected) in [(false, 0), (true, 1)] {
        let mut stage = Stage::new();
        let (a, b) = (stage.live("sure"), stage.live("sure"));
        let sent = send_as(&mut stage, a, b, message("long"), false);
        stage.taken(b, sent);
        let caller = if stopper { Caller::Human } else { Caller::Session(a) };
        stage.call_as(caller, Call::Interrupt { session: b, clear_queue: false }).expect("asked");
        stage.report(b, AgentReport::TurnEnded { end: TurnEnd::bare(Outcome::Interrupted) });
        let said = told(&stage, a, b);
        assert_eq!(said.len(), expected, "{said:?}");
        assert!(said.iter().all(|said| *said == (sent, "was interrupted in turn 1.".to_owned())), "{said:?}");
    }
}

#[test]
fn g6_a_sender_is_told_the_truth_when_somebody_kills_the_session() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let runs = send_as(&mut stage, a, b, message("runs"), false);
    stage.taken(b, runs);
    let hour = NewMessage { due: Some(stage.after(3_600_000)), ..message("later") };
    let later = send_as(&mut stage, a, b, hour, false);
    stage.call(Call::Kill { session: b, force: true, any_allowed: false }).expect("killed");
    stage.report(b, AgentReport::Exited { end: SessionEnd::Killed });
    let expected = [
        (runs, "did not come to its end: B exited in the middle of turn 1.".to_owned()),
        (later, "was cancelled before it ran, because B was killed.".to_owned()),
    ];
    assert_eq!(told(&stage, a, b)[0], expected[0]);
    assert!(told(&stage, a, b)[1].1.starts_with(&expected[1].1), "{:?}", told(&stage, a, b));
}

#[test]
fn g6_a_session_that_waits_for_anothers_work_is_not_told_twice() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let sent = send_as(&mut stage, a, b, message("fails"), false);
    let wake = send_as(&mut stage, a, a, after_session(b), false);
    command(&mut stage, b, sent, 3);
    assert_eq!(results(&stage, wake), [Some(failed_with_3(1))]);
    assert_eq!(told(&stage, a, b), [], "the wake tells of it");
    let busy = stage.send(a, "busy");
    stage.taken(a, wake);
    stage.report(a, AgentReport::TurnEnded { end: TurnEnd::bare(Outcome::Completed) });
    stage.taken(a, busy);
    // With more behind it, the wake would tell of the last alone.
    let (first, second) =
        (send_as(&mut stage, a, b, message("fails"), false), send_as(&mut stage, a, b, message("done"), false));
    let wake = send_as(&mut stage, a, a, after_session(b), false);
    command(&mut stage, b, first, 3);
    command(&mut stage, b, second, 0);
    assert!(results(&stage, wake)[0].is_some());
    assert_eq!(told(&stage, a, b).iter().map(|said| said.0).collect::<Vec<_>>(), [first]);
}

#[test]
fn g6_what_a_sender_has_heard_otherwise_is_taken_back() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let work = stage.send(a, "work");
    stage.taken(a, work);
    let sent = send_as(&mut stage, a, b, message("fails"), false);
    command(&mut stage, b, sent, 3);
    let [notice] = notices(&stage, a)[..] else { panic!("one notice") };
    stage.call_as(Caller::Session(b), Call::Heard { messages: vec![sent] }).expect("heard");
    assert_eq!(stage.state(notice), &MessageState::Ready, "another has heard of it");
    stage.call_as(Caller::Session(a), Call::Heard { messages: vec![sent] }).expect("heard");
    assert_eq!(stage.events(), ["message.ended"]);
    stage.call_as(Caller::Session(a), Call::Heard { messages: vec![sent] }).expect("heard");
    assert_eq!(stage.events(), [] as [&str; 0]);
}

#[test]
fn notices_are_bounded_and_the_last_says_so() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let work = stage.send(a, "work");
    stage.taken(a, work);
    let fail = |stage: &mut Stage| {
        let sent = send_as(stage, a, b, message("fails"), false);
        command(stage, b, sent, 3);
    };
    (0..4).for_each(|_| fail(&mut stage));
    let said = told(&stage, a, b);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(!said[0].1.contains("More of your messages") && said[1].1.contains("More of your messages"), "{said:?}");
    stage.report(a, AgentReport::TurnEnded { end: TurnEnd::bare(Outcome::Completed) });
    fail(&mut stage);
    assert_eq!(notices(&stage, a).len(), 3, "one was handed over, and there is room again");
}

#[test]
fn nobody_is_told_of_a_notice() {
    let mut stage = Stage::new();
    let (a, b) = (stage.live("sure"), stage.live("sure"));
    let work = stage.send(a, "work");
    stage.taken(a, work);
    let told = stage.call_as(
        Caller::Session(a),
        Call::Send {
            session: b,
            message: NewMessage { due: Some(stage.after(9_000)), ..message("x") },
            wake_me: false,
        },
    );
    let Ok(Answer::Queued { message, .. }) = told else { panic!("{told:?}") };
    stage.call(Call::Remove { session: b, message }).expect("removed");
    let [notice] = notices(&stage, a)[..] else { panic!("one notice") };
    stage.call(Call::Remove { session: a, message: notice }).expect("removed");
    assert_eq!(stage.events(), ["message.ended"]);
}
