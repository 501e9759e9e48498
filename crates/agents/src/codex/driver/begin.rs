//! How a driver comes to its thread: it starts one, or finds the one that is there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use adjutant_core::MessageId;
use adjutant_core::agent::{AgentReport, SessionEnd, StartFailure};
use adjutant_core::outcome::UnknownReason;
use adjutant_core::process::Incarnation;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::thread::failed;
use super::{Driven, Driver, Notes, Running, Sent, Settings, Stop};
use crate::codex::find::judge_version;
use crate::codex::limits::{CONNECT_MS_MAX, CONNECT_MS_MIN, LISTEN_MS_MAX};
use crate::codex::server::{Held, ServerPlan, Servers};
use crate::codex::wire::Link;
use crate::codex::{creators, environment, screen};
use crate::limits::{RECONNECT_MS_MAX, RECONNECT_MS_MIN};
use crate::process::{ProcessHandle, StartIn};
use crate::timer::{Backoff, pause};
use crate::{Adoption, LaunchPlan, Order};

impl Driver {
    /// Starts a session and follows it.
    pub(super) async fn launch(&mut self, plan: LaunchPlan) -> Driven {
        let within = plan.ready_ms_max;
        // Orders are heard meanwhile; but for an end they wait.
        let mut orders = std::mem::replace(&mut self.orders, mpsc::channel(1).1);
        let (mut early, mut is_ended) = (Vec::new(), false);
        let begun = {
            let mut beginning = pin!(timeout(Duration::from_millis(within), self.begin(plan)));
            loop {
                tokio::select! {
                    begun = &mut beginning => break Some(begun),
                    order = orders.recv() => match order {
                        None | Some(Order::LetGo) => return Err(Stop::LetGo),
                        Some(Order::End { .. }) => { is_ended = true; break None }
                        Some(order) => early.push(order),
                    },
                }
            }
        };
        self.orders = orders;
        self.waiting.extend(early);
        if is_ended {
            return Err(self.over(SessionEnd::Killed, "the session was ended before it was ready").await);
        }
        let late = StartFailure::NotReady { detail: format!("Codex was not ready within {within} ms") };
        match begun.and_then(Result::ok).unwrap_or(Err(late)) {
            Ok(link) => {
                self.tell_of_life(&link).await?;
                self.follow(Some(link)).await
            }
            Err(why) => self.start_failed(why).await,
        }
    }

    async fn begin(&mut self, plan: LaunchPlan) -> Result<Link, StartFailure> {
        let home = environment::codex_home(&plan).map_err(|detail| StartFailure::AgentStartFailed { detail })?;
        self.settings = self.settings_of(&plan, &home);
        let unwritten = |error: io::Error| StartFailure::AgentStartFailed {
            detail: format!("the session cannot be written down: {error}"),
        };
        self.settings.save(&self.place).map_err(unwritten)?;
        // The claim is found again, whatever happens.
        self.notes.server = Servers::directory(&crate::codex::shared_dir(&self.place), &home);
        self.notes.tmux = screen::tmux_of(&plan.caller_environment);
        self.notes.save(&self.place).map_err(unwritten)?;
        // The app-server is told a path and no more, so that what follows is what can be had.
        StartIn::of(&plan.directory, plan.is_confined()).map_err(|error| StartFailure::AgentStartFailed {
            detail: format!("{}: {error}", plan.directory.display()),
        })?;
        let wanted = environment::of_server(&plan, &self.place, &home);
        let server = ServerPlan { environment: wanted.clone(), program: plan.program, ..self.server_plan() };
        let held = self.servers.claim(&self.notes.server, self.session, server).await?;
        let mut link = connect(&held).await?;
        self.held = Some(held);
        judge_version(link.version())?;
        self.mind_creator(link.server(), &wanted, &home).await.map_err(unwritten)?;
        // What is wrong with the configuration is said first: with another one a login may not be needed.
        let thread = self.open_thread(&mut link).await?;
        self.judge_hold(&thread)?;
        self.judge_model(&mut link, &thread).await?;
        self.judge_account(&mut link).await?;
        self.name_thread(&mut link).await?;
        Ok(link)
    }

    /// What a server of this session's is held with, but for its environment.
    pub(super) fn server_plan(&self) -> ServerPlan {
        ServerPlan {
            environment: BTreeMap::new(),
            program: PathBuf::from(&self.profile.program),
            adj: self.place.adj.clone(),
            host_id: self.place.host_id.clone(),
            run_dirs: self.place.run_dir.parent().unwrap_or(&self.place.run_dir).to_owned(),
        }
    }

    /// The server may have been started by another session's creator, with another environment.
    async fn mind_creator(
        &mut self,
        server: &Incarnation,
        wanted: &BTreeMap<String, String>,
        home: &Path,
    ) -> io::Result<()> {
        let theirs = creators::environment_of(server)?;
        let own = creators::for_commands(wanted, &theirs);
        for (name, value) in own {
            self.settings.commands.entry(name).or_insert(value);
        }
        self.settings.save(&self.place)?;
        let unlike = creators::unlike(wanted, &theirs, &environment::variables_of_config(home));
        if !unlike.is_empty() {
            let told = format!(
                "Codex's app-server was started by another session, and goes on with its values of {}; a new one is \
                 started when the last Codex session of this CODEX_HOME has ended",
                unlike.join(", ")
            );
            // Who takes no reports takes none of a failed start either.
            let _ = self.notice(&told).await;
        }
        Ok(())
    }

    /// A Codex that nobody has logged in can do nothing; with a provider that wants no login it can.
    async fn judge_account(&self, link: &mut Link) -> Result<(), StartFailure> {
        let account = link.ask("account/read", json!({"refreshToken": false})).await.map_err(failed)?;
        if account["requiresOpenaiAuth"] == true && account["account"].is_null() {
            let detail = "Codex is not logged in; run `codex login`".to_owned();
            return Err(StartFailure::AuthRequired { detail });
        }
        Ok(())
    }

    /// Reports what is the case whenever a connection is there.
    pub(super) async fn tell_of_life(&mut self, link: &Link) -> Driven {
        self.server = Some(*link.server());
        if let Some(version) = link.version().filter(|version| self.notes.version.as_deref() != Some(*version)) {
            self.notes.version = Some(version.to_owned());
            self.save_notes();
        }
        if let Some(held) = &self.held {
            let (runner, supervisor) = (held.holder, held.supervisor.clone());
            // Of one that is gone already nobody hears that.
            self.holder = ProcessHandle::open(&runner).ok().flatten();
            self.report(AgentReport::Started { runner, agent: *link.server(), supervisor }).await?;
        }
        self.report(AgentReport::Conversation { native: self.thread().to_owned() }).await?;
        self.report(AgentReport::Ready).await
    }

    /// Takes back what was begun, and reports why it came to nothing.
    pub(super) async fn start_failed(&mut self, why: StartFailure) -> Driven {
        let left = self.let_go_of_server().await;
        let why = match (why, left) {
            (StartFailure::AgentStartFailed { detail }, Some(left)) => {
                StartFailure::AgentStartFailed { detail: format!("{detail}; {left}") }
            }
            (why, _) => why,
        };
        self.refuse_waiting("the session did not start").await?;
        self.report(AgentReport::StartFailed { why }).await?;
        Err(Stop::Over)
    }

    /// Finds the thread of a session that an earlier daemon began.
    pub(super) async fn adopt(&mut self, adoption: Adoption) -> Driven {
        // It is on record that nothing can be seen for now.
        self.is_unseen = true;
        self.server = adoption.agent;
        let handed = adoption.handed;
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        let notes = loop {
            match Notes::load(&self.place) {
                Ok(notes) => break notes,
                Err(error) => self.on_unreadable(&error, backoff.next_ms()).await?,
            }
        };
        let Some(notes) = notes else { return self.start_failed(StartFailure::Withdrawn).await };
        self.notes = notes;
        let is_steer = |message: &MessageId| self.notes.steered.contains(&message.get());
        let sent = |(message, attempt)| Sent { message, attempt, submission: None, is_steer: is_steer(&message) };
        self.sent = handed.into_iter().map(sent).collect();
        if self.notes.thread.is_none() {
            return self.start_failed(StartFailure::Withdrawn).await;
        }
        // Without them the commands of a thread that has to be loaded again know less of themselves.
        self.settings = Settings::load(&self.place).unwrap_or_default().unwrap_or_default();
        if let Some(turn) = self.notes.turn.clone().filter(|_| self.notes.begun > 0) {
            if adoption.cursor <= self.notes.cursor_begun() {
                let is_told = adoption.cursor == self.notes.cursor_begun();
                self.turn = Some(Running::adopted(turn, is_told, self.notes.before));
            } else {
                self.ended = Some(turn);
            }
        }
        self.follow(None).await
    }

    async fn on_unreadable(&mut self, error: &io::Error, pause_ms: u64) -> Driven {
        self.report(AgentReport::Unseen { why: UnknownReason::JournalUnreadable { detail: error.to_string() } })
            .await?;
        self.wait_with_orders(pause_ms).await
    }
}

/// Connects to a server that may just be starting.
async fn connect(held: &Held) -> Result<Link, StartFailure> {
    let connecting = async {
        let mut backoff = Backoff::new(CONNECT_MS_MIN, CONNECT_MS_MAX);
        loop {
            let error = match Link::open(&held.socket).await {
                Ok(link) => return Ok(link),
                Err(error) => error,
            };
            if held.is_over() {
                return Err(StartFailure::AgentStartFailed { detail: held.last_words() });
            }
            tracing::debug!(%error, "the app-server does not listen yet");
            pause(backoff.next_ms()).await;
        }
    };
    let late = || StartFailure::NotReady { detail: format!("the app-server did not listen within {LISTEN_MS_MAX} ms") };
    timeout(Duration::from_millis(LISTEN_MS_MAX), connecting).await.unwrap_or_else(|_| Err(late()))
}
