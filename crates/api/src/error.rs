//! The error object, the same on the wire and on standard error with `--json`.

use serde_json::Value;

use crate::error_code::ErrorCode;
use crate::exit_code::ExitCode;
use crate::schema::answer;

answer! {
    /// A call that could not be answered.
    pub struct ErrorBody {
        /// The kind of failure.
        pub code: ErrorCode,
        /// A lower-case fragment that names the thing and says what is the case.
        pub message: String,
        /// A command to be run as it stands.
        pub hint: Option<String>,
        /// The exit code of a command that fails with it.
        pub exit: u8,
        /// Facts for programs, by name.
        pub details: Value,
    }

    /// The body of every answer that is an error.
    pub struct ErrorDocument {
        /// The error.
        pub error: ErrorBody,
    }
}

impl ErrorBody {
    /// An error with the exit code of its kind, without hint and details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let exit = code.exit_code().number();
        Self { code, message: message.into(), hint: None, exit, details: Value::Object(serde_json::Map::new()) }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with one more detail.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(details) = &mut self.details {
            details.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The exit code; one of a newer version that this one does not know counts as refused.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from_number(self.exit).unwrap_or(ExitCode::Refused)
    }

    /// The object as one line of JSON, without a line feed.
    pub fn to_json_line(&self) -> String {
        serde_json::to_string(&ErrorDocument { error: self.clone() }).unwrap_or_default()
    }
}

impl std::fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ErrorBody {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_one_of_the_page() {
        let error = ErrorBody::new(ErrorCode::SessionNotFound, "no session fiz-top")
            .with_hint("adj list -a")
            .with_detail("near", vec!["fizz-top"]);
        let line = r#"{"error":{"code":"session_not_found","message":"no session fiz-top","hint":"adj list -a","exit":4,"details":{"near":["fizz-top"]}}}"#;
        assert_eq!(error.to_json_line(), line);
        assert_eq!(serde_json::from_str::<ErrorDocument>(line).unwrap().error, error);
    }
}
