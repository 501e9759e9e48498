//! How turn results are printed, and what is said beside them.

use adjutant_api::types::request::Request;
use adjutant_api::types::turn::{OutcomeWord, TurnResult};

use crate::error::CommandError;
use crate::ui::Ui;

/// Prints an answer exactly, and one line feed: the last one of a command's output is no part of its answer.
pub(crate) fn print_answer(ui: &mut Ui, result: &TurnResult) -> Result<(), CommandError> {
    if let Some(answer) = result.answer.as_deref().filter(|answer| !answer.is_empty()) {
        ui.line(answer)?;
    }
    if result.answer_cut_bytes > 0 {
        ui.warning(&format!("{} bytes are left out of the middle of the answer", result.answer_cut_bytes));
    }
    Ok(())
}

/// Says on standard error what the word alone does not say.
pub(crate) fn explain(ui: &Ui, result: &TurnResult) {
    let session = &result.session;
    match &result.outcome {
        OutcomeWord::WaitingForInput => explain_requests(ui, session, &result.pending),
        OutcomeWord::Failed if result.exit_code.is_none() => ui.note(&with_reason(session, "failed", result)),
        OutcomeWord::Interrupted => ui.note(&with_reason(session, "was interrupted", result)),
        OutcomeWord::Exited => {
            let why = result.error.as_deref().map_or_else(String::new, |why| format!(": {why}"));
            // With a server of its agent a turn may end, and the session go on.
            match result.turn {
                Some(turn) => {
                    ui.note(&format!("turn {turn} of {session} ended with its agent{why}"));
                    ui.hint(&format!("adj status --explain {session}"));
                }
                None => ui.note(&format!("{session} has exited{why}")),
            }
        }
        OutcomeWord::Unknown => {
            let why = result.error.as_deref().unwrap_or("nobody could see how it ended");
            ui.note(&format!("{}: {why}", subject(session, result)));
            ui.hint(&format!("adj status --explain {session}"));
        }
        OutcomeWord::Completed if result.answer.as_deref().is_none_or(str::is_empty) => {
            // A shell's command needs no words; an agent that says nothing says why.
            if let Some(why) = &result.error {
                ui.note(&format!("{}: {why}", subject(session, result)));
            }
        }
        OutcomeWord::Completed | OutcomeWord::Failed | OutcomeWord::Timeout | OutcomeWord::Idle => {}
        OutcomeWord::Other(word) => ui.note(&format!("this version does not know the outcome `{word}`")),
    }
}

fn subject(session: &str, result: &TurnResult) -> String {
    result.turn.map_or_else(|| session.to_owned(), |turn| format!("turn {turn} of {session}"))
}

fn with_reason(session: &str, what: &str, result: &TurnResult) -> String {
    let reason = result.reason.as_ref().map(|reason| reason.as_str().to_owned());
    let parts: Vec<String> = reason.into_iter().chain(result.error.clone()).collect();
    let subject = subject(session, result);
    if parts.is_empty() { format!("{subject} {what}") } else { format!("{subject} {what}: {}", parts.join(": ")) }
}

/// Says which answers are waited for.
pub(crate) fn explain_requests(ui: &Ui, session: &str, requests: &[Request]) {
    for request in requests {
        ui.note(&format!("{session} waits for an answer to {}", request_words(request)));
    }
    if requests.is_empty() {
        ui.note(&format!("{session} waits for an answer"));
    }
    ui.hint(&format!("adj respond {session}"));
}

/// A request in words: "r3: permission for Bash, `cargo publish`". A summary that has such marks of its own is a sentence.
pub(crate) fn request_words(request: &Request) -> String {
    let tool = request.tool.as_ref().map_or_else(String::new, |tool| format!(" for {tool}"));
    let summary = crate::table::first_line(&request.summary);
    let summary = if summary.contains('`') { summary } else { format!("`{summary}`") };
    format!("{}: {}{tool}, {summary}", request.id, request.kind)
}

/// What became of a message whose answer did not come.
pub(crate) fn explain_stays(ui: &Ui, session: &str, message: &str) {
    ui.note(&format!("{message} stays; its answer will be at: adj wait {session} --for {message} --print"));
}

#[cfg(test)]
mod tests {
    use adjutant_api::WireTime;
    use serde_json::Value;

    use super::*;

    fn words(kind: &str, tool: &str, summary: &str) -> String {
        request_words(&Request {
            id: "r3".to_owned(),
            session: "fizz-top".to_owned(),
            kind: kind.into(),
            tool: Some(tool.to_owned()),
            summary: summary.to_owned(),
            input: Value::Null,
            options: Vec::new(),
            multiple: false,
            questions: Vec::new(),
            host: None,
            opened_at: WireTime::from_millis(0),
        })
    }

    #[test]
    fn a_summary_is_marked_once() {
        assert_eq!(words("permission", "Bash", "cargo publish"), "r3: permission for Bash, `cargo publish`");
        let asked = "`read` (pid 4) reads from the terminal: Name:";
        assert_eq!(words("input", "read", asked), format!("r3: input for read, {asked}"));
    }
}
