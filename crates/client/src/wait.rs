//! Waiting for work, across connections and daemons.

use std::time::Duration;

use adjutant_api::methods;
use adjutant_api::stream::{WaitEnd, WaitRecord, WaitResult};
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};
use tokio::time::Instant;

use crate::call::Call;
use crate::error::ClientError;
use crate::resume::Resumable;
use crate::{Client, limits};

impl Client {
    /// Waits, and hands over each session's result as soon as it is known, once. `None` when the time was over before
    /// any daemon said anything. If the daemon ends in the middle, the same wait is continued at the next one.
    ///
    /// # Errors
    /// What the daemon says of the call, or why there is no daemon.
    pub async fn wait(
        &mut self,
        query: &WaitQuery,
        mut each: impl FnMut(&TurnResult),
    ) -> Result<Option<WaitResult>, ClientError> {
        let until = query.timeout_ms.map(|millis| Instant::now() + Duration::from_millis(millis));
        let mut stream = Resumable::new(&methods::WAIT, until, limits::WAIT_EXTRA);
        let mut cursor: Option<String> = None;
        let mut told: Vec<TurnResult> = Vec::new();
        loop {
            let asked = |call: Call, left_ms| {
                let query = WaitQuery { timeout_ms: left_ms, ..query.clone() };
                call.query(&query).after(cursor.clone())
            };
            match stream.next(self, asked).await? {
                None if told.is_empty() => return Ok(None),
                None => return Ok(Some(out_of_time(query, told))),
                Some(WaitRecord::Waiting { cursor: next }) => cursor = Some(next),
                Some(WaitRecord::Stopping) => stream.daemon_stops(),
                Some(WaitRecord::Session { result }) => tell(&mut told, result, &mut each),
                Some(WaitRecord::Result(result)) => {
                    return Ok(Some(completed(query, told, result, &mut each)));
                }
                Some(WaitRecord::Error { error }) => return Err(ClientError::Refused(error)),
                Some(WaitRecord::Alive | WaitRecord::Other) => {}
            }
        }
    }
}

/// Hands over a result unless that session's was handed over before.
fn tell(told: &mut Vec<TurnResult>, result: TurnResult, each: &mut impl FnMut(&TurnResult)) {
    if told.iter().all(|before| before.session != result.session) {
        each(&result);
        told.push(result);
    }
}

/// The whole result: what a daemon before the last one has said belongs to it.
fn completed(
    query: &WaitQuery,
    mut told: Vec<TurnResult>,
    result: WaitResult,
    each: &mut impl FnMut(&TurnResult),
) -> WaitResult {
    let unfinished = |one: &TurnResult| one.outcome == OutcomeWord::Timeout;
    for one in result.results {
        match told.iter_mut().find(|before| before.session == one.session) {
            Some(before) if !unfinished(&one) => *before = one,
            Some(_) => {}
            None if unfinished(&one) => told.push(one),
            None => tell(&mut told, one, each),
        }
    }
    let place = |one: &TurnResult| query.session.iter().position(|asked| *asked == one.session);
    told.sort_by_key(|one| place(one).unwrap_or(usize::MAX));
    WaitResult { ended_by: ended_by(result.ended_by), results: told }
}

/// What is known when the time is over and no daemon is there to say so.
fn out_of_time(query: &WaitQuery, mut told: Vec<TurnResult>) -> WaitResult {
    let late = |id: &&String| told.iter().all(|one| one.session != **id);
    let late: Vec<TurnResult> = query.session.iter().filter(late).map(|id| timed_out(id)).collect();
    told.extend(late);
    WaitResult { ended_by: WaitEnd::Timeout, results: told }
}

fn timed_out(session: &str) -> TurnResult {
    TurnResult { outcome: OutcomeWord::Timeout, ..TurnResult::idle(session) }
}

fn ended_by(word: WaitEnd) -> WaitEnd {
    match word {
        WaitEnd::Other(_) => WaitEnd::Done,
        known @ (WaitEnd::Done | WaitEnd::Input | WaitEnd::Timeout) => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_before_the_time_was_over_stays_told() {
        let query = WaitQuery { session: vec!["a".into(), "b".into()], ..WaitQuery::default() };
        let found = out_of_time(&query, vec![TurnResult::idle("a")]);
        let words: Vec<_> = found.results.iter().map(|one| (one.session.as_str(), one.outcome.as_str())).collect();
        assert_eq!((found.ended_by, words), (WaitEnd::Timeout, vec![("a", "idle"), ("b", "timeout")]));
    }

    #[test]
    fn results_are_told_once_and_kept_over_a_change_of_daemons() {
        let query = WaitQuery { session: vec!["b".into(), "a".into()], ..WaitQuery::default() };
        let mut seen = Vec::new();
        let mut told = Vec::new();
        let mut each = |result: &TurnResult| seen.push(result.session.clone());
        tell(&mut told, TurnResult::idle("a"), &mut each);
        tell(&mut told, TurnResult::idle("a"), &mut each);
        let last = WaitResult { ended_by: WaitEnd::Done, results: vec![TurnResult::idle("b")] };
        let whole = completed(&query, told, last, &mut each);
        let order: Vec<_> = whole.results.iter().map(|one| one.session.as_str()).collect();
        assert_eq!(order, ["b", "a"]);
        assert_eq!(seen, ["a", "b"]);
    }
}
