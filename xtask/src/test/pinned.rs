//! The agents that the tests drive, in exactly one version each: in a directory of the project's own, never a global one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::exec;

/// A package of npm in one version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinned {
    /// The package.
    pub(crate) package: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// The program that it brings.
    pub(crate) program: &'static str,
    /// Packages that it wants beside it, with their versions: a node that is newer than the system's.
    pub(crate) with: &'static [&'static str],
    /// The variable by which tests find the program; where the caller has set it to this version, that one is used.
    pub(crate) variable: &'static str,
}

impl Pinned {
    /// Where the program is, or is going to be.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        match std::env::var_os(self.variable).map(PathBuf::from) {
            Some(given) if self.is(&given) => Ok(given),
            Some(_) | None => Ok(self.directory()?.join("node_modules/.bin").join(self.program)),
        }
    }

    /// Whether the program is there in this version.
    pub(crate) fn is_there(&self) -> bool {
        self.path().is_ok_and(|path| self.is(&path))
    }

    /// What installs it.
    pub(crate) fn install(&self) -> Result<Command> {
        let mut npm = exec::command("npm");
        npm.args(["install", "--no-fund", "--no-audit", "--no-save", "--prefix"]).arg(self.directory()?);
        npm.arg(format!("{}@{}", self.package, self.version)).args(self.with);
        Ok(npm)
    }

    /// Outlives `cargo clean`, and serves every checkout of this user.
    fn directory(&self) -> Result<PathBuf> {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).context("HOME is not set")?;
        Ok(cache.join("adjutant-tests").join(format!("{}-{}", self.program, self.version)))
    }

    fn is(&self, program: &std::path::Path) -> bool {
        let said = exec::output(beside(program).arg("--version"));
        said.is_ok_and(|said| is_version(&String::from_utf8_lossy(&said), self.version))
    }
}

/// A program of node that finds first what was installed beside it.
fn beside(program: &std::path::Path) -> Command {
    let mut command = exec::command(program);
    let here = program.parent().map(std::path::Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = std::env::join_paths(here.into_iter().chain(std::env::split_paths(&path))) {
        command.env("PATH", path);
    }
    command
}

fn is_version(said: &str, version: &str) -> bool {
    said.split_whitespace().any(|word| word == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_not_this_one() {
        assert!(is_version("2.1.328 (Claude Code)\n", "2.1.328") && is_version("codex-cli 0.169.0", "0.169.0"));
        assert!(!is_version("2.1.3281 (Claude Code)", "2.1.328") && !is_version("", "2.1.328"));
    }
}
