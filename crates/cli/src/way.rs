//! By which way a command comes to its daemon, and what follows from that for paths and environments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_api::ErrorCode;
use adjutant_client::{Endpoint, Local, RemoteProgram, Ssh, SshTarget};

use crate::commands::create::environment;
use crate::config::Config;
use crate::context::Context;
use crate::error::CommandError;
use crate::sandbox::Sandbox;
use crate::{house, translate, variables};

/// The way to the daemon.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// It is on this machine.
    Here,
    /// This is a container, and it is outside.
    Sandbox(Sandbox),
    /// It is on another machine.
    Host(Remote),
}

/// Another machine.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// What the call, or the configuration, calls it.
    pub(crate) name: String,
    pub(crate) target: SshTarget,
    pub(crate) program: RemoteProgram,
}

/// What a session that is created finds around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) umask: Option<u32>,
    pub(crate) soft_limits: BTreeMap<String, Option<u64>>,
}

impl Way {
    /// The way that a call wants.
    pub(crate) fn find(
        host: Option<&str>,
        config: impl FnOnce() -> Result<Config, CommandError>,
    ) -> Result<Self, CommandError> {
        let variables = variables::sandbox();
        match host {
            None => Ok(Sandbox::find(&variables, config)?.map_or(Self::Here, Self::Sandbox)),
            Some(_) if crate::sandbox::is_wanted(variables.sandbox.as_ref())? => {
                Err(CommandError::new(ErrorCode::NotSupported, "inside of a sandbox no other host is reached"))
            }
            Some(name) => Remote::named(name, &config()?).map(Self::Host),
        }
    }

    /// The same for the client.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, CommandError> {
        Ok(match self {
            Self::Here => Endpoint::Socket(Local {
                home: Context::home()?,
                adj: std::env::current_exe()?,
                environment: variables::all(),
            }),
            Self::Sandbox(sandbox) => Endpoint::Gateway(sandbox.gateway.clone()),
            Self::Host(remote) => Endpoint::Ssh(remote.ssh()),
        })
    }

    /// The token that proves who calls. Another machine knows nothing of the sessions of this one, and a gateway takes no
    /// tokens but its own.
    pub(crate) fn token(&self) -> Result<Option<String>, CommandError> {
        match self {
            Self::Here => variables::token(),
            Self::Sandbox(sandbox) => Ok(sandbox.token.clone()),
            Self::Host(_) => Ok(None),
        }
    }
}

impl Remote {
    /// A machine as it was noted down with its sessions.
    pub(crate) fn known(name: &str, target: &str, program: &str) -> Result<Self, CommandError> {
        let wrong = |why: String| CommandError::new(ErrorCode::Internal, format!("what is known of {name}: {why}"));
        let program = match variables::remote_program()? {
            Some(program) => program,
            None => program.parse().map_err(wrong)?,
        };
        Ok(Self { name: name.to_owned(), target: target.parse().map_err(wrong)?, program })
    }

    /// All machines of the configuration. One that cannot be read names none, and what is to be said of that is given
    /// beside: what is on this machine is seen and ended all the same.
    pub(crate) fn all(context: &mut Context) -> (Vec<Self>, Option<String>) {
        let named = |config: &Config| config.hosts.keys().map(|name| Self::named(name, config)).collect();
        match context.config().and_then(named) {
            Ok(all) => (all, None),
            Err(CommandError::Told(body)) => (Vec::new(), Some(format!("No other host is asked: {}.", body.message))),
            Err(CommandError::ClosedPipe | CommandError::Interrupted) => (Vec::new(), None),
        }
    }

    /// A machine by its name in the configuration, or by where it is.
    fn named(name: &str, config: &Config) -> Result<Self, CommandError> {
        let known = config.hosts.get(name);
        let target = known.map_or(name, |host| host.target());
        let target = target.parse().map_err(|why: String| CommandError::usage(format!("`--host`: {why}")))?;
        let program = match variables::remote_program()? {
            Some(program) => program,
            None => known.and_then(|host| host.program()).unwrap_or_default(),
        };
        Ok(Self { name: name.to_owned(), target, program })
    }

    /// The way there.
    pub(crate) fn ssh(&self) -> Ssh {
        let shared_in = Context::home().ok().map(|home| home.run);
        Ssh { name: self.name.clone(), target: self.target.clone(), program: self.program.clone(), shared_in }
    }
}

/// A directory as the daemon calls it; it must be there, as far as that can be seen from here.
pub(crate) async fn directory(context: &mut Context, path: Option<&Path>) -> Result<String, CommandError> {
    match context.way()?.clone() {
        Way::Here => text(existing(path)?),
        Way::Sandbox(sandbox) => text(mapped(&sandbox, path)?),
        Way::Host(_) => far_path(context, path.unwrap_or(Path::new(""))).await,
    }
}

/// The same without a question to anybody: a relative path of another machine is below `own`.
pub(crate) fn directory_below(way: &Way, path: &Path, own: &Path) -> Result<String, CommandError> {
    match way {
        Way::Here => text(existing(Some(path))?),
        Way::Sandbox(sandbox) => text(mapped(sandbox, Some(path))?),
        Way::Host(_) => text(own.join(path)),
    }
}

/// A directory that may be gone by now, as the daemon calls it.
pub(crate) async fn place(context: &mut Context, path: &Path) -> Result<String, CommandError> {
    let resolved = || path.canonicalize().or_else(|_| std::path::absolute(path));
    match context.way()?.clone() {
        Way::Here => text(resolved()?),
        Way::Sandbox(sandbox) => text(sandbox.to_host(&translate::plain(&resolved()?))?),
        Way::Host(_) => far_path(context, path).await,
    }
}

/// A work tree by its path, where there is such a directory, and otherwise by its name or branch.
pub(crate) async fn worktree(context: &mut Context, word: &str) -> Result<String, CommandError> {
    let found = Path::new(word).canonicalize().ok();
    match context.way()?.clone() {
        Way::Here => {
            Ok(found.and_then(|path| path.into_os_string().into_string().ok()).unwrap_or_else(|| word.to_owned()))
        }
        Way::Sandbox(sandbox) => match found {
            Some(path) => text(sandbox.to_host(&path)?),
            None if word.starts_with('/') => text(sandbox.to_host(&translate::plain(Path::new(word)))?),
            None => Ok(word.to_owned()),
        },
        Way::Host(_) => Ok(word.to_owned()),
    }
}

/// What a session finds around it, where it will be.
pub(crate) async fn surroundings(context: &mut Context) -> Result<Surroundings, CommandError> {
    match context.way()?.clone() {
        Way::Here => {
            let (environment, unsent) = environment();
            if !unsent.is_empty() {
                let names = unsent.join(", ");
                context.ui.warning(&format!("Variables that are not UTF-8 are not passed on: {names}."));
            }
            let inherited = house::inherited();
            Ok(Surroundings { environment, umask: inherited.umask, soft_limits: inherited.soft_limits })
        }
        // A container's variables mean nothing outside; the gateway has the host's.
        Way::Sandbox(_) => Ok(Surroundings::default()),
        Way::Host(_) => {
            let far = context.client()?.far().await?.cloned().unwrap_or_default();
            Ok(Surroundings { environment: far.environment, umask: far.umask, soft_limits: far.soft_limits })
        }
    }
}

/// A path of another machine: as it is, and a relative one below the user's home there.
async fn far_path(context: &mut Context, path: &Path) -> Result<String, CommandError> {
    if path.is_absolute() {
        return text(path.to_owned());
    }
    let far = context.client()?.far().await?;
    let home = far.and_then(|far| far.directory.clone());
    match home {
        Some(home) if path.as_os_str().is_empty() => Ok(home),
        Some(home) => text(Path::new(&home).join(path)),
        None => Err(CommandError::new(
            ErrorCode::PathNotFound,
            "the home directory on that host is not known; `--path` names another",
        )),
    }
}

/// The host's name of a directory of this container. What no mapping holds is told as that, whether it is there or not.
fn mapped(sandbox: &Sandbox, path: Option<&Path>) -> Result<PathBuf, CommandError> {
    match existing(path) {
        Ok(resolved) => sandbox.to_host(&resolved),
        Err(missing) => {
            let named = std::path::absolute(path.unwrap_or(Path::new(".")))?;
            sandbox.to_host(&translate::plain(&named)).and(Err(missing))
        }
    }
}

/// The directory, absolute and resolved.
fn existing(path: Option<&Path>) -> Result<PathBuf, CommandError> {
    let path = path.unwrap_or(Path::new("."));
    let resolved = path.canonicalize().map_err(|error| not_there(path, &error))?;
    if !resolved.is_dir() {
        let message = format!("{} is not a directory", path.display());
        return Err(CommandError::new(ErrorCode::PathNotDirectory, message));
    }
    Ok(resolved)
}

fn not_there(path: &Path, error: &std::io::Error) -> CommandError {
    let crosses_file = error.kind() == std::io::ErrorKind::NotADirectory;
    let code = if crosses_file { ErrorCode::PathNotDirectory } else { ErrorCode::PathNotFound };
    let shown = if path == Path::new(".") { "the current directory".to_owned() } else { path.display().to_string() };
    CommandError::new(code, format!("cannot use {shown}: {error}"))
}

fn text(path: PathBuf) -> Result<String, CommandError> {
    let text = path.into_os_string().into_string();
    text.map_err(|path| CommandError::usage(format!("the path {} is not UTF-8", Path::new(&path).display())))
}
