//! What callers outside have changed, or tried to: one line of JSON for each call, without texts and without secrets. Of
//! calls that are refused, a token gets so many lines in an hour, so that it cannot wash away what was done by as many
//! refusals as it likes; the others are counted.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// Lines about refused calls of one token in an hour.
const REFUSED_LINES_MAX: u32 = 100;
/// See [`REFUSED_LINES_MAX`].
const REFUSED_WITHIN: Duration = Duration::from_secs(3_600);

/// Refused calls that are passed over until a line says how many they were.
const PASSED_OVER_MAX: u64 = 1_000;

/// Tokens whose refused calls are counted; the oldest is forgotten.
const COUNTED_MAX: usize = 1_000;

/// The record of what callers outside do.
pub(crate) struct Audit(Arc<Log>);

struct Log {
    lines: Rotated,
    refused: Mutex<BTreeMap<TokenId, Refused>>,
}

/// Refused calls of one token.
struct Refused {
    since: Instant,
    lines: u32,
    passed_over: u64,
}

impl Log {
    /// Whether a call gets a line, and how many of its token were passed over since the last one.
    fn turn(&self, token: TokenId, is_refused: bool, now: Instant) -> Option<u64> {
        let mut all = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= COUNTED_MAX && !all.contains_key(&token) {
            all.pop_first();
        }
        let refused = all.entry(token).or_insert(Refused { since: now, lines: 0, passed_over: 0 });
        if now.saturating_duration_since(refused.since) >= REFUSED_WITHIN {
            (refused.since, refused.lines) = (now, 0);
        }
        if is_refused && refused.lines >= REFUSED_LINES_MAX && refused.passed_over < PASSED_OVER_MAX {
            refused.passed_over += 1;
            return None;
        }
        refused.lines = refused.lines.saturating_add(u32::from(is_refused));
        Some(std::mem::take(&mut refused.passed_over))
    }
}

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
    /// Calls of the token that were refused, and have no line, since its last one.
    #[serde(skip_serializing_if = "is_none")]
    passed_over: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A call that is under way. One that nobody waits for the answer of any more is written all the same.
pub(crate) struct Told {
    log: Arc<Log>,
    token: TokenId,
    label: Option<String>,
    from: String,
    method: &'static str,
    target: String,
    written: bool,
}

impl Audit {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self(Arc::new(Log { lines: Rotated::new(&state_dir.join(FILE)), refused: Mutex::default() }))
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
        let is_refused = status.is_some_and(|status| status >= 400);
        let Some(passed_over) = self.log.turn(self.token, is_refused, Instant::now()) else { return };
        let line = Line {
            at: WireTime::from_millis(clock::wall().as_millis()),
            token: self.token.to_string(),
            label: self.label.as_deref(),
            from: &self.from,
            method: self.method,
            target: &self.target,
            status,
            error,
            passed_over,
        };
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        text.push(b'\n');
        let _ = (&self.log.lines).write_all(&text);
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

    #[test]
    fn refusals_do_not_wash_away_what_was_done() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(dir.path());
        let begin = |token| audit.begin(TokenId::new(token), None, &methods::SEND, "/v1", "127.0.0.1");
        begin(1).answered(200, None);
        (0..5_000).for_each(|_| begin(1).answered(404, Some(&ErrorCode::SessionNotFound)));
        begin(2).answered(403, Some(&ErrorCode::Forbidden));
        begin(1).answered(200, None);
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.len() <= 110, "{}", lines.len());
        let refused = lines.iter().filter(|line| line["token"] == "t1" && line["status"] == 404).count() as u64;
        let passed_over = |line: &serde_json::Value| line["passed_over"].as_u64().unwrap_or(0);
        assert_eq!(lines.iter().map(passed_over).sum::<u64>() + refused, 5_000, "each is counted once");
        assert_eq!((&lines[0]["status"], passed_over(&lines[0])), (&200.into(), 0));
        let later = Instant::now() + REFUSED_WITHIN;
        assert_eq!(audit.0.turn(TokenId::new(1), true, later), Some(0), "another hour has lines of its own");
        (3..COUNTED_MAX as u64 * 2).for_each(|token| assert!(audit.0.turn(TokenId::new(token), true, later).is_some()));
        assert_eq!(audit.0.refused.lock().unwrap().len(), COUNTED_MAX);
    }
}
