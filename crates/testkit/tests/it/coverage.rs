//! The table of promises and the tests that hold them (`docs/coverage.md`) say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The sections of the table, with the number of rows of each.
const SECTIONS: [(char, usize); 9] =
    [('A', 20), ('B', 15), ('C', 22), ('D', 6), ('E', 11), ('F', 12), ('G', 16), ('H', 18), ('I', 12)];

/// Words of a promise.
const PROMISE_WORDS_MAX: usize = 10;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows: id, promise, and what holds it.
fn table() -> Vec<[String; 3]> {
    let page = std::fs::read_to_string(root().join("docs/coverage.md")).expect("the table is there");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.splitn(3, " | ").map(str::to_owned).collect::<Vec<_>>());
    cells.filter(|cells| cells[0] != "Row").filter_map(|cells| cells.try_into().ok()).collect()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory of the project").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The functions behind a test's attribute, each with its files.
fn tests() -> BTreeMap<String, Vec<PathBuf>> {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    let mut tests: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source can be read");
        let mut behind_attribute = false;
        for line in text.lines().map(str::trim) {
            let name = line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            match name {
                Some(name) if behind_attribute => tests.entry(name.to_owned()).or_default().push(file.clone()),
                _ => {}
            }
            let attribute = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            behind_attribute = attribute || (behind_attribute && (line.starts_with("#[") || line.starts_with("//")));
        }
    }
    tests
}

/// The rows whose ids a test's name begins with.
fn rows_of<'a>(name: &'a str, ids: &BTreeSet<String>) -> Vec<&'a str> {
    name.split('_').take_while(|word| ids.contains(&word.to_ascii_uppercase())).collect()
}

fn named(cell: &str) -> Vec<&str> {
    let held = cell.split("later: ").next().unwrap_or_default();
    held.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_table_and_the_tests_agree() {
    let (table, tests) = (table(), tests());
    let expected: Vec<String> =
        SECTIONS.iter().flat_map(|(letter, rows)| (1..=*rows).map(move |row| format!("{letter}{row}"))).collect();
    let ids: Vec<String> = table.iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids, expected, "every row, in order");
    let ids: BTreeSet<String> = ids.into_iter().collect();
    let mut wrong = Vec::new();
    for [id, promise, held] in &table {
        let names = named(held);
        if promise.split_whitespace().count() > PROMISE_WORDS_MAX {
            wrong.push(format!("{id}: the promise has more than {PROMISE_WORDS_MAX} words"));
        }
        if names.is_empty() && !held.starts_with("later: ") {
            wrong.push(format!("{id}: neither a test nor what it waits for"));
        }
        let gone = names.iter().filter(|name| !tests.contains_key(**name));
        wrong.extend(gone.map(|name| format!("{id}: there is no test {name}")));
    }
    for (name, files) in &tests {
        for row in rows_of(name, &ids) {
            let row = row.to_ascii_uppercase();
            let held = table.iter().find(|[id, ..]| *id == row).map_or("", |[_, _, held]| held);
            if !named(held).contains(&name.as_str()) {
                wrong.push(format!("{row}: {name} of {} is not in the table", files[0].display()));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/coverage.md:\n{}", wrong.join("\n"));
}
