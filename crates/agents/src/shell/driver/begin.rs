//! How a driver comes to its runner: it starts one, or finds the one that is there.

use std::io;
use std::os::unix::fs::DirBuilderExt;

use adjutant_core::agent::{AgentReport, StartFailure};
use adjutant_core::outcome::UnknownReason;
use adjutant_core::process::Incarnation;

use super::{Driven, Driver, LetGo, Timer};
use crate::limits::{COLUMNS_DEFAULT, RECONNECT_MS_MAX, RECONNECT_MS_MIN, ROWS_DEFAULT};
use crate::process::own_incarnation;
use crate::runner::{Holds, JournalReader, NotLaunched, Record, RunnerPlan, Supervisor, create_journal, launch};
use crate::shell::environment::environment;
use crate::timer::{Backoff, pause};
use crate::{Adoption, LaunchPlan, Order};

/// How the beginning of a journal looks.
enum Claim {
    /// A runner owns the session.
    Runner(Incarnation),
    /// The plan was withdrawn.
    Withdrawn,
    /// There is no journal.
    None,
}

/// What is reported of a session that was not ready in time.
pub(super) fn not_ready(detail: &str) -> AgentReport {
    AgentReport::StartFailed { why: StartFailure::NotReady { detail: detail.to_owned() } }
}

impl Driver {
    /// Starts a runner and follows it.
    pub(super) async fn launch(&mut self, plan: LaunchPlan) -> Driven {
        let supervisor = Supervisor::choose(&self.place.host_id, &self.name).await;
        let mut runner_plan = RunnerPlan {
            holds: Holds::Shell,
            arguments: Vec::new(),
            state_dir: self.place.state_dir.clone(),
            run_dir: self.place.run_dir.clone(),
            stamp: self.stamp.as_str().to_owned(),
            supervisor: supervisor.name().to_owned(),
            environment: environment(&plan, &self.place, &self.stamp),
            program: plan.program,
            directory: plan.directory,
            columns: COLUMNS_DEFAULT,
            rows: ROWS_DEFAULT,
        };
        self.timers.arm(Timer::Ready, plan.ready_ms_max);
        let mut launched = launch(&self.place.adj, self.session, &runner_plan, &supervisor).await;
        if let (Supervisor::Scope(_), Err(NotLaunched::Never(detail))) = (&supervisor, &launched) {
            // Nothing was started, which is proven; so there are never two runners.
            tracing::warn!(session = %self.session, detail, "no scope of systemd; the runner holds itself");
            runner_plan.supervisor = Supervisor::Process.name().to_owned();
            launched = launch(&self.place.adj, self.session, &runner_plan, &Supervisor::Process).await;
        }
        drop(runner_plan);
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
            let told = match self.withdraw() {
                Ok(()) => {
                    let why = match silent {
                        Some(detail) => StartFailure::AgentStartFailed { detail },
                        None => StartFailure::Withdrawn,
                    };
                    return self.report_start_failed(why).await;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match self.claim() {
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
        match self.claim() {
            Ok(Claim::Runner(runner)) => self.follow(runner).await,
            Ok(Claim::Withdrawn) => self.report_start_failed(StartFailure::Withdrawn).await,
            Ok(Claim::None) => self.start_failed(format!("{told}, and has no journal")).await,
            Err(error) => {
                self.on_unreadable(&error).await?;
                self.withdraw_or_follow(None).await
            }
        }
    }

    /// Claims the session for nobody.
    fn withdraw(&self) -> io::Result<()> {
        let dir = &self.place.state_dir;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let by = (&own_incarnation()?).into();
        create_journal(dir, &Record::Withdrawn { by }).map(drop)
    }

    fn claim(&self) -> io::Result<Claim> {
        let mut journal = match JournalReader::open(&self.place.state_dir, 0) {
            Ok(journal) => journal,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Claim::None),
            Err(error) => return Err(error),
        };
        match journal.next().transpose()?.map(|found| found.entry.record) {
            Some(Record::Withdrawn { .. }) => Ok(Claim::Withdrawn),
            Some(Record::Opened { runner, .. }) => {
                runner.incarnation().map(Claim::Runner).ok_or_else(|| io::Error::other("the journal names no runner"))
            }
            _ => Err(io::Error::other("the journal does not begin with who made it")),
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
