//! Sessions that had ended and are started again.

use adjutant_core::agent::{AgentReport, SessionEnd, StartFailure};
use adjutant_core::call::{NewMessage, Revival};
use adjutant_core::message::{MessageEnd, MessageKind, Undeliverable};
use adjutant_core::outcome::Outcome;
use adjutant_core::session::{Hold, Phase, Profile, Resume, Status};
use adjutant_core::{Answer, Call, Caller, MessageId, Refusal, SessionId};

use crate::stage::{Stage, message};

fn revival(number: u32) -> Revival {
    Revival {
        program: "/new/agent".to_owned(),
        token_hash: format!("hash of life {number}"),
        notice: None,
        owned_live_max: None,
    }
}

fn revive(stage: &mut Stage, session: SessionId, message: Option<NewMessage>) -> Result<Answer, Refusal> {
    let number = stage.session(session).revivals + 1;
    stage.call(Call::Revive { session, revival: revival(number), message })
}

fn wake(stage: &mut Stage, session: SessionId, text: &str) -> MessageId {
    match revive(stage, session, Some(NewMessage { kind: MessageKind::Wake, ..message(text) })) {
        Ok(Answer::Revived { message: Some(message) }) => message,
        other => panic!("not revived: {other:?}"),
    }
}

/// A session that has had a turn of its conversation and has ended.
fn exited(stage: &mut Stage) -> SessionId {
    let x = stage.live("sure");
    ended(stage, x)
}

fn ended(stage: &mut Stage, x: SessionId) -> SessionId {
    stage.report(x, AgentReport::Conversation { native: format!("conversation of {x}") });
    let m = stage.send(x, "before");
    stage.runs(x, m, Outcome::Completed);
    stage.exits(x, 0);
    x
}

#[test]
fn an_exited_session_lives_again_and_its_message_runs() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    let name = stage.session(x).name.clone();
    let m = wake(&mut stage, x, "again");
    assert_eq!(stage.events(), ["session.revived", "message.queued"]);
    assert_eq!(stage.status(x), Status::Starting);
    assert!(stage.handed().is_empty(), "nothing is handed to what is not ready");
    stage.ready(x);
    assert_eq!(stage.handed(), [(m, 1)]);
    stage.runs(x, m, Outcome::Completed);
    assert_eq!(stage.outcome(m), Outcome::Completed);
    let session = stage.session(x);
    assert_eq!((session.turns_begun, session.turns_before, session.revivals), (2, 1, 1));
    assert_eq!((&session.name, session.profile.program.as_str()), (&name, "/new/agent"));
}

#[test]
fn the_token_of_an_earlier_life_proves_nothing() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    let old = stage.session(x).profile.token_hash.clone();
    wake(&mut stage, x, "again");
    assert!(stage.host.by_token_hash(&old).is_none());
    assert_eq!(stage.host.by_token_hash("hash of life 1").map(|s| s.id), Some(x));
    stage.restart();
    assert!(stage.host.by_token_hash(&old).is_none());
    assert_eq!(stage.host.by_token_hash("hash of life 1").map(|s| s.id), Some(x));
}

#[test]
fn what_an_earlier_journal_told_hides_nothing_of_the_new_one() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    assert!(stage.session(x).cursor > 10);
    let m = wake(&mut stage, x, "again");
    assert_eq!((stage.session(x).cursor, stage.session(x).processes.is_none()), (0, true));
    stage.report_at(x, Some(5), AgentReport::Ready);
    assert_eq!((stage.status(x), stage.handed()), (Status::Working, vec![(m, 1)]));
}

#[test]
fn without_a_message_it_only_lives_and_its_queue_runs_on() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    assert_eq!(revive(&mut stage, x, None), Ok(Answer::Revived { message: None }));
    stage.ready(x);
    assert_eq!(stage.status(x), Status::Idle);
    stage.call(Call::Hold { session: x }).expect("held");
    stage.exits(x, 0);
    assert_eq!(stage.session(x).hold, Hold::ByHand);
    revive(&mut stage, x, None).expect("revived");
    assert_eq!((stage.events(), stage.session(x).hold), (vec!["session.revived", "queue.released"], Hold::Off));
}

#[test]
fn g15_a_revival_that_fails_leaves_the_session_as_exited_and_tells_the_sender() {
    let mut stage = Stage::new();
    let sender = stage.live("sure");
    let x = stage.child_of(sender);
    stage.ready(x);
    ended(&mut stage, x);
    let call = Call::Revive { session: x, revival: revival(1), message: Some(message("again")) };
    let Ok(Answer::Revived { message: Some(m) }) = stage.call_as(Caller::Session(sender), call) else { panic!() };
    let why = StartFailure::AuthRequired { detail: "not logged in".to_owned() };
    stage.report_at(x, None, AgentReport::StartFailed { why: why.clone() });
    assert_eq!(stage.end(m), MessageEnd::Undeliverable { why: Undeliverable::SessionExited });
    let Phase::Exited { end, .. } = &stage.session(x).phase else { panic!("it is kept, and exited") };
    assert_eq!(*end, SessionEnd::StartFailed { why });
    assert_eq!(stage.session(sender).queued() + stage.handed().len(), 1, "its sender is told");
    wake(&mut stage, x, "once more");
    stage.ready(x);
    assert_eq!(stage.handed().len(), 1, "what failed once may succeed the next time");
}

#[test]
fn whoever_may_only_send_to_a_session_may_not_start_it_again() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    let colleague = stage.live("sure");
    assert_eq!(stage.call(Call::Introduce { one: x, other: colleague }), Ok(Answer::Done));
    let call = Call::Revive { session: x, revival: revival(1), message: Some(message("again")) };
    let told = stage.call_as(Caller::Session(colleague), call);
    assert!(matches!(told, Err(Refusal::Forbidden(_))), "{told:?}");
    assert_eq!(stage.status(x), Status::Exited);
}

#[test]
fn a_plan_that_was_never_carried_out_ends_as_withdrawn_and_forgets_nothing() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    let m = wake(&mut stage, x, "again");
    stage.restart();
    assert_eq!(stage.status(x), Status::Unknown);
    stage.report_at(x, None, AgentReport::StartFailed { why: StartFailure::Withdrawn });
    assert_eq!(stage.status(x), Status::Exited);
    assert_eq!(stage.end(m), MessageEnd::Undeliverable { why: Undeliverable::SessionExited });
    assert!(stage.session(x).last_turn.is_some());
}

#[test]
fn a_revived_session_that_ends_before_it_is_ready_has_failed_to_start() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    wake(&mut stage, x, "again");
    stage.exits(x, 1);
    let Phase::Exited { end: SessionEnd::StartFailed { why }, .. } = &stage.session(x).phase else { panic!() };
    assert!(why.to_string().contains("exit code 1"), "{why}");
}

#[test]
fn c20_no_two_sessions_that_live_have_one_conversation() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    let native = stage.session(x).conversation.clone().expect("a conversation");
    let taking = |stage: &mut Stage, agent: &str| {
        let mut new = stage.new_session(agent);
        new.profile = Profile { resume: Some(Resume::Conversation(native.clone())), ..new.profile };
        let id = new.id;
        stage.create(new).map(|_| id)
    };
    let y = taking(&mut stage, "sure").expect("nobody has it now");
    let in_use = |told: &Refusal| matches!(told, Refusal::ConversationInUse { .. });
    assert!(revive(&mut stage, x, None).is_err_and(|told| in_use(&told)), "it is only starting, and is first");
    stage.ready(y);
    assert!(revive(&mut stage, x, None).is_err_and(|told| in_use(&told)));
    stage.exits(y, 0);
    wake(&mut stage, x, "again");
    assert!(taking(&mut stage, "sure").is_err_and(|told| in_use(&told)));
    taking(&mut stage, "deaf").expect("another agent's id says nothing");
}

#[test]
fn a_conversation_that_two_sessions_have_got_into_is_told_of() {
    let mut stage = Stage::new();
    let (x, y, other) = (stage.live("sure"), stage.live("sure"), stage.live("deaf"));
    for session in [x, other, x] {
        stage.report(session, AgentReport::Conversation { native: "c".to_owned() });
        assert!(!stage.events().contains(&"session.notice"), "its own, or another agent's");
    }
    stage.report(y, AgentReport::Conversation { native: "c".to_owned() });
    assert_eq!(stage.events(), ["session.notice", "session.conversation"]);
    assert_eq!(stage.session(y).conversation.as_deref(), Some("c"), "what is the case is on record");
}

#[test]
fn what_cannot_be_taken_up_again_is_refused() {
    let mut stage = Stage::new();
    let (plain, mute) = (stage.live("plain"), stage.live("sure"));
    stage.report(plain, AgentReport::Conversation { native: "c".to_owned() });
    for x in [plain, mute] {
        stage.exits(x, 0);
        assert!(!stage.host.is_resumable(stage.session(x)));
        let told = revive(&mut stage, x, Some(message("again")));
        assert!(matches!(told, Err(Refusal::NotResumable { .. })), "{told:?}");
    }
    let told = stage.call(Call::Revive { session: crate::cast::session_id(77), revival: revival(1), message: None });
    assert!(matches!(told, Err(Refusal::SessionNotFound(_))), "{told:?}");
}

#[test]
fn one_that_lives_is_sent_the_message() {
    let mut stage = Stage::new();
    let x = exited(&mut stage);
    wake(&mut stage, x, "first");
    let told = revive(&mut stage, x, Some(message("second")));
    assert!(matches!(told, Ok(Answer::Queued { handed: false, ahead: 1, .. })), "{told:?}");
    assert_eq!(stage.session(x).revivals, 1);
    assert_eq!(revive(&mut stage, x, None), Ok(Answer::Done));
    stage.kill(x, false).expect("killing");
    assert!(matches!(revive(&mut stage, x, None), Err(Refusal::SessionStopping(_))));
}

#[test]
fn a_killed_session_can_be_revived_and_a_revived_one_killed() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.report(x, AgentReport::Conversation { native: "c".to_owned() });
    stage.kill(x, true).expect("killing");
    stage.report_at(x, None, AgentReport::Exited { end: SessionEnd::Killed });
    let m = wake(&mut stage, x, "again");
    stage.kill(x, true).expect("killing");
    stage.report_at(x, None, AgentReport::Exited { end: SessionEnd::Killed });
    assert_eq!((stage.end(m), stage.status(x)), (MessageEnd::Cancelled, Status::Exited));
}
