//! A caller's PATH.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The first executable file of this name; empty and relative entries of the path are skipped.
pub(crate) fn find_on(path: &str, name: &str) -> Option<PathBuf> {
    let dirs = path.split(':').map(Path::new).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(name)).find(|file| is_executable(file))
}

/// Whether it is a file that may be executed.
pub(crate) fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The path, with the directory of `adj` at its end when it has no `adj`.
pub(crate) fn path_with_adj(path: &str, adj: &Path) -> String {
    let dir = adj.parent().and_then(Path::to_str).unwrap_or_default();
    match (find_on(path, "adj"), path, dir) {
        (Some(_), _, _) | (None, _, "") => path.to_owned(),
        (None, "", dir) => dir.to_owned(),
        (None, path, dir) => format!("{path}:{dir}"),
    }
}
