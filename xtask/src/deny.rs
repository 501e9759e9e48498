//! `cargo xtask deny`: what `deny.toml` says of licences, sources and banned crates, held without the network. Where
//! `cargo-deny` is installed it is asked as well, and knows more: the texts of licences, and advisories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Verdict, exec};

/// The one place that packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    wrappers: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    optional: bool,
}

/// Says what breaks a rule.
pub(crate) fn run(root: &Path) -> Result<Verdict> {
    let rules: Rules = toml::from_str(&std::fs::read_to_string(root.join("deny.toml"))?).context("deny.toml")?;
    let metadata = exec::output(exec::cargo(root).args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Metadata = serde_json::from_slice(&metadata).context("what cargo says of the packages")?;
    let broken = broken(&rules, &metadata.packages);
    broken.iter().for_each(|one| say!("{one}"));
    say!("{} packages, {} broken rules", metadata.packages.len(), broken.len());
    if exec::succeeds(exec::cargo(root).args(["deny", "--version"])) {
        exec::run(exec::cargo(root).args(["deny", "--offline", "check", "bans", "licenses", "sources"]))?;
    }
    Ok(if broken.is_empty() { Verdict::Holds } else { Verdict::Fails })
}

fn broken(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut broken = Vec::new();
    for package in packages {
        let who = format!("{} {}", package.name, package.version);
        match package.license.as_deref() {
            Some(license) if is_allowed(license, &rules.licenses.allow) => {}
            license => broken.push(format!("{who}: its licence is {}", license.unwrap_or("not named"))),
        }
        match package.source.as_deref() {
            None | Some(REGISTRY) => {}
            Some(source) => broken.push(format!("{who}: it comes from {source}")),
        }
    }
    let users = users(packages);
    for ban in &rules.bans.deny {
        let nobody = BTreeSet::new();
        let of = users.get(ban.name.as_str()).unwrap_or(&nobody);
        let there = packages.iter().any(|package| package.name == ban.name);
        let others = of.iter().filter(|user| !ban.wrappers.contains(**user));
        broken.extend(others.filter(|_| there).map(|user| format!("{user}: it wants {}, which is banned", ban.name)));
    }
    broken
}

/// Who wants each package whatever its features; what is optional may be left out.
fn users(packages: &[Package]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let wanted = package.dependencies.iter().filter(|one| !one.optional && one.kind.as_deref() != Some("dev"));
        for dependency in wanted {
            users.entry(&dependency.name).or_default().insert(&package.name);
        }
    }
    users
}

/// Whether an expression is met by the licences that are allowed: one side of an `OR`, both of an `AND`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = either(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    match words.next() {
        Some("(") => either(words, allowed) & words.next_if_eq(&")").is_some(),
        Some(name) => {
            let with = words.next_if_eq(&"WITH").and_then(|_| words.next());
            allowed.contains(&with.map_or_else(|| name.to_owned(), |with| format!("{name} WITH {with}")))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into()
    }

    #[test]
    fn expressions() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "Apache-2.0/MIT",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(good, &allowed()), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT", "", "MIT MIT", "MIT OR GPL-3.0 )"] {
            assert!(!is_allowed(bad, &allowed()), "{bad}");
        }
    }

    #[test]
    fn what_breaks_a_rule_is_told() {
        let package = |name: &str, license: Option<&str>, source: Option<&str>, wants: &[&str]| Package {
            name: name.into(),
            version: "1.0.0".into(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
            dependencies: wants
                .iter()
                .map(|name| Dependency { name: (*name).into(), kind: None, optional: false })
                .collect(),
        };
        let ban = Ban { name: "old".into(), wrappers: ["sdk".to_owned()].into() };
        let rules = Rules { licenses: Licenses { allow: allowed() }, bans: Bans { deny: vec![ban] } };
        let packages = [
            package("ours", Some("MIT"), None, &["old"]),
            package("sdk", Some("MIT"), Some(REGISTRY), &["old"]),
            package("old", Some("GPL-3.0"), Some("git+https://example.org/x"), &[]),
            package("bare", None, Some(REGISTRY), &[]),
        ];
        let told = broken(&rules, &packages);
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told.iter().any(|one| one == "ours: it wants old, which is banned"));
        assert!(broken(&rules, &packages[1..2]).is_empty());
    }
}
