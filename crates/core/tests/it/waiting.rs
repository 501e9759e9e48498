//! What a wait waits for, and when it is over.

use adjutant_core::agent::{AgentReport, RequestEnd, SessionEnd};
use adjutant_core::call::NewMessage;
use adjutant_core::id::Attempt;
use adjutant_core::message::{MessageEnd, Undeliverable};
use adjutant_core::outcome::{FailReason, Outcome, UnknownReason};
use adjutant_core::wait::{Fallen, Verdict, WaitOptions, Waiting};
use adjutant_core::{Call, Logged, SessionId, TurnNumber};

use crate::machine::unclear;
use crate::stage::{Stage, message};

const WHOLE: WaitOptions = WaitOptions { next_turn: false, only: None, through_input: false, include_delayed: false };

fn turn(number: u32) -> Verdict {
    Verdict::Turn(TurnNumber::new(number))
}

/// A wait that reads the log behind the place where it began.
struct Reader {
    waiting: Waiting,
    at_once: Option<Verdict>,
    read: usize,
}

impl Reader {
    fn begin(stage: &Stage, x: SessionId, options: WaitOptions) -> Self {
        let (waiting, at_once) = Waiting::begin(stage.session(x), options);
        Self { waiting, at_once, read: stage.shelf.log.len() }
    }

    fn verdict(&mut self, stage: &Stage) -> Option<Verdict> {
        let rest: &[Logged] = &stage.shelf.log[self.read..];
        self.read = stage.shelf.log.len();
        self.at_once.clone().or_else(|| rest.iter().find_map(|logged| self.waiting.on_event(logged)))
    }
}

#[test]
fn a14_a_wait_covers_both_messages_and_cannot_be_satisfied_by_the_first() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    let mut wait = Reader::begin(&stage, x, WHOLE);
    stage.runs(x, a, Outcome::Completed);
    assert_eq!(wait.verdict(&stage), None);
    stage.taken(x, b);
    let later = stage.send(x, "accepted later");
    assert_eq!(wait.verdict(&stage), None);
    stage.ends(x, Outcome::Failed { reason: FailReason::CommandFailed });
    assert_eq!(wait.verdict(&stage), Some(turn(2)), "later messages do not lengthen it");
    assert_eq!(stage.handed(), [(later, 1)]);
}

#[test]
fn a14_a_turn_that_failed_before_the_wait_is_reported() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    stage.runs(x, a, Outcome::Failed { reason: FailReason::ApiError });
    assert_eq!(Reader::begin(&stage, x, WHOLE).at_once, Some(turn(1)));
}

#[test]
fn a14_a_session_that_never_worked_is_idle_at_once() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    assert_eq!(Reader::begin(&stage, x, WHOLE).at_once, Some(Verdict::NeverWorked));
}

#[test]
fn c7_a_session_that_exits_ends_the_wait() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    stage.taken(x, a);
    let mut wait = Reader::begin(&stage, x, WHOLE);
    let lost = SessionEnd::Lost { detail: "no such process".to_owned() };
    stage.report_at(x, None, AgentReport::Exited { end: lost });
    assert_eq!(wait.verdict(&stage), Some(turn(1)));
    assert_eq!(Reader::begin(&stage, x, WHOLE).at_once, Some(turn(1)));
}

#[test]
fn c9_an_open_request_ends_the_wait_unless_it_is_told_to_wait_through() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    stage.taken(x, a);
    let mut wait = Reader::begin(&stage, x, WHOLE);
    let mut through = Reader::begin(&stage, x, WaitOptions { through_input: true, ..WHOLE });
    let r = stage.asks(x, "q1");
    assert_eq!(wait.verdict(&stage), Some(Verdict::Input(vec![r])));
    assert_eq!(Reader::begin(&stage, x, WHOLE).at_once, Some(Verdict::Input(vec![r])));
    assert_eq!(through.verdict(&stage), None);
    stage.ends(x, Outcome::Completed);
    assert_eq!(through.verdict(&stage), Some(turn(1)));
}

#[test]
fn a_request_of_a_session_that_nobody_sees_ends_no_wait_before_it_is_seen_again() {
    for only_one in [false, true] {
        for stays in [false, true] {
            let mut stage = Stage::new();
            let x = stage.live("sure");
            let a = stage.send(x, "a");
            stage.taken(x, a);
            let r = stage.asks(x, "q1");
            let why = UnknownReason::RunnerUnreachable { detail: "refused".to_owned() };
            stage.report_at(x, None, AgentReport::Unseen { why });
            let mut wait = Reader::begin(&stage, x, WaitOptions { only: only_one.then_some(a), ..WHOLE });
            assert_eq!((wait.verdict(&stage), wait.waiting.on_seen(stage.session(x))), (None, None));
            if !stays {
                stage.report(x, AgentReport::RequestClosed { native: "q1".to_owned(), end: RequestEnd::Withdrawn });
            }
            stage.seen(x, true);
            assert_eq!(wait.verdict(&stage), None, "the session as it is says it");
            assert_eq!(wait.waiting.on_seen(stage.session(x)), stays.then(|| Verdict::Input(vec![r])));
            let through = Waiting { through_input: true, ..wait.waiting.clone() };
            assert_eq!(through.on_seen(stage.session(x)), None);
            stage.ends(x, Outcome::Completed);
            assert_eq!(wait.verdict(&stage), Some(turn(1)));
        }
    }
}

#[test]
fn delayed_and_held_messages_are_not_waited_for() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let later = stage.send_new(x, NewMessage { due: Some(stage.after(50)), ..message("later") });
    assert_eq!(Reader::begin(&stage, x, WHOLE).at_once, Some(Verdict::NeverWorked));
    let mut delayed = Reader::begin(&stage, x, WaitOptions { include_delayed: true, ..WHOLE });
    stage.call(Call::Hold { session: x }).expect("held");
    stage.pass(50);
    assert_eq!(Reader::begin(&stage, x, WHOLE).at_once, Some(Verdict::NeverWorked));
    stage.call(Call::Release { session: x }).expect("released");
    stage.runs(x, later, Outcome::Completed);
    assert_eq!(delayed.verdict(&stage), Some(turn(1)));
}

#[test]
fn the_next_turn_is_one_that_ends_after_the_call() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let a = stage.send(x, "a");
    stage.runs(x, a, Outcome::Completed);
    let options = WaitOptions { next_turn: true, ..WHOLE };
    let mut wait = Reader::begin(&stage, x, options);
    assert_eq!(wait.at_once, None);
    let b = stage.send(x, "b");
    stage.runs(x, b, Outcome::Interrupted);
    assert_eq!(wait.verdict(&stage), Some(turn(2)));
    let mut never = Reader::begin(&stage, x, options);
    stage.exits(x, 0);
    assert_eq!(never.verdict(&stage), Some(Verdict::Exited));
    assert_eq!(Reader::begin(&stage, x, options).at_once, Some(Verdict::Exited), "an earlier turn is not the next");
}

#[test]
fn a_session_that_starts_is_waited_for_and_its_failure_told() {
    let mut stage = Stage::new();
    let (x, y) = (stage.starting("sure"), stage.starting("sure"));
    let mut good = Reader::begin(&stage, x, WHOLE);
    let mut bad = Reader::begin(&stage, y, WHOLE);
    assert_eq!((good.at_once.clone(), bad.at_once.clone()), (None, None));
    stage.ready(x);
    stage.exits(y, 1);
    assert_eq!(good.verdict(&stage), Some(Verdict::NeverWorked));
    assert_eq!(bad.verdict(&stage), Some(Verdict::Exited));
}

#[test]
fn a_session_whose_start_cannot_be_seen_is_waited_for_too() {
    let mut stage = Stage::new();
    let x = stage.starting("sure");
    stage.restart();
    let mut wait = Reader::begin(&stage, x, WHOLE);
    assert_eq!(wait.at_once, None, "nobody knows that it is idle");
    stage.ready(x);
    stage.seen(x, false);
    assert_eq!(wait.verdict(&stage), Some(Verdict::NeverWorked));
}

#[test]
fn one_message_alone_can_be_waited_for() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    let only = |m| WaitOptions { only: Some(m), ..WHOLE };
    let mut wait = Reader::begin(&stage, x, only(a));
    stage.runs(x, a, Outcome::Completed);
    assert_eq!(wait.verdict(&stage), Some(turn(1)));
    assert_eq!(Reader::begin(&stage, x, only(a)).at_once, Some(Verdict::EndedBefore(a)), "it would wait for ever");
    let mut wait = Reader::begin(&stage, x, only(b));
    stage.exits(x, 0);
    let end = MessageEnd::Undeliverable { why: Undeliverable::SessionExited };
    assert_eq!(wait.verdict(&stage), Some(Verdict::Fallen(Fallen { message: b, end })));
}

#[test]
fn a_message_that_never_ran_outweighs_a_turn_that_went_well() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    let mut wait = Reader::begin(&stage, x, WHOLE);
    stage.runs(x, a, Outcome::Completed);
    stage.exits(x, 0);
    let end = MessageEnd::Undeliverable { why: Undeliverable::SessionExited };
    assert_eq!(wait.verdict(&stage), Some(Verdict::Fallen(Fallen { message: b, end })));
}

#[test]
fn doubt_is_not_forgotten_because_something_else_was_cancelled_later() {
    let mut stage = Stage::new();
    let x = stage.live("plain");
    let [a, b, c] = ["a", "b", "c"].map(|text| stage.send(x, text));
    let mut wait = Reader::begin(&stage, x, WHOLE);
    stage.report_at(x, None, unclear(a, Attempt::FIRST));
    let end = stage.end(a);
    stage.call(Call::Remove { session: x, message: c }).expect("removed");
    stage.runs(x, b, Outcome::Completed);
    assert_eq!(wait.verdict(&stage), Some(Verdict::Fallen(Fallen { message: a, end })));
}

#[test]
fn what_was_taken_back_does_not_spoil_what_was_done() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    let mut wait = Reader::begin(&stage, x, WHOLE);
    stage.call(Call::Remove { session: x, message: b }).expect("removed");
    stage.runs(x, a, Outcome::Completed);
    assert_eq!(wait.verdict(&stage), Some(turn(1)));
    let c = stage.send(x, "c");
    let d = stage.send(x, "d");
    let mut wait = Reader::begin(&stage, x, WaitOptions { only: Some(d), ..WHOLE });
    stage.call(Call::Remove { session: x, message: d }).expect("removed");
    assert_eq!(wait.verdict(&stage), Some(Verdict::Fallen(Fallen { message: d, end: MessageEnd::Cancelled })));
    stage.runs(x, c, Outcome::Completed);
}

#[test]
fn a_wait_is_carried_over_a_restart() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let (a, b) = (stage.send(x, "a"), stage.send(x, "b"));
    let mut wait = Reader::begin(&stage, x, WHOLE);
    stage.taken(x, a);
    stage.restart();
    stage.ends(x, Outcome::Completed);
    stage.seen(x, false);
    assert_eq!(wait.verdict(&stage), None);
    stage.runs(x, b, Outcome::Completed);
    assert_eq!(wait.verdict(&stage), Some(turn(2)));
}
