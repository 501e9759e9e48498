//! Finding Codex on the caller's PATH.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_core::agent::StartFailure;

use crate::Program;
use crate::path::find_on;

/// The oldest version whose protocol is spoken here.
pub(super) const VERSION_MIN: [u64; 2] = [0, 160];

/// What is said to somebody who has no Codex, or one that is too old.
const HOW_TO_INSTALL: &str = "install it with `npm install -g @openai/codex@0.169.0`";

/// Where a package of npm has the program itself, seen from its own directory. The script in front of it would only be
/// one more process.
const IN_PACKAGE: [&str; 2] = ["node_modules/@openai", ".."];

/// Looks for `codex` where the caller would find it.
pub(super) fn codex(environment: &BTreeMap<String, String>) -> Result<Program, StartFailure> {
    let path = environment.get("PATH").map_or("", String::as_str);
    let found = find_on(path, "codex").map(|found| behind_script(&found).unwrap_or(found));
    found.map(|path| Program { path, version: None }).ok_or_else(|| StartFailure::AgentNotFound {
        detail: format!("`codex` is not on the caller's PATH (`{path}`); {HOW_TO_INSTALL}"),
    })
}

/// The program behind the script of the npm package, if `found` is that script.
fn behind_script(found: &Path) -> Option<PathBuf> {
    let script = std::fs::canonicalize(found).ok()?;
    if script.extension()? != "js" {
        return None;
    }
    let package = script.parent()?.parent()?;
    let (name, target) = platform()?;
    let inside = Path::new(name).join("vendor").join(target).join("bin/codex");
    let places = IN_PACKAGE.iter().map(|place| package.join(place).join(&inside));
    places.into_iter().find_map(|place| std::fs::canonicalize(place).ok())
}

/// The package and the target of this machine.
fn platform() -> Option<(&'static str, &'static str)> {
    match std::env::consts::ARCH {
        "x86_64" => Some(("codex-linux-x64", "x86_64-unknown-linux-musl")),
        "aarch64" => Some(("codex-linux-arm64", "aarch64-unknown-linux-musl")),
        _ => None,
    }
}

/// Judges the version that the app-server gave; what cannot be read as one is not held against it.
///
/// # Errors
/// [`StartFailure::AgentNotFound`] with how to get a newer one.
pub(super) fn judge_version(version: Option<&str>) -> Result<(), StartFailure> {
    let Some(version) = version else { return Ok(()) };
    let mut numbers = version.split(['.', '-', '+']).map_while(|number| number.parse::<u64>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return Ok(()) };
    // What a developer builds calls itself 0.0.0.
    if [major, minor] == [0, 0] || [major, minor] >= VERSION_MIN {
        return Ok(());
    }
    let [major, minor] = VERSION_MIN;
    let detail = format!("Codex {version} is too old, {major}.{minor} is the oldest that will do; {HOW_TO_INSTALL}");
    Err(StartFailure::AgentNotFound { detail })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn executable(file: &Path) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn found_on(dir: &Path) -> Result<Program, StartFailure> {
        codex(&BTreeMap::from([("PATH".to_owned(), dir.display().to_string())]))
    }

    #[test]
    fn a_missing_codex_is_told_with_what_to_do() {
        let Err(StartFailure::AgentNotFound { detail }) = codex(&BTreeMap::new()) else { panic!("found") };
        assert!(detail.contains("npm install"), "{detail}");
    }

    #[test]
    fn the_program_behind_the_script_is_what_is_started() {
        let dir = tempfile::tempdir().unwrap();
        let dir = std::fs::canonicalize(dir.path()).unwrap();
        let (name, target) = platform().unwrap();
        let modules = dir.join("lib/node_modules/@openai");
        let program = modules.join(name).join("vendor").join(target).join("bin/codex");
        executable(&modules.join("codex/bin/codex.js"));
        std::fs::create_dir(dir.join("bin")).unwrap();
        symlink(modules.join("codex/bin/codex.js"), dir.join("bin/codex")).unwrap();
        assert_eq!(found_on(&dir.join("bin")).unwrap().path, dir.join("bin/codex"), "the script, for want of it");
        executable(&program);
        assert_eq!(found_on(&dir.join("bin")).unwrap().path, program);
        executable(&dir.join("own/codex"));
        assert_eq!(found_on(&dir.join("own")).unwrap().path, dir.join("own/codex"));
    }

    #[test]
    fn versions_are_judged_by_number() {
        for good in [None, Some("0.169.0"), Some("0.160.0"), Some("1.0.0-alpha.1"), Some("0.0.0"), Some("dev")] {
            assert_eq!(judge_version(good), Ok(()), "{good:?}");
        }
        let Err(StartFailure::AgentNotFound { detail }) = judge_version(Some("0.99.0")) else { panic!("taken") };
        assert!(detail.contains("0.99.0") && detail.contains("npm install"), "{detail}");
    }
}
