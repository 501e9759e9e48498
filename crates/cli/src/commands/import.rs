//! `adj import`.

use std::io::Read;
use std::path::{Path, PathBuf};

use adjutant_api::types::session::CreateSession;
use adjutant_api::{ErrorBody, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::commands::Outcome;
use crate::commands::create::{CreateOptions, mode};
use crate::context::Context;
use crate::error::CommandError;
use crate::table::{self, Column};
use crate::variables;

/// Take over the sessions of another tool
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    from: From,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum From {
    /// The registry of dev-sessions
    ///
    /// Each conversation is taken up under its old id. One that another process still writes to is refused, and those of
    /// other hosts stay where they are. The registry itself is only read. Repeating it takes nothing twice.
    DevSessions {
        /// Only these sessions
        #[arg(value_name = "id")]
        ids: Vec<String>,

        /// The registry; that of this user unless given
        #[arg(short, long, value_name = "path")]
        file: Option<PathBuf>,

        /// Change nothing; say what would be taken
        #[arg(long)]
        dry_run: bool,
    },
}

/// The registry of this user, seen from the home directory.
const REGISTRY: &str = ".dev-sessions/sessions.json";

/// The largest registry, in bytes.
const REGISTRY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The version whose form is known.
const REGISTRY_VERSION: u64 = 1;

/// The registry, as far as it matters here. What is beside it is that tool's own.
#[derive(Deserialize)]
struct Registry {
    version: u64,
    sessions: Vec<Stored>,
}

/// One of its sessions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    champion_id: String,
    internal_id: String,
    cli: String,
    mode: String,
    path: String,
    host: Option<String>,
    description: Option<String>,
    model: Option<String>,
    status: String,
}

/// What became of one.
#[derive(Serialize)]
struct Told {
    id: String,
    cli: String,
    path: String,
    result: &'static str,
    why: Option<String>,
    error: Option<ErrorBody>,
}

pub(crate) async fn run_import(context: &mut Context, args: &ImportArgs) -> Outcome {
    let From::DevSessions { ids, file, dry_run } = &args.from;
    let stored = read(file.as_deref())?;
    let stored = chosen(stored, ids)?;
    let mut told = Vec::new();
    for session in stored {
        told.push(take(context, session, *dry_run).await?);
    }
    tell(context, &told)?;
    Ok(u8::from(told.iter().any(|one| one.error.is_some())))
}

fn read(file: Option<&Path>) -> Result<Vec<Stored>, CommandError> {
    let own = variables::home().home.map(|home| Path::new(&home).join(REGISTRY));
    let file = file.map(Path::to_owned).or(own);
    let file = file.ok_or_else(|| CommandError::new(ErrorCode::HomeMissing, "HOME is not set"))?;
    let unusable = |code, why: &dyn std::fmt::Display| CommandError::new(code, format!("{}: {why}", file.display()));
    let opened = std::fs::File::open(&file).map_err(|error| unusable(ErrorCode::PathNotFound, &error))?;
    let mut text = String::new();
    let read = opened.take(REGISTRY_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| unusable(ErrorCode::Usage, &error))?;
    let registry: Registry = serde_json::from_str(&text).map_err(|error| unusable(ErrorCode::Usage, &error))?;
    if registry.version != REGISTRY_VERSION {
        let why = format!("version {} of the registry is not known here", registry.version);
        return Err(unusable(ErrorCode::NotSupported, &why));
    }
    Ok(registry.sessions)
}

fn chosen(mut stored: Vec<Stored>, ids: &[String]) -> Result<Vec<Stored>, CommandError> {
    if let Some(missing) = ids.iter().find(|id| stored.iter().all(|session| session.champion_id != **id)) {
        return Err(CommandError::new(ErrorCode::SessionNotFound, format!("the registry has no session {missing}")));
    }
    stored.retain(|session| ids.is_empty() || ids.contains(&session.champion_id));
    Ok(stored)
}

async fn take(context: &mut Context, stored: Stored, dry_run: bool) -> Result<Told, CommandError> {
    let mut told = Told {
        id: stored.champion_id.clone(),
        cli: stored.cli.clone(),
        path: stored.path.clone(),
        result: "skipped",
        why: left(&stored),
        error: None,
    };
    if told.why.is_some() {
        return Ok(told);
    }
    if dry_run {
        told.result = "would be taken";
        return Ok(told);
    }
    let wanted = wanted(context, stored).await?;
    match context.client()?.create(&wanted).await {
        Ok(_) => told.result = "taken",
        Err(error) => {
            let error = ErrorBody::from(error);
            (told.result, told.why, told.error) = ("failed", Some(error.message.clone()), Some(error));
        }
    }
    Ok(told)
}

/// Why a session is left where it is.
fn left(stored: &Stored) -> Option<String> {
    if let Some(host) = &stored.host {
        return Some(format!("it lives on {host}"));
    }
    if stored.status != "active" {
        return Some(format!("it is {}", stored.status));
    }
    mode(&stored.mode).is_none().then(|| format!("its mode `{}` is not known", stored.mode))
}

async fn wanted(context: &mut Context, stored: Stored) -> Result<CreateSession, CommandError> {
    let own = CreateOptions::default().session(context).await?;
    Ok(CreateSession {
        cli: stored.cli,
        path: stored.path,
        mode: mode(&stored.mode),
        id: Some(stored.champion_id),
        description: stored.description,
        model: stored.model,
        key: Some(format!("dev-sessions:{}", stored.internal_id)),
        resume: Some(stored.internal_id),
        ..own
    })
}

const COLUMNS: [Column; 4] = [Column::Left("ID"), Column::Left("CLI"), Column::Left("RESULT"), Column::Free("WHY")];

fn tell(context: &mut Context, told: &[Told]) -> Result<(), CommandError> {
    if context.ui.json {
        return context.ui.document(&told);
    }
    if context.ui.quiet {
        return told.iter().filter(|one| one.result == "taken").try_for_each(|one| context.ui.line(&one.id));
    }
    if told.is_empty() {
        return context.ui.line("The registry is empty");
    }
    let row = |one: &Told| {
        let why = one.why.as_deref().map_or_else(|| "-".to_owned(), table::first_line);
        vec![table::first_line(&one.id), table::first_line(&one.cli), one.result.to_owned(), why]
    };
    let rows: Vec<Vec<String>> = told.iter().map(row).collect();
    context.ui.text(&table::set(&COLUMNS, &rows, table::terminal_width()))
}
