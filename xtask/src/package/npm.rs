//! The npm packages: one for each platform, which holds the binary and which npm checks before it installs, and the one that
//! people name, which wants whichever of them fits.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::tree::{Tree, copy};
use super::{HOME, PLATFORMS, Platform, SUMMARY, VERSION};
use crate::exec;

/// The package that people name.
const NAME: &str = "adjutant";

/// The program of that package. A shell starts in a thousandth of a second and is gone with `exec`; node would cost each
/// call more than everything that `adj` does in it. npm lays the binary's package beside this one, or below it.
const LAUNCHER: &str = r#"#!/bin/sh
case $(uname -sm) in
"Linux x86_64") platform=linux-x64 ;;
"Linux aarch64") platform=linux-arm64 ;;
*) echo "adj: there is no package for $(uname -sm)" >&2; exit 1 ;;
esac
self=$(readlink -f -- "$0") && here=${self%/bin/adj} || exit 1
for near in "$here/node_modules" "${here%/*}"; do
  adj=$near/adjutant-$platform/bin/adj
  [ -x "$adj" ] && exec "$adj" "$@"
done
echo "adj: the package adjutant-$platform is not installed; optional dependencies were left out" >&2
exit 1
"#;

/// The package of one platform.
pub(super) fn make(tree: &Tree, platform: Platform, out: &Path) -> Result<PathBuf> {
    let staged = tempfile::tempdir()?;
    copy(&tree.adj(), &staged.path().join("bin/adj"), 0o755)?;
    // It names no program of its own: that of the other package would be in its way.
    let more = json!({"os": ["linux"], "cpu": [platform.node], "preferUnplugged": true});
    pack(staged.path(), tree.root(), &package_of(platform), more, out)
}

/// The package that people name.
pub(super) fn umbrella(root: &Path, out: &Path) -> Result<PathBuf> {
    let staged = tempfile::tempdir()?;
    let script = staged.path().join("launcher");
    std::fs::write(&script, LAUNCHER)?;
    copy(&script, &staged.path().join("bin/adj"), 0o755)?;
    let wanted: Map<String, Value> =
        PLATFORMS.map(|platform| (package_of(platform), json!(VERSION))).into_iter().collect();
    let more = json!({"bin": {"adj": "bin/adj"}, "optionalDependencies": wanted, "os": ["linux"]});
    pack(staged.path(), root, NAME, more, out)
}

fn package_of(platform: Platform) -> String {
    format!("{NAME}-linux-{}", platform.node)
}

/// Packs what is staged, with the texts of `texts` and a manifest that says `more` than what is said of each.
fn pack(staged: &Path, texts: &Path, name: &str, more: Value, out: &Path) -> Result<PathBuf> {
    for text in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&texts.join(text), &staged.join(text), 0o644)?;
    }
    let mut manifest = json!({
        "name": name,
        "version": VERSION,
        "description": SUMMARY,
        "license": "MIT OR Apache-2.0",
        "repository": {"type": "git", "url": format!("git+{HOME}.git")},
        "files": ["bin/adj", "LICENSE-MIT", "LICENSE-APACHE"],
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut manifest, more) {
        all.extend(more);
    }
    std::fs::write(staged.join("package.json"), format!("{manifest:#}\n"))?;
    let mut npm = exec::command("npm");
    npm.args(["pack", "--silent", "--pack-destination"]).arg(out).current_dir(staged).env("HOME", staged);
    let said = exec::output(&mut npm)?;
    let said = String::from_utf8_lossy(&said);
    let file = said.lines().map(str::trim).rfind(|line| line.ends_with(".tgz")).context("npm names no file")?;
    Ok(out.join(file))
}
