//! The files of the project, as they lie in the working directory or in a commit.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::exec;

/// One file: its path from the root, with `/`, and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct TreeFile {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// All files that belong to the project; everything that tidy says follows from one such value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<TreeFile>,
}

impl Tree {
    /// What a commit of everything would hold: tracked files and new ones, without the ignored.
    pub(crate) fn of_worktree(root: &Path) -> Result<Self> {
        let listed = git(root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .context("tidy reads the project through git")?;
        let mut paths = names(&listed);
        paths.sort();
        paths.dedup();
        Ok(Self { files: paths.into_iter().filter_map(|path| read(root, path)).collect() })
    }

    /// The Rust files, manifests and lock file of a commit: what the mirror compares with.
    pub(crate) fn of_revision(root: &Path, revision: &str) -> Result<Self> {
        let listed = git(root, &["ls-tree", "-r", "-z", "--name-only", revision])?;
        let paths: Vec<String> = names(&listed).into_iter().filter(|path| is_measured(path)).collect();
        let wanted: String = paths.iter().map(|path| format!("{revision}:{path}\n")).collect();
        let blobs = cat_file(root, wanted)?;
        Ok(Self { files: unpack(paths, &blobs) })
    }

    /// The text of one file, if it is there and is text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path)?;
        std::str::from_utf8(&file.bytes).ok()
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| TreeFile { path: (*path).into(), bytes: (*text).into() };
        Self { files: files.iter().map(file).collect() }
    }
}

fn is_measured(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with("Cargo.toml") || path == "Cargo.lock"
}

/// A file that is listed but gone is about to be deleted, and a link is somebody else's text.
fn read(root: &Path, path: String) -> Option<TreeFile> {
    let full = root.join(&path);
    let is_file = full.symlink_metadata().is_ok_and(|meta| meta.is_file());
    let bytes = if is_file {
        std::fs::read(full).ok()?
    } else {
        return None;
    };
    Some(TreeFile { path, bytes })
}

fn names(listed: &[u8]) -> Vec<String> {
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Runs git in the root. A checkout that another user owns (a container's volume) is read all the same: whoever runs
/// this has just run its code.
pub(crate) fn git(root: &Path, args: &[&str]) -> Result<Vec<u8>> {
    exec::output(&mut git_command(root, args))
}

fn git_command(root: &Path, args: &[&str]) -> std::process::Command {
    let mut command = exec::command("git");
    command.arg("-c").arg(format!("safe.directory={}", root.display())).args(args).current_dir(root);
    command
}

fn cat_file(root: &Path, wanted: String) -> Result<Vec<u8>> {
    let mut command = git_command(root, &["cat-file", "--batch"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("git cat-file has no standard input")?;
    // From a thread of its own, since git blocks on a full pipe of answers before it has read all questions.
    let writer = std::thread::spawn(move || stdin.write_all(wanted.as_bytes()));
    let blobs = child.wait_with_output()?.stdout;
    drop(writer.join());
    Ok(blobs)
}

/// Takes apart `<id> blob <size>\n<bytes>\n`, once for each path.
fn unpack(paths: Vec<String>, mut blobs: &[u8]) -> Vec<TreeFile> {
    let mut files = Vec::new();
    for path in paths {
        let Some((bytes, rest)) = first_blob(blobs) else {
            break;
        };
        files.push(TreeFile { path, bytes: bytes.to_vec() });
        blobs = rest;
    }
    files
}

fn first_blob(blobs: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = blobs.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&blobs[..end]).ok()?;
    let size: usize = head.rsplit(' ').next()?.parse().ok()?;
    let (bytes, rest) = blobs[end + 1..].split_at_checked(size)?;
    Some((bytes, rest.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_taken_apart() {
        let blobs = b"aa blob 3\nx\ny\nbb blob 0\n\ncc blob 1\nz\n";
        let files = unpack(vec!["a".into(), "b".into(), "c".into()], blobs);
        let bytes: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_slice()).collect();
        assert_eq!(bytes, [b"x\ny".as_slice(), b"", b"z"]);
    }
}
