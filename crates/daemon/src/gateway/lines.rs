//! One line for each request: on standard output, and in a file that is turned over.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use adjutant_api::WireTime;

use crate::clock;
use crate::journal::Rotated;

/// Where the lines go.
pub(super) struct Lines(Rotated);

/// What is said of one request. Nothing of it was written by the caller but the token, of which it has the id alone.
pub(super) struct Line<'a> {
    pub(super) verb: &'a str,
    pub(super) method: &'a str,
    pub(super) status: u16,
    pub(super) took: Duration,
    pub(super) token: &'a str,
    pub(super) from: &'a str,
}

impl Lines {
    pub(super) fn new(path: &Path) -> Self {
        Self(Rotated::new(path))
    }

    /// Writes one line. That nobody reads them must not stop the gateway.
    pub(super) fn say(&self, text: &str) {
        let at = WireTime::from_millis(clock::wall().as_millis());
        let _ = writeln!(std::io::stdout(), "{text}");
        let _ = (&self.0).write_all(format!("{at} {text}\n").as_bytes());
    }

    pub(super) fn request(&self, line: &Line<'_>) {
        let Line { verb, method, status, took, token, from } = line;
        self.say(&format!("{verb} {method} {status} {}ms token={token} from={from}", took.as_millis()));
    }
}
