//! `adj watch --tail 20` over a very long log.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::harness::{Subject, interleave};
use super::report::{Goal, Report, Unit};
use super::world::{World, quiet};

const EVENTS: usize = 1_000_000;
const TAIL: &str = "20";
const RUNS: usize = 100;

/// Fills a log, and measures the tail of all sessions and that of one in turns.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    world.act(&["dev", "fill", "--events", &EVENTS.to_string()])?;
    let ids = world.say(&["list", "--all", "-q", "--limit", "1"])?;
    let id = ids.lines().next().context("the filled store has no session")?;
    check(&world)?;
    let subjects = vec![
        Subject::new("true", RUNS, || quiet(&mut world.command("true"))),
        Subject::new("watch --tail", RUNS, || world.act(&["watch", "--tail", TAIL])),
        Subject::new("watch <id> --tail", RUNS, || world.act(&["watch", id, "--tail", TAIL])),
    ];
    let report = Report::new(format!("watch: a log of {EVENTS} events")).samples(interleave(subjects)?);
    let median = |name: &str| report.median_of(name).unwrap_or_default();
    let (all, one) = (median("watch --tail"), median("watch <id> --tail"));
    Ok(report
        .figure("watch --tail", all, Unit::Ms, Goal::Under(10.0))
        .figure("watch <id> --tail", one, Unit::Ms, Goal::Under(10.0))
        .ratio("watch --tail", "true", Goal::Unset))
}

fn check(world: &World) -> Result<()> {
    let lines = world.say(&["watch", "--tail", TAIL])?.lines().count();
    if lines.to_string() != TAIL {
        bail!("`watch --tail {TAIL}` shows {lines} lines");
    }
    Ok(())
}
