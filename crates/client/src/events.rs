//! Following the log, across connections and daemons, without a gap and without a double.

use std::time::Duration;

use adjutant_api::methods;
use adjutant_api::stream::EventRecord;
use adjutant_api::types::event::{Event, EventsQuery};
use tokio::time::Instant;

use crate::Client;
use crate::call::Call;
use crate::error::ClientError;
use crate::resume::Resumable;

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// With the next event.
    GoOn,
    /// Enough.
    Stop,
}

impl Client {
    /// Follows the log until `each` has had enough (then true) or the time is over (then false). If the daemon ends in
    /// the middle, the next one goes on after the last event that was seen.
    ///
    /// # Errors
    /// What the daemon says of the call, or why there is no daemon.
    pub async fn follow(
        &mut self,
        query: &EventsQuery,
        limit: Option<Duration>,
        mut each: impl FnMut(Event) -> Flow,
    ) -> Result<bool, ClientError> {
        let mut stream = Resumable::new(&methods::EVENTS, limit.map(|limit| Instant::now() + limit), Duration::ZERO);
        let mut cursor: Option<u64> = None;
        loop {
            let asked = |call: Call, _| call.query(&continued(query, cursor));
            match stream.next(self, asked).await? {
                None => return Ok(false),
                Some(EventRecord::Event { event }) => {
                    if cursor.is_some_and(|seen| event.seq <= seen) {
                        continue;
                    }
                    cursor = Some(event.seq);
                    if each(event) == Flow::Stop {
                        return Ok(true);
                    }
                }
                Some(EventRecord::Alive { seq }) => cursor = cursor.max(seq),
                Some(EventRecord::Stopping) => stream.daemon_stops(),
                Some(EventRecord::Result { .. }) => return Ok(true),
                Some(EventRecord::Error { error }) => return Err(ClientError::Refused(error)),
                Some(EventRecord::Other) => {}
            }
        }
    }
}

/// The query that goes on after a cursor.
fn continued(query: &EventsQuery, cursor: Option<u64>) -> EventsQuery {
    let tail = query.tail.filter(|_| cursor.is_none());
    EventsQuery { since: cursor.or(query.since), tail, follow: true, ..query.clone() }
}
