//! What every package holds, in a directory that is gone when the packages are made.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::exec;

/// The texts that go along.
const TEXTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// The shells, each with the name that its completion file has.
pub(super) const COMPLETIONS: [(&str, &str); 5] =
    [("bash", "adj.bash"), ("zsh", "_adj"), ("fish", "adj.fish"), ("elvish", "adj.elv"), ("powershell", "_adj.ps1")];

/// The binary, the texts, the completions and the manual pages.
pub(super) struct Tree {
    directory: TempDir,
}

impl Tree {
    /// Makes it. Completions and pages are printed by a binary of this machine.
    pub(super) fn make(root: &Path, binary: &Path, printer: &Path) -> Result<Self> {
        let this = Self { directory: tempfile::tempdir()? };
        copy(binary, &this.adj(), 0o755)?;
        for text in TEXTS {
            copy(&root.join(text), &this.path(text), 0o644)?;
        }
        let completions = this.path("completions");
        std::fs::create_dir(&completions)?;
        for (shell, file) in COMPLETIONS {
            let script = exec::output(exec::command(printer).args(["completions", shell]))?;
            std::fs::write(completions.join(file), script)?;
        }
        exec::output(exec::command(printer).args(["dev", "man"]).arg(this.man()))?;
        Ok(this)
    }

    /// A path in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The binary.
    pub(super) fn adj(&self) -> PathBuf {
        self.path("adj")
    }

    /// The manual pages.
    pub(super) fn man(&self) -> PathBuf {
        self.path("man/man1")
    }

    /// All of it.
    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }
}

/// The adj of this machine: the one that the tests drive, else the last that was built.
pub(super) fn host_adj() -> Result<PathBuf> {
    match std::env::var_os("ADJ_TEST_BIN") {
        Some(adj) => Ok(adj.into()),
        None => Ok(exec::profile_dir("debug")?.join("adj")),
    }
}

/// Copies a file with this mode, and makes the directories above it.
pub(super) fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(above) = to.parent() {
        std::fs::create_dir_all(above)?;
    }
    std::fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode))?;
    Ok(())
}
