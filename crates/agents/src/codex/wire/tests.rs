use serde_json::json;

use super::*;

#[test]
fn messages_are_told_apart_by_their_members() {
    let read = Incoming::read;
    assert!(matches!(read(r#"{"id":0,"method":"x","params":{}}"#), Incoming::Request { .. }));
    assert!(matches!(read(r#"{"id":7,"result":{}}"#), Incoming::Answer { id: 7, result: Ok(_) }));
    assert!(matches!(
        read(r#"{"error":{"code":-32600,"message":"no"},"id":7}"#),
        Incoming::Answer { result: Err(_), .. }
    ));
    assert!(matches!(read(r#"{"method":"y","emittedAtMs":1}"#), Incoming::Notification { .. }));
    for odd in ["", "[]", "7", "{}", r#"{"id":"x","result":1}"#, r#"{"method":7}"#, r#"{"result":1}"#] {
        assert_eq!(read(odd), Incoming::Unknown, "{odd}");
    }
}

#[test]
fn a_status_is_read_in_every_form_that_a_version_had() {
    let active = |flags: &[&str]| ThreadStatus::Active { flags: flags.iter().map(|flag| (*flag).to_owned()).collect() };
    for (value, expected) in [
        (json!({"type": "idle"}), ThreadStatus::Idle),
        (json!({"type": "active", "activeFlags": ["waitingOnApproval"]}), active(&["waitingOnApproval"])),
        (json!({"type": "active"}), active(&[])),
        (json!("notLoaded"), ThreadStatus::NotLoaded),
        (json!({"active": {"activeFlags": ["waitingOnUserInput"]}}), active(&["waitingOnUserInput"])),
        (json!({"type": "systemError", "since": 3}), ThreadStatus::SystemError),
        (json!({"type": "dreaming"}), ThreadStatus::Unknown("dreaming".to_owned())),
        (json!({"dreaming": {}}), ThreadStatus::Unknown("dreaming".to_owned())),
        (json!(null), ThreadStatus::Unknown("null".to_owned())),
    ] {
        assert_eq!(ThreadStatus::read(&value), expected, "{value}");
    }
}

#[test]
fn words_of_a_newer_version_are_kept() {
    let turn = Turn::read(&json!({"id": "u", "status": "evaporated", "items": [{"type": "poem", "id": "p"}]})).unwrap();
    assert_eq!(turn.status, TurnStatus::Unknown("evaporated".to_owned()));
    assert_eq!(turn.items[0].kind, ItemKind::Other { kind: "poem".to_owned() });
    let (thread, notice) = Notice::read("galaxy/exploded", &json!({"threadId": "t"}));
    assert_eq!((thread.as_str(), notice), ("t", Notice::Unknown("galaxy/exploded".to_owned())));
}

#[test]
fn an_error_has_its_kind_and_its_reason() {
    use adjutant_core::outcome::FailReason;
    let error = |info: serde_json::Value| TurnError::read(&json!({"message": "m", "codexErrorInfo": info})).unwrap();
    for (info, expected) in [
        (json!("internalServerError"), FailReason::ApiError),
        (json!({"httpConnectionFailed": {"httpStatusCode": 401}}), FailReason::Auth),
        (json!({"responseTooManyFailedAttempts": {"httpStatusCode": 429}}), FailReason::RateLimited),
        (json!("usageLimitExceeded"), FailReason::RateLimited),
        (json!("contextWindowExceeded"), FailReason::ContextFull),
        (json!("cyberPolicy"), FailReason::Refused),
        (json!("somethingNew"), FailReason::ApiError),
        (json!(null), FailReason::ApiError),
    ] {
        assert_eq!(error(info.clone()).reason(), expected, "{info}");
    }
}

#[test]
fn tokens_are_counted_from_moment_to_moment() {
    let at = |input: u64, cached: u64, output: u64| {
        TokenCount::read(&json!({"inputTokens": input, "cachedInputTokens": cached, "outputTokens": output}))
    };
    let usage = at(300, 120, 25).since(at(100, 20, 10));
    assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (100, 100, 15));
}
