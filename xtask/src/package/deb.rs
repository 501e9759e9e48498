//! The Debian package. The binary is static, so it depends on nothing.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::tree::{Tree, copy};
use super::{Effort, HOME, Platform, SUMMARY, VERSION};
use crate::exec;

/// Where each file of the tree goes, below `usr/share`.
const SHARED: [(&str, &str); 5] = [
    ("completions/adj.bash", "bash-completion/completions/adj"),
    ("completions/_adj", "zsh/vendor-completions/_adj"),
    ("completions/adj.fish", "fish/vendor_completions.d/adj.fish"),
    ("README.md", "doc/adjutant/README.md"),
    ("CHANGELOG.md", "doc/adjutant/changelog"),
];

pub(super) fn make(tree: &Tree, platform: Platform, effort: Effort, out: &Path) -> Result<PathBuf> {
    let staged = tempfile::tempdir()?;
    let share = staged.path().join("usr/share");
    copy(&tree.adj(), &staged.path().join("usr/bin/adj"), 0o755)?;
    for (from, to) in SHARED {
        copy(&tree.path(from), &share.join(to), 0o644)?;
    }
    std::fs::write(share.join("doc/adjutant/copyright"), copyright(tree)?)?;
    for page in std::fs::read_dir(tree.man())? {
        let page = page?;
        let to = share.join("man/man1").join(page.file_name());
        copy(&page.path(), &to, 0o644)?;
        exec::output(exec::command("gzip").args(["-9", "-n"]).arg(to))?;
    }
    std::fs::create_dir(staged.path().join("DEBIAN"))?;
    std::fs::write(staged.path().join("DEBIAN/control"), control(platform))?;
    // The temporary directory is its owner's alone; a package's root is everybody's.
    std::fs::set_permissions(staged.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let file = out.join(format!("adjutant_{VERSION}_{}.deb", platform.debian));
    let packed = match effort {
        Effort::Small => "-Zxz",
        Effort::Fast => "-Znone",
    };
    exec::output(
        exec::command("dpkg-deb").args(["--root-owner-group", packed, "--build"]).arg(staged.path()).arg(&file),
    )?;
    Ok(file)
}

fn control(platform: Platform) -> String {
    let Platform { debian, .. } = platform;
    format!(
        "Package: adjutant\nVersion: {VERSION}\nArchitecture: {debian}\nMaintainer: The Adjutant authors <{HOME}>\n\
         Section: devel\nPriority: optional\nSuggests: tmux, git\nHomepage: {HOME}\nDescription: {SUMMARY}\n \
         One binary with which coding agents and people start other agent sessions,\n give them work, wait for it, \
         answer their questions and stop them.\n"
    )
}

fn copyright(tree: &Tree) -> Result<String> {
    let mit = std::fs::read_to_string(tree.path("LICENSE-MIT"))?;
    Ok(format!(
        "{HOME}\n\nMIT OR Apache-2.0, at your choice.\n\n{mit}\nApache-2.0: /usr/share/common-licenses/Apache-2.0\n"
    ))
}
