//! The table of layers: which crate of ours may name which, and what the lowest of them never name.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::fact::Fact;
use super::manifest::{Manifest, Use, folders};
use super::mask::words;
use super::source::Source;

/// An arrow between two crates of ours.
pub(crate) type Edge = (String, String);

/// All arrows that the product has, without those of tests.
pub(crate) fn edges(manifests: &[Manifest]) -> BTreeSet<Edge> {
    let ours = folders(manifests);
    let of = |manifest: &Manifest| {
        let below: Vec<Edge> = manifest
            .names(Use::Product)
            .filter_map(|name| Some((manifest.krate.clone(), (*ours.get(name)?).to_owned())))
            .collect();
        below
    };
    manifests.iter().flat_map(of).collect()
}

/// Everything that contradicts the tables `layers`, `dev_only`, `only` and `never`.
pub(crate) fn check(manifests: &[Manifest], sources: &[Source], config: &Config) -> Vec<Fact> {
    let ours = folders(manifests);
    let mut facts = Vec::new();
    for manifest in manifests {
        facts.extend(unlisted(manifest, config));
        facts.extend(forbidden_edges(manifest, &ours, config));
        facts.extend(forbidden_packages(manifest, &ours, config));
    }
    facts.extend(sources.iter().flat_map(|source| forbidden_words(source, config)));
    facts
}

fn unlisted(manifest: &Manifest, config: &Config) -> Option<Fact> {
    let is_listed = config.layers.contains_key(&manifest.krate);
    (!is_listed).then(|| Fact::of(&manifest.path, format!("{} is not in the table of layers", manifest.krate)))
}

fn forbidden_edges(manifest: &Manifest, ours: &BTreeMap<&str, &str>, config: &Config) -> Vec<Fact> {
    let allowed = config.layers.get(&manifest.krate).cloned().unwrap_or_default();
    let is_allowed = |purpose: Use, below: &str| match purpose {
        Use::Product => allowed.contains(below) && !config.dev_only.crates.contains(below),
        Use::Tests => allowed.contains(below) || config.dev_only.crates.contains(below),
    };
    let named = manifest.dependencies.iter().filter_map(|(purpose, name)| Some((*purpose, *ours.get(name.as_str())?)));
    let forbidden = named.filter(|(purpose, below)| !is_allowed(*purpose, below));
    forbidden
        .map(|(_, below)| Fact::of(&manifest.path, format!("the edge {} -> {below} is forbidden", manifest.krate)))
        .collect()
}

fn forbidden_packages(manifest: &Manifest, ours: &BTreeMap<&str, &str>, config: &Config) -> Vec<Fact> {
    let only = config.only.get(&manifest.krate);
    let never = config.never.get(&manifest.krate);
    let outside = manifest.names(Use::Product).filter(|name| !ours.contains_key(name));
    let is_forbidden = |name: &&str| {
        only.is_some_and(|only| !only.contains(*name)) || never.is_some_and(|never| never.contains(*name))
    };
    outside
        .filter(is_forbidden)
        .map(|name| Fact::of(&manifest.path, format!("{} may not depend on {name}", manifest.krate)))
        .collect()
}

fn forbidden_words(source: &Source, config: &Config) -> Vec<Fact> {
    let Some(never) = config.never.get(&source.krate) else {
        return Vec::new();
    };
    let named = words(&source.code).filter(|(at, word)| never.contains(*word) && !source.is_test(*at));
    named
        .map(|(at, word)| {
            Fact::at(&source.path, source.line(at), format!("{} names {word}, which it may not know", source.krate))
        })
        .collect()
}

/// The layers as a line, lowest first: `core ← api, store ← daemon`. Crates without any arrow are left out.
pub(crate) fn picture(edges: &BTreeSet<Edge>) -> String {
    let crates: BTreeSet<&str> = edges.iter().flat_map(|(above, below)| [above.as_str(), below.as_str()]).collect();
    let mut levels: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for krate in crates {
        levels.entry(height(krate, edges)).or_default().push(krate);
    }
    levels.into_values().map(|names| names.join(", ")).collect::<Vec<_>>().join(" ← ")
}

/// Cargo refuses cycles, so this ends.
fn height(krate: &str, edges: &BTreeSet<Edge>) -> usize {
    let below = edges.iter().filter(|(above, _)| above == krate);
    below.map(|(_, below)| height(below, edges) + 1).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::config::sample;
    use super::super::manifest::manifests;
    use super::super::tree::Tree;
    use super::*;

    fn facts(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::of(files);
        let sources = super::super::source::sources(&tree, &BTreeSet::new());
        let facts = check(&manifests(&tree).unwrap(), &sources, &sample());
        facts.into_iter().map(|fact| fact.to_string()).collect()
    }

    const CORE: (&str, &str) = ("crates/core/Cargo.toml", "[package]\nname = \"adjutant-core\"");
    const TESTKIT: (&str, &str) = ("crates/testkit/Cargo.toml", "[package]\nname = \"adjutant-testkit\"");

    #[test]
    fn an_arrow_that_points_up_is_a_fact() {
        let store = "[package]\nname = \"adjutant-store\"\n[dependencies]\nadjutant-core = {}\nadjutant-api = {}";
        let api = ("crates/api/Cargo.toml", "[package]\nname = \"adjutant-api\"");
        assert_eq!(
            facts(&[CORE, api, ("crates/store/Cargo.toml", store)]),
            ["crates/store/Cargo.toml: the edge store -> api is forbidden"]
        );
    }

    #[test]
    fn the_testkit_is_for_tests() {
        let daemon = "[package]\nname = \"adjutant-daemon\"\n[dev-dependencies]\nadjutant-testkit = {}";
        assert_eq!(facts(&[TESTKIT, ("crates/daemon/Cargo.toml", daemon)]), Vec::<String>::new());
        let daemon = "[package]\nname = \"adjutant-daemon\"\n[dependencies]\nadjutant-testkit = {}";
        assert_eq!(facts(&[TESTKIT, ("crates/daemon/Cargo.toml", daemon)]).len(), 1);
    }

    #[test]
    fn core_has_one_dependency_and_knows_no_runtime() {
        let core = "[package]\nname = \"adjutant-core\"\n[dependencies]\nthiserror = \"2\"\nuuid = \"1\"\n[dev-dependencies]\nproptest = \"1\"";
        let lib = "// tokio\nuse tokio::time;\n";
        assert_eq!(
            facts(&[("crates/core/Cargo.toml", core), ("crates/core/src/lib.rs", lib)]),
            [
                "crates/core/Cargo.toml: core may not depend on uuid",
                "crates/core/src/lib.rs:2: core names tokio, which it may not know"
            ]
        );
    }

    #[test]
    fn a_new_crate_must_find_its_place() {
        let found = facts(&[("crates/web/Cargo.toml", "[package]\nname = \"adjutant-web\"")]);
        assert_eq!(found, ["crates/web/Cargo.toml: web is not in the table of layers"]);
    }

    #[test]
    fn the_picture_is_drawn_from_the_arrows() {
        let edge = |above: &str, below: &str| (above.to_owned(), below.to_owned());
        let edges =
            BTreeSet::from([edge("api", "core"), edge("store", "core"), edge("daemon", "api"), edge("daemon", "core")]);
        assert_eq!(picture(&edges), "core ← api, store ← daemon");
    }
}
