//! What tidy prints: one line for each thing worth a look, worst first, against main.

use std::collections::BTreeSet;
use std::fmt;

use super::Findings;
use super::config::{Config, Reasons};
use super::layers::{Edge, picture};
use super::measure::{Measures, Share};
use super::public::PublicItem;
use crate::stats::{median, percentile};
use crate::test::generated::GENERATED;

/// Beyond these a line with the reason is due in `xtask/tidy.toml`.
pub(crate) const FUNCTION_LINES: usize = 70;
pub(crate) const FILE_LINES: usize = 800;

/// How many new public items are worth naming.
const NEW_ITEMS_SHOWN: usize = 12;

/// One state of the house beside that of main.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    pub(crate) config: Config,
    pub(crate) measures: Measures,
    pub(crate) main: Option<Measures>,
    pub(crate) findings: Findings,
    pub(crate) edges: BTreeSet<Edge>,
    pub(crate) crates: usize,
    pub(crate) tests_listed: usize,
    pub(crate) unused: Vec<String>,
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "layers", &picture(&self.edges), &self.layers())?;
        row(f, "agent names", &self.agent_names(), &format!("sleeps in tests: {}", self.findings.sleeps.len()))?;
        row(
            f,
            "test files",
            &self.test_files(),
            &format!("generated files: {}, compared by the tests", GENERATED.len()),
        )?;
        row(f, "Cargo.lock", &self.packages(), &self.packages_since())?;
        row(f, "tests", &self.tests(), &self.tests_by_crate())?;
        self.functions(f)?;
        self.files(f)?;
        self.public(f)?;
        self.unused.iter().try_for_each(|line| row(f, "unused", line, "in xtask/tidy.toml"))
    }
}

impl Mirror {
    fn layers(&self) -> String {
        let verdict = match self.findings.layers.len() {
            0 => "all allowed".to_owned(),
            count => format!("{count} not allowed"),
        };
        format!("{} crates, {} edges, {verdict}", self.crates, self.edges.len())
    }

    fn agent_names(&self) -> String {
        format!("outside agents/: {}", self.findings.agent_names.len())
    }

    fn test_files(&self) -> String {
        format!("{} listed, {} forgotten", self.tests_listed, self.findings.forgotten.len())
    }

    fn packages(&self) -> String {
        format!("{} of {} packages", self.measures.packages.len(), self.config.ceiling.packages)
    }

    fn packages_since(&self) -> String {
        let Some(main) = &self.main else {
            return "there is no main yet".to_owned();
        };
        let new = self.measures.dependencies.difference(&main.dependencies);
        let new: Vec<String> = new.map(|(krate, package)| format!("{package} in {krate}")).collect();
        let by = if new.is_empty() || new.len() > 4 { String::new() } else { format!(", by {}", new.join(", ")) };
        format!("{}{by}", since(self.measures.packages.len(), main.packages.len()))
    }

    fn tests(&self) -> String {
        let all = self.measures.shares.values().fold(Share::default(), |sum, share| sum.plus(*share));
        format!("{}% of {} lines", all.percent(), thousands(all.lines))
    }

    fn tests_by_crate(&self) -> String {
        let shares = self.measures.shares.iter().filter(|(krate, _)| !self.config.dev_only.crates.contains(*krate));
        shares.map(|(krate, share)| format!("{krate} {}", share.percent())).collect::<Vec<_>>().join("  ")
    }

    fn functions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.measures.function_sizes();
        let long: Vec<_> = self.measures.functions.iter().filter(|found| found.lines > FUNCTION_LINES).collect();
        let left = format!("{}  p99 {}  over {FUNCTION_LINES}: {}", spread(&sizes), percentile(&sizes, 99), long.len());
        row(f, "functions", &left, &format!("of {}", thousands(sizes.len())))?;
        for found in long {
            let place = format!("{}:{}", short(&found.path), found.line);
            let reason = reason(&self.config.functions, &found.key());
            writeln!(f, "{:>5}  {place:<42} {:<22} {reason}", found.lines, found.name)?;
        }
        Ok(())
    }

    fn files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.measures.file_sizes();
        let mut big: Vec<_> = self.measures.files.iter().filter(|(_, lines)| **lines > FILE_LINES).collect();
        big.sort_by_key(|(_, lines)| std::cmp::Reverse(**lines));
        let left = format!("{}  over {FILE_LINES}: {}", spread(&sizes), big.len());
        row(f, "files", &left, &self.largest_file())?;
        for (path, lines) in big {
            writeln!(f, "{lines:>5}  {:<42} {}", short(path), reason(&self.config.files, path))?;
        }
        Ok(())
    }

    fn largest_file(&self) -> String {
        let largest = self.measures.files.iter().max_by_key(|(_, lines)| **lines);
        let Some((path, lines)) = largest else {
            return "there is none".to_owned();
        };
        let before = self.main.as_ref().and_then(|main| main.files.get(path));
        let grown = before.map_or_else(String::new, |before| format!(" ({})", since(*lines, *before)));
        format!("largest: {} {lines}{grown}", short(path))
    }

    fn public(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without = self.measures.public.iter().filter(|item| !item.documented).count();
        let left = format!("{} items, {without} without documentation", thousands(self.measures.public.len()));
        let new = self.new_items();
        let right =
            if new.is_empty() { String::new() } else { format!("{} new since main: read these first", new.len()) };
        row(f, "public", &left, &right)?;
        new.iter().take(NEW_ITEMS_SHOWN).try_for_each(|item| public_item(f, item))?;
        match new.len().saturating_sub(NEW_ITEMS_SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "       and {more} more"),
        }
    }

    /// Items that main has not, the undocumented first; none where there is no main to compare with.
    fn new_items(&self) -> Vec<&PublicItem> {
        let Some(main) = &self.main else { return Vec::new() };
        let known: BTreeSet<_> = main.public.iter().map(|item| (&item.path, &item.name)).collect();
        let mut new: Vec<&PublicItem> =
            self.measures.public.iter().filter(|item| !known.contains(&(&item.path, &item.name))).collect();
        new.sort_by_key(|item| item.documented);
        new
    }
}

fn row(f: &mut fmt::Formatter<'_>, label: &str, left: &str, right: &str) -> fmt::Result {
    writeln!(f, "{}", format!("{label:<13}{left:<48} {right}").trim_end())
}

fn public_item(f: &mut fmt::Formatter<'_>, item: &PublicItem) -> fmt::Result {
    let mark = if item.documented { "" } else { "without documentation" };
    let place = format!("{}:{}", short(&item.path), item.line);
    writeln!(f, "{}", format!("       {place:<42} {:<22} {mark}", item.name).trim_end())
}

fn spread(sizes: &[usize]) -> String {
    format!("median {}  p95 {}", median(sizes), percentile(sizes, 95))
}

fn since(now: usize, before: usize) -> String {
    match now.cmp(&before) {
        std::cmp::Ordering::Greater => format!("+{} since main", now - before),
        std::cmp::Ordering::Less => format!("-{} since main", before - now),
        std::cmp::Ordering::Equal => "as on main".to_owned(),
    }
}

fn reason(reasons: &Reasons, key: &str) -> String {
    reasons.get(key).map_or_else(|| "reason wanted".to_owned(), |reason| format!("{reason} (reason given)"))
}

fn short(path: &str) -> &str {
    path.strip_prefix("crates/").unwrap_or(path)
}

/// `31204` as `31,204`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_people() {
        assert_eq!([0, 999, 1000, 31204, 1_000_000].map(thousands), ["0", "999", "1,000", "31,204", "1,000,000"]);
    }

    #[test]
    fn growth_is_said_with_its_sign() {
        assert_eq!([since(3, 1), since(1, 3), since(2, 2)], ["+2 since main", "-2 since main", "as on main"]);
    }
}
