//! What was asked and what became of it, byte for byte.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::Value;

use crate::limits::{BODIES_KEPT_BYTES_MAX, FAULTS_KEPT_MAX, REQUESTS_KEPT_MAX};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its number, from 1.
    pub number: u64,
    /// When its body was complete, in milliseconds since 1970.
    pub at_ms: u64,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query, empty without one.
    pub query: String,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is being answered.
    Open,
    /// The last byte of the answer was handed to the system then, in milliseconds since 1970.
    Whole {
        /// When.
        at_ms: u64,
        /// The HTTP status.
        status: u16,
    },
    /// The answer was cut, on purpose or because the client went away.
    Cut {
        /// When it was noticed.
        at_ms: u64,
    },
}

impl Request {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// All that a server has seen, within its bounds. Clones look at the same.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    change: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    bytes: usize,
    requests: VecDeque<(Arc<Request>, Answered)>,
    faults: Vec<String>,
    more_faults: u64,
}

impl Recorder {
    /// How many requests came.
    pub fn count(&self) -> u64 {
        self.locked().count
    }

    /// The requests that are kept, oldest first, and what became of each.
    pub fn requests(&self) -> Vec<(Arc<Request>, Answered)> {
        self.locked().requests.iter().cloned().collect()
    }

    /// What broke the protocol, each fault in a sentence.
    pub fn faults(&self) -> Vec<String> {
        let kept = self.locked();
        let more = (kept.more_faults > 0).then(|| format!("and {} more", kept.more_faults));
        kept.faults.iter().cloned().chain(more).collect()
    }

    /// Waits until what is kept fulfils a condition, and gives what the condition found; `None` where that does not
    /// happen in time.
    pub fn await_found<T>(&self, limit: Duration, mut find: impl FnMut(&Request, Answered) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut kept = self.locked();
        loop {
            if let Some(found) = kept.requests.iter().rev().find_map(|(request, answered)| find(request, *answered)) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            kept = self.shared.change.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn take_in(&self, mut request: Request) -> Arc<Request> {
        let mut kept = self.locked();
        kept.count += 1;
        request.number = kept.count;
        let request = Arc::new(request);
        kept.bytes += request.body.len();
        kept.requests.push_back((Arc::clone(&request), Answered::Open));
        while kept.requests.len() > REQUESTS_KEPT_MAX || kept.bytes > BODIES_KEPT_BYTES_MAX {
            let Some((oldest, _)) = kept.requests.pop_front() else { break };
            kept.bytes -= oldest.body.len();
        }
        self.shared.change.notify_all();
        request
    }

    pub(crate) fn note_end(&self, number: u64, answered: Answered) {
        let mut kept = self.locked();
        if let Some(entry) = kept.requests.iter_mut().find(|(request, _)| request.number == number) {
            entry.1 = answered;
        }
        self.shared.change.notify_all();
    }

    pub(crate) fn note_fault(&self, fault: String) {
        let mut kept = self.locked();
        if kept.faults.len() < FAULTS_KEPT_MAX { kept.faults.push(fault) } else { kept.more_faults += 1 }
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of the records: milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
