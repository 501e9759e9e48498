//! Finding a daemon again for a stream that broke.

use std::time::Duration;

use adjutant_api::methods::Method;
use tokio::time::{Instant, timeout_at};

use crate::backoff::Backoff;
use crate::call::Call;
use crate::error::ClientError;
use crate::lines::Lines;
use crate::{Client, limits};

/// A stream across connections and daemons.
pub(crate) struct Resumable {
    method: &'static Method,
    lines: Option<Lines>,
    backoff: Backoff,
    /// It was open once: what may be wrong from now on passes.
    opened: bool,
    /// The daemon was told to end: somebody else starts the next one, of perhaps another version.
    stopping: bool,
    /// When a caller that may start no daemon gives up looking for one.
    gives_up: Option<Instant>,
    until: Option<Instant>,
    /// What the daemon is given beyond that to say so itself.
    extra: Duration,
    /// How often it went wrong since it was last open.
    failures: u32,
    /// Why there is no way to another machine since it was last open.
    cut: Option<ClientError>,
}

impl Resumable {
    /// A stream of a method, until a point in time; the daemon knows that point too and has so much longer to say that it
    /// has come.
    pub(crate) fn new(method: &'static Method, until: Option<Instant>, extra: Duration) -> Self {
        let backoff = until.map_or_else(Backoff::endless, Backoff::until);
        Self {
            method,
            lines: None,
            backoff,
            opened: false,
            stopping: false,
            gives_up: None,
            until,
            extra,
            failures: 0,
            cut: None,
        }
    }

    /// The daemon has said that it is about to end.
    pub(crate) fn daemon_stops(&mut self) {
        self.stopping = true;
    }

    /// How long there is left.
    pub(crate) fn left_ms(&self) -> Option<u64> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    /// The next record; `None` when the time is over. `call` says what is asked for when the stream is opened (again).
    pub(crate) async fn next<T: serde::de::DeserializeOwned>(
        &mut self,
        client: &mut Client,
        call: impl Fn(Call, Option<u64>) -> Call,
    ) -> Result<Option<T>, ClientError> {
        let until = self.until.map(|until| until + self.extra);
        loop {
            let read = match &mut self.lines {
                Some(lines) => lines.next(until).await,
                None => {
                    let call = call(Call::new(self.method, &[]).streaming(), self.left_ms());
                    match self.open(client, &call, until).await {
                        Ok(true) => continue,
                        Ok(false) => Ok(None),
                        Err(error) => Err(error),
                    }
                }
            };
            match read {
                Err(error) if self.goes_on(client, &error) => {
                    self.lines = None;
                    let far = self.opened && client.options.endpoint.is_far();
                    self.cut = far.then(|| client.options.endpoint.blame(error.clone()));
                    if !self.backoff.pause().await {
                        return self.out_of_time(error);
                    }
                }
                Ok(None) => return self.cut.take().map_or(Ok(None), Err),
                Err(error) => return Err(client.options.endpoint.blame(error)),
                Ok(record) => return Ok(record),
            }
        }
    }

    /// The time is over while nobody was there: of a daemon of this machine nothing more can be known, and the way to another
    /// one is cut.
    fn out_of_time<T>(&mut self, error: ClientError) -> Result<Option<T>, ClientError> {
        match self.cut.take() {
            Some(cut) => Err(cut),
            None if self.opened => Ok(None),
            None => Err(error),
        }
    }

    /// Opens the stream; false when the time is over.
    async fn open(&mut self, client: &mut Client, call: &Call, until: Option<Instant>) -> Result<bool, ClientError> {
        let allowed = client.options.autostart;
        client.options.autostart = allowed && !self.stopping;
        let opened = match until {
            Some(until) => timeout_at(until, client.open_call(call)).await.map_or(Ok(None), |r| r.map(Some)),
            None => client.open_call(call).await.map(Some),
        };
        client.options.autostart = allowed;
        let Some(response) = opened? else {
            return Ok(false);
        };
        self.lines = Some(Lines::new(response.into_body()));
        self.opened = true;
        self.stopping = false;
        self.gives_up = None;
        self.failures = 0;
        self.cut = None;
        self.backoff.reset();
        Ok(true)
    }

    /// Whether to look for a daemon again after this.
    fn goes_on(&mut self, client: &mut Client, error: &ClientError) -> bool {
        self.failures += 1;
        if !self.opened {
            return error.can_be_repeated() && self.failures < limits::FIRST_ATTEMPTS;
        }
        if matches!(error, ClientError::DiedAtStart { .. }) && self.failures > limits::STARTS_FAILED_MAX {
            return false;
        }
        if self.stopping && self.failures == limits::STOPPED_TOLD_AFTER {
            let remark =
                "The daemon was told to end, and no other serves yet. Sessions go on, and this does with the next one.";
            (client.options.warn)(remark, "adj list");
        }
        if error.is_far_away() {
            self.backoff.grow_patient();
        }
        if client.options.autostart || self.stopping {
            return error.is_passing();
        }
        let gives_up = *self.gives_up.get_or_insert_with(|| Instant::now() + limits::RECONNECT);
        error.is_passing() && Instant::now() < gives_up
    }
}
