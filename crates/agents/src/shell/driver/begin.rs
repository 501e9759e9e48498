//! How a driver comes to its runner: it starts one, or finds the one that is there.

use std::io;

use adjutant_core::agent::{AgentReport, StartFailure};
use adjutant_core::outcome::UnknownReason;

use super::{Driven, Driver, LetGo, Timer};
use crate::limits::{COLUMNS_DEFAULT, RECONNECT_MS_MAX, RECONNECT_MS_MIN, ROWS_DEFAULT};
use crate::runner::{Claim, NotLaunched, RunnerPlan, Supervisor, claim, launch_held, withdraw};
use crate::shell::environment::environment;
use crate::timer::{Backoff, pause};
use crate::{Adoption, LaunchPlan, Order};

/// What is reported of a session that was not ready in time.
pub(super) fn not_ready(detail: &str) -> AgentReport {
    AgentReport::StartFailed { why: StartFailure::NotReady { detail: detail.to_owned() } }
}

impl Driver {
    /// Starts a runner and follows it.
    pub(super) async fn launch(&mut self, plan: LaunchPlan) -> Driven {
        let supervisor = Supervisor::choose(&self.place.host_id, &self.name).await;
        let runner_plan = RunnerPlan {
            state_dir: self.place.state_dir.clone(),
            run_dir: self.place.run_dir.clone(),
            stamp: self.stamp.as_str().to_owned(),
            supervisor: supervisor.name().to_owned(),
            inherited: plan.inherited.clone(),
            environment: environment(&plan, &self.place, &self.stamp),
            program: plan.program,
            directory: plan.directory,
            columns: COLUMNS_DEFAULT,
            rows: ROWS_DEFAULT,
            pipes: None,
            server: None,
        };
        self.timers.arm(Timer::Ready, plan.ready_ms_max);
        let launched = launch_held(&self.place.adj, self.session, runner_plan, &supervisor).await;
        match launched {
            Ok(()) => self.follow_claim("the runner listens").await,
            Err(NotLaunched::Never(detail)) => self.start_failed(detail).await,
            // Whether it comes to life or not is decided by who makes the journal.
            Err(NotLaunched::Silent(detail)) => self.withdraw_or_follow(Some(detail)).await,
        }
    }

    /// Finds the runner of a session that an earlier daemon planned.
    pub(super) async fn adopt(&mut self, adoption: Adoption) -> Driven {
        self.offset = adoption.cursor;
        self.turn_end = adoption.cursor;
        self.handed = adoption.handed;
        self.agent = adoption.agent;
        self.resumed = true;
        match adoption.runner {
            Some(runner) => self.follow(runner).await,
            None => self.withdraw_or_follow(None).await,
        }
    }

    /// Makes sure that no runner comes to life any more, or follows the one that has claimed the session.
    async fn withdraw_or_follow(&mut self, silent: Option<String>) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        loop {
            let told = match withdraw(&self.place.state_dir) {
                Ok(()) => {
                    let why = match silent {
                        Some(detail) => StartFailure::AgentStartFailed { detail },
                        None => StartFailure::Withdrawn,
                    };
                    return self.report_start_failed(why).await;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match claim(&self.place.state_dir) {
                    Ok(Claim::Runner(runner)) => return self.follow(runner).await,
                    Ok(Claim::Withdrawn) => return self.report_start_failed(StartFailure::Withdrawn).await,
                    Ok(Claim::None) => io::Error::other("the journal went away"),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.on_unreadable(&told).await?;
            self.wait_for_journal(backoff.next_ms()).await?;
        }
    }

    async fn follow_claim(&mut self, told: &str) -> Driven {
        match claim(&self.place.state_dir) {
            Ok(Claim::Runner(runner)) => self.follow(runner).await,
            Ok(Claim::Withdrawn) => self.report_start_failed(StartFailure::Withdrawn).await,
            Ok(Claim::None) => self.start_failed(format!("{told}, and has no journal")).await,
            Err(error) => {
                self.on_unreadable(&error).await?;
                self.withdraw_or_follow(None).await
            }
        }
    }

    async fn start_failed(&mut self, detail: String) -> Driven {
        self.report_start_failed(StartFailure::AgentStartFailed { detail }).await
    }

    async fn report_start_failed(&mut self, why: StartFailure) -> Driven {
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
            order = self.orders.recv() => match order {
                None | Some(Order::LetGo) => Err(LetGo),
                Some(Order::End { grace_ms }) => { self.ordered_end = Some(grace_ms); Ok(()) }
                Some(order) => { self.held.push_back(order); Ok(()) }
            },
        }
    }
}
