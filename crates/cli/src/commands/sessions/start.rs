//! `adj sessions start`.

use std::ffi::OsString;
use std::path::PathBuf;

use adjutant_api::ErrorCode;

use super::words;
use crate::commands::Outcome;
use crate::commands::create::{CreateOptions, ModeArg, StartOptions, in_doubt};
use crate::context::Context;
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::value::SessionArg;
use crate::{hosts, project};

/// Start a session, with a message
///
/// `[<project>] [<message>]`; with `--message` or `--file` the only word is the project.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct StartArgs {
    /// The project, then the message
    #[arg(value_name = "word")]
    words: Vec<OsString>,

    /// The message, whatever it looks like; one argument
    #[arg(long, value_name = "text", allow_hyphen_values = true)]
    message: Option<OsString>,

    /// Read the message from a file; `-` is standard input
    #[arg(short, long, value_name = "path")]
    file: Option<PathBuf>,

    /// Drop control characters instead of refusing them
    #[arg(long)]
    strip_control: bool,

    /// One of the work trees that git lists for the project, by path, branch or name
    #[arg(long, value_name = "path|branch|name")]
    worktree: Option<String>,

    /// The agent
    #[arg(long, visible_aliases = ["agent", "cli"], value_name = "name")]
    provider: Vec<String>,

    /// The agent's model
    #[arg(long, value_name = "model")]
    model: Option<String>,

    /// `default` (that of the configuration), `plan`, `native`, `guarded` or `docker`
    #[arg(long, value_name = "mode")]
    mode: Option<StartMode>,

    /// An installed skill that the first message names
    #[arg(long, value_name = "name")]
    skill: Option<String>,

    /// The session that it belongs to: an id or `self`
    #[arg(long, value_name = "id")]
    parent: Option<SessionArg>,
}

/// How a session is started.
#[derive(Clone, Debug, PartialEq, Eq)]
enum StartMode {
    /// As the configuration says.
    Default,
    /// In the agent's own planning mode.
    Plan,
    /// In a mode.
    Mode(ModeArg),
}

impl std::str::FromStr for StartMode {
    type Err = crate::value::ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "default" => Ok(Self::Default),
            "plan" => Ok(Self::Plan),
            other => ModeArg::read(other).map(Self::Mode),
        }
    }
}

pub(super) async fn run(context: &mut Context, args: &StartArgs) -> Outcome {
    let elsewhere = args.message.is_some() || args.file.is_some();
    let found = words::project_and_message(&args.words, elsewhere)?;
    let text = TextArgs::of(found.message, args.message.clone(), args.file.clone(), args.strip_control);
    let text = text.optional(context.message_max_bytes()?)?;
    let options = options(context, args, found.project.as_deref()).await?;
    let mut session = options.session(context).await?;
    session.message = options.first_message(context, &session, text.map(|text| text.text))?;
    let created = hosts::create(context, &session).await.map_err(|error| in_doubt(error, &session))?;
    context.note_created(&created);
    let ui = &mut context.ui;
    if ui.json {
        ui.document(&created)?;
    } else if ui.quiet {
        ui.line(&created.id)?;
    } else {
        ui.line(&format!("Started session {}", created.id))?;
        ui.hint(&format!("adj attach {}", created.id));
    }
    Ok(0)
}

async fn options(context: &mut Context, args: &StartArgs, name: Option<&str>) -> Result<CreateOptions, CommandError> {
    let refused = |what: String| Err(CommandError::new(ErrorCode::NotSupported, what));
    let mode = match &args.mode {
        None | Some(StartMode::Default) => None,
        Some(StartMode::Mode(mode)) => Some(mode.clone()),
        Some(StartMode::Plan) => return refused("no agent of this version has a planning mode to start in".to_owned()),
    };
    let path = match name {
        Some(name) => Some(project::named(context, name).await?.root),
        None => None,
    };
    let options = StartOptions {
        path,
        worktree: args.worktree.clone(),
        cli: args.provider.clone(),
        mode,
        model: args.model.clone(),
        skill: args.skill.clone(),
        parent: args.parent.clone(),
    };
    Ok(options.into())
}
