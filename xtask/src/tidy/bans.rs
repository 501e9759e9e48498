//! The lists of banned calls: a crate with a `clippy.toml` of its own repeats those of the root, or has lost them.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::fact::Fact;
use super::tree::Tree;

const ROOT: &str = "clippy.toml";
const LISTS: [&str; 2] = ["disallowed-methods", "disallowed-types"];

/// What the root bans and the nearer file does not.
pub(crate) fn check(tree: &Tree) -> Result<Vec<Fact>> {
    let root = bans(tree, ROOT)?;
    let nearer = tree.files.iter().map(|file| file.path.as_str()).filter(|path| path.ends_with("/clippy.toml"));
    let mut facts = Vec::new();
    for path in nearer {
        let own = bans(tree, path)?;
        facts.extend(root.difference(&own).map(|ban| Fact::of(path, format!("does not repeat the ban of {ban}"))));
    }
    Ok(facts)
}

fn bans(tree: &Tree, path: &str) -> Result<BTreeSet<String>> {
    let table: Table = tree.text(path).unwrap_or_default().parse().with_context(|| format!("{path} is not TOML"))?;
    let entries = LISTS.iter().filter_map(|list| table.get(*list)?.as_array()).flatten();
    Ok(entries.filter_map(|entry| entry.get("path").and_then(Value::as_str)).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_that_the_nearer_list_lost_is_a_fact() {
        let root = "disallowed-methods = [{ path = \"a::b\" }]\ndisallowed-types = [{ path = \"C\" }]";
        let core = "disallowed-methods = [{ path = \"a::b\" }, { path = \"d::e\" }]";
        let tree = Tree::of(&[(ROOT, root), ("crates/core/clippy.toml", core)]);
        let facts = check(&tree).unwrap();
        assert_eq!(facts, [Fact::of("crates/core/clippy.toml", "does not repeat the ban of C")]);
    }
}
