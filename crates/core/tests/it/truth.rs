//! Rows C of the command line that live in the core, and what drivers say too late, twice or out of order.

use adjutant_core::agent::{AgentReport, Level, RequestEnd, SessionEnd, Source, StartFailure, TurnEnd, TurnOrigin};
use adjutant_core::id::Attempt;
use adjutant_core::message::{MessageEnd, MessageState, Undeliverable};
use adjutant_core::outcome::{ExitStatus, FailReason, Outcome, UnknownReason};
use adjutant_core::request::RequestAnswer;
use adjutant_core::session::{Phase, Status};
use adjutant_core::{Act, Call, Input, Refusal, TurnNumber};

use crate::machine::{question, started, unclear};
use crate::stage::Stage;

#[test]
fn c6_an_interrupted_turn_leaves_an_idle_session() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "long");
    stage.taken(x, m);
    stage.interrupt(x).expect("interrupting");
    stage.report(x, AgentReport::InterruptPassed { detail: "SIGINT to process group 4242".to_owned() });
    stage.ends(x, Outcome::Interrupted);
    assert_eq!(stage.status(x), Status::Idle);
    assert_eq!(stage.outcome(m), Outcome::Interrupted);
}

#[test]
fn c10_every_turn_has_exactly_one_end_in_the_log() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    for text in ["a", "b", "c"] {
        let m = stage.send(x, text);
        stage.taken(x, m);
        stage.ends(x, Outcome::Completed);
        stage.ends(x, Outcome::Completed);
    }
    let m = stage.send(x, "d");
    stage.taken(x, m);
    stage.exits(x, 0);
    let log = stage.shelf.log.iter().map(|logged| logged.event.type_name());
    let ends: Vec<_> = log.filter(|name| name.starts_with("turn.") && *name != "turn.started").collect();
    assert_eq!(ends, ["turn.completed", "turn.completed", "turn.completed", "turn.exited"]);
}

#[test]
fn c11_a_stopped_run_is_interrupted_and_not_failed() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "long");
    stage.taken(x, m);
    stage.interrupt(x).expect("interrupting");
    stage.ends(x, Outcome::Interrupted);
    assert_eq!(stage.end(m), MessageEnd::Settled { turn: TurnNumber::new(1), outcome: Outcome::Interrupted });
    assert_eq!(stage.events(), ["turn.interrupted", "message.ended"]);
}

#[test]
fn c15_after_a_restart_a_status_is_unknown_until_somebody_has_looked() {
    let mut stage = Stage::new();
    let (idle, working) = (stage.live("sure"), stage.live("sure"));
    let m = stage.send(working, "long");
    stage.taken(working, m);
    stage.restart();
    for x in [idle, working] {
        assert_eq!(stage.status(x), Status::Unknown);
    }
    stage.seen(idle, false);
    stage.seen(working, true);
    assert_eq!((stage.status(idle), stage.status(working)), (Status::Idle, Status::Working));
}

#[test]
fn c15_a_turn_whose_end_nobody_saw_is_unknown() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "long");
    stage.taken(x, m);
    stage.restart();
    stage.seen(x, false);
    assert!(matches!(stage.end(m), MessageEnd::Unknown { why: UnknownReason::EndUnseen { .. } }));
    assert_eq!(stage.status(x), Status::Idle);
}

#[test]
fn c16_an_unknown_session_keeps_its_record_and_the_time_since_when() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let unseen =
        |detail: &str| AgentReport::Unseen { why: UnknownReason::RunnerUnreachable { detail: detail.to_owned() } };
    stage.report_at(x, None, unseen("refused"));
    let began = stage.now.wall;
    stage.advance(1_000);
    stage.report_at(x, None, unseen("refused"));
    assert_eq!(stage.events(), [] as [&str; 0], "the same once more is no news");
    stage.report_at(x, None, unseen("timed out"));
    let Phase::Unseen { since, was_ready, .. } = &stage.session(x).phase else { panic!() };
    assert_eq!((*since, *was_ready), (began, true));
}

#[test]
fn c20_one_writer_at_a_time() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let first = stage.send(x, "first");
    let second = stage.send(x, "second");
    assert!(matches!(stage.state(first), MessageState::Delivering { .. }));
    assert_eq!(*stage.state(second), MessageState::Ready);
    stage.taken(x, first);
    assert_eq!(*stage.state(second), MessageState::Ready);
}

#[test]
fn what_is_told_twice_is_taken_in_once() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "once");
    let twice = [
        started(1),
        AgentReport::Ready,
        AgentReport::Taken { message: m, evidence: stage.evidence() },
        AgentReport::RequestOpened { request: question("q1") },
        AgentReport::RequestClosed { native: "q1".to_owned(), end: RequestEnd::AnsweredThere },
        AgentReport::TurnStarted { origin: TurnOrigin::Person },
        AgentReport::TurnEnded { end: TurnEnd::bare(Outcome::Completed) },
    ];
    for report in twice {
        stage.report(x, report.clone());
        let cursor = stage.session(x).cursor;
        stage.report_at(x, Some(cursor), report.clone());
        assert_eq!(stage.events(), [] as [&str; 0], "{report:?}");
        stage.report_at(x, Some(cursor - 1), report.clone());
        assert_eq!(stage.events(), [] as [&str; 0], "{report:?}");
    }
    assert_eq!(stage.session(x).turns_begun, 1);
}

#[test]
fn unclear_after_taken_changes_nothing() {
    let mut stage = Stage::new();
    let x = stage.live("plain");
    let m = stage.send(x, "taken");
    stage.taken(x, m);
    stage.report_at(x, None, unclear(m, Attempt::FIRST));
    assert!(matches!(stage.state(m), MessageState::Running { .. }));
    stage.not_taken(x, m, 1);
    assert!(matches!(stage.state(m), MessageState::Running { .. }));
}

#[test]
fn evidence_after_unclear_is_a_turn_and_no_second_end() {
    let mut stage = Stage::new();
    let x = stage.live("plain");
    let m = stage.send(x, "slow");
    stage.report_at(x, None, unclear(m, Attempt::FIRST));
    assert!(matches!(stage.end(m), MessageEnd::Unknown { .. }));
    stage.taken(x, m);
    assert_eq!(stage.status(x), Status::Working, "it works at it, whatever its sender was told");
    assert_eq!(stage.events(), ["turn.started", "message.delivered"]);
    let next = stage.send(x, "next");
    assert_eq!(stage.handed(), []);
    stage.ends(x, Outcome::Completed);
    assert!(matches!(stage.end(m), MessageEnd::Unknown { .. }));
    assert_eq!(stage.handed(), [(next, 1)]);
    stage.taken(x, m);
    assert_eq!(stage.events(), [] as [&str; 0], "the same evidence once more opens no other turn");
}

#[test]
fn an_end_without_a_beginning_leaves_a_message_in_delivery_alone() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "on its way");
    stage.ends(x, Outcome::Completed);
    assert!(matches!(stage.state(m), MessageState::Delivering { .. }));
    assert_eq!(stage.session(x).turns_begun, 0);
    stage.runs(x, m, Outcome::Completed);
    assert_eq!(stage.outcome(m), Outcome::Completed);
}

#[test]
fn work_that_nobody_saw_begin_is_work() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.restart();
    stage.seen(x, true);
    assert_eq!(stage.status(x), Status::Working);
    let m = stage.send(x, "waits");
    assert_eq!(*stage.state(m), MessageState::Ready);
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.handed(), [(m, 1)]);
}

#[test]
fn a_message_taken_late_joins_the_work_that_was_seen_first() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "taken unseen");
    stage.restart();
    stage.seen(x, true);
    stage.taken(x, m);
    stage.ends(x, Outcome::Completed);
    assert_eq!(stage.end(m), MessageEnd::Settled { turn: TurnNumber::new(1), outcome: Outcome::Completed });
}

#[test]
fn an_answer_that_may_be_lost_can_be_given_again() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "may I?");
    stage.taken(x, m);
    let r = stage.asks(x, "q1");
    let respond = || Call::Respond { request: r, answer: RequestAnswer::Allow };
    stage.call(respond()).expect("answered");
    assert_eq!(stage.call(respond()), Err(Refusal::RequestNotPending(r)), "the first answer wins");
    // The daemon ends before the answer is on its way.
    stage.restart();
    stage.seen(x, true);
    assert_eq!(stage.status(x), Status::WaitingForInput);
    stage.call(respond()).expect("answered again");
    assert!(stage.last.acts.iter().any(|act| matches!(act, Act::Respond { .. })));
    stage.report(x, AgentReport::RequestClosed { native: "q1".to_owned(), end: RequestEnd::Answered });
    assert_eq!(stage.call(respond()), Err(Refusal::RequestNotFound(r)));
}

#[test]
fn requests_end_with_their_turn() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "may I?");
    stage.taken(x, m);
    let r = stage.asks(x, "q1");
    assert_eq!(stage.host.by_request(r).map(|s| s.id), Some(x));
    stage.ends(x, Outcome::Interrupted);
    assert_eq!(stage.events(), ["request.closed", "turn.interrupted", "message.ended"]);
    assert_eq!(stage.shelf.requests[&r].1, Some(RequestEnd::Withdrawn));
    assert!(stage.host.by_request(r).is_none());
}

#[test]
fn a_start_that_is_said_to_have_failed_after_work_was_done_loses_no_record() {
    let mut stage = Stage::new();
    let mut new = stage.new_session("sure");
    new.profile.keep_failed = false;
    let x = new.id;
    stage.create(new).expect("created");
    stage.ready(x);
    let m = stage.send(x, "done");
    stage.runs(x, m, Outcome::Completed);
    stage.report_at(x, None, AgentReport::StartFailed { why: StartFailure::Withdrawn });
    assert!(matches!(&stage.session(x).phase, Phase::Exited { end: SessionEnd::Lost { .. }, .. }));
    assert_eq!(stage.outcome(m), Outcome::Completed);
}

#[test]
fn b1_a_start_that_failed_leaves_nothing_if_somebody_waited_for_it() {
    let mut stage = Stage::new();
    let mut new = stage.new_session("sure");
    new.profile.keep_failed = false;
    new.profile.key = Some("again".to_owned());
    new.message = Some(crate::stage::message("first"));
    let x = new.id;
    stage.create(new).expect("created");
    let why = StartFailure::AgentNotFound { detail: "no such file".to_owned() };
    stage.report_at(x, None, AgentReport::StartFailed { why });
    assert!(stage.host.session(x).is_none() && stage.shelf.messages.is_empty() && stage.shelf.texts.is_empty());
    assert!(stage.last.projected.messages.is_empty() && stage.last.projected.sessions.is_empty());
    let mut again = stage.new_session("sure");
    again.profile.key = Some("again".to_owned());
    let created = stage.create(again);
    assert!(matches!(created, Ok(adjutant_core::Answer::Created { replayed: false, .. })), "{created:?}");
}

#[test]
fn b3_a_start_that_failed_is_kept_if_nobody_waited_for_it() {
    let mut stage = Stage::new();
    let x = stage.starting("sure");
    let m = stage.send(x, "never");
    let why = StartFailure::AgentStartFailed { detail: "bad flag".to_owned() };
    stage.report_at(x, None, AgentReport::StartFailed { why: why.clone() });
    assert!(matches!(&stage.session(x).phase, Phase::Exited { end, .. } if *end == SessionEnd::StartFailed { why }));
    assert_eq!(stage.end(m), MessageEnd::Undeliverable { why: Undeliverable::SessionExited });
}

#[test]
fn b3_an_agent_that_ends_before_it_was_ready_has_failed_to_start() {
    let lost = SessionEnd::Lost { detail: "no such process".to_owned() };
    for end in [SessionEnd::Ended { exit: ExitStatus::Code(9) }, lost] {
        let mut stage = Stage::new();
        let (kept, mut new) = (stage.starting("sure"), stage.new_session("sure"));
        new.profile.keep_failed = false;
        let forgotten = new.id;
        stage.create(new).expect("created");
        for x in [kept, forgotten] {
            stage.report_at(x, None, AgentReport::Exited { end: end.clone() });
        }
        let why = StartFailure::AgentStartFailed { detail: String::new() };
        let Phase::Exited { end: SessionEnd::StartFailed { why: told }, .. } = &stage.session(kept).phase else {
            panic!()
        };
        assert_eq!(std::mem::discriminant(told), std::mem::discriminant(&why));
        assert!(stage.host.session(forgotten).is_none());
    }
}

#[test]
fn who_saw_an_end_is_who_is_said_to_have_seen_it() {
    let mut stage = Stage::new();
    let (ended, lost) = (stage.live("sure"), stage.live("sure"));
    stage.exits(ended, 0);
    stage.report_at(lost, None, AgentReport::Exited { end: SessionEnd::Lost { detail: "no such process".to_owned() } });
    assert_eq!(stage.session(ended).basis.source, Source::Runner);
    assert_eq!(stage.session(lost).basis.source, Source::Process, "no runner was left to say so");
}

#[test]
fn a_batch_that_creates_and_forgets_a_session_leaves_no_rows() {
    let mut stage = Stage::new();
    let mut new = stage.new_session("sure");
    new.profile.keep_failed = false;
    new.message = Some(crate::stage::message("first"));
    let x = new.id;
    let call = Call::Create(Box::new(new));
    let input = Input::Call { id: adjutant_core::CallId(9), caller: adjutant_core::Caller::Human, call };
    let mut step = stage.host.handle(input, stage.now);
    let report = AgentReport::StartFailed { why: StartFailure::Withdrawn };
    let observed_at = stage.now.wall;
    let failed = Input::Agent { session: x, observed_at, cursor: None, report, answer: None };
    step.append(stage.host.handle(failed, stage.now));
    assert!(step.texts.is_empty() && step.projected.messages.is_empty() && step.projected.sessions.is_empty());
    stage.shelf.commit(&step, &stage.host);
    assert!(stage.shelf.texts.is_empty());
}

#[test]
fn e7_a_restart_of_the_daemon_is_no_use_of_a_session() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let used = stage.session(x).last_used_at;
    stage.advance(8 * 24 * 3_600_000);
    stage.restart();
    stage.seen(x, false);
    assert_eq!(stage.session(x).last_used_at, used);
}

#[test]
fn e7_a_session_that_works_for_days_is_working_and_used_by_its_events() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "eight days");
    stage.taken(x, m);
    let began = stage.now.wall;
    stage.advance(8 * 24 * 3_600_000);
    assert_eq!((stage.status(x), stage.session(x).last_used_at), (Status::Working, began));
    stage.report(x, AgentReport::RequestOpened { request: question("q1") });
    assert_eq!(stage.session(x).last_used_at, stage.now.wall);
}

#[test]
fn a_level_that_says_what_is_known_changes_nothing() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.report_at(x, None, AgentReport::Seen { level: Level { working: false } });
    assert_eq!(stage.events(), [] as [&str; 0]);
    let m = stage.send(x, "work");
    stage.taken(x, m);
    stage.interrupt(x).expect("interrupting");
    stage.report_at(x, None, AgentReport::Seen { level: Level { working: true } });
    assert!(stage.last.acts.is_empty(), "what was ordered is not ordered again while nothing was lost");
}

#[test]
fn a_turn_that_the_agent_calls_unknown_makes_its_message_unknown() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "work");
    let why = UnknownReason::EndUnseen { detail: "its screen was gone".to_owned() };
    stage.runs(x, m, Outcome::Unknown { why: why.clone() });
    assert_eq!(stage.end(m), MessageEnd::Unknown { why });
    let failed = stage.send(x, "fails");
    stage.runs(x, failed, Outcome::Failed { reason: FailReason::ApiError });
    assert_eq!(stage.outcome(failed), Outcome::Failed { reason: FailReason::ApiError });
}
