//! The Messages API.

use std::io::Read;
use std::time::Duration;

use adjutant_fakemodel::record::Answered;
use adjutant_fakemodel::{Options, Server, anthropic};

use crate::client::{all, send};

const HEADERS: &str = "anthropic-version: 2023-06-01\r\nx-api-key: k\r\n";
const LIMIT: Duration = Duration::from_secs(20);

fn server() -> Server {
    Server::start(Options::default()).expect("a server")
}

fn body(text: &str, stream: bool) -> String {
    let text = serde_json::json!(text);
    format!(r#"{{"model":"m","max_tokens":9,"stream":{stream},"messages":[{{"role":"user","content":{text}}}]}}"#)
}

fn ask(server: &Server, text: &str) -> String {
    all(send(server, "/v1/messages?beta=true", HEADERS, &body(text, true)))
}

#[test]
fn a_stream_ends_with_its_last_event() {
    let server = server();
    let answer = ask(&server, "[[say hel]][[say lo]][[tool Bash {\"command\":\"ls\"}]][[usage 7 8]]");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for part in [r#""text":"hel""#, r#""text":"lo""#, r#""stop_reason":"tool_use""#, r#""output_tokens":8"#] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert!(answer.trim_end().ends_with("\r\n0") && answer.contains("event: message_stop"), "{answer}");
    let whole =
        server.recorder().await_found(LIMIT, |_, answered| matches!(answered, Answered::Whole { .. }).then_some(()));
    assert!(whole.is_some() && server.recorder().faults().is_empty());
}

#[test]
fn what_came_is_kept_byte_for_byte() {
    let server = server();
    let text = "  tabs\tand \\ \u{1f980}\r\n[[ -f x ]] ";
    let _ = ask(&server, text);
    let (request, _) = server.recorder().requests().pop().expect("a request");
    assert_eq!((anthropic::user_texts(&request), request.query.as_str()), (vec![text.to_owned()], "beta=true"));
}

#[test]
fn errors_for_a_while_and_cuts() {
    let server = server();
    let codes: Vec<String> = (0..3).map(|_| ask(&server, "[[status 529 x2]][[say hi]]")[9..12].to_owned()).collect();
    assert_eq!(codes, ["529", "529", "200"]);
    let cut = ask(&server, "[[say begun]][[drop]]");
    assert!(cut.contains("begun") && !cut.contains("message_stop") && !cut.trim_end().ends_with("\r\n0"), "{cut}");
    let whole = all(send(&server, "/v1/messages", HEADERS, &body("[[say hi]]", false)));
    assert!(whole.contains(r#""content":[{"text":"hi","type":"text"}]"#), "{whole}");
}

#[test]
fn a_gate_holds_an_answer_and_a_client_may_leave() {
    let server = server();
    let held = send(&server, "/v1/messages", HEADERS, &body("[[say one]][[hold gate]][[say two]]", true));
    assert!(server.await_held("gate", LIMIT));
    server.open("gate");
    assert!(all(held).contains("two"));
    let mut leaving = send(&server, "/v1/messages", HEADERS, &body("[[say x]][[hang]]", true));
    // Who leaves before the answer has begun may never have been heard.
    leaving.read_exact(&mut [0]).expect("the answer begins");
    drop(leaving);
    let left = |_: &_, answered| matches!(answered, Answered::Cut { .. }).then_some(());
    assert!(server.recorder().await_found(LIMIT, left).is_some());
}

#[test]
fn what_breaks_the_protocol_is_a_fault() {
    let server = server();
    assert!(all(send(&server, "/v1/messages", "", &body("x", true))).starts_with("HTTP/1.1 400"));
    assert!(all(send(&server, "/v1/else", HEADERS, "{}")).starts_with("HTTP/1.1 404"));
    assert!(ask(&server, "[[pause soon]]").starts_with("HTTP/1.1 400"));
    let faults = server.recorder().faults();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].contains("anthropic-version") && faults[2].contains("no number"), "{faults:?}");
}

#[test]
fn a_book_and_a_log() {
    let folder = tempfile::tempdir().expect("a directory");
    let book = r#"{"rules":[{"contains":"weather","script":"[[say rain]]"}],"otherwise":"[[say what]]"}"#;
    let log = folder.path().join("log");
    let options =
        Options { book: serde_json::from_str(book).expect("a book"), log: Some(log.clone()), ..Options::default() };
    let server = Server::start(options).expect("a server");
    assert!(ask(&server, "the weather?").contains("rain") && ask(&server, "hm").contains("what"));
    let log = std::fs::read_to_string(log).expect("a log");
    assert_eq!((log.lines().count(), log.contains("the weather?")), (2, true));
}
