//! Who may do what with which session.

use adjutant_core::call::NewMessage;
use adjutant_core::message::{MessageKind, Sender};
use adjutant_core::{Act, Answer, Call, CallId, Caller, Input, Refusal, Right, SessionId, TokenId};

use crate::stage::{Stage, message};

fn may(stage: &Stage, by: SessionId, of: SessionId) -> [bool; 3] {
    let session = stage.session(of);
    [Right::See, Right::Send, Right::Steer].map(|right| stage.host.may(Caller::Session(by), session, right))
}

fn send(stage: &mut Stage, from: SessionId, to: SessionId) {
    let told =
        stage.call_as(Caller::Session(from), Call::Send { session: to, message: message("text"), wake_me: false });
    assert!(told.is_ok(), "{told:?}");
}

#[test]
fn a_session_has_itself_and_its_descendants_and_may_send_to_its_parent() {
    let mut stage = Stage::new();
    let parent = stage.live("sure");
    let child = stage.child_of(parent);
    let grandchild = stage.child_of(child);
    let stranger = stage.live("sure");
    assert_eq!(may(&stage, child, child), [true; 3]);
    assert_eq!(may(&stage, parent, grandchild), [true; 3]);
    assert_eq!(may(&stage, child, parent), [false, true, false]);
    assert_eq!(may(&stage, grandchild, parent), [false; 3], "a grandparent is no parent");
    assert_eq!((may(&stage, child, stranger), may(&stage, stranger, child)), ([false; 3], [false; 3]));
    assert!(stage.host.may(Caller::Human, stage.session(stranger), Right::Steer));
}

#[test]
fn whoever_is_introduced_may_send_and_no_more() {
    let mut stage = Stage::new();
    let parent = stage.live("sure");
    let (one, other) = (stage.child_of(parent), stage.child_of(parent));
    let stranger = stage.live("sure");
    assert_eq!(may(&stage, one, other), [false; 3], "children of one parent do not know each other by themselves");
    let introduce = |one, other| Call::Introduce { one, other };
    let forbidden = |told| matches!(told, Err(Refusal::Forbidden(_)));
    assert!(forbidden(stage.call_as(Caller::Session(parent), introduce(one, stranger))));
    assert!(forbidden(stage.call_as(Caller::Session(one), introduce(one, other))));
    assert_eq!(stage.call_as(Caller::Session(parent), introduce(one, other)), Ok(Answer::Done));
    assert_eq!((may(&stage, one, other), may(&stage, other, one)), ([false, true, false], [false, true, false]));
    assert_eq!(stage.session(one).contacts, [other]);
    assert_eq!(stage.call_as(Caller::Human, introduce(one, other)), Ok(Answer::Done));
    assert_eq!(stage.session(one).contacts, [other], "once is enough");
}

#[test]
fn whoever_may_only_send_neither_stops_a_turn_nor_commands() {
    let mut stage = Stage::new();
    let parent = stage.live("sure");
    let child = stage.child_of(parent);
    let forbidden = |told| matches!(told, Err(Refusal::Forbidden(_)));
    let interrupting = NewMessage { interrupt: true, ..message("text") };
    let command = NewMessage { kind: MessageKind::Command, ..message("/clear") };
    for message in [interrupting, command] {
        let call = Call::Send { session: parent, message, wake_me: false };
        assert!(forbidden(stage.call_as(Caller::Session(child), call)));
    }
}

#[test]
fn the_key_of_a_message_is_its_senders_alone() {
    let mut stage = Stage::new();
    let parent = stage.live("sure");
    let child = stage.child_of(parent);
    let mut queued = |caller| {
        let message = NewMessage { key: Some("nightly".to_owned()), ..message("text") };
        match stage.call_as(caller, Call::Send { session: parent, message, wake_me: false }) {
            Ok(Answer::Queued { message, replayed, .. }) => (message, replayed),
            other => panic!("not queued: {other:?}"),
        }
    };
    let (users, _) = queued(Caller::Human);
    let (childs, replayed) = queued(Caller::Session(child));
    assert!(users != childs && !replayed, "to others a key says nothing");
    assert_eq!(queued(Caller::Human), (users, true));
    assert_eq!(queued(Caller::Session(child)), (childs, true));
}

#[test]
fn the_key_of_a_create_is_its_creators_alone() {
    let mut stage = Stage::new();
    let (one, other) = (stage.live("sure"), stage.live("sure"));
    let mut created = |caller: Caller| {
        let mut new = stage.new_session("sure");
        (new.profile.key, new.profile.creator) = (Some("nightly".to_owned()), Sender::Host);
        match stage.call_as(caller, Call::Create(Box::new(new))) {
            Ok(Answer::Created { session, replayed, .. }) => (session, replayed),
            refused => panic!("not created: {refused:?}"),
        }
    };
    let callers = [Caller::Human, Caller::Session(one), Caller::Session(other)];
    let first = callers.map(&mut created);
    assert!(first.iter().all(|(_, replayed)| !replayed), "to others a key says nothing: {first:?}");
    let again = callers.map(&mut created);
    assert_eq!(again, first.map(|(session, _)| (session, true)));
    let known = |caller| stage.host.by_create_key(caller, "nightly").map(|session| session.id);
    assert_eq!(callers.map(known), first.map(|(session, _)| Some(session)));
    assert_eq!(known(Caller::Token(TokenId::new(1))), None);
}

#[test]
fn whoever_got_a_message_may_answer_it() {
    let mut stage = Stage::new();
    let (one, other) = (stage.live("sure"), stage.live("sure"));
    let child = stage.child_of(one);
    send(&mut stage, one, other);
    assert_eq!(may(&stage, other, one), [false, true, false]);
    assert_eq!(may(&stage, one, other), [false; 3]);
    send(&mut stage, one, child);
    send(&mut stage, child, one);
    assert!(stage.session(one).contacts.is_empty() && stage.session(child).contacts.is_empty(), "nothing new in that");
}

#[test]
fn a_token_has_the_sessions_that_were_created_with_it() {
    let mut stage = Stage::new();
    let users = stage.live("sure");
    let token = TokenId::new(3);
    let mut new = [stage.new_session("sure"), stage.new_session("sure")];
    for new in &mut new {
        (new.profile.owner, new.owned_live_max) = (Some(token), Some(1));
    }
    // The model knows nothing of tokens, so the host is asked alone.
    let mut call = |caller, call| {
        let step = stage.host.handle(Input::Call { id: CallId(900), caller, call }, stage.now);
        match step
            .acts
            .into_iter()
            .find_map(|act| if let Act::Reply { answer, .. } = act { Some(answer) } else { None })
        {
            Some(answer) => answer,
            None => panic!("no reply"),
        }
    };
    let [first, second] = new;
    let session = first.id;
    assert!(call(Caller::Token(token), Call::Create(Box::new(first))).is_ok());
    let refused = call(Caller::Token(token), Call::Create(Box::new(second)));
    assert_eq!(refused, Err(Refusal::TooManyOwned { token, most: 1 }));
    let kill = |session| Call::Kill { session, force: true, any_allowed: true };
    let told = call(Caller::Token(token), kill(users));
    assert!(matches!(told, Err(Refusal::Forbidden(_))), "what sessions may do is not for callers outside: {told:?}");
    assert_eq!(call(Caller::Token(token), kill(session)), Ok(Answer::Killing { already: false }));
    let may = |token, of| stage.host.may(Caller::Token(TokenId::new(token)), stage.session(of), Right::Steer);
    assert_eq!((may(3, session), may(4, session), may(3, users)), (true, false, false));
}
