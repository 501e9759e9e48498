//! `adj workspace`: git work trees that were made for sessions.

use adjutant_api::types::workspace::{
    CleanWorkspaces, CleanedWorkspace, LandWorkspace, LandedWord, Workspace, WorkspaceDiffQuery,
};
use adjutant_api::{ErrorCode, ExitCode};

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::table::{self, Column};
use crate::ui::Ui;
use crate::value::SessionArg;

/// See, compare and remove the git work trees that were made for sessions
///
/// `adj create --workspace isolated` makes one. Ending its session leaves it; `clean` removes it when nothing of it would
/// be lost.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WorkspaceArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Action {
    /// List them, with what is in them
    List(ListArgs),
    /// Show what one has changed since its base
    Diff(DiffArgs),
    /// Move the branch from which one began forward to its commits
    Land(LandArgs),
    /// Remove those of which nothing would be lost
    Clean(CleanArgs),
}

#[derive(clap::Args, Clone, Debug)]
struct ListArgs {}

#[derive(clap::Args, Clone, Debug)]
struct DiffArgs {
    /// The workspace, or its session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// File by file, with the lines that were added and taken away, instead of a patch
    #[arg(long)]
    stat: bool,

    /// What is not committed too
    #[arg(long)]
    uncommitted: bool,
}

#[derive(clap::Args, Clone, Debug)]
struct LandArgs {
    /// The workspace, or its session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// Its newest commit, as you have looked at it; nothing happens where it is another one by now
    #[arg(long, value_name = "commit")]
    head: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
struct CleanArgs {
    /// The workspaces, or their sessions
    #[arg(value_name = "id", required_unless_present = "all")]
    id: Vec<SessionArg>,

    /// All of which nothing would be lost
    #[arg(long, conflicts_with = "id")]
    all: bool,

    /// Save what would be lost to a reference of the repository, and remove it all the same
    #[arg(long, requires = "reason", conflicts_with = "all")]
    force: bool,

    /// Why, for the daemon's log
    #[arg(long, value_name = "text", allow_hyphen_values = true)]
    reason: Option<String>,
}

pub(crate) async fn run_workspace(context: &mut Context, args: &WorkspaceArgs) -> Outcome {
    match &args.action {
        Action::List(_) => list(context).await,
        Action::Diff(args) => diff(context, args).await,
        Action::Land(args) => land(context, args).await,
        Action::Clean(args) => clean(context, args).await,
    }
}

const COLUMNS: [Column; 6] = [
    Column::Left("WORKSPACE"),
    Column::Left("SESSION"),
    Column::Left("BRANCH"),
    Column::Left("STATE"),
    Column::Left("LANDED"),
    Column::Free("PATH"),
];

async fn list(context: &mut Context) -> Outcome {
    let (ui, client) = context.parts()?;
    let workspaces = client.workspaces().await?;
    if ui.json {
        ui.document(&workspaces)?;
    } else if ui.quiet {
        workspaces.iter().try_for_each(|workspace| ui.line(&workspace.id))?;
    } else if workspaces.is_empty() {
        ui.line("No workspaces")?;
    } else {
        let rows: Vec<Vec<String>> = workspaces.iter().map(row).collect();
        ui.text(&table::set(&COLUMNS, &rows, table::terminal_width()))?;
    }
    Ok(0)
}

fn row(workspace: &Workspace) -> Vec<String> {
    let session = workspace.session.as_deref().unwrap_or("-");
    let session = if workspace.in_use { session.to_owned() } else { format!("{session} (ended)") };
    vec![
        workspace.id.clone(),
        session,
        workspace.branch.clone(),
        state(workspace),
        landed(&workspace.landed).to_owned(),
        workspace.path.clone(),
    ]
}

fn state(workspace: &Workspace) -> String {
    match (workspace.missing, workspace.dirty, workspace.untracked, workspace.ahead) {
        (true, _, _, _) => "missing".to_owned(),
        (false, Some(0), Some(0), Some(ahead)) => format!("clean, {ahead} ahead"),
        (false, Some(dirty), Some(new), Some(ahead)) => format!("{dirty} changed, {new} new, {ahead} ahead"),
        (false, _, _, _) => "unknown".to_owned(),
    }
}

fn landed(word: &LandedWord) -> &str {
    match word {
        LandedWord::Contained => "yes",
        LandedWord::CarriesNew => "no",
        LandedWord::Unknown => "unknown",
        LandedWord::Other(word) => word,
    }
}

async fn diff(context: &mut Context, args: &DiffArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let query = WorkspaceDiffQuery { patch: !args.stat, uncommitted: args.uncommitted };
    let found = client.workspace_diff(args.id.as_str(), &query).await?;
    if ui.json {
        ui.document(&found)?;
        return Ok(0);
    }
    match &found.patch {
        Some(patch) => ui.text(patch)?,
        None => {
            for file in &found.files {
                let count = |lines: Option<u64>| lines.map_or_else(|| "-".to_owned(), |lines| lines.to_string());
                let path = file.path.escape_debug();
                ui.line(&format!("{}\t{}\t{path}", count(file.additions), count(file.deletions)))?;
            }
        }
    }
    if found.truncated {
        ui.warning("The patch is longer than what is shown.");
    }
    if found.uncommitted > 0 && !args.uncommitted {
        ui.note(&format!("{} files are not committed; `--uncommitted` compares them too", found.uncommitted));
    }
    Ok(0)
}

async fn land(context: &mut Context, args: &LandArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let landed = client.land_workspace(args.id.as_str(), &LandWorkspace { head: args.head.clone() }).await?;
    if ui.json {
        ui.document(&landed)?;
    } else if ui.quiet {
        ui.line(&landed.to)?;
    } else if landed.from == landed.to {
        ui.line(&format!("{} has all of {} already", landed.branch, landed.id))?;
    } else {
        ui.line(&format!("Landed {} on {}: {} is {} now", landed.id, landed.branch, landed.from, landed.to))?;
    }
    Ok(0)
}

async fn clean(context: &mut Context, args: &CleanArgs) -> Outcome {
    let which = CleanWorkspaces {
        ids: args.id.iter().map(ToString::to_string).collect(),
        all: args.all,
        force: args.force,
        reason: args.reason.clone(),
    };
    let (ui, client) = context.parts()?;
    let cleaned = client.clean_workspaces(&which).await?;
    if ui.json {
        ui.document(&cleaned)?;
    } else {
        cleaned.iter().try_for_each(|one| print(ui, one, args.all))?;
        if cleaned.is_empty() && !ui.quiet {
            ui.line("No workspaces")?;
        }
    }
    Ok(code(&cleaned, args.all).number())
}

fn print(ui: &mut Ui, one: &CleanedWorkspace, all: bool) -> Result<(), CommandError> {
    if let Some(error) = &one.error {
        match all {
            true => ui.note(&format!("{} stays: {}", one.id, error.message)),
            false => ui.error(error),
        }
        return Ok(());
    }
    if let Some(kept) = &one.branch_kept {
        ui.note(&format!("the branch of {} stays: {kept}", one.id));
    }
    if let Some(snapshot) = &one.snapshot {
        ui.note(&format!("what would have been lost of {} is in {snapshot}", one.id));
    }
    if ui.quiet { Ok(()) } else { ui.line(&format!("Removed workspace {}", one.id)) }
}

/// With `--all` it is no failure that some have to stay.
fn code(cleaned: &[CleanedWorkspace], all: bool) -> ExitCode {
    let stays = |one: &CleanedWorkspace| one.error.as_ref().map(|error| error.code.clone());
    let failed: Vec<ErrorCode> = cleaned.iter().filter_map(stays).collect();
    let refused = failed.iter().all(|code| *code == ErrorCode::Forbidden);
    if failed.is_empty() || (all && refused) { ExitCode::Completed } else { ExitCode::Refused }
}
