//! Calls with one answer.

use adjutant_api::types::message::SendMessage;
use adjutant_api::types::session::{CreateSession, SessionsQuery};
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::ClientError;
use tokio::task::LocalSet;

use crate::scripted::{Scripted, Step};

const HEALTH: &str = r#"{"ok":true,"version":"0.1.0","protocol":1}"#;

fn list() -> SessionsQuery {
    SessionsQuery::default()
}

fn code(error: ClientError) -> ErrorCode {
    ErrorBody::from(error).code
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_serves_many_calls() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::Answer("[]".into()), Step::Answer("[]".into())]);
            let mut client = daemon.client();
            assert_eq!(client.sessions(&list()).await, Ok(vec![]));
            assert_eq!(client.sessions(&SessionsQuery { all: true, ..list() }).await, Ok(vec![]));
            assert_eq!(daemon.calls(), ["GET /v1/sessions", "GET /v1/sessions?all=true"]);
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn an_error_keeps_its_code_message_and_hint() {
    LocalSet::new()
        .run_until(async {
            let error = ErrorBody::new(ErrorCode::SessionNotFound, "no session fiz-top").with_hint("adj list -a");
            let daemon = Scripted::new(vec![Step::Status(404, error.to_json_line())]);
            assert_eq!(daemon.client().session("fiz-top").await, Err(ClientError::Refused(error)));
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_only_reads_is_asked_again() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::HangUp, Step::HangUp, Step::Answer("[]".into())]);
            assert_eq!(daemon.client().sessions(&list()).await, Ok(vec![]));
            assert_eq!(daemon.calls().len(), 3);
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a16_what_changes_something_is_said_once() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::Answer(HEALTH.into()), Step::HangUp]);
            let sent = daemon.client().send("fizz-top", &SendMessage::default()).await;
            assert_eq!(code(sent.unwrap_err()), ErrorCode::OutcomeUnknown);
            assert_eq!(daemon.calls(), ["GET /v1/health", "POST /v1/sessions/fizz-top/messages"]);
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_is_said_to_a_socket_whose_daemon_has_died() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::HangUp, Step::Answer(HEALTH.into()), Step::HangUp]);
            let sent = daemon.client().send("fizz-top", &SendMessage::default()).await;
            assert_eq!(code(sent.unwrap_err()), ErrorCode::OutcomeUnknown);
            let posts = daemon.calls().iter().filter(|call| call.starts_with("POST")).count();
            assert_eq!(posts, 1, "{:?}", daemon.calls());
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn b12_a_create_with_a_key_is_said_again() {
    LocalSet::new()
        .run_until(async {
            let refusal = ErrorBody::new(ErrorCode::AgentNotFound, "no such agent");
            let daemon = Scripted::new(vec![Step::HangUp, Step::Status(422, refusal.to_json_line())]);
            let session = CreateSession { key: Some("k".into()), ..CreateSession::default() };
            assert_eq!(daemon.client().create(&session).await, Err(ClientError::Refused(refusal)));
            assert_eq!(daemon.calls(), ["POST /v1/sessions", "POST /v1/sessions"]);
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn another_protocol_is_a_mismatch() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::As(9, "7.0.0", "[]".into())]);
            let error = ErrorBody::from(daemon.client().sessions(&list()).await.unwrap_err());
            assert_eq!((error.code, error.exit), (ErrorCode::VersionMismatch, 255));
            assert!(error.message.contains("7.0.0"), "{}", error.message);
            assert_eq!(error.hint.as_deref(), Some("adj daemon stop"));
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn another_version_is_told_once() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::As(1, "0.0.9", "[]".into()), Step::As(1, "0.0.9", "[]".into())]);
            let mut client = daemon.client();
            assert_eq!(client.sessions(&list()).await, Ok(vec![]));
            assert_eq!(client.sessions(&list()).await, Ok(vec![]));
            let [warning] = daemon.warnings().try_into().unwrap();
            assert!(warning.contains("0.0.9") && warning.ends_with("adj daemon stop"), "{warning}");
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_stranger_on_the_socket_is_a_mismatch() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::As(0, "", "<html>".into())]);
            assert_eq!(code(daemon.client().sessions(&list()).await.unwrap_err()), ErrorCode::VersionMismatch);
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_daemon_that_listens_elsewhere_is_found() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![Step::Answer("[]".into())]);
            let other = Scripted::new(vec![]);
            let socket = daemon.home().socket;
            std::fs::write(other.home().socket_pointer(), socket.to_str().unwrap()).unwrap();
            std::fs::remove_file(other.home().socket).unwrap();
            assert_eq!(other.client().sessions(&list()).await, Ok(vec![]));
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn without_a_daemon_it_is_255() {
    LocalSet::new()
        .run_until(async {
            let daemon = Scripted::new(vec![]);
            std::fs::remove_file(daemon.home().socket).unwrap();
            let error = ErrorBody::from(daemon.client().sessions(&list()).await.unwrap_err());
            assert_eq!((error.code, error.exit), (ErrorCode::DaemonUnreachable, 255));
        })
        .await;
}
