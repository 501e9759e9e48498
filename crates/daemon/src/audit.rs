//! What callers outside have changed, or tried to: one line of JSON for each call, without texts and without secrets.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use adjutant_api::methods::Method;
use adjutant_api::{ErrorCode, WireTime};
use adjutant_core::TokenId;
use serde::Serialize;

use crate::clock;
use crate::journal::Rotated;

/// The name of the file in the state directory.
const FILE: &str = "audit.log";

/// Longest path of a call that is written, in characters.
const PATH_CHARS_MAX: usize = 200;

/// The record of what callers outside do.
pub(crate) struct Audit(Arc<Rotated>);

#[derive(Serialize)]
struct Line<'a> {
    at: WireTime,
    token: String,
    label: Option<&'a str>,
    from: &'a str,
    method: &'a str,
    target: &'a str,
    status: Option<u16>,
    error: Option<&'a str>,
}

/// A call that is under way. One that nobody waits for the answer of any more is written all the same.
pub(crate) struct Told {
    log: Arc<Rotated>,
    token: TokenId,
    label: Option<String>,
    from: String,
    method: &'static str,
    target: String,
    written: bool,
}

impl Audit {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self(Arc::new(Rotated::new(&state_dir.join(FILE))))
    }

    /// Notes who wants what; the line is written when it is known what came of it.
    pub(crate) fn begin(
        &self,
        token: TokenId,
        label: Option<String>,
        method: &'static Method,
        path: &str,
        from: &str,
    ) -> Told {
        let target = path.chars().filter(|c| !c.is_control()).take(PATH_CHARS_MAX).collect();
        let log = Arc::clone(&self.0);
        Told { log, token, label, from: from.to_owned(), method: method.name, target, written: false }
    }
}

impl Told {
    /// Writes what came of the call.
    pub(crate) fn answered(mut self, status: u16, error: Option<&ErrorCode>) {
        self.write(Some(status), error.map(ErrorCode::as_str));
    }

    fn write(&mut self, status: Option<u16>, error: Option<&str>) {
        self.written = true;
        let line = Line {
            at: WireTime::from_millis(clock::wall().as_millis()),
            token: self.token.to_string(),
            label: self.label.as_deref(),
            from: &self.from,
            method: self.method,
            target: &self.target,
            status,
            error,
        };
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        text.push(b'\n');
        let _ = (&*self.log).write_all(&text);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if !self.written {
            self.write(None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use adjutant_api::methods;

    use super::*;

    #[test]
    fn every_call_is_one_line_whatever_comes_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(dir.path());
        let begin = || {
            let label = Some("box".to_owned());
            audit.begin(TokenId::new(3), label, &methods::KILL, "/v1/sessions/kill\n", "127.0.0.1")
        };
        begin().answered(403, Some(&ErrorCode::Forbidden));
        drop(begin());
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!((&lines[0]["token"], &lines[0]["error"]), (&"t3".into(), &"forbidden".into()));
        assert_eq!((&lines[0]["target"], &lines[1]["status"]), (&"/v1/sessions/kill".into(), &serde_json::Value::Null));
    }
}
