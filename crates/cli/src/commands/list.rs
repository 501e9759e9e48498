//! `adj list`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use adjutant_api::WireTime;
use adjutant_api::types::session::{Session, SessionsQuery, StatusWord};
use tokio::task::LocalSet;

use crate::commands::Outcome;
use crate::commands::status::now;
use crate::context::Context;
use crate::duration::age;
use crate::error::CommandError;
use crate::table::{self, Column};
use crate::ui::Ui;
use crate::value::SessionArg;
use crate::{hosts, project, way};

/// List sessions, most recently used first
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// Exited and killed ones too, while their log is kept
    #[arg(short, long, visible_alias = "include-archived")]
    all: bool,

    /// Only children of this session
    #[arg(long, value_name = "id")]
    parent: Option<SessionArg>,

    /// As a tree, with all descendants
    #[arg(long)]
    tree: bool,

    /// Only of this agent
    #[arg(long, visible_alias = "provider", value_name = "name")]
    cli: Option<String>,

    /// Only in one of these states
    #[arg(long, value_name = "word,…", value_delimiter = ',')]
    status: Vec<String>,

    /// Only in this directory or below it
    #[arg(long, value_name = "dir")]
    path: Option<PathBuf>,

    /// Only of this project
    #[arg(long, value_name = "name")]
    project: Option<String>,

    /// Only of this git work tree
    #[arg(long, value_name = "name")]
    worktree: Option<String>,

    /// At most this many
    #[arg(long, value_name = "n")]
    limit: Option<u64>,

    /// One JSON object per line
    #[arg(long)]
    ndjson: bool,

    /// The table of dev-sessions, for scripts that read it
    #[arg(long, hide = true)]
    dev_sessions: bool,
}

pub(crate) async fn run_list(context: &mut Context, args: &ListArgs) -> Outcome {
    let mut query = query(context, args).await?;
    name_project(context, &mut query).await?;
    // Where there is no home, that is what is wrong.
    context.client()?;
    let (others, unread) = hosts::others(context, is_of_here(&query))?;
    let (ui, client) = context.parts()?;
    let asked = LocalSet::new();
    let (here, there) = asked.run_until(async { tokio::join!(client.sessions(&query), hosts::ask_all(others)) }).await;
    let here = here?;
    let (there, warnings) = there?;
    warnings.iter().chain(&unread).for_each(|warning| ui.warning(warning));
    let sessions = merged(here, there, &query);
    if args.ndjson {
        sessions.iter().try_for_each(|session| ui.document(session))?;
    } else if ui.json {
        ui.document(&sessions)?;
    } else if ui.quiet {
        sessions.iter().try_for_each(|session| ui.line(&session.id))?;
    } else if sessions.is_empty() {
        ui.line("No active sessions")?;
    } else if args.dev_sessions {
        print_old(ui, &sessions)?;
    } else {
        print(ui, &sessions, args.tree)?;
    }
    Ok(0)
}

/// Whether it asks for what this machine alone knows: a directory, a project or a parent is one of it.
fn is_of_here(query: &SessionsQuery) -> bool {
    let SessionsQuery { parent, tree, path, checkout, project, worktree, .. } = query;
    [parent, tree, path, checkout, project, worktree].into_iter().any(Option::is_some)
}

/// All of them, most recently used first.
fn merged(here: Vec<Session>, there: Vec<Session>, query: &SessionsQuery) -> Vec<Session> {
    if there.is_empty() {
        return here;
    }
    let wanted = |session: &Session| {
        let state = query.status.is_empty() || query.status.iter().any(|word| word == session.status.as_str());
        let lives = query.all || !query.status.is_empty() || session.status != StatusWord::Exited;
        state && lives && query.cli.as_ref().is_none_or(|cli| *cli == session.cli)
    };
    let mut all: Vec<Session> = here.into_iter().chain(there.into_iter().filter(wanted)).collect();
    all.sort_by_key(|session| std::cmp::Reverse(session.last_used_at.as_millis()));
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok());
    all.truncate(limit.unwrap_or(usize::MAX));
    all
}

async fn query(context: &mut Context, args: &ListArgs) -> Result<SessionsQuery, CommandError> {
    let known = adjutant_api::types::session::StatusWord::WORDS;
    if let Some(wrong) = args.status.iter().find(|word| !known.contains(&word.as_str())) {
        let message = format!("`--status {wrong}` is none of {}", known.join(", "));
        return Err(CommandError::usage(message));
    }
    let path = match &args.path {
        Some(path) => Some(way::place(context, path).await?),
        None => None,
    };
    let worktree = match &args.worktree {
        Some(word) => Some(way::worktree(context, word).await?),
        None => None,
    };
    let parent = args.parent.as_ref().map(ToString::to_string);
    let (parent, tree) = if args.tree { (None, parent) } else { (parent, None) };
    Ok(SessionsQuery {
        all: args.all,
        parent,
        tree,
        cli: args.cli.clone(),
        status: args.status.clone(),
        path,
        checkout: None,
        project: args.project.clone(),
        worktree,
        limit: args.limit,
    })
}

/// A project that the configuration names is a directory; any other name is for the daemon to find.
async fn name_project(context: &mut Context, query: &mut SessionsQuery) -> Result<(), CommandError> {
    let Some(name) = &query.project else { return Ok(()) };
    let Some(directory) = project::configured(context, name)? else { return Ok(()) };
    query.checkout = Some(way::place(context, &directory).await?);
    query.project = None;
    Ok(())
}

const COLUMNS: [Column; 9] = [
    Column::Left("ID"),
    Column::Left("CLI"),
    Column::Left("MODE"),
    Column::Left("STATUS"),
    Column::Left("PARENT"),
    Column::Left("HOST"),
    Column::Left("PATH"),
    Column::Free("DESCRIPTION"),
    Column::Right("LAST USED"),
];

fn print(ui: &mut Ui, sessions: &[Session], tree: bool) -> Result<(), CommandError> {
    let now = now();
    let ordered = if tree { as_tree(sessions) } else { sessions.iter().map(|session| (0, session)).collect() };
    let rows: Vec<Vec<String>> = ordered.into_iter().map(|(depth, session)| row(ui, depth, session, now)).collect();
    ui.text(&table::set(&COLUMNS, &rows, table::terminal_width()))
}

fn row(ui: &Ui, depth: usize, session: &Session, now: WireTime) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), table::first_line);
    let unused = u64::try_from(now.as_millis() - session.last_used_at.as_millis()).unwrap_or(0);
    vec![
        format!("{}{}", "  ".repeat(depth), session.id),
        session.cli.clone(),
        session.mode.to_string(),
        session.status.to_string(),
        or_dash(&session.parent),
        or_dash(&session.host),
        table::first_line(&ui.shown_path(&session.path)),
        or_dash(&session.description),
        age(unused),
    ]
}

/// The heads of the table of dev-sessions.
const OLD_HEADS: [&str; 8] = ["ID", "CLI", "MODE", "HOST", "STATUS", "PATH", "DESCRIPTION", "LAST USED"];

/// That table: all cells to the left, a line below the heads. What it calls active is whatever has not ended.
fn print_old(ui: &mut Ui, sessions: &[Session]) -> Result<(), CommandError> {
    let rows = sessions.iter().map(|session| {
        let description = session.description.as_deref().map(table::first_line).unwrap_or_default();
        let host = session.host.clone().unwrap_or_else(|| "local".to_owned());
        let path = table::first_line(&session.path);
        let (id, cli, mode) = (session.id.clone(), session.cli.clone(), session.mode.to_string());
        [id, cli, mode, host, "active".to_owned(), path, description, session.last_used_at.to_string()]
    });
    let rows: Vec<[String; 8]> = [OLD_HEADS.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |row: &[String; 8]| {
        let cells =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
        cells.collect::<Vec<_>>().join("  ")
    };
    ui.line(&line(&rows[0]))?;
    ui.line(&line(&widths.map(|width| "-".repeat(width))))?;
    rows[1..].iter().try_for_each(|row| ui.line(&line(row)))
}

/// Each session below its parent, where that is listed too.
fn as_tree(sessions: &[Session]) -> Vec<(usize, &Session)> {
    let mut children: BTreeMap<&str, Vec<&Session>> = BTreeMap::new();
    let listed = |id: &str| sessions.iter().any(|session| session.id == id);
    let mut roots = Vec::new();
    for session in sessions {
        match session.parent.as_deref().filter(|parent| listed(parent)) {
            Some(parent) => children.entry(parent).or_default().push(session),
            None => roots.push(session),
        }
    }
    let mut ordered = Vec::new();
    let mut open: Vec<(usize, &Session)> = roots.into_iter().rev().map(|session| (0, session)).collect();
    while let Some((depth, session)) = open.pop() {
        ordered.push((depth, session));
        let below = children.remove(session.id.as_str()).unwrap_or_default();
        open.extend(below.into_iter().rev().map(|child| (depth + 1, child)));
    }
    ordered
}
