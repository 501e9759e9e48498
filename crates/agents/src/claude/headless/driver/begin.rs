//! How a driver comes to its runner: it starts one, or finds the one that is there.

use std::io;

use adjutant_core::agent::{AgentReport, StartFailure};
use adjutant_core::outcome::UnknownReason;

use super::{Driven, Driver, Timer};
use crate::claude::environment::{config_dir, environment};
use crate::claude::headless::command_line::{PASSING, arguments};
use crate::claude::home;
use crate::claude::resume::taken_up;
use crate::limits::{COLUMNS_DEFAULT, RECONNECT_MS_MAX, RECONNECT_MS_MIN, ROWS_DEFAULT};
use crate::runner::{
    Claim, JournalReader, NotLaunched, PipesPlan, RunnerPlan, Supervisor, claim, launch_held, withdraw,
};
use crate::timer::{Backoff, pause};
use crate::{Adoption, LaunchPlan};

/// The variable by which Claude Code is asked to say when it is at rest.
const STATES: &str = "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS";

impl Driver {
    /// Starts a runner and follows it.
    pub(super) async fn launch(&mut self, plan: LaunchPlan) -> Driven {
        let supervisor = Supervisor::choose(&self.place.host_id, &self.name).await;
        let mut environment = environment(&plan, &self.place, &self.stamp);
        environment.insert(STATES.to_owned(), "1".to_owned());
        let config_dir = config_dir(&environment);
        if let Err(error) = home::write(&self.place.state_dir, &config_dir) {
            let detail = format!("the session's directory cannot be written: {error}");
            return self.start_failed(StartFailure::AgentStartFailed { detail }).await;
        }
        let resumed = match taken_up(&plan, &config_dir) {
            Ok(resumed) => resumed,
            Err(detail) => return self.start_failed(StartFailure::AgentStartFailed { detail }).await,
        };
        if let Some(native) = &resumed {
            self.machine.resume(native);
        }
        let passing = PASSING.map(str::to_owned).to_vec();
        let runner_plan = RunnerPlan {
            state_dir: self.place.state_dir.clone(),
            run_dir: self.place.run_dir.clone(),
            stamp: self.stamp.as_str().to_owned(),
            supervisor: supervisor.name().to_owned(),
            inherited: plan.inherited.clone(),
            environment,
            program: plan.program,
            directory: plan.directory,
            columns: COLUMNS_DEFAULT,
            rows: ROWS_DEFAULT,
            pipes: Some(PipesPlan { arguments: arguments(&plan.profile, self.session, resumed.as_deref()), passing }),
            server: None,
        };
        self.timers.arm(Timer::Ready, plan.ready_ms_max);
        match launch_held(&self.place.adj, self.session, runner_plan, &supervisor).await {
            Ok(()) => self.follow_claim().await,
            Err(NotLaunched::Never(detail)) => self.start_failed(StartFailure::AgentStartFailed { detail }).await,
            // Whether it comes to life or not is decided by who makes the journal.
            Err(NotLaunched::Silent(detail)) => self.withdraw_or_follow(Some(detail)).await,
        }
    }

    /// Finds the runner of a session that an earlier daemon planned, and reads what that daemon knew.
    pub(super) async fn adopt(&mut self, adoption: Adoption) -> Driven {
        self.told_up_to = adoption.cursor;
        self.handed = adoption.handed;
        self.agent = adoption.agent;
        self.resumed = true;
        self.read_what_was_told().await?;
        match adoption.runner {
            Some(runner) => self.follow(runner).await,
            None => self.withdraw_or_follow(None).await,
        }
    }

    /// Brings the state up to what is in the log already, without telling any of it again.
    async fn read_what_was_told(&mut self) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        loop {
            match JournalReader::open(&self.place.state_dir, 0) {
                Ok(journal) => {
                    let end = self.told_up_to;
                    for found in journal.map_while(Result::ok).take_while(|found| found.next <= end) {
                        let told = self.read(&found);
                        if told.iter().any(|(report, _)| matches!(report, AgentReport::TurnEnded { .. })) {
                            self.turn_end = found.next;
                        }
                    }
                    self.offset = end;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => self.on_unreadable(&error).await?,
            }
            self.wait_for_journal(backoff.next_ms()).await?;
        }
    }

    /// Makes sure that no runner comes to life any more, or follows the one that has claimed the session.
    async fn withdraw_or_follow(&mut self, silent: Option<String>) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        loop {
            let told = match withdraw(&self.place.state_dir) {
                Ok(()) => {
                    let why =
                        silent.map_or(StartFailure::Withdrawn, |detail| StartFailure::AgentStartFailed { detail });
                    return self.start_failed(why).await;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match claim(&self.place.state_dir) {
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
        match claim(&self.place.state_dir) {
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

    async fn start_failed(&mut self, why: StartFailure) -> Driven {
        self.report(AgentReport::StartFailed { why }).await
    }

    pub(super) async fn on_unreadable(&mut self, error: &io::Error) -> Driven {
        self.resumed = true;
        if std::mem::replace(&mut self.unseen, true) {
            return Ok(());
        }
        let why = UnknownReason::JournalUnreadable { detail: error.to_string() };
        self.report(AgentReport::Unseen { why }).await
    }

    pub(super) async fn wait_for_journal(&mut self, millis: u64) -> Driven {
        tokio::select! {
            () = pause(millis) => Ok(()),
            order = self.orders.recv() => self.hold(order),
        }
    }
}
