//! `adj list` over a store with very many sessions.

use std::path::Path;

use anyhow::{Result, bail};

use super::harness::{Subject, interleave};
use super::report::{Goal, Report};
use super::world::{World, quiet};

const SESSIONS: usize = 10_000;
const RUNS: usize = 50;
const TRUE: &str = "true";

/// Fills a store, and measures the whole table and its first page in turns.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    world.act(&["dev", "fill", "--sessions", &SESSIONS.to_string()])?;
    let lines = world.say(&["list", "--all"])?.lines().count();
    if lines <= SESSIONS {
        bail!("`list --all` shows {lines} lines of {SESSIONS} sessions and a heading");
    }
    let subjects = vec![
        Subject::new(TRUE, RUNS, || quiet(&mut world.command("true"))),
        Subject::new("list --all", RUNS, || world.act(&["list", "--all"])),
        Subject::new("list --all --json", RUNS, || world.act(&["list", "--all", "--json"])),
        Subject::new("list --all --limit 20", RUNS, || world.act(&["list", "--all", "--limit", "20"])),
    ];
    let report = Report::new(format!("list: a store with {SESSIONS} sessions")).samples(interleave(subjects)?);
    Ok(report.ratio("list --all", TRUE, Goal::Unset).ratio("list --all --json", TRUE, Goal::Unset).ratio(
        "list --all --limit 20",
        TRUE,
        Goal::Unset,
    ))
}
