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
    ("CHANGELOG.md", "doc/adjutant/NEWS.md"),
];

/// Whom to write to.
const MAINTAINER: &str = "The Adjutant authors <adjutant@users.noreply.github.com>";

/// What the checker of Debian packages is told of.
const OVERRIDES: &str = "\
# It runs on any Linux, whatever libraries are there.
adjutant: statically-linked-binary [usr/bin/adj]
# The names of functions stay, so that a crash can be read.
adjutant: unstripped-binary-or-object [usr/bin/adj]
";

pub(super) fn make(tree: &Tree, platform: Platform, effort: Effort, out: &Path) -> Result<PathBuf> {
    let staged = tempfile::tempdir()?;
    let share = staged.path().join("usr/share");
    copy(&tree.adj(), &staged.path().join("usr/bin/adj"), 0o755)?;
    for (from, to) in SHARED {
        copy(&tree.path(from), &share.join(to), 0o644)?;
    }
    let doc = share.join("doc/adjutant");
    std::fs::write(doc.join("copyright"), copyright(tree)?)?;
    std::fs::write(doc.join("changelog"), changelog(tree)?)?;
    compress(&doc.join("changelog"))?;
    std::fs::create_dir_all(share.join("lintian/overrides"))?;
    std::fs::write(share.join("lintian/overrides/adjutant"), OVERRIDES)?;
    for page in std::fs::read_dir(tree.man())? {
        let page = page?;
        let to = share.join("man/man1").join(page.file_name());
        copy(&page.path(), &to, 0o644)?;
        compress(&to)?;
    }
    std::fs::create_dir(staged.path().join("DEBIAN"))?;
    std::fs::write(staged.path().join("DEBIAN/control"), control(platform))?;
    // The temporary directory is its owner's alone; a package's root is everybody's.
    exec::output(exec::command("chmod").args(["-R", "u=rwX,go=rX"]).arg(staged.path()))?;
    let file = out.join(format!("adjutant_{VERSION}_{}.deb", platform.debian));
    let packed = match effort {
        Effort::Small => "-Zxz",
        Effort::Fast => "-Znone",
    };
    exec::output(
        exec::command("dpkg-deb").args(["--root-owner-group", packed, "--build"]).arg(staged.path()).arg(&file),
    )?;
    if effort == Effort::Small && exec::succeeds(exec::command("lintian").arg("--version")) {
        exec::run(exec::command("lintian").args(["--fail-on", "error"]).arg(&file))?;
    }
    Ok(file)
}

fn compress(file: &Path) -> Result<()> {
    exec::output(exec::command("gzip").args(["-9", "-n"]).arg(file)).map(drop)
}

/// What changed, in Debian's form: it says where that stands.
fn changelog(tree: &Tree) -> Result<String> {
    let date = exec::output(exec::command("date").args(["--utc", "--rfc-email", "-r"]).arg(tree.path("CHANGELOG.md")))?;
    let date = String::from_utf8_lossy(&date);
    let date = date.trim();
    Ok(format!("adjutant ({VERSION}) unstable; urgency=medium\n\n  * See NEWS.md.\n\n -- {MAINTAINER}  {date}\n"))
}

fn control(platform: Platform) -> String {
    let Platform { debian, .. } = platform;
    format!(
        "Package: adjutant\nVersion: {VERSION}\nArchitecture: {debian}\nMaintainer: {MAINTAINER}\n\
         Section: devel\nPriority: optional\nSuggests: tmux, git\nHomepage: {HOME}\nDescription: {SUMMARY}\n \
         One binary with which coding agents and people start other agent sessions,\n give them work, wait for it, \
         answer their questions and stop them.\n"
    )
}

/// The licences in Debian's form, in which an empty line is a full stop.
fn copyright(tree: &Tree) -> Result<String> {
    let mit = std::fs::read_to_string(tree.path("LICENSE-MIT"))?;
    let mit = mit.trim_end().lines().map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") });
    Ok(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Adjutant\nSource: {HOME}\n\n\
         Files: *\nCopyright: 2026 The Adjutant authors\nLicense: Expat or Apache-2.0\n\nLicense: Expat\n{}\nLicense: Apache-2.0\n \
         See /usr/share/common-licenses/Apache-2.0.\n",
        mit.collect::<String>()
    ))
}
