//! `xtask/tidy.toml`: what tidy holds, and the exceptions with their reasons.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::tree::Tree;

/// Where the file lies in the project.
pub(crate) const PATH: &str = "xtask/tidy.toml";

/// From a key such as `path` or `path name` to the reason for an exception.
pub(crate) type Reasons = BTreeMap<String, String>;

/// The whole file; an unknown key is an error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) ceiling: Ceiling,
    /// Crate to the crates of ours that it may name.
    pub(crate) layers: BTreeMap<String, BTreeSet<String>>,
    pub(crate) dev_only: DevOnly,
    /// Crate to the whole list of other people's crates.
    pub(crate) only: BTreeMap<String, BTreeSet<String>>,
    /// Crate to the words that it never names.
    pub(crate) never: BTreeMap<String, BTreeSet<String>>,
    pub(crate) agents: Agents,
    pub(crate) modules: Modules,
    pub(crate) sleeps: Reasons,
    pub(crate) agent_names: Reasons,
    pub(crate) places: Reasons,
    pub(crate) functions: Reasons,
    pub(crate) files: Reasons,
}

/// The ceiling of packages in `Cargo.lock`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ceiling {
    pub(crate) packages: usize,
    /// What the last raise bought.
    pub(crate) reason: String,
}

/// Crates that stand in nobody's product.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DevOnly {
    pub(crate) crates: BTreeSet<String>,
}

/// The names of agents, and the folder that may know them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agents {
    pub(crate) names: BTreeSet<String>,
    pub(crate) home: String,
}

/// Names that no module may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Modules {
    pub(crate) forbidden: BTreeSet<String>,
}

/// A reason shorter than this many bytes is a word and no reason.
const REASON_BYTES_MIN: usize = 10;

impl Config {
    /// Reads the file of this tree.
    pub(crate) fn read(tree: &Tree) -> Result<Self> {
        let text = tree.text(PATH).with_context(|| format!("{PATH} is missing"))?;
        let config: Self = toml::from_str(text).with_context(|| format!("{PATH} is not what tidy expects"))?;
        match config.without_reason() {
            Some(key) => bail!("{PATH} gives no reason for {key}"),
            None => Ok(config),
        }
    }

    fn without_reason(&self) -> Option<&str> {
        let lists = [&self.sleeps, &self.agent_names, &self.places, &self.functions, &self.files];
        let exceptions = lists.into_iter().flatten().map(|(key, reason)| (key.as_str(), reason));
        let mut all = exceptions.chain([("the ceiling", &self.ceiling.reason)]);
        all.find(|(_, reason)| reason.trim().len() < REASON_BYTES_MIN).map(|(key, _)| key)
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Config {
    toml::from_str(include_str!("../../tidy.toml")).expect("the file of the house is valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exception_has_a_reason() {
        let mut config = sample();
        assert_eq!(config.without_reason(), None);
        config.files.insert("crates/core/src/a.rs".to_owned(), "big".to_owned());
        assert_eq!(config.without_reason(), Some("crates/core/src/a.rs"));
    }

    #[test]
    fn the_table_of_layers_has_no_cycle() {
        let layers = sample().layers;
        for (krate, below) in &layers {
            assert!(below.iter().all(|other| !layers[other].contains(krate)), "{krate} is above and below");
        }
    }
}
