//! How a driver comes to its session: it starts one, or finds the one that is there.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use adjutant_core::SessionId;
use adjutant_core::agent::{AgentReport, Level, Mode, StartFailure};
use adjutant_core::session::Profile;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::time::timeout;

use super::exec::{ExecPlan, socket_in};
use super::machine::{Machine, TAKEN_BACK, handing};
use super::tmux::Tmux;
use super::typing::Typing;
use super::words::words;
use super::{Driven, Driver, Facts, LetGo, Timer, status};
use crate::claude::changes::Changes;
use crate::claude::environment::{config_dir, environment};
use crate::claude::hooks::{Spool, SpoolReader, given, keep_rules, merge, settings};
use crate::claude::login;
use crate::limits::{COLUMNS_DEFAULT, DIALOG_LOOK_MS, LISTEN_MS_MAX, ROWS_DEFAULT};
use crate::path::find_on;
use crate::process::{ProcessHandle, Stamp, own_incarnation};
use crate::runner::{JournalReader, Record, create_journal};
use crate::timer::Timers;
use crate::{Adoption, DriverReport, LaunchPlan, Order, Place};

/// The settings' name in a session's state directory.
const SETTINGS: &str = "settings.json";

/// Where tmux is looked for when the caller's PATH has none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin";

/// What drivers of any beginning have in common.
pub(super) struct Seat {
    pub(super) session: SessionId,
    pub(super) place: Place,
    pub(super) orders: tokio::sync::mpsc::Receiver<Order>,
    pub(super) reports: tokio::sync::mpsc::Sender<DriverReport>,
}

impl Seat {
    /// Starts a session and drives it.
    pub(super) async fn launch(self, plan: LaunchPlan) -> Driven {
        let stamp = Stamp::of_session(&self.place.host_id, &self.session);
        let environment = environment(&plan, &self.place, &stamp);
        let prepared = prepare(&self.place, &plan, &environment);
        let reports = self.reports.clone();
        let session = self.session;
        let made = prepared.and_then(|facts| self.driver(plan.profile.clone(), facts, stamp, 0));
        match made {
            Ok(mut driver) => driver.begin(&plan, environment).await,
            Err(error) => {
                let why = StartFailure::AgentStartFailed { detail: error.to_string() };
                failed(&reports, session, why).await
            }
        }
    }

    /// Finds the session that an earlier daemon planned.
    pub(super) async fn adopt(self, adoption: Adoption) -> Driven {
        let stamp = Stamp::of_session(&self.place.host_id, &self.session);
        let (reports, session, state_dir) = (self.reports.clone(), self.session, self.place.state_dir.clone());
        let found = Facts::read(&state_dir);
        let made = found.and_then(|facts| self.driver(adoption.profile.clone(), facts, stamp, adoption.cursor));
        match made {
            Ok(mut driver) => driver.resume(adoption).await,
            // Before there are facts nothing was started; a journal that withdraws the plan keeps it so.
            Err(error) => {
                let why = match withdraw(&state_dir) {
                    Ok(()) => StartFailure::Withdrawn,
                    Err(_) => StartFailure::AgentStartFailed { detail: format!("its records cannot be read: {error}") },
                };
                failed(&reports, session, why).await
            }
        }
    }

    fn driver(self, profile: Profile, facts: Facts, stamp: Stamp, offset: u64) -> io::Result<Driver> {
        let Self { session, place, orders, reports } = self;
        let changes = Changes::new()?;
        changes.add(&place.state_dir)?;
        let spool = Spool::open(&place.state_dir)?;
        let reader = SpoolReader::open(&place.state_dir, 0)?;
        let tmux = Tmux::new(facts.tmux.clone(), Tmux::socket_in(&place.run_dir));
        Ok(Driver {
            machine: Machine::new(profile.policy.clone()),
            session,
            place,
            stamp,
            orders,
            reports,
            facts,
            tmux,
            changes,
            spool,
            reader,
            offset,
            // What a daemon had on record when this one came.
            committed: offset,
            took: false,
            told_full: false,
            runner: None,
            runner_handle: None,
            agent: None,
            held: VecDeque::new(),
            typing: Typing::default(),
            leftover: false,
            given_back: None,
            uncounted: None,
            transcript_written: None,
            shown: None,
            interrupts: 0,
            status_watched: false,
            ordered_end: None,
            not_ready: None,
            timers: Timers::default(),
        })
    }
}

async fn failed(reports: &tokio::sync::mpsc::Sender<DriverReport>, session: SessionId, why: StartFailure) -> Driven {
    let observed_at = adjutant_core::Timestamp::from_millis(crate::runner::wall_ms());
    let report = AgentReport::StartFailed { why };
    let report = DriverReport { session, observed_at, cursor: None, report, answer: None };
    reports.send(report).await.map_err(|_| LetGo)
}

/// Makes the directories and files of a session, and looks for what it stands on.
fn prepare(place: &Place, plan: &LaunchPlan, environment: &BTreeMap<String, String>) -> io::Result<Facts> {
    for dir in [&place.state_dir, &place.run_dir] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        // The mode above is cut by the umask, and an old directory may have any.
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    let path = plan.caller_environment.get("PATH").map_or("", String::as_str);
    let tmux = find_on(path, "tmux").or_else(|| find_on(USUAL_PATH, "tmux")).ok_or_else(|| {
        io::Error::other("tmux is needed for a session in a terminal and is not there; install it, or use --headless")
    })?;
    let (given, _) = given(&plan.profile.arguments, &plan.directory).map_err(io::Error::other)?;
    let policy = &plan.profile.policy;
    keep_rules(&place.state_dir, policy)?;
    let mut made = settings(&place.adj, &place.state_dir, !policy.deny.is_empty());
    for more in given {
        merge(&mut made, more);
    }
    if plan.trust {
        made["skipDangerousModePermissionPrompt"] = serde_json::Value::Bool(true);
    }
    std::fs::write(place.state_dir.join(SETTINGS), made.to_string())?;
    let wrapped_since = (plan.profile.mode == Mode::Docker).then(crate::runner::wall_ms);
    let facts = Facts { tmux, config_dir: config_dir(environment), wrapped_since };
    std::fs::write(Facts::path(&place.state_dir), serde_json::to_vec(&facts)?)?;
    Ok(facts)
}

/// Claims the session for nobody.
fn withdraw(state_dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let by = (&own_incarnation()?).into();
    create_journal(state_dir, &Record::Withdrawn { by }).map(drop)
}

impl Driver {
    async fn begin(&mut self, plan: &LaunchPlan, environment: BTreeMap<String, String>) -> Driven {
        self.timers.arm(Timer::Ready, plan.ready_ms_max);
        self.timers.arm(Timer::Dialog, DIALOG_LOOK_MS * 2);
        let settings = self.place.state_dir.join(SETTINGS);
        let started = match words(plan, &self.facts.config_dir, &settings) {
            Ok(arguments) => {
                let exec = ExecPlan {
                    state_dir: self.place.state_dir.clone(),
                    program: plan.program.clone(),
                    arguments,
                    directory: plan.directory.clone(),
                    exact: plan.is_confined(),
                    environment,
                    tmux: self.facts.tmux.clone(),
                };
                let login = login::words(&settings, &plan.profile.arguments);
                // Both take about as long, and a container is not started to be asked.
                let asked = async {
                    plan.profile.mode != Mode::Docker
                        && login::is_missing(&exec.program, &exec.directory, &exec.environment, &login).await
                };
                let (started, is_missing) = tokio::join!(self.start(&exec), asked);
                if is_missing {
                    self.give_up(login::missing());
                }
                started.map_err(|error| error.to_string())
            }
            Err(detail) => Err(detail),
        };
        match started {
            Ok(()) => self.follow().await,
            Err(detail) => self.withdraw_or_follow(detail).await,
        }
    }

    /// Starts the terminal and hands the plan to the process in it.
    async fn start(&self, exec: &ExecPlan) -> io::Result<()> {
        let listener = UnixListener::bind(socket_in(&self.place.run_dir))?;
        let mut own: BTreeMap<String, String> =
            exec.environment.iter().filter(|(name, _)| *name == "PATH" || *name == "HOME").map(pair).collect();
        own.insert(Stamp::VARIABLE.to_owned(), self.stamp.as_str().to_owned());
        own.insert("SHELL".to_owned(), "/bin/sh".to_owned());
        let words = [self.place.adj.as_os_str(), OsStr::new("exec"), self.place.run_dir.as_os_str()];
        self.tmux.start(&exec.directory, (COLUMNS_DEFAULT, ROWS_DEFAULT), &own, &words).await?;
        let hand_over = async {
            let (mut stream, _) = listener.accept().await?;
            let mut line = serde_json::to_vec(exec)?;
            line.push(b'\n');
            stream.write_all(&line).await?;
            stream.shutdown().await
        };
        let limit = Duration::from_millis(LISTEN_MS_MAX);
        let handed = timeout(limit, hand_over).await;
        std::fs::remove_file(socket_in(&self.place.run_dir))?;
        handed.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the process in the terminal did not begin"))?
    }

    /// Makes sure that nothing comes to life any more, or follows what has.
    async fn withdraw_or_follow(&mut self, detail: String) -> Driven {
        match withdraw(&self.place.state_dir) {
            Ok(()) => {
                self.end_leftovers().await;
                self.report(AgentReport::StartFailed { why: StartFailure::AgentStartFailed { detail } }).await
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.follow().await,
            Err(error) => {
                let detail = format!("{detail}; {error}");
                self.report(AgentReport::StartFailed { why: StartFailure::AgentStartFailed { detail } }).await
            }
        }
    }

    /// Takes up a session of an earlier daemon: reads what it knew in silence, and what came since aloud. No key is sent.
    async fn resume(&mut self, adoption: Adoption) -> Driven {
        if self.opened().is_none() {
            return match withdraw(&self.place.state_dir) {
                Ok(()) => self.report(AgentReport::StartFailed { why: StartFailure::Withdrawn }).await,
                Err(_) if self.opened().is_some() => self.take_up(adoption).await,
                Err(_) => self.report(AgentReport::StartFailed { why: StartFailure::Withdrawn }).await,
            };
        }
        self.take_up(adoption).await
    }

    /// Whoever has claimed the session.
    fn opened(&self) -> Option<()> {
        let first = JournalReader::open(&self.place.state_dir, 0).ok()?.next()?.ok()?;
        matches!(first.entry.record, Record::Opened { .. }).then_some(())
    }

    async fn take_up(&mut self, adoption: Adoption) -> Driven {
        self.runner = adoption.runner;
        self.agent = adoption.agent;
        self.read_spool().await?;
        self.count_old(adoption.uncounted);
        if self.machine.pending.as_ref().is_some_and(|typed| typed.long) {
            // Its end was never typed, so it was not sent: it is among those that are handed over again.
            self.note(TAKEN_BACK, &());
            self.read_spool().await?;
        }
        let mut handed = adoption.handed;
        if let Some(typed) = &self.machine.pending {
            let (message, _) = handing(typed);
            handed.retain(|(handed, _)| *handed != message);
            self.timers.arm(Timer::Confirm, crate::limits::CONFIRM_MS_MAX);
        }
        if let Some((message, attempt)) = self.machine.last_typed.filter(|last| handed.contains(last)) {
            // Its confirmation was read above, and is on its way to the record.
            handed.retain(|handed| *handed != (message, attempt));
        }
        for (message, attempt) in handed {
            self.not_taken(message, attempt, "the daemon ended before it was typed").await?;
        }
        if self.read_journal().await? {
            return Ok(());
        }
        self.report(AgentReport::Seen { level: Level { working: self.machine.turn.is_some() } }).await?;
        self.follow().await
    }

    /// Reads what the process in the terminal has written down; says whether the session is over.
    pub(super) async fn read_journal(&mut self) -> Driven<bool> {
        let Ok(journal) = JournalReader::open(&self.place.state_dir, 0) else { return Ok(false) };
        for found in journal.map_while(Result::ok) {
            let at = found.entry.at;
            if let Record::Opened { runner, .. } = &found.entry.record
                && self.runner_handle.is_none()
                && let Some(runner) = runner.incarnation()
            {
                self.runner = Some(runner);
                match ProcessHandle::open(&runner) {
                    Ok(handle) if handle.is_some() => self.runner_handle = handle,
                    // It is gone, and what it wrote is all that there will be.
                    Ok(_) | Err(_) => {}
                }
            } else if let Record::Started { runner, agent, supervisor } = &found.entry.record {
                self.on_started(at, runner.incarnation(), agent.incarnation(), supervisor).await?;
            } else if let Record::StartFailed { detail } = &found.entry.record {
                let why = StartFailure::AgentStartFailed { detail: detail.clone() };
                self.end_leftovers().await;
                self.report(AgentReport::StartFailed { why }).await?;
                return Ok(true);
            } else if let Record::Exited { exit, detail, .. } = &found.entry.record {
                self.on_exited(exit.map(Into::into), detail.clone()).await?;
                return Ok(true);
            }
        }
        match (&self.runner, &self.runner_handle) {
            (Some(runner), None) if matches!(ProcessHandle::open(runner), Ok(None)) => self.on_runner_gone().await,
            (Some(_) | None, Some(_) | None) => Ok(false),
        }
    }

    async fn on_started(
        &mut self,
        at: i64,
        runner: Option<adjutant_core::process::Incarnation>,
        agent: Option<adjutant_core::process::Incarnation>,
        supervisor: &str,
    ) -> Driven {
        let (Some(runner), Some(agent)) = (runner, agent) else { return Ok(()) };
        if self.status_watched {
            return Ok(());
        }
        self.agent = Some(agent);
        let statuses = status::directory(&self.facts.config_dir);
        // It is made by the agent itself where it is not there; then its first word comes by a hook.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&statuses);
        if let Err(error) = made.and_then(|()| self.changes.add(&statuses)) {
            tracing::warn!(session = %self.session, %error, "status files are not watched");
        }
        self.status_watched = true;
        if self.not_ready.is_some() {
            // It was given up before anybody knew its process.
            self.signal(Signal::TERM);
        }
        self.send(at, None, AgentReport::Started { runner, agent, supervisor: supervisor.to_owned() }, None).await
    }
}

fn pair((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}
