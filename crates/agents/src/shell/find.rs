//! Finding bash on the caller's PATH.

use std::collections::BTreeMap;

use adjutant_core::agent::StartFailure;

use crate::Program;
use crate::path::find_on;

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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
