//! What a workspace has changed since its base.

use super::git::{Git, LOOK};
use super::state::uncommitted;
use super::{Done, Record, Workspaces};

/// Longest patch, in bytes.
const PATCH_BYTES_MAX: usize = 200_000;

/// One file of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) old_path: Option<String>,
    /// Lines added and taken away; `None` for what is not text.
    pub(crate) lines: Option<(u64, u64)>,
}

/// A comparison of a workspace with its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diff {
    pub(crate) head: String,
    pub(crate) ahead: u64,
    pub(crate) uncommitted: u64,
    pub(crate) files: Vec<Change>,
    pub(crate) patch: Option<String>,
    pub(crate) truncated: bool,
}

impl Workspaces {
    /// Compares one with its base; with `uncommitted` as its files are, and otherwise as they were committed.
    pub(crate) async fn diff(&self, record: &Record, patch: bool, with_uncommitted: bool) -> Done<Diff> {
        let git = Git::new(&record.tree);
        let head = git.line(&["rev-parse", "--verify", "HEAD^{commit}"]).await?;
        let (dirty, untracked) = uncommitted(&git).await?;
        let ahead = git.line(&["rev-list", "--count", &format!("{}..{head}", record.base)]).await?;
        let mut range = vec![record.base.as_str()];
        if !with_uncommitted {
            range.push(&head);
        }
        let plain = ["--no-ext-diff", "--no-textconv", "--no-color", "-M"];
        let words = [&["diff"], &plain[..], &["--numstat", "-z"], &range, &["--"]].concat();
        let files = changes(&git.run(&words, LOOK).await?);
        let (mut text, mut truncated) = (None, false);
        if patch {
            let words = [&["diff"], &plain[..], &range, &["--"]].concat();
            let (cut, was_cut) = cut(&git.run(&words, LOOK).await?);
            (text, truncated) = (Some(cut), was_cut);
        }
        let ahead = ahead.parse().unwrap_or(u64::MAX);
        Ok(Diff { head, ahead, uncommitted: dirty + untracked, files, patch: text, truncated })
    }
}

/// `<added>TAB<taken>TAB<path>NUL`; a moved file has an empty path there, and the old and the new one behind it.
fn changes(listed: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut fields = listed.split(|byte| *byte == 0).map(|field| String::from_utf8_lossy(field).into_owned());
    while let Some(field) = fields.next() {
        let mut parts = field.splitn(3, '\t');
        let (Some(added), Some(taken), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let lines = added.parse().ok().zip(taken.parse().ok());
        let (old_path, path) = match path.is_empty() {
            true => (fields.next(), fields.next().unwrap_or_default()),
            false => (None, path.to_owned()),
        };
        changes.push(Change { path, old_path, lines });
    }
    changes
}

/// The patch up to the last line that fits.
fn cut(patch: &[u8]) -> (String, bool) {
    if patch.len() <= PATCH_BYTES_MAX {
        return (String::from_utf8_lossy(patch).into_owned(), false);
    }
    let fits = &patch[..PATCH_BYTES_MAX];
    let end = fits.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (String::from_utf8_lossy(&fits[..end]).into_owned(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1107_changes_are_read_byte_for_byte() {
        let listed = b"3\t1\tsrc/a b.rs\0-\t-\tlogo.png\x000\t0\t\0old \"name\0new\nname\0";
        let found = changes(listed);
        assert_eq!(found[0], Change { path: "src/a b.rs".into(), old_path: None, lines: Some((3, 1)) });
        assert_eq!(found[1].lines, None);
        assert_eq!((found[2].old_path.as_deref(), found[2].path.as_str()), (Some("old \"name"), "new\nname"));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_long_patch_ends_with_a_line() {
        let patch = "line\n".repeat(PATCH_BYTES_MAX / 4);
        let (text, truncated) = cut(patch.as_bytes());
        assert!(truncated && text.len() <= PATCH_BYTES_MAX && text.ends_with("line\n"));
        assert_eq!(cut(b"x"), ("x".to_owned(), false));
    }
}
