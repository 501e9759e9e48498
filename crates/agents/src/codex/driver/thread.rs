//! The thread: how it is made, taken up, and loaded again.

use adjutant_core::agent::StartFailure;
use adjutant_core::session::Resume;
use serde_json::{Value, json};

use super::{Driven, Driver, Stop};
use crate::LaunchPlan;
use crate::codex::environment;
use crate::codex::wire::{AskError, Link, ThreadStatus, Turn};

/// Where the app-server has the sessions that a person could mean by the newest one.
const SOURCES: [&str; 4] = ["cli", "vscode", "exec", "appServer"];

/// Codex's key for whether commands may run in a login shell.
const LOGIN_SHELL: &str = "allow_login_shell";

/// Codex's key for how much it reads of the instructions in a directory, in bytes.
const INSTRUCTION_BYTES_MAX: &str = "project_doc_max_bytes";

impl Driver {
    /// Makes the thread of a new session, or takes up the one that was asked for; gives what the app-server says of it.
    ///
    /// # Errors
    /// Why the app-server would not.
    pub(super) async fn open_thread(&mut self, link: &mut Link) -> Result<Value, StartFailure> {
        let resume = self.profile.resume.clone();
        let taken_up = match resume {
            None => None,
            Some(Resume::Conversation(thread)) => Some(thread),
            Some(Resume::Latest) => Some(self.newest_thread(link).await?),
        };
        match taken_up {
            None => self.start_thread(link).await,
            Some(thread) => self.take_up(link, thread).await,
        }
    }

    async fn start_thread(&mut self, link: &mut Link) -> Result<Value, StartFailure> {
        let mut params = self.rights();
        params.insert("cwd".to_owned(), json!(self.profile.path));
        params.insert("config".to_owned(), self.settings.config());
        if let Some(model) = &self.profile.model {
            params.insert("model".to_owned(), json!(model));
        }
        let started = link.ask("thread/start", Value::Object(params)).await.map_err(failed)?;
        self.know_thread(&started)?;
        // Nobody else can have it yet.
        self.servers.hold_thread(&self.notes.server, self.session, self.thread()).await?;
        Ok(started)
    }

    /// Gives a new thread a name. Without one, and without a turn, it is lost in a crash, and nobody else can take it up.
    pub(super) async fn name_thread(&mut self, link: &mut Link) -> Result<(), StartFailure> {
        if self.profile.resume.is_some() {
            return Ok(());
        }
        let name = json!({"threadId": self.thread(), "name": self.name.as_str()});
        link.ask("thread/name/set", name).await.map_err(failed).map(drop)
    }

    async fn take_up(&mut self, link: &mut Link, thread: String) -> Result<Value, StartFailure> {
        self.servers.hold_thread(&self.notes.server, self.session, &thread).await?;
        self.notes.thread = Some(thread);
        let mut resumed = link.ask("thread/resume", self.resume_params()).await;
        if matches!(&resumed, Err(AskError::Refused(refusal)) if refusal.message.contains("is archived")) {
            let params = json!({"threadId": self.thread()});
            link.ask("thread/unarchive", params).await.map_err(failed)?;
            resumed = link.ask("thread/resume", self.resume_params()).await;
        }
        let resumed = resumed.map_err(failed)?;
        self.know_thread(&resumed)?;
        self.impose_rights(link, &resumed).await?;
        // What was before is not told as if it had happened now.
        let params = json!({"threadId": self.thread(), "limit": 1, "sortDirection": "desc"});
        let newest = match link.ask("thread/turns/list", params).await {
            Ok(list) => Turn::read(&list["data"][0]),
            Err(AskError::Refused(_)) => None,
            Err(error) => return Err(failed(error)),
        };
        self.notes.turn = newest.map(|turn| turn.id);
        self.save_notes();
        Ok(resumed)
    }

    fn know_thread(&mut self, answer: &Value) -> Result<(), StartFailure> {
        let Some(id) = answer["thread"]["id"].as_str() else {
            let detail = format!("the app-server gave no thread: {answer}");
            return Err(StartFailure::AgentStartFailed { detail });
        };
        self.notes.thread = Some(id.to_owned());
        self.is_loaded = true;
        self.notes.save(&self.place).map_err(|error| StartFailure::AgentStartFailed {
            detail: format!("the thread cannot be written down: {error}"),
        })
    }

    async fn newest_thread(&mut self, link: &mut Link) -> Result<String, StartFailure> {
        let mut newest: Option<(i64, String)> = None;
        // That of a session that was ended is archived.
        for archived in [false, true] {
            let params = json!({"limit": 1, "cwd": self.profile.path, "sourceKinds": SOURCES, "archived": archived});
            let list = link.ask("thread/list", params).await.map_err(failed)?;
            let thread = &list["data"][0];
            let found = thread["id"].as_str().map(|id| (thread["updatedAt"].as_i64().unwrap_or(0), id.to_owned()));
            newest = newest.max(found);
        }
        newest.map(|(_, id)| id).ok_or_else(|| StartFailure::AgentStartFailed {
            detail: format!("Codex has no conversation in {} that could be taken up", self.profile.path),
        })
    }

    fn resume_params(&self) -> Value {
        let mut params = self.rights();
        params.insert("threadId".to_owned(), json!(self.thread()));
        params.insert("excludeTurns".to_owned(), json!(true));
        params.insert("cwd".to_owned(), json!(self.profile.path));
        params.insert("config".to_owned(), self.settings.config());
        // With its turns the thread keeps its model; one that had none yet does not.
        if let (0, Some(model)) = (self.notes.begun, &self.profile.model) {
            params.insert("model".to_owned(), json!(model));
        }
        Value::Object(params)
    }

    /// Loads the thread where it is not in memory, and listens to it; says what it does.
    pub(super) async fn load_thread(&mut self, link: &mut Link) -> Driven<ThreadStatus> {
        match self.try_ask(link, "thread/resume", self.resume_params()).await? {
            Ok(answer) => {
                self.is_loaded = true;
                // A queue that was held back before may be so still.
                self.is_paused = true;
                Ok(ThreadStatus::read(&answer["thread"]["status"]))
            }
            Err(refusal) if is_gone(&refusal.message) => Err(self.thread_gone(&refusal.message).await),
            // Somebody else has it in another server, perhaps; that passes.
            Err(refusal) => Err(Stop::Lost(std::io::Error::other(refusal.message))),
        }
    }

    /// What each loading of the thread needs besides: the environment of its commands, with a shell that keeps it, and
    /// whether its directory is trusted. Nothing of it is written into the user's configuration.
    pub(super) fn settings_of(&self, plan: &LaunchPlan, codex_home: &std::path::Path) -> super::Settings {
        let mut overrides = std::collections::BTreeMap::new();
        if let Some(effort) = &self.profile.effort {
            overrides.insert("model_reasoning_effort".to_owned(), json!(effort));
        }
        // A login shell would read its PATH from the system's files, and with it lose the creator's and `adj`.
        if !environment::has_key(codex_home, LOGIN_SHELL) {
            overrides.insert(LOGIN_SHELL.to_owned(), json!(false));
        }
        overrides.extend(self.definitions());
        let distrusts = self.profile.distrusts_directory();
        if distrusts {
            // Instructions that lie in the directory may be a link to any file.
            overrides.insert(INSTRUCTION_BYTES_MAX.to_owned(), json!(0));
        }
        if distrusts || !environment::knows_project(codex_home, &self.profile.path) {
            let level = if plan.trust && !distrusts { "trusted" } else { "untrusted" };
            let project = json!({ &self.profile.path: { "trust_level": level } });
            overrides.insert("projects".to_owned(), project);
        }
        super::Settings { commands: environment::of_commands(plan, &self.stamp), overrides }
    }
}

/// Whether this says that the thread is no more, and not only that it cannot be had now.
fn is_gone(message: &str) -> bool {
    ["no rollout found", "is archived", "not found", "not loaded"].iter().any(|words| message.contains(words))
}

pub(super) fn failed(error: AskError) -> StartFailure {
    let detail = match error {
        AskError::Refused(refusal) => refusal.message,
        AskError::Unsent(error) | AskError::Lost(error) => format!("the app-server went away: {error}"),
    };
    StartFailure::AgentStartFailed { detail }
}
