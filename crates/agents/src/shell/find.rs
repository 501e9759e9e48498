//! Finding bash on the caller's PATH.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use adjutant_core::agent::StartFailure;

use crate::Program;

/// Looks for `bash` where the caller would find it.
pub(super) fn bash(environment: &BTreeMap<String, String>) -> Result<Program, StartFailure> {
    let path = environment.get("PATH").map_or("", String::as_str);
    let found = find_on(path, "bash").map(|path| Program { path, version: None });
    found.ok_or_else(|| StartFailure::AgentNotFound {
        detail: format!(
            "bash 4.4 or newer is not on the caller's PATH (`{path}`); install it with the system's package manager"
        ),
    })
}

/// The first executable file of this name; empty and relative entries of the path are skipped.
pub(crate) fn find_on(path: &str, name: &str) -> Option<PathBuf> {
    let dirs = path.split(':').map(Path::new).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b2_the_callers_path_decides() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("bash");
        let path = format!("relative::{}:/usr/bin:/bin", dir.path().display());
        let environment = BTreeMap::from([("PATH".to_owned(), path)]);
        assert!(bash(&environment).unwrap().path.ends_with("bin/bash"));
        std::fs::write(&own, "").unwrap();
        assert!(bash(&environment).unwrap().path.ends_with("bin/bash"), "a file that cannot be executed is none");
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(bash(&environment).unwrap().path, own);
    }

    #[test]
    fn a_missing_bash_is_told_with_what_to_do() {
        let Err(StartFailure::AgentNotFound { detail }) = bash(&BTreeMap::new()) else { panic!("found") };
        assert!(detail.contains("install"), "{detail}");
    }
}
