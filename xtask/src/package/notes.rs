//! The notes of the release: the part of the changelog that is about it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::VERSION;

pub(super) fn make(root: &Path, out: &Path) -> Result<PathBuf> {
    let changelog = std::fs::read_to_string(root.join("CHANGELOG.md"))?;
    let part = part(&changelog, VERSION).or_else(|| part(&changelog, "Unreleased"));
    let part = part.with_context(|| format!("CHANGELOG.md has no part `{VERSION}`, and none that is unreleased"))?;
    let file = out.join(format!("release-notes-{VERSION}.md"));
    std::fs::write(&file, format!("# Adjutant {VERSION}\n\n{part}\n"))?;
    Ok(file)
}

/// What stands under `## <heading>`, where a date may follow.
fn part<'a>(changelog: &'a str, heading: &str) -> Option<&'a str> {
    let parts = changelog.split("\n## ").skip(1);
    let mut parts = parts.filter_map(|part| part.split_once('\n'));
    let found = parts.find(|(first, _)| first.split_whitespace().next() == Some(heading));
    found.map(|(_, rest)| rest.trim()).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_one_version() {
        let changelog = "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n- new\n\n## 0.1.0\n\n- old\n";
        assert_eq!(part(changelog, "0.2.0"), Some("- new"));
        assert_eq!(part(changelog, "0.1.0"), Some("- old"));
        assert_eq!((part(changelog, "Unreleased"), part(changelog, "0.3.0")), (None, None));
    }
}
