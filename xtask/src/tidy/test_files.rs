//! Test files that no test binary takes in: they compile for nobody and pass for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::Fact;
use super::manifest::Manifest;
use super::source::{Source, child_modules, module_folder};

const FORGOTTEN: &str = "a test file that no test binary declares; add `mod` for it in `tests/it/main.rs`";

/// The files under `tests/`: how many are taken in, and those that are forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestFiles {
    pub(crate) listed: usize,
    pub(crate) forgotten: Vec<Fact>,
}

type Files<'a> = BTreeMap<&'a str, &'a Source>;

/// Follows `mod` from every test binary of every crate.
pub(crate) fn look(manifests: &[Manifest], sources: &[Source]) -> TestFiles {
    let mut found = TestFiles::default();
    for manifest in manifests {
        let inside = format!("{}/tests/", manifest.folder());
        let of_crate = sources.iter().filter(|source| source.path.starts_with(&inside));
        let files: Files<'_> = of_crate.map(|source| (source.path.as_str(), source)).collect();
        let reached = reached(&files, manifest, &inside);
        let forgotten = files.keys().filter(|path| !reached.contains(*path));
        found.forgotten.extend(forgotten.map(|path| Fact::of(path, FORGOTTEN)));
        found.listed += reached.len();
    }
    found
}

fn reached<'a>(files: &Files<'a>, manifest: &Manifest, inside: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&'a str> = files.keys().copied().filter(|path| is_binary(path, manifest, inside)).collect();
    while let Some(path) = open.pop() {
        if reached.insert(path) {
            open.extend(children(files, path));
        }
    }
    reached
}

/// A test binary is what the manifest lists, and what cargo finds unless it was told not to look.
fn is_binary(path: &str, manifest: &Manifest, inside: &str) -> bool {
    let name = path.strip_prefix(inside).unwrap_or_default();
    let is_found = !name.contains('/') || (name.ends_with("/main.rs") && name.matches('/').count() == 1);
    manifest.tests.contains(path) || (manifest.autotests && is_found)
}

/// The files that hold the declared modules of a file.
fn children<'a>(files: &Files<'a>, path: &str) -> Vec<&'a str> {
    let Some(source) = files.get(path) else {
        return Vec::new();
    };
    let folder = if is_root(path) { parent(path) } else { module_folder(path) };
    let names = child_modules(&source.code).into_iter();
    let paths = names.flat_map(|(_, name)| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]);
    paths.filter_map(|path| files.get_key_value(path.as_str()).map(|(path, _)| *path)).collect()
}

/// A binary directly under `tests/` has its modules beside it.
fn is_root(path: &str) -> bool {
    parent(path).ends_with("/tests")
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::manifest::manifests;
    use super::super::tree::Tree;
    use super::*;

    fn look_at(manifest: &str, files: &[(&str, &str)]) -> (usize, Vec<String>) {
        let mut all = vec![("crates/core/Cargo.toml", manifest)];
        all.extend(files);
        let tree = Tree::of(&all);
        let found = look(&manifests(&tree).unwrap(), &super::super::source::sources(&tree, &BTreeSet::new()));
        (found.listed, found.forgotten.into_iter().map(|fact| fact.path).collect())
    }

    const LISTED: &str =
        "[package]\nname = \"c\"\nautotests = false\n[[test]]\nname = \"it\"\npath = \"tests/it/main.rs\"\n";

    #[test]
    fn a_file_without_a_declaration_is_forgotten() {
        let files = [
            ("crates/core/tests/it/main.rs", "mod a;\nmod b;\n"),
            ("crates/core/tests/it/a.rs", "mod deep;\n"),
            ("crates/core/tests/it/a/deep.rs", ""),
            ("crates/core/tests/it/b/mod.rs", "// mod lost;\n"),
            ("crates/core/tests/it/b/lost.rs", ""),
            ("crates/core/tests/lost.rs", ""),
        ];
        let lost = ["crates/core/tests/it/b/lost.rs", "crates/core/tests/lost.rs"];
        assert_eq!(look_at(LISTED, &files), (4, lost.map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_binary_that_cargo_was_told_not_to_find_is_forgotten() {
        let files = [("crates/core/tests/it/main.rs", "")];
        assert_eq!(look_at("[package]\nname = \"c\"\nautotests = false\n", &files).0, 0);
        assert_eq!(look_at("[package]\nname = \"c\"\n", &files).0, 1);
    }
}
