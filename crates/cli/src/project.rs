//! The project that a call means: a name of the configuration, a directory, or a name that the host knows, in this order.

use std::path::{Path, PathBuf};

use adjutant_api::ErrorCode;

use crate::context::Context;
use crate::error::CommandError;
use crate::way::Way;

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its name, or the directory as it was given.
    pub(crate) name: String,
    /// The host knows it by its name.
    pub(crate) is_named: bool,
    /// Its directory, absolute.
    pub(crate) root: PathBuf,
}

/// The directory that the configuration gives a name; the names of this machine mean nothing on another one.
pub(crate) fn configured(context: &mut Context, name: &str) -> Result<Option<PathBuf>, CommandError> {
    if is_elsewhere(context)? {
        return Ok(None);
    }
    Ok(context.config()?.projects.get(name).cloned())
}

fn is_elsewhere(context: &mut Context) -> Result<bool, CommandError> {
    Ok(matches!(context.way()?, Way::Host(_)))
}

/// Finds the project that is named. It is never taken for another one.
pub(crate) async fn named(context: &mut Context, text: &str) -> Result<Project, CommandError> {
    if let Some(root) = configured(context, text)? {
        let root = root.canonicalize().or_else(|_| std::path::absolute(&root))?;
        return Ok(Project { name: text.to_owned(), is_named: false, root });
    }
    if is_elsewhere(context)? && Path::new(text).is_absolute() {
        return Ok(Project { name: text.to_owned(), is_named: false, root: PathBuf::from(text) });
    }
    if !is_elsewhere(context)?
        && let Ok(root) = Path::new(text).canonicalize()
        && root.is_dir()
    {
        return Ok(Project { name: text.to_owned(), is_named: false, root });
    }
    let known = context.client()?.projects().await?;
    match known.into_iter().find(|project| project.name == text) {
        Some(project) => Ok(Project { name: project.name, is_named: true, root: project.path.into() }),
        None => {
            let message = format!("there is no project `{text}`, and no directory of that name");
            Err(CommandError::new(ErrorCode::ProjectNotFound, message).with_hint("adj project list"))
        }
    }
}

/// The project that holds the current directory: a directory that a name stands for, or else the top of its repository, or
/// else the directory itself.
pub(crate) async fn here(context: &mut Context) -> Result<Project, CommandError> {
    if is_elsewhere(context)? {
        return Err(CommandError::usage("no directory is the current one on another host; name the project"));
    }
    let current = std::env::current_dir()?.canonicalize()?;
    let mut roots: Vec<(String, bool, PathBuf)> = Vec::new();
    for (name, root) in &context.config()?.projects {
        roots.push((name.clone(), false, root.canonicalize().unwrap_or_else(|_| root.clone())));
    }
    for project in context.client()?.projects().await? {
        roots.push((project.name, true, project.path.into()));
    }
    let holding = roots.into_iter().filter(|(_, _, root)| current.starts_with(root));
    if let Some((name, is_named, root)) = holding.max_by_key(|(_, _, root)| root.components().count()) {
        return Ok(Project { name, is_named, root });
    }
    let top = current.ancestors().find(|directory| directory.join(".git").try_exists().unwrap_or(false));
    let root = top.unwrap_or(&current).to_path_buf();
    Ok(Project { name: root.display().to_string(), is_named: false, root })
}
