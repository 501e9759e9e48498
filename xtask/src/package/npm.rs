//! The npm package: the binary itself, for one platform, which npm checks before it installs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::tree::{Tree, copy};
use super::{HOME, Platform, SUMMARY, VERSION};
use crate::exec;

pub(super) fn make(tree: &Tree, platform: Platform, out: &Path) -> Result<PathBuf> {
    let staged = tempfile::tempdir()?;
    copy(&tree.adj(), &staged.path().join("bin/adj"), 0o755)?;
    for text in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&tree.path(text), &staged.path().join(text), 0o644)?;
    }
    let manifest = json!({
        "name": format!("adjutant-linux-{}", platform.node),
        "version": VERSION,
        "description": SUMMARY,
        "license": "MIT OR Apache-2.0",
        "repository": {"type": "git", "url": format!("git+{HOME}.git")},
        "bin": {"adj": "bin/adj"},
        "files": ["bin/adj", "LICENSE-MIT", "LICENSE-APACHE"],
        "os": ["linux"],
        "cpu": [platform.node],
    });
    std::fs::write(staged.path().join("package.json"), format!("{manifest:#}\n"))?;
    let mut npm = exec::command("npm");
    npm.args(["pack", "--silent", "--pack-destination"]).arg(out).current_dir(staged.path()).env("HOME", staged.path());
    let said = exec::output(&mut npm)?;
    let said = String::from_utf8_lossy(&said);
    let file = said.lines().map(str::trim).rfind(|line| line.ends_with(".tgz")).context("npm names no file")?;
    Ok(out.join(file))
}
