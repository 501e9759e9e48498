//! `adj sessions list`.

use adjutant_api::types::session::{Session, SessionsQuery};

use crate::commands::Outcome;
use crate::commands::status::now;
use crate::context::Context;
use crate::duration::age;
use crate::table::first_line;
use crate::value::SessionArg;
use crate::{project, way};

/// List the sessions of a project
///
/// With `--json` one JSON object per line, and nothing at all for an empty result.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ListArgs {
    /// The project; that of the current directory unless given
    #[arg(value_name = "project")]
    project: Option<String>,

    /// Only of this git work tree
    #[arg(long, value_name = "path|branch|name")]
    worktree: Option<String>,

    /// Exited and killed ones too, while their log is kept
    #[arg(short, long, visible_alias = "include-archived")]
    all: bool,

    /// Only children of this session
    #[arg(long, value_name = "id")]
    parent: Option<SessionArg>,

    /// Only of this agent
    #[arg(long, visible_aliases = ["cli", "agent"], value_name = "name")]
    provider: Option<String>,

    /// At most this many
    #[arg(long, value_name = "n")]
    limit: Option<u64>,
}

pub(super) async fn run(context: &mut Context, args: &ListArgs) -> Outcome {
    let project = match &args.project {
        Some(name) => project::named(context, name).await?,
        None => project::here(context).await?,
    };
    let worktree = match &args.worktree {
        Some(word) => Some(way::worktree(context, word).await?),
        None => None,
    };
    let checkout = if project.is_named { None } else { Some(way::place(context, &project.root).await?) };
    let query = SessionsQuery {
        all: args.all,
        parent: args.parent.as_ref().map(ToString::to_string),
        cli: args.provider.clone(),
        worktree,
        limit: args.limit,
        checkout,
        project: project.is_named.then(|| project.name.clone()),
        ..SessionsQuery::default()
    };
    let (ui, client) = context.parts()?;
    let sessions = client.sessions(&query).await?;
    if ui.json {
        sessions.iter().try_for_each(|session| ui.document(session))?;
    } else if ui.quiet {
        sessions.iter().try_for_each(|session| ui.line(&session.id))?;
    } else if sessions.is_empty() {
        ui.line("No sessions match.")?;
    } else {
        sessions.iter().try_for_each(|session| ui.line(&row(session)))?;
    }
    Ok(0)
}

/// Id, state, agent, what it is for, how long ago it was used, and its parent.
fn row(session: &Session) -> String {
    let unused = u64::try_from(now().as_millis() - session.last_used_at.as_millis()).unwrap_or(0);
    let mut row = format!("{}  {}  [{}]", session.id, session.status, session.cli);
    if let Some(description) = &session.description {
        row.push_str(&format!("  {}", first_line(description)));
    }
    row.push_str(&format!("  {} ago", age(unused)));
    if let Some(parent) = &session.parent {
        row.push_str(&format!("  parent={parent}"));
    }
    row
}
