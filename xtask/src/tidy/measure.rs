//! The sizes that the mirror shows, of one state of the project.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::config::Config;
use super::functions::{Function, functions};
use super::manifest::{Manifest, Use, manifests};
use super::public::{PublicItem, items};
use super::source::{Source, sources};
use super::tree::Tree;

/// Everything that is measured; two of these make the column "since main".
#[derive(Clone, Debug, Default)]
pub(crate) struct Measures {
    /// `name version` of each package in `Cargo.lock`.
    pub(crate) packages: BTreeSet<String>,
    /// Crate of ours and the package of others that it names.
    pub(crate) dependencies: BTreeSet<(String, String)>,
    pub(crate) shares: BTreeMap<String, Share>,
    /// Outside of tests, longest first.
    pub(crate) functions: Vec<Function>,
    /// Path to lines outside of tests, of files that have any.
    pub(crate) files: BTreeMap<String, usize>,
    pub(crate) public: Vec<PublicItem>,
}

/// Lines of Rust, and those of them that are tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) lines: usize,
    pub(crate) tests: usize,
}

impl Share {
    /// Tests in percent of all lines.
    pub(crate) fn percent(self) -> usize {
        (self.tests * 100 + self.lines / 2).checked_div(self.lines).unwrap_or(0)
    }

    /// Two shares as one.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { lines: self.lines + other.lines, tests: self.tests + other.tests }
    }
}

impl Measures {
    /// Measures a tree from nothing.
    pub(crate) fn of_tree(tree: &Tree, config: &Config) -> Result<Self> {
        let sources = sources(tree, &config.dev_only.crates);
        Ok(Self::of(tree, &manifests(tree)?, &sources))
    }

    /// Measures what has been read already.
    pub(crate) fn of(tree: &Tree, manifests: &[Manifest], sources: &[Source]) -> Self {
        let mut functions: Vec<Function> = sources.iter().flat_map(functions).collect();
        functions.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.key().cmp(&b.key())));
        Self {
            packages: packages(tree.text("Cargo.lock").unwrap_or_default()),
            dependencies: manifests.iter().flat_map(dependencies).collect(),
            shares: shares(sources),
            functions,
            files: files(sources),
            public: items(sources),
        }
    }

    /// The sizes of the functions, ascending.
    pub(crate) fn function_sizes(&self) -> Vec<usize> {
        self.functions.iter().rev().map(|function| function.lines).collect()
    }

    /// The sizes of the files, ascending.
    pub(crate) fn file_sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.files.values().copied().collect();
        sizes.sort_unstable();
        sizes
    }
}

/// A lock file is written by cargo alone, so its lines can be taken by their form.
fn packages(lock: &str) -> BTreeSet<String> {
    let value = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_end_matches('"').to_owned());
    let tables = lock.split("[[package]]").skip(1);
    let name = |table: &str| {
        let name = table.lines().find_map(|line| value(line, "name = \""))?;
        let version = table.lines().find_map(|line| value(line, "version = \""))?;
        Some(format!("{name} {version}"))
    };
    tables.filter_map(name).collect()
}

fn dependencies(manifest: &Manifest) -> Vec<(String, String)> {
    let all = manifest.names(Use::Product).chain(manifest.names(Use::Tests));
    all.map(|name| (manifest.krate.clone(), name.to_owned())).collect()
}

fn shares(sources: &[Source]) -> BTreeMap<String, Share> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for source in sources {
        let own = Share { lines: source.lines(), tests: source.lines_of_tests() };
        let share = shares.entry(source.krate.clone()).or_default();
        *share = share.plus(own);
    }
    shares
}

fn files(sources: &[Source]) -> BTreeMap<String, usize> {
    let sizes = sources.iter().map(|source| (source.path.clone(), source.lines() - source.lines_of_tests()));
    sizes.filter(|(_, lines)| *lines > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::super::config::sample;
    use super::*;

    #[test]
    fn a_tree_is_measured() {
        let tree = Tree::of(&[
            (
                "Cargo.lock",
                "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n",
            ),
            ("crates/core/src/lib.rs", "fn a() {}\nfn b() {\n}\n#[cfg(test)]\nmod tests {}\n"),
            ("crates/testkit/src/lib.rs", "fn a() {}\n"),
        ]);
        let measures = Measures::of_tree(&tree, &sample()).unwrap();
        assert_eq!(measures.packages.len(), 2);
        assert_eq!(measures.function_sizes(), [1, 2]);
        assert_eq!(measures.file_sizes(), [3]);
        assert_eq!((measures.shares["core"].percent(), measures.shares["testkit"].percent()), (40, 100));
    }

    #[test]
    fn an_empty_share_is_no_division_by_zero() {
        assert_eq!(Share::default().percent(), 0);
    }
}
