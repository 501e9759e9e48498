//! `adj create`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use adjutant_api::ErrorCode;
use adjutant_api::types::session::{CreateSession, ModeWord};
use adjutant_api::types::workspace::WorkspaceWord;

use crate::commands::Outcome;
use crate::context::Context;
use crate::duration::Limit;
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::skills::named;
use crate::value::{NameArg, SessionArg, Variable};
use crate::{hosts, variables, way};

/// Start a session and prove that it runs
///
/// Prints the session's id. The agent finds its program and its variables in the environment of this call.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) options: CreateOptions,

    #[command(flatten)]
    text: TextArgs,

    /// Give up after this long when the agent does not get ready; a minute unless given
    #[arg(short, long, value_name = "duration")]
    timeout: Option<Limit>,

    /// Return once the process exists; a later failure shows in `status` and `wait`
    #[arg(long)]
    no_wait: bool,
}

/// What a session is to be.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct CreateOptions {
    /// The directory to work in; the current one unless given
    #[arg(short, long, value_name = "dir")]
    path: Option<PathBuf>,

    /// One of the work trees that git lists for that directory, by path, branch or name
    #[arg(long, value_name = "path|branch|name")]
    worktree: Option<String>,

    /// Where to work: in the directory itself (`shared`), or in a git work tree of its own (`isolated`)
    #[arg(long, value_name = "mode", value_enum)]
    workspace: Option<WorkspaceArg>,

    /// What it is for, one line
    #[arg(short, long, visible_alias = "title", value_name = "text", allow_hyphen_values = true)]
    description: Option<String>,

    /// The agent: `claude`, `codex`, `shell`, or one of the configuration
    #[arg(long, visible_aliases = ["provider", "agent"], value_name = "name")]
    cli: Vec<String>,

    /// How much the agent may do without asking: `native`, `guarded` or `docker`
    #[arg(short, long, value_name = "mode", value_parser = ModeArg::read)]
    mode: Option<ModeArg>,

    /// The agent's model; its own default unless given
    #[arg(long, value_name = "model")]
    model: Option<String>,

    /// An installed skill of the agent, which the first message opens by naming
    #[arg(long, value_name = "name")]
    skill: Option<String>,

    /// How hard the agent thinks, in its own word, such as `low` or `high`
    #[arg(long, value_name = "level")]
    effort: Option<String>,

    /// Without a terminal, by the agent's protocol alone
    #[arg(long)]
    headless: bool,

    /// The agent's own sandbox, in its own word
    #[arg(long, value_name = "sandbox")]
    sandbox: Option<String>,

    /// Take up this conversation, by the agent's own id of it
    #[arg(long, value_name = "conversation", conflicts_with = "latest")]
    resume: Option<String>,

    /// Take up the newest conversation of the directory
    #[arg(long = "continue")]
    latest: bool,

    /// Trust the directory, as if a person had said so to the agent
    #[arg(long)]
    trust: bool,

    /// A tool that the agent may use without asking, such as `Read` or `Bash(git *)`; may be repeated
    #[arg(long, value_name = "rule")]
    allow_tool: Vec<String>,

    /// A tool that is refused without asking; wins over `--allow-tool`; may be repeated
    #[arg(long, value_name = "rule")]
    deny_tool: Vec<String>,

    /// A file of such rules: TOML with the arrays `allow` and `deny`
    #[arg(long, value_name = "file")]
    policy: Option<PathBuf>,

    /// A word for the agent's own command line; what stands behind `--` are such words too
    #[arg(long, value_name = "word", allow_hyphen_values = true)]
    argument: Vec<String>,

    /// The id that it gets; chosen at random unless given
    #[arg(long, value_name = "id")]
    id: Option<NameArg>,

    /// The session that it belongs to: an id, `self` or `none`
    #[arg(long, value_name = "id")]
    parent: Option<SessionArg>,

    /// A variable for the session, on top of the environment of this call; may be repeated
    #[arg(long, value_name = "NAME=value")]
    env: Vec<Variable>,

    /// Repeating a create with the same key returns the same session
    #[arg(long, value_name = "key")]
    key: Option<String>,
}

/// Where a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WorkspaceArg {
    /// In the directory itself.
    Shared,
    /// In a git work tree that is made for it.
    Isolated,
    /// As the host decides.
    Inherit,
}

impl WorkspaceArg {
    fn word(self) -> WorkspaceWord {
        match self {
            Self::Shared => WorkspaceWord::Shared,
            Self::Isolated => WorkspaceWord::Isolated,
            Self::Inherit => WorkspaceWord::Inherit,
        }
    }
}

/// A mode by its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModeArg(ModeWord);

impl ModeArg {
    pub(crate) fn read(text: &str) -> Result<Self, crate::value::ValueError> {
        mode(text).map(Self).ok_or_else(|| crate::value::ValueError::usage("is none of native, guarded, docker"))
    }
}

impl std::str::FromStr for ModeArg {
    type Err = crate::value::ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text)
    }
}

/// The mode of a word; `yolo` is an old one for `native`.
pub(crate) fn mode(word: &str) -> Option<ModeWord> {
    match word {
        "native" | "yolo" => Some(ModeWord::Native),
        "guarded" => Some(ModeWord::Guarded),
        "docker" => Some(ModeWord::Docker),
        _ => None,
    }
}

pub(crate) async fn run_create(context: &mut Context, args: &CreateArgs) -> Outcome {
    let message = args.text.optional(context.message_max_bytes()?)?;
    let mut session = args.options.session(context).await?;
    session.message = args.options.first_message(context, &session, message.map(|message| message.text))?;
    session.timeout_ms = match args.timeout {
        Some(limit) => limit.millis(),
        None => variables::ready_ms()?,
    };
    session.no_wait = args.no_wait;
    let created = hosts::create(context, &session).await.map_err(|error| in_doubt(error, &session))?;
    context.note_created(&created);
    let ui = &mut context.ui;
    if ui.json {
        ui.document(&created)?;
    } else if ui.quiet {
        ui.line(&created.id)?;
    } else {
        let host = created.host.map_or_else(String::new, |host| format!(" on {host}"));
        ui.line(&format!("Created session {}{host}", created.id))?;
    }
    Ok(0)
}

/// A create whose answer was lost can be repeated with its key.
pub(crate) fn in_doubt(error: CommandError, session: &CreateSession) -> CommandError {
    match (error, &session.key) {
        (CommandError::Told(mut body), Some(key)) if body.code == ErrorCode::OutcomeUnknown => {
            body.message = format!("{}; repeating it with `--key {key}` finds the session or makes it", body.message);
            CommandError::Told(body)
        }
        (error, _) => error,
    }
}

/// What the controller's style can say of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct StartOptions {
    pub(crate) path: Option<PathBuf>,
    pub(crate) worktree: Option<String>,
    pub(crate) cli: Vec<String>,
    pub(crate) mode: Option<ModeArg>,
    pub(crate) model: Option<String>,
    pub(crate) skill: Option<String>,
    pub(crate) parent: Option<SessionArg>,
}

impl From<StartOptions> for CreateOptions {
    fn from(options: StartOptions) -> Self {
        let StartOptions { path, worktree, cli, mode, model, skill, parent } = options;
        Self { path, worktree, cli, mode, model, skill, parent, ..Self::default() }
    }
}

impl CreateOptions {
    /// The session that these options describe.
    pub(crate) async fn session(&self, context: &mut Context) -> Result<CreateSession, CommandError> {
        let cli = self.chosen_cli(context)?;
        let rules = self.policy.as_deref().map(Rules::read).transpose()?.unwrap_or_default();
        let path = way::directory(context, self.path.as_deref()).await?;
        let around = way::surroundings(context).await?;
        let worktree = match &self.worktree {
            Some(word) => Some(way::worktree(context, word).await?),
            None => None,
        };
        Ok(CreateSession {
            cli,
            path,
            worktree,
            workspace: self.workspace.map(WorkspaceArg::word),
            mode: self.chosen_mode(context)?,
            id: self.id.as_ref().map(ToString::to_string),
            description: self.checked_description()?,
            model: self.model.clone(),
            effort: self.effort.clone(),
            headless: self.headless,
            sandbox: self.sandbox.clone(),
            resume: self.resume.clone(),
            resume_latest: self.latest,
            trust: self.trust,
            allow_tools: [self.allow_tool.clone(), rules.allow].concat(),
            deny_tools: [self.deny_tool.clone(), rules.deny].concat(),
            arguments: self.argument.clone(),
            parent: self.parent.as_ref().map(ToString::to_string),
            environment: around.environment,
            umask: around.umask,
            soft_limits: around.soft_limits,
            env: self.env.iter().map(|v| (v.name.clone(), v.value.clone())).collect(),
            key: Some(self.key.clone().unwrap_or_else(adjutant_client::new_key)),
            ..CreateSession::default()
        })
    }

    /// The first message, which names the skill that is wanted.
    pub(crate) fn first_message(
        &self,
        context: &mut Context,
        session: &CreateSession,
        text: Option<String>,
    ) -> Result<Option<String>, CommandError> {
        match &self.skill {
            Some(skill) => named::opened(context.way()?, session, skill, text).map(Some),
            None => Ok(text),
        }
    }

    /// Several names of one option may be given, if they say the same.
    fn chosen_cli(&self, context: &mut Context) -> Result<String, CommandError> {
        match self.cli.as_slice() {
            [] => {}
            [first, rest @ ..] if rest.iter().all(|other| other == first) => return Ok(first.clone()),
            [first, ..] => {
                return Err(CommandError::usage(format!("`--cli` is given twice: `{first}` and another one")));
            }
        }
        if let Some(cli) = variables::default::<String>("ADJ_CLI")? {
            return Ok(cli);
        }
        context.config().map(|config| config.default_cli.clone())
    }

    fn chosen_mode(&self, context: &mut Context) -> Result<Option<ModeWord>, CommandError> {
        if let Some(ModeArg(mode)) = &self.mode {
            return Ok(Some(mode.clone()));
        }
        if let Some(ModeArg(mode)) = variables::default("ADJ_MODE")? {
            return Ok(Some(mode));
        }
        Ok(context.config()?.default_mode.as_deref().and_then(mode))
    }

    fn checked_description(&self) -> Result<Option<String>, CommandError> {
        let max = adjutant_api::limits::DESCRIPTION_CHARS_MAX;
        match &self.description {
            Some(text) if text.chars().any(char::is_control) => {
                Err(CommandError::usage("`--description` is one line, without control characters"))
            }
            Some(text) if text.chars().count() > max => {
                Err(CommandError::usage(format!("`--description` has more than {max} characters")))
            }
            text => Ok(text.clone()),
        }
    }
}

/// A file of rules by which an agent's requests are answered.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rules {
    allow: Vec<String>,
    deny: Vec<String>,
}

impl Rules {
    fn read(path: &Path) -> Result<Self, CommandError> {
        let unusable = |why: &dyn std::fmt::Display| {
            CommandError::usage(format!("the rules in {} cannot be used: {why}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
        toml::from_str(&text).map_err(|error| unusable(&error.message()))
    }
}

/// Variables by which a session proves who it is; another session has its own.
const IDENTITY: [&str; 3] = ["ADJ_SESSION", "ADJ_PARENT", "ADJ_SESSION_TOKEN"];

/// The caller's variables, and the names of those that cannot be sent.
pub(crate) fn environment() -> (BTreeMap<String, String>, Vec<String>) {
    let mut sent = BTreeMap::new();
    let mut unsent = Vec::new();
    for (name, value) in variables::all() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(_)) if IDENTITY.contains(&name.as_str()) => {}
            (Ok(name), Ok(value)) => {
                sent.insert(name, value);
            }
            (Ok(name), Err(_)) => unsent.push(name),
            (Err(name), _) => unsent.push(shown(&name)),
        }
    }
    (sent, unsent)
}

fn shown(name: &OsString) -> String {
    name.to_string_lossy().escape_debug().to_string()
}
