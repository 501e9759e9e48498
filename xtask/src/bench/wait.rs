//! From the end of a command to the end of the `adj wait` that waited for it.

use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, bail};

use super::clock::{self, now_ns};
use super::harness::Samples;
use super::report::{Goal, Report, Unit};
use super::world::World;

const RUNS: usize = 100;

/// How long the command takes before it looks at the clock, in seconds: enough for `wait` to be waiting by then.
const WORK_SECONDS: &str = "0.15";

/// Measures one run after the other.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    let id = world.session()?;
    one(&world, &id)?;
    let mut ns = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        ns.push(one(&world, &id)?);
    }
    let samples = Samples::of(ns);
    let (median, p95) = (samples.median_ms(), samples.percentile_ms(95));
    let report = Report::new("wait: from the command's last look at the clock to the end of `adj wait`");
    Ok(report
        .samples(vec![("adj wait".to_owned(), samples)])
        .figure("median", median, Unit::Ms, Goal::Under(5.0))
        .figure("p95", p95, Unit::Ms, Goal::Unset)
        .note("the command's own end and that of `adj wait`, as whole processes, are part of it"))
}

fn one(world: &World, id: &str) -> Result<u64> {
    let file = world.path("clock");
    // A file of an earlier run would be read as this run's if the command did not write.
    drop(std::fs::remove_file(&file));
    world.act(&["send", id, "--message", &script(&file)?])?;
    let (waiting_since, waiter) = (now_ns(), start_wait(world, id)?);
    let ended = end_of(waiter)?;
    let exited = clock::read(&file)?;
    if exited < waiting_since {
        bail!("the command had ended before `adj wait` began; the machine is too busy for this bench");
    }
    Ok(ended - exited)
}

fn script(file: &Path) -> Result<String> {
    let xtask = std::env::current_exe().context("cannot find my own binary")?;
    Ok(format!("sleep {WORK_SECONDS}; '{}' clock '{}'", xtask.display(), file.display()))
}

fn start_wait(world: &World, id: &str) -> Result<Child> {
    world.adj(&["wait", id]).stdout(Stdio::null()).spawn().context("cannot start `adj wait`")
}

fn end_of(mut waiter: Child) -> Result<u64> {
    let status = waiter.wait().context("cannot wait for `adj wait`")?;
    let ended = now_ns();
    if !status.success() {
        bail!("`adj wait` ended with {status}");
    }
    Ok(ended)
}
