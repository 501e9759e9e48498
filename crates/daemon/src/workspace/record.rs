//! What is kept of a workspace beside its tree, and where both are.

use std::io;
use std::path::{Path, PathBuf};

use adjutant_core::SessionId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Workspaces;
use crate::file;

/// Largest record that is read, in bytes.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// Longest part of a path that is made of a repository's name, in bytes.
const SLUG_BYTES_MAX: usize = 60;

/// The record of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The host that made it.
    pub(crate) host: String,
    /// Its id, which is its session's.
    pub(crate) id: String,
    /// The top of its tree.
    pub(crate) tree: PathBuf,
    /// The main checkout of its repository.
    pub(crate) checkout: PathBuf,
    /// Its branch.
    pub(crate) branch: String,
    /// The commit from which that began.
    pub(crate) base: String,
    /// The branch that this commit was on.
    pub(crate) base_branch: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
}

impl Record {
    /// The session that it was made for.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.id.parse().ok()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.tree.with_extension("json")
    }

    /// Writes it, durably.
    pub(super) fn write(&self) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        file::write_whole(&self.file(), &bytes)
    }
}

impl Workspaces {
    /// All that are recorded, by their ids. One that cannot be read is left out and told in the log; it is left alone.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for repository in entries(&self.trees) {
            let files = entries(&repository).into_iter().filter(|path| path.extension().is_some_and(|e| e == "json"));
            for path in files {
                match read(&path) {
                    Ok(record) if record.host == self.host_id && record.file() == path => records.push(record),
                    Ok(_) => tracing::warn!(path = %path.display(), "the record of a work tree is of another place"),
                    Err(error) => {
                        tracing::warn!(%error, path = %path.display(), "the record of a work tree is damaged")
                    }
                }
            }
        }
        records.sort_by(|a, b| a.id.cmp(&b.id));
        records
    }

    /// Where the tree of a session is to be.
    pub(super) fn place(&self, checkout: &Path, id: &str) -> PathBuf {
        self.trees.join(repo_slug(checkout)).join(id)
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(found) = std::fs::read_dir(directory) else { return Vec::new() };
    found.flatten().map(|entry| entry.path()).collect()
}

fn read(path: &Path) -> io::Result<Record> {
    if path.metadata()?.len() > RECORD_BYTES_MAX {
        return Err(io::Error::other("it is too large"));
    }
    serde_json::from_slice(&std::fs::read(path)?).map_err(io::Error::other)
}

/// Lower case; every run of other characters is one hyphen, and none stands at an end.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        match c.is_ascii_alphanumeric() {
            true => slug.push(c.to_ascii_lowercase()),
            false if slug.ends_with('-') || slug.is_empty() => {}
            false => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// A slug of at most so many bytes; what is cut off leaves a hash.
pub(super) fn bounded_slug(text: &str, max: usize, fallback: &str) -> String {
    let slug = slug(text);
    if slug.is_empty() {
        return fallback.to_owned();
    }
    if slug.len() <= max {
        return slug;
    }
    let hash = hash(slug.as_bytes(), 8);
    match max.checked_sub(hash.len() + 1).filter(|room| *room > 0) {
        Some(room) => format!("{}-{hash}", slug[..room].trim_end_matches('-')),
        None => hash,
    }
}

fn hash(bytes: &[u8], digits: usize) -> String {
    let all: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    all[..digits].to_owned()
}

/// The directory of a repository's trees: its name, and a hash of where it is.
fn repo_slug(checkout: &Path) -> String {
    let common = checkout.join(".git");
    let name = checkout.file_name().unwrap_or_default().to_string_lossy();
    format!("{}-{}", bounded_slug(&name, SLUG_BYTES_MAX, "repo"), hash(common.as_os_str().as_encoded_bytes(), 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f03_names_of_directories() {
        assert_eq!(repo_slug(Path::new("/srv/My Repo")), "my-repo-799b5a2601");
        assert_eq!(bounded_slug("Fix Bug", 48, "manual"), "fix-bug");
        assert_eq!(bounded_slug("日本", 48, "manual"), "manual");
        assert_eq!(bounded_slug("sp_0123456789abcdef", 40, "workspace"), "sp-0123456789abcdef");
        let long = bounded_slug(&"a".repeat(100), 60, "x");
        assert_eq!(long, format!("{}-28165978", "a".repeat(51)));
        assert_eq!(bounded_slug(&"a".repeat(100), 8, "x"), "28165978");
    }
}
