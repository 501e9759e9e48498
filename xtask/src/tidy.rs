//! `cargo xtask tidy`: a mirror of the house, and a fence around the facts of its architecture.
//!
//! Everything follows from a tree of files, so that the same measures are taken of the working directory and of `main`.
//! Sizes are shown and never fail; what fails is listed in `Findings`.

use std::path::Path;

use anyhow::Result;

use crate::Verdict;

mod agent_names;
mod banned;
mod bans;
mod config;
mod fact;
mod functions;
mod layers;
mod manifest;
mod mask;
mod measure;
mod mirror;
mod places;
mod public;
mod source;
mod test_files;
mod tree;
mod unused;

use config::Config;
use fact::Fact;
use measure::Measures;
use mirror::Mirror;
use tree::Tree;

/// Prints the mirror, and behind it what does not hold.
pub(crate) fn run(root: &Path) -> Result<Verdict> {
    let tree = Tree::of_worktree(root)?;
    let config = Config::read(&tree)?;
    let mirror = look(&tree, config, on_main(root))?;
    say!("{}", mirror.to_string().trim_end());
    let facts = mirror.findings.all();
    for fact in &facts {
        say!("{fact}");
    }
    match facts.len() {
        0 => Ok(Verdict::Holds),
        count => {
            say!("tidy: {count} fact(s) of the architecture do not hold");
            Ok(Verdict::Fails)
        }
    }
}

fn look(tree: &Tree, config: Config, main: Option<Tree>) -> Result<Mirror> {
    let manifests = manifest::manifests(tree)?;
    let sources = source::sources(tree, &config.dev_only.crates);
    let test_files = test_files::look(&manifests, &sources);
    let measures = Measures::of(tree, &manifests, &sources);
    let findings = Findings {
        layers: layers::check(&manifests, &sources, &config),
        agent_names: agent_names::check(&sources, &config),
        sleeps: banned::sleeps(&sources, &config),
        banned: banned::check(&sources, &config),
        forgotten: test_files.forgotten,
        places: places::check(tree, &config),
        ceiling: ceiling(&measures, &config),
        bans: bans::check(tree)?,
    };
    let main = main.map(|main| Measures::of_tree(&main, &config)).transpose()?;
    let unused = unused::lines(&config, tree, &measures, &sources);
    let edges = layers::edges(&manifests);
    let crates = manifests.len();
    Ok(Mirror { config, measures, main, findings, edges, crates, tests_listed: test_files.listed, unused })
}

/// Everything that makes tidy fail, by the rule that it breaks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) layers: Vec<Fact>,
    pub(crate) agent_names: Vec<Fact>,
    pub(crate) sleeps: Vec<Fact>,
    pub(crate) banned: Vec<Fact>,
    pub(crate) forgotten: Vec<Fact>,
    pub(crate) places: Vec<Fact>,
    pub(crate) ceiling: Vec<Fact>,
    pub(crate) bans: Vec<Fact>,
}

impl Findings {
    /// All of them, by path and line.
    pub(crate) fn all(&self) -> Vec<&Fact> {
        let lists = [
            &self.layers,
            &self.agent_names,
            &self.sleeps,
            &self.banned,
            &self.forgotten,
            &self.places,
            &self.ceiling,
            &self.bans,
        ];
        let mut facts: Vec<&Fact> = lists.into_iter().flatten().collect();
        facts.sort();
        facts
    }
}

fn ceiling(measures: &Measures, config: &Config) -> Vec<Fact> {
    let (packages, ceiling) = (measures.packages.len(), config.ceiling.packages);
    let text =
        format!("{packages} packages are over the ceiling of {ceiling}; raise it in {} with a reason", config::PATH);
    if packages > ceiling { vec![Fact::of("Cargo.lock", text)] } else { Vec::new() }
}

/// The state to compare with; a project without a commit has none.
fn on_main(root: &Path) -> Option<Tree> {
    let revisions = ["main", "origin/main"].into_iter();
    let mut known = revisions.filter(|revision| {
        tree::git(root, &["rev-parse", "--quiet", "--verify", &format!("{revision}^{{commit}}")]).is_ok()
    });
    Tree::of_revision(root, known.next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror_of(files: &[(&str, &str)], main: &[(&str, &str)]) -> Mirror {
        look(&Tree::of(files), config::sample(), Some(Tree::of(main))).unwrap()
    }

    #[test]
    fn the_mirror_of_a_clean_house_shows_and_says_nothing_more() {
        let mirror = mirror_of(&[("crates/core/src/lib.rs", "//! Core.\nfn a() {}\n")], &[]);
        assert!(mirror.findings.all().is_empty());
        assert!(mirror.to_string().starts_with("layers "));
    }

    #[test]
    fn what_is_new_since_main_is_counted() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
        let manifest = "[package]\nname = \"adjutant-api\"\n[dependencies]\na = \"1\"\n";
        let now = [
            ("Cargo.lock", lock),
            ("crates/api/Cargo.toml", manifest),
            ("crates/api/src/lib.rs", "/// A.\npub fn a() {}\npub fn b() {}\n"),
        ];
        let text = mirror_of(&now, &[("crates/api/src/lib.rs", "/// A.\npub fn a() {}\n")]).to_string();
        assert!(text.contains("+1 since main, by a in api"), "{text}");
        assert!(text.contains("2 items, 1 without documentation"), "{text}");
        assert!(text.contains("api/src/lib.rs:3") && text.contains("fn b"), "{text}");
    }

    #[test]
    fn a_long_function_wants_a_reason_and_fails_nothing() {
        let long = format!("fn handle() {{\n{}}}\n", "    f();\n".repeat(80));
        let mirror = mirror_of(&[("crates/core/src/a.rs", &long)], &[]);
        assert!(mirror.to_string().contains("reason wanted"));
        assert!(mirror.findings.all().is_empty());
    }

    #[test]
    fn the_ceiling_is_a_fact() {
        let packages: String =
            (0..351).map(|n| format!("[[package]]\nname = \"p{n}\"\nversion = \"1.0.0\"\n")).collect();
        assert_eq!(mirror_of(&[("Cargo.lock", &packages)], &[]).findings.all().len(), 1);
    }
}
