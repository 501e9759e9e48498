//! Every bound of the domain: what is refused beyond it, and that nothing has changed then.

use adjutant_core::agent::AgentReport;
use adjutant_core::call::{NewMessage, NewSession};
use adjutant_core::limits;
use adjutant_core::outcome::Outcome;
use adjutant_core::{Answer, Call, HostConfig, Refusal};

use crate::cast::config;
use crate::machine::question;
use crate::stage::{Stage, message};

#[test]
fn a_queue_is_full_by_count() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let working = stage.send(x, "working");
    let mut waiting = Vec::new();
    for _ in 0..config().queue_messages_max {
        waiting.push(stage.send(x, "w"));
    }
    let refused = stage.try_send(x, message("one too many"));
    assert!(matches!(refused, Err(Refusal::QueueFull { messages: 5, .. })), "{refused:?}");
    assert!(stage.last.events.is_empty() && stage.last.texts.is_empty());
    let delayed = NewMessage { due: Some(stage.after(10)), ..message("later") };
    assert!(stage.try_send(x, delayed).is_err(), "a delayed one takes room too");
    stage.runs(x, working, Outcome::Completed);
    stage.send(x, "there is room again");
}

#[test]
fn a_queue_is_full_by_bytes() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.send(x, "what is at work takes no room in the queue");
    stage.send(x, &"x".repeat(40));
    let refused = stage.try_send(x, message(&"x".repeat(21)));
    assert!(matches!(refused, Err(Refusal::QueueFull { bytes: 40, .. })), "{refused:?}");
    stage.send(x, &"x".repeat(20));
}

#[test]
fn an_edit_does_not_get_around_the_bytes() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    stage.send(x, "working");
    let a = stage.send(x, &"x".repeat(30));
    let b = stage.send(x, &"x".repeat(20));
    let edit = |m, bytes: usize| Call::Edit {
        session: x,
        message: m,
        text: Some("y".repeat(bytes).into()),
        due: None,
        place: None,
    };
    assert!(matches!(stage.call(edit(b, 31)), Err(Refusal::QueueFull { .. })));
    assert!(stage.last.events.is_empty() && stage.last.texts.is_empty());
    stage.call(edit(b, 30)).expect("it fits");
    stage.call(edit(a, 1)).expect("shorter always fits");
    assert_eq!(stage.session(x).queued_bytes(), 31);
}

#[test]
fn a_first_message_that_cannot_be_accepted_creates_nothing() {
    let mut stage = Stage::new();
    let too_long = NewSession { message: Some(message(&"x".repeat(61))), ..stage.new_session("sure") };
    assert!(matches!(stage.create(too_long), Err(Refusal::QueueFull { .. })));
    let interrupting = NewMessage { interrupt: true, ..message("now") };
    let unable = NewSession { message: Some(interrupting), ..stage.new_session("deaf") };
    assert!(matches!(stage.create(unable), Err(Refusal::NotSupported { .. })));
    assert_eq!(stage.host.sessions().count(), 0);
}

#[test]
fn too_many_sessions_are_refused_until_one_exits() {
    let mut stage = Stage::new();
    let sessions: Vec<_> = (0..config().sessions_live_max).map(|_| stage.starting("sure")).collect();
    let one_more = stage.new_session("sure");
    assert_eq!(stage.create(one_more.clone()), Err(Refusal::TooManySessions(5)));
    stage.exits(sessions[0], 0);
    stage.create(one_more).expect("there is room again");
    stage.restart();
    let another = stage.new_session("sure");
    assert_eq!(stage.create(another), Err(Refusal::TooManySessions(5)), "also after a restart");
}

#[test]
fn generations_are_bounded() {
    let mut stage = Stage::with(HostConfig { sessions_live_max: 100, ..config() });
    let mut line = vec![stage.starting("sure")];
    for _ in 0..limits::DESCENDANT_DEPTH_MAX {
        line.push(stage.child_of(line[line.len() - 1]));
    }
    let too_deep = NewSession { parent: line.last().copied(), ..stage.new_session("sure") };
    assert_eq!(stage.create(too_deep.clone()), Err(Refusal::TooDeep(limits::DESCENDANT_DEPTH_MAX)));
    assert!(stage.host.descends(line[limits::DESCENDANT_DEPTH_MAX], line[0]));
    stage.exits(line[3], 0);
    stage.create(too_deep).expect("the line is shorter by one");
}

#[test]
fn a_name_is_taken_until_it_is_forgotten() {
    let mut stage = Stage::new();
    let named =
        |stage: &mut Stage| NewSession { name: Some("build".parse().expect("a name")), ..stage.new_session("sure") };
    let first = named(&mut stage);
    let x = first.id;
    stage.create(first).expect("created");
    let second = named(&mut stage);
    assert!(matches!(stage.create(second.clone()), Err(Refusal::NameInUse(_))));
    stage.exits(x, 0);
    assert!(matches!(stage.create(second.clone()), Err(Refusal::NameInUse(_))), "its record is still there");
    stage.call(Call::Purge { session: x }).expect("forgotten");
    assert!(matches!(stage.create(second), Ok(Answer::Created { replayed: false, .. })));
}

#[test]
fn open_requests_are_bounded() {
    let mut stage = Stage::new();
    let x = stage.live("sure");
    let m = stage.send(x, "asks and asks");
    stage.taken(x, m);
    for number in 0..=limits::REQUESTS_OPEN_MAX {
        stage.report(x, AgentReport::RequestOpened { request: question(&format!("q{number}")) });
    }
    assert_eq!(stage.session(x).requests().count(), limits::REQUESTS_OPEN_MAX);
}
