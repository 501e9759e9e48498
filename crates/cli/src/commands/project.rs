//! `adj project`: names for directories.

use std::path::PathBuf;

use adjutant_api::types::project::{AddProject, Project, ProjectOrigin};

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::table::{self, Column};
use crate::ui::Ui;
use crate::way;

/// Give directories names, and see which there are
///
/// A session belongs to the project that holds its directory: the deepest one that is registered, or else the git
/// repository, by the name of its top level.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ProjectArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Action {
    /// Give a directory a name
    Add(AddArgs),
    /// List projects: registered ones, those of the configuration, and repositories that sessions work in
    List(ListArgs),
    /// Take a name away; the directory and its sessions stay
    Remove(RemoveArgs),
}

#[derive(clap::Args, Clone, Debug)]
struct AddArgs {
    /// The directory; the current one unless given
    #[arg(value_name = "dir")]
    path: Option<PathBuf>,

    /// Its name; that of the git top level, or of the directory, unless given
    #[arg(long, value_name = "name")]
    name: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
struct ListArgs {}

#[derive(clap::Args, Clone, Debug)]
struct RemoveArgs {
    /// The name
    #[arg(value_name = "name")]
    name: String,
}

pub(crate) async fn run_project(context: &mut Context, args: &ProjectArgs) -> Outcome {
    match &args.action {
        Action::Add(args) => add(context, args).await,
        Action::List(_) => list(context).await,
        Action::Remove(args) => {
            let (ui, client) = context.parts()?;
            let removed = client.remove_project(&args.name).await?;
            told(ui, "Removed project", &removed)
        }
    }
}

async fn add(context: &mut Context, args: &AddArgs) -> Outcome {
    let wanted = AddProject { path: way::directory(context, args.path.as_deref()).await?, name: args.name.clone() };
    let (ui, client) = context.parts()?;
    let added = client.add_project(&wanted).await?;
    told(ui, "Added project", &added)
}

fn told(ui: &mut Ui, what: &str, project: &Project) -> Outcome {
    if ui.json {
        ui.document(project)?;
    } else if ui.quiet {
        ui.line(&project.name)?;
    } else {
        ui.line(&format!("{what} {}: {}", project.name, ui.shown_path(&project.path)))?;
    }
    Ok(0)
}

async fn list(context: &mut Context) -> Outcome {
    let mut projects = context.client()?.projects().await?;
    if !matches!(context.way()?, way::Way::Host(_)) {
        projects.extend(configured(context)?);
    }
    projects.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    let ui = &mut context.ui;
    if ui.json {
        ui.document(&projects)?;
    } else if ui.quiet {
        projects.iter().try_for_each(|project| ui.line(&project.name))?;
    } else if projects.is_empty() {
        ui.line("No projects")?;
    } else {
        let columns = [Column::Left("NAME"), Column::Left("FROM"), Column::Right("LIVE"), Column::Free("PATH")];
        let row = |p: &Project| vec![p.name.clone(), p.origin.to_string(), p.live.to_string(), ui.shown_path(&p.path)];
        let rows: Vec<Vec<String>> = projects.iter().map(row).collect();
        ui.text(&table::set(&columns, &rows, table::terminal_width()))?;
    }
    Ok(0)
}

/// Names of the configuration are the caller's own; the host counts no sessions for them.
fn configured(context: &mut Context) -> Result<Vec<Project>, CommandError> {
    let projects = context.config()?.projects.iter().map(|(name, path)| Project {
        name: name.clone(),
        path: path.display().to_string(),
        origin: ProjectOrigin::Configuration,
        live: 0,
        added_at: None,
    });
    Ok(projects.collect())
}
