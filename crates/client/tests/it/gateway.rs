//! What a client behind a gateway makes of its answers, and of its silence.

use adjutant_api::types::message::SendMessage;
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::ClientError;
use tokio::task::LocalSet;

use crate::scripted::{Scripted, Step};

fn refusal(code: ErrorCode, message: &str) -> Step {
    let status = code.http_status();
    Step::Unsigned(status, ErrorBody::new(code, message).to_json_line())
}

fn told(error: ClientError) -> ErrorBody {
    error.into()
}

#[tokio::test(flavor = "current_thread")]
async fn a_refusal_is_told_as_it_is_wherever_on_the_way_it_was_made() {
    LocalSet::new()
        .run_until(async {
            for (code, exit) in
                [(ErrorCode::Unauthorized, 1), (ErrorCode::Forbidden, 1), (ErrorCode::PathNotTranslatable, 2)]
            {
                let gateway = Scripted::new(vec![refusal(code.clone(), "no")]);
                let error = told(gateway.behind_gateway().whoami().await.unwrap_err());
                assert_eq!((&error.code, error.exit), (&code, exit), "{error:?}");
                let names_token = error.message.contains("ADJ_GATEWAY_TOKEN");
                assert_eq!(names_token, code == ErrorCode::Unauthorized, "{error:?}");
            }
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn something_else_that_answers_there_is_told() {
    LocalSet::new()
        .run_until(async {
            for step in [Step::Unsigned(404, "<html>".to_owned()), Step::Unsigned(200, "{}".to_owned())] {
                let gateway = Scripted::new(vec![step]);
                let error = told(gateway.behind_gateway().whoami().await.unwrap_err());
                assert_eq!((&error.code, error.exit), (&ErrorCode::VersionMismatch, 255), "{error:?}");
                assert!(error.message.contains("unix:"), "{error:?}");
            }
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_gateway_that_is_not_there_is_named_with_its_variable() {
    LocalSet::new()
        .run_until(async {
            let gateway = Scripted::new(Vec::new());
            std::fs::remove_file(gateway.home().socket).unwrap();
            let error = told(gateway.behind_gateway().whoami().await.unwrap_err());
            assert_eq!((&error.code, error.exit), (&ErrorCode::GatewayUnreachable, 255), "{error:?}");
            assert!(error.message.contains("ADJ_GATEWAY_URL") && error.message.contains("unix:"), "{error:?}");
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a16_a_send_whose_answer_was_lost_is_not_said_again() {
    LocalSet::new()
        .run_until(async {
            let health = format!(r#"{{"ok":true,"version":"{}","protocol":1}}"#, env!("CARGO_PKG_VERSION"));
            let gateway = Scripted::new(vec![Step::Answer(health), Step::HangUp]);
            let message = SendMessage { text: "x".to_owned(), ..SendMessage::default() };
            let error = told(gateway.behind_gateway().send("fizz-top", &message).await.unwrap_err());
            assert_eq!((&error.code, error.exit), (&ErrorCode::OutcomeUnknown, 5), "{error:?}");
            let sends = gateway.calls().iter().filter(|call| call.starts_with("POST")).count();
            assert_eq!(sends, 1);
        })
        .await;
}
