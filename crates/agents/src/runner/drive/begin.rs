//! How a driver comes to its runner: it starts one, or finds the one that is there.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use adjutant_core::agent::{AgentReport, StartFailure};

use super::{Driven, Driver, Meaning, Timer};
use crate::Adoption;
use crate::limits::{COLUMNS_DEFAULT, RECONNECT_MS_MAX, RECONNECT_MS_MIN, ROWS_DEFAULT};
use crate::process::Inherited;
use crate::runner::{
    Claim, JournalReader, NotLaunched, PipesPlan, RunnerPlan, Supervisor, claim, launch_held, withdraw,
};
use crate::timer::{Backoff, pause};

/// What a runner is to hold.
#[derive(Debug)]
pub(crate) struct Held {
    /// The program.
    pub(crate) program: PathBuf,
    /// The directory to start in.
    pub(crate) directory: PathBuf,
    /// No part of that may have become a link.
    pub(crate) exact: bool,
    /// All of its variables.
    pub(crate) environment: BTreeMap<String, String>,
    /// What the caller would have handed on to a child of its own.
    pub(crate) inherited: Inherited,
    /// Where it speaks by lines, how; without, it gets a terminal.
    pub(crate) pipes: Option<PipesPlan>,
    /// Time to get ready, in milliseconds.
    pub(crate) ready_ms_max: u64,
}

impl<M: Meaning> Driver<M> {
    /// Starts a runner and follows it.
    pub(crate) async fn launch(&mut self, held: Held) -> Driven {
        let place = &self.seat.place;
        let supervisor = Supervisor::choose(&place.host_id, &self.seat.name).await;
        let plan = RunnerPlan {
            state_dir: place.state_dir.clone(),
            run_dir: place.run_dir.clone(),
            stamp: self.stamp.as_str().to_owned(),
            supervisor: supervisor.name().to_owned(),
            inherited: held.inherited,
            environment: held.environment,
            program: held.program,
            directory: held.directory,
            exact: held.exact,
            columns: COLUMNS_DEFAULT,
            rows: ROWS_DEFAULT,
            pipes: held.pipes,
            server: None,
        };
        self.timers.arm(Timer::Ready, held.ready_ms_max);
        match launch_held(&self.seat.place.adj, self.seat.session, plan, &supervisor).await {
            Ok(()) => self.follow_claim().await,
            Err(NotLaunched::Never(detail)) => self.start_failed(StartFailure::AgentStartFailed { detail }).await,
            // Whether it comes to life or not is decided by who makes the journal.
            Err(NotLaunched::Silent(detail)) => self.withdraw_or_follow(Some(detail)).await,
        }
    }

    /// Finds the runner of a session that an earlier daemon planned, and reads what that daemon knew.
    pub(crate) async fn adopt(&mut self, adoption: Adoption) -> Driven {
        self.handed = adoption.handed;
        self.agent = adoption.agent;
        self.resumed = true;
        self.read_what_was_told(adoption.cursor).await?;
        match adoption.runner {
            Some(runner) => self.follow(runner).await,
            None => self.withdraw_or_follow(None).await,
        }
    }

    /// Brings the state up to what is in the log already, without telling any of it again.
    async fn read_what_was_told(&mut self, end: u64) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        loop {
            match JournalReader::open(&self.seat.place.state_dir, 0) {
                Ok(journal) => {
                    for found in journal.map_while(Result::ok).take_while(|found| found.next <= end) {
                        self.fold(&found, false);
                    }
                    self.offset = end;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    (self.offset, self.unread) = (end, true);
                    return Ok(());
                }
                Err(error) => self.on_unreadable(&error).await?,
            }
            self.wait_for_journal(backoff.next_ms()).await?;
        }
    }

    /// Makes sure that no runner comes to life any more, or follows the one that has claimed the session.
    async fn withdraw_or_follow(&mut self, silent: Option<String>) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        loop {
            let told = match withdraw(&self.seat.place.state_dir) {
                Ok(()) => {
                    let why =
                        silent.map_or(StartFailure::Withdrawn, |detail| StartFailure::AgentStartFailed { detail });
                    return self.start_failed(why).await;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match claim(&self.seat.place.state_dir) {
                    Ok(Claim::Runner(runner)) => return self.follow(runner).await,
                    Ok(Claim::Withdrawn) => return self.start_failed(StartFailure::Withdrawn).await,
                    Ok(Claim::None) => io::Error::other("the journal went away"),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.on_unreadable(&told).await?;
            self.wait_for_journal(backoff.next_ms()).await?;
        }
    }

    async fn follow_claim(&mut self) -> Driven {
        match claim(&self.seat.place.state_dir) {
            Ok(Claim::Runner(runner)) => self.follow(runner).await,
            Ok(Claim::Withdrawn) => self.start_failed(StartFailure::Withdrawn).await,
            Ok(Claim::None) => {
                let detail = "the runner listens, and has no journal".to_owned();
                self.start_failed(StartFailure::AgentStartFailed { detail }).await
            }
            Err(error) => {
                self.on_unreadable(&error).await?;
                self.withdraw_or_follow(None).await
            }
        }
    }

    /// Says that there is no session, and why.
    pub(crate) async fn start_failed(&self, why: StartFailure) -> Driven {
        self.report(AgentReport::StartFailed { why }).await
    }

    pub(super) async fn wait_for_journal(&mut self, millis: u64) -> Driven {
        tokio::select! {
            () = pause(millis) => Ok(()),
            order = self.seat.orders.recv() => self.hold(order),
        }
    }
}
