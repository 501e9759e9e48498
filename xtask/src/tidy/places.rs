//! Paths of a machine and hosts of private registries in files that everybody gets.

use super::config::Config;
use super::fact::Fact;
use super::tree::{Tree, TreeFile};

/// Where people and build machines keep their own things.
const FOLDERS: [&str; 3] = ["/home/", "/root/", "/work/"];

/// How a registry of one's own gets into a file.
const REGISTRIES: [&str; 6] =
    ["replace-with", "index-url", "sparse+http", "registry=http", "registry = \"http", "--registry"];

/// The one source that a lock file may name.
const PUBLIC_INDEX: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Looks into every file, binary ones too: a committed store may hold the path of whoever made it.
pub(crate) fn check(tree: &Tree, config: &Config) -> Vec<Fact> {
    let files = tree.files.iter().filter(|file| !config.places.contains_key(&file.path));
    files.flat_map(in_file).collect()
}

fn in_file(file: &TreeFile) -> Vec<Fact> {
    let lines = file.bytes.split(|byte| *byte == b'\n').enumerate();
    lines.filter_map(|(index, line)| Some(Fact::at(&file.path, index + 1, in_line(&file.path, line)?))).collect()
}

fn in_line(path: &str, line: &[u8]) -> Option<String> {
    if let Some(folder) = FOLDERS.iter().find(|folder| names_folder(line, folder.as_bytes())) {
        return Some(format!("names a path under `{folder}`, which is of one machine"));
    }
    let text = String::from_utf8_lossy(line);
    let is_foreign_lock = path.ends_with("Cargo.lock") && text.starts_with("source = ") && text.trim() != PUBLIC_INDEX;
    let mark = REGISTRIES.iter().find(|mark| text.contains(*mark));
    (is_foreign_lock || mark.is_some()).then(|| "names a registry, which is of one machine".to_owned())
}

/// Whether an absolute path begins with the folder: `a/home/b` and `example.org/work/` are none.
fn names_folder(line: &[u8], folder: &[u8]) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.~}$)]*>".contains(&byte);
    let starts = line.windows(folder.len()).enumerate().filter(|(_, window)| *window == folder);
    starts.map(|(at, _)| at.checked_sub(1).map(|before| line[before])).any(|before| !before.is_some_and(is_inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        in_file(&TreeFile { path: path.into(), bytes: text.into() }).len()
    }

    #[test]
    fn absolute_paths_of_a_machine() {
        assert_eq!(found("docs/a.md", "cd /home/ann/src\nopen \"/root/x\"\n"), 2);
        assert_eq!(found("docs/a.md", "$TMP/home/x, target/work/y, https://example.org/work/\n"), 0);
    }

    #[test]
    fn they_are_found_in_bytes_that_are_no_text() {
        let file = TreeFile { path: "a.db".into(), bytes: b"\xff\x00\x00/work/main\x00".to_vec() };
        assert_eq!(in_file(&file).len(), 1);
    }

    #[test]
    fn registries() {
        assert_eq!(found("a/.npmrc", "registry=https://npm.example.org\n"), 1);
        assert_eq!(found("Cargo.lock", &format!("{PUBLIC_INDEX}\nsource = \"registry+https://example.org\"\n")), 1);
        assert_eq!(found("src/a.rs", "let registry = Registry::new();\n"), 0);
    }
}
