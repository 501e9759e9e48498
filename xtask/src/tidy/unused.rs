//! Lines of `xtask/tidy.toml` that excuse nothing any more.

use std::collections::BTreeSet;

use super::config::{Config, Reasons};
use super::measure::Measures;
use super::mirror::{FILE_LINES, FUNCTION_LINES};
use super::source::Source;
use super::tree::Tree;

/// Each unused line as `[list] "key"`.
pub(crate) fn lines(config: &Config, tree: &Tree, measures: &Measures, sources: &[Source]) -> Vec<String> {
    let long = measures.functions.iter().filter(|function| function.lines > FUNCTION_LINES);
    let big = measures.files.iter().filter(|(_, lines)| **lines > FILE_LINES);
    let lists = [
        ("functions", &config.functions, long.map(|function| function.key()).collect()),
        ("files", &config.files, big.map(|(path, _)| path.clone()).collect()),
        ("agent_names", &config.agent_names, literals(sources)),
        ("sleeps", &config.sleeps, paths(tree)),
        ("places", &config.places, paths(tree)),
    ];
    lists.into_iter().flat_map(|(list, reasons, used)| without_use(list, reasons, &used)).collect()
}

fn without_use(list: &str, reasons: &Reasons, used: &BTreeSet<String>) -> Vec<String> {
    reasons.keys().filter(|key| !used.contains(*key)).map(|key| format!("[{list}] \"{key}\"")).collect()
}

fn literals(sources: &[Source]) -> BTreeSet<String> {
    let of = |source: &Source| {
        let keys = source.literals.iter().map(|literal| format!("{} {}", source.path, literal.value));
        keys.collect::<Vec<_>>()
    };
    sources.iter().flat_map(of).collect()
}

fn paths(tree: &Tree) -> BTreeSet<String> {
    tree.files.iter().map(|file| file.path.clone()).collect()
}
