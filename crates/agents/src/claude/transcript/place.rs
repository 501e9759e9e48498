//! Where transcripts are.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Units of a directory's name that are kept of a long path.
const NAME_UNITS_MAX: usize = 200;

fn projects(config_dir: &Path) -> PathBuf {
    config_dir.join("projects")
}

/// The transcript of a conversation, wherever it was begun.
pub(crate) fn find(config_dir: &Path, conversation: &str) -> Option<PathBuf> {
    let name = format!("{conversation}.jsonl");
    let directories = std::fs::read_dir(projects(config_dir)).ok()?;
    let files = directories.filter_map(|entry| Some(entry.ok()?.path().join(&name)));
    files.into_iter().find(|path| path.is_file())
}

/// The newest conversation that was begun in a directory.
pub(crate) fn newest(config_dir: &Path, directory: &Path) -> Option<String> {
    let real = std::fs::canonicalize(directory).ok()?;
    let folder = projects(config_dir).join(folder_name(&real.to_string_lossy()));
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let of = |entry: std::fs::DirEntry| -> Option<(SystemTime, String)> {
        let name = entry.file_name().into_string().ok()?;
        Some((entry.metadata().ok()?.modified().ok()?, name.strip_suffix(".jsonl")?.to_owned()))
    };
    files.filter_map(of).max().map(|(_, conversation)| conversation)
}

/// The name of the folder for a directory, as Claude Code makes it.
fn folder_name(path: &str) -> String {
    let units: Vec<u16> = path.encode_utf16().collect();
    let plain = |unit: &u16| u8::try_from(*unit).ok().filter(u8::is_ascii_alphanumeric).map_or('-', char::from);
    if units.len() <= NAME_UNITS_MAX {
        return units.iter().map(plain).collect();
    }
    let hash = units.iter().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(*unit)));
    let head: String = units.iter().take(NAME_UNITS_MAX).map(plain).collect();
    format!("{head}-{}", base_36(hash.unsigned_abs()))
}

fn base_36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit(number % 36, 36));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_as_the_client_names_them() {
        for (path, name) in [
            ("/abs/project", "-abs-project"),
            ("/abs/my.project_v2", "-abs-my-project-v2"),
            ("/abs/Été 🦀", "-abs--t----"),
            ("/abs/.hidden", "-abs--hidden"),
        ] {
            assert_eq!(folder_name(path), name);
        }
        let long = format!("/abs/{}/{}", "a".repeat(120), "b".repeat(120));
        assert_eq!(folder_name(&long), format!("-abs-{}-{}-uwed8d", "a".repeat(120), "b".repeat(74)));
    }
}
