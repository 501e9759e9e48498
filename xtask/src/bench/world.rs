//! A world in which one bench lives: directories of its own, a daemon of its own, and nothing left behind.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;

use super::proc;
use crate::exec;

/// Where worlds are made: a socket's path has room for 107 bytes, and a temporary directory of some systems takes 60.
const PARENT: &str = "/tmp";

/// How many sessions are made at the same time.
const AT_ONCE: usize = 8;

/// What `adj daemon status --json` says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Daemon {
    pub(crate) pid: u32,
    pub(crate) socket: PathBuf,
}

/// One world; it ends its daemon and its sessions when it is dropped.
pub(crate) struct World {
    root: TempDir,
    adj: PathBuf,
    variables: Vec<(String, String)>,
}

impl World {
    /// Makes the directories; the first command that needs a daemon starts it.
    pub(crate) fn new(adj: &Path) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("ab").tempdir_in(PARENT).context("cannot make a world")?;
        for folder in ["a", "h", "r"] {
            make_private(&root.path().join(folder))?;
        }
        Ok(Self { root, adj: adj.to_owned(), variables: Vec::new() })
    }

    /// Sets a variable for every program of this world from now on.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A path inside of this world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The binary that is measured.
    pub(crate) fn binary(&self) -> &Path {
        &self.adj
    }

    /// Any program, with the environment of this world and no other.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = exec::command(program);
        command.env_clear().current_dir(self.path("h"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("h")).env("ADJ_HOME", self.path("a")).env("XDG_RUNTIME_DIR", self.path("r"));
        command.env("LANG", "C.UTF-8").env("TERM", "dumb");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `adj` with these arguments.
    pub(crate) fn adj<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.command(&self.adj);
        command.args(args);
        command
    }

    /// What `adj` prints, without the line break at its end; anything but success is an error.
    pub(crate) fn say<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<String> {
        let printed = exec::output(&mut self.adj(args))?;
        Ok(String::from_utf8_lossy(&printed).trim_end().to_owned())
    }

    /// A run of `adj` for the harness: its output goes nowhere, its failure is an error.
    pub(crate) fn act<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<()> {
        quiet(&mut self.adj(args))
    }

    /// A new session of the plainest agent; returns its id.
    pub(crate) fn session(&self) -> Result<String> {
        self.say(&["create", "-q", "--cli", "shell"])
    }

    /// Many sessions, made by a few processes at a time.
    pub(crate) fn sessions(&self, count: usize) -> Result<Vec<String>> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let batch = AT_ONCE.min(count - ids.len());
            let made: Vec<Result<String>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..batch).map(|_| scope.spawn(|| self.session())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked"))).collect()
            });
            ids.extend(made.into_iter().collect::<Result<Vec<_>>>()?);
        }
        Ok(ids)
    }

    /// Which daemon serves this world.
    pub(crate) fn daemon(&self) -> Result<Daemon> {
        let said = self.say(&["daemon", "status", "--json"])?;
        serde_json::from_str(&said).with_context(|| format!("daemon status has no pid and socket: {said}"))
    }

    /// Ends sessions and daemon; whatever is left of this world is killed by its pid and told.
    fn end(&self) {
        let ended = [self.act(&["kill", "--all", "--force"]), self.act(&["daemon", "stop", "--force"])];
        ended.into_iter().filter_map(Result::err).for_each(|error| say!("at the end: {error:#}"));
        let left = proc::mentioning(self.root.path());
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(|left| format!("{} {}", left.name, left.pid)).collect();
            say!("at the end: killing what was left behind: {}", names.join(", "));
        }
        left.iter().for_each(|left| kill(left.pid));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A world in which nothing was ever started has nothing to end; asking would start its daemon.
        let is_used = self.path("a").read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if is_used {
            self.end();
        }
    }
}

fn kill(pid: u32) {
    let Some(own) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    match kill_process(own, Signal::KILL) {
        // It may have ended by itself in this moment.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => say!("at the end: cannot kill {pid}: {error}"),
    }
}

/// Runs with what it prints thrown away and its complaints shown; for what is measured many times.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    exec::run(command.stdout(Stdio::null()))
}

fn make_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().mode(0o700).create(folder);
    made.with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_shares_nothing_with_ours() {
        let world = World::new(Path::new("adj")).unwrap();
        let printed = exec::output(&mut world.command("env")).unwrap();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let names: Vec<&str> = printed.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(names.contains(&"ADJ_HOME") && !names.contains(&"CARGO"), "{names:?}");
        assert!(world.path("r/adjutant/adj.sock").as_os_str().len() < 60);
    }

    #[test]
    fn what_is_left_behind_is_found_by_its_world() {
        let world = World::new(Path::new("adj")).unwrap();
        let mut left = world.command("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(proc::mentioning(world.root.path()).iter().any(|found| found.pid == left.id()));
        drop(left.stdin.take());
        left.wait().unwrap();
    }
}
