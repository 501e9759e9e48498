//! The reference of the API for people, made from the table of methods.

use std::fmt::Write as _;

use crate::error_code::ErrorCode;
use crate::exit_code::ExitCode;
use crate::methods::{METHODS, Method, Reply};

/// The chapters on HTTP, exit codes and error codes, as Markdown.
pub fn markdown() -> String {
    let mut text = String::from("## The API\n\n");
    text.push_str("| Method | Call | Query, body | Answer | Fails with |\n|---|---|---|---|---|\n");
    METHODS.iter().for_each(|method| push_method(&mut text, method));
    push_exit_codes(&mut text);
    push_error_codes(&mut text);
    text
}

fn push_method(text: &mut String, method: &Method) {
    let inputs: Vec<&str> = [method.query, method.body].iter().flatten().filter_map(|input| input.name).collect();
    let errors: Vec<String> = method.errors.iter().map(|code| format!("`{code}`")).collect();
    let (verb, path) = (method.verb.as_str(), method.path);
    let (inputs, reply, errors) = (inputs.join(", "), reply_words(method), errors.join(" "));
    let _ = writeln!(text, "| `{}` | `{verb} {path}` | {inputs} | {reply} | {errors} |", method.name);
}

fn reply_words(method: &Method) -> String {
    match &method.reply {
        Reply::Document(document) => (document.words)(),
        Reply::Stream(stream) => format!("stream of {}", (stream.words)()),
        Reply::Either { document, stream } => format!("{}, or stream of {}", (document.words)(), (stream.words)()),
        Reply::Json => "JSON".to_owned(),
        Reply::Upgrade => "upgrade to frames".to_owned(),
    }
}

fn push_exit_codes(text: &mut String) {
    text.push_str("\n## Exit codes\n\n| Code | What a caller does |\n|---|---|\n");
    for code in ExitCode::ALL {
        let _ = writeln!(text, "| {} | {} |", code.number(), code.advice());
    }
}

fn push_error_codes(text: &mut String) {
    text.push_str("\n## Error codes\n\n| `error.code` | Exit | HTTP |\n|---|---|---|\n");
    for word in ErrorCode::WORDS {
        let code = ErrorCode::from(*word);
        let _ = writeln!(text, "| `{word}` | {} | {} |", code.exit_code().number(), code.http_status());
    }
}
