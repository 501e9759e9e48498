//! What the manifests of the workspace say of dependencies.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::tree::Tree;

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Part of what is built: normal and build dependencies.
    Product,
    /// Part of the tests alone.
    Tests,
}

/// One crate of ours.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// Of the manifest, from the root.
    pub(crate) path: String,
    /// The name of its folder, by which the table of layers calls it.
    pub(crate) krate: String,
    /// The name of its package.
    pub(crate) package: String,
    /// Packages that it names, for what, under whatever target.
    pub(crate) dependencies: BTreeSet<(Use, String)>,
    /// Whether cargo looks for test files by itself.
    pub(crate) autotests: bool,
    /// The paths of its `[[test]]` tables, from the root.
    pub(crate) tests: BTreeSet<String>,
}

impl Manifest {
    /// The folder of the crate, from the root.
    pub(crate) fn folder(&self) -> &str {
        self.path.strip_suffix("/Cargo.toml").unwrap_or_default()
    }

    /// Packages that it names for this use.
    pub(crate) fn names(&self, wanted: Use) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(move |(purpose, _)| *purpose == wanted).map(|(_, name)| name.as_str())
    }
}

/// All crates of the workspace, read from the tree and without asking cargo.
pub(crate) fn manifests(tree: &Tree) -> Result<Vec<Manifest>> {
    let paths = tree.files.iter().map(|file| file.path.as_str()).filter(|path| is_member(path));
    paths.filter_map(|path| Some((path, tree.text(path)?))).map(|(path, text)| read(path, text)).collect()
}

/// From the name of a package to the name of its folder.
pub(crate) fn folders(manifests: &[Manifest]) -> BTreeMap<&str, &str> {
    manifests.iter().map(|manifest| (manifest.package.as_str(), manifest.krate.as_str())).collect()
}

fn is_member(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["crates", _, "Cargo.toml"]) || matches!(parts.as_slice(), [_, "Cargo.toml"])
}

fn read(path: &str, text: &str) -> Result<Manifest> {
    let table: Table = text.parse().with_context(|| format!("{path} is not a manifest"))?;
    let package = table.get("package").and_then(Value::as_table).with_context(|| format!("{path} has no package"))?;
    let folder = path.strip_suffix("/Cargo.toml").unwrap_or_default();
    Ok(Manifest {
        path: path.to_owned(),
        krate: folder.rsplit('/').next().unwrap_or_default().to_owned(),
        package: package.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        dependencies: dependencies(&table),
        autotests: package.get("autotests").and_then(Value::as_bool).unwrap_or(true),
        tests: tests(&table, folder),
    })
}

fn dependencies(table: &Table) -> BTreeSet<(Use, String)> {
    let mut found = of_kind(table);
    let targets = table.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flat_map(Table::values).filter_map(Value::as_table) {
        found.extend(of_kind(target));
    }
    found
}

fn of_kind(table: &Table) -> BTreeSet<(Use, String)> {
    let kinds =
        [("dependencies", Use::Product), ("build-dependencies", Use::Product), ("dev-dependencies", Use::Tests)];
    let named = |(key, purpose): (&str, Use)| {
        let entries = table.get(key).and_then(Value::as_table).into_iter().flatten();
        entries.map(|(key, value)| (purpose, package_name(key, value))).collect::<Vec<_>>()
    };
    kinds.into_iter().flat_map(named).collect()
}

/// A dependency is called by its key, unless it says which package is meant.
fn package_name(key: &str, value: &Value) -> String {
    value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned()
}

fn tests(table: &Table, folder: &str) -> BTreeSet<String> {
    // A program that stands in for another in tests is listed as one of the crate's binaries.
    let listed = |kind: &str| table.get(kind).and_then(Value::as_array).cloned().unwrap_or_default();
    let tests = listed("test").into_iter().chain(listed("bin"));
    let path = |test: Value| {
        let name = test.get("name").and_then(Value::as_str).unwrap_or_default();
        let path = test.get("path").and_then(Value::as_str);
        format!("{folder}/{}", path.map_or_else(|| format!("tests/{name}.rs"), str::to_owned))
    };
    tests.map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_dependency_is_seen() {
        let text = "
            [package]
            name = \"adjutant-core\"
            autotests = false
            [dependencies]
            one.workspace = true
            other = { package = \"two\", version = \"1\" }
            [target.'cfg(unix)'.build-dependencies]
            three = \"1\"
            [dev-dependencies]
            four = \"1\"
            [[test]]
            name = \"it\"
            path = \"tests/it/main.rs\"";
        let manifest = read("crates/core/Cargo.toml", text).unwrap();
        assert_eq!(manifest.names(Use::Product).collect::<Vec<_>>(), ["one", "three", "two"]);
        assert_eq!(manifest.names(Use::Tests).collect::<Vec<_>>(), ["four"]);
        assert_eq!((manifest.krate.as_str(), manifest.package.as_str()), ("core", "adjutant-core"));
        assert!(!manifest.autotests && manifest.tests.contains("crates/core/tests/it/main.rs"));
    }

    #[test]
    fn only_members_of_the_workspace_are_read() {
        assert!(is_member("crates/core/Cargo.toml") && is_member("xtask/Cargo.toml"));
        assert!(!is_member("Cargo.toml") && !is_member("crates/core/tests/samples/Cargo.toml"));
    }
}
