//! The tarball: everything in one directory, the same bytes from the same files.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::tree::Tree;
use super::{Effort, Platform, VERSION};
use crate::exec;

pub(super) fn make(tree: &Tree, platform: Platform, effort: Effort, out: &Path) -> Result<PathBuf> {
    let name = format!("adjutant-{VERSION}-{}", platform.target);
    let file = out.join(format!("{name}.tar.gz"));
    let mut tar = exec::command("tar");
    tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"]);
    tar.arg(format!("--transform=s,^\\.,{name},")).args(["--mode=u=rwX,go=rX", "--use-compress-program"]);
    tar.arg(match effort {
        Effort::Small => "gzip -n -9",
        Effort::Fast => "gzip -n -1",
    });
    tar.arg("-cf").arg(&file).arg("-C").arg(tree.root()).arg(".");
    exec::output(&mut tar)?;
    Ok(file)
}
