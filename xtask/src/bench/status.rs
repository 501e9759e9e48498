//! `adj status` as a whole process, against the cheapest process there is and against an empty node.

use std::path::Path;

use anyhow::Result;

use super::harness::{Subject, interleave};
use super::report::{Goal, Report};
use super::world::{World, quiet};
use crate::exec;

const RUNS: usize = 200;
/// Node takes thirty times as long as `true`, and varies less.
const NODE_RUNS: usize = 20;

/// Measures all three in turns.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    let id = world.session()?;
    let mut subjects = vec![
        Subject::new("true", RUNS, || quiet(&mut world.command("true"))),
        Subject::new("adj status", RUNS, || world.act(&["status", &id])),
    ];
    if exec::succeeds(world.command("node").arg("--version")) {
        subjects.push(Subject::new("node -e 0", NODE_RUNS, || quiet(world.command("node").args(["-e", "0"]))));
    }
    let report = Report::new("status: a whole process, daemon warm").samples(interleave(subjects)?);
    Ok(report.ratio("adj status", "true", Goal::Under(3.0)).ratio("node -e 0", "adj status", Goal::AtLeast(15.0)))
}
