//! What many idle sessions cost: the daemon's processor time and memory, and the memory of their runners.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::proc::{self, Memory, Process};
use super::report::{Goal, Report, Unit};
use super::world::World;

const SESSIONS: usize = 500;
/// For what follows the last creation: a checkpoint of the store, a page that is given back.
const SETTLE: Duration = Duration::from_secs(5);
const SPAN: Duration = Duration::from_secs(30);
const MIB: f64 = 1024.0 * 1024.0;

/// Creates the sessions, lets them be, and looks.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    world.sessions(SESSIONS)?;
    let daemon = world.daemon()?.pid;
    pass(SETTLE);
    let (ticks, ns) = (proc::cpu_ticks(daemon)?, proc::cpu_ns(daemon)?);
    pass(SPAN);
    let (ticks, ns) = (proc::cpu_ticks(daemon)? - ticks, proc::cpu_ns(daemon)?.saturating_sub(ns));
    let own = proc::memory(daemon)?;
    let runners = runners(&world, daemon)?;
    let each = average(&runners)?;
    Ok(Report::new(format!("idle: {SESSIONS} shell sessions, {} s", SPAN.as_secs()))
        .figure("daemon, ticks of processor time", float(ticks), Unit::Count, Goal::Under(1.0))
        .figure("daemon, processor time", float(ns) / 1e6, Unit::Ms, Goal::Unset)
        .figure("daemon, RSS", float(own.rss) / MIB, Unit::Mib, Goal::Under(30.0))
        .figure("daemon, PSS", float(own.pss) / MIB, Unit::Mib, Goal::Unset)
        .figure("runners", float(runners.len() as u64), Unit::Count, Goal::Unset)
        .figure("runner on average, RSS", float(each.rss) / MIB, Unit::Mib, Goal::Unset)
        .figure("runner on average, PSS", float(each.pss) / MIB, Unit::Mib, Goal::Unset))
}

/// Runners execute the same file as the daemon; what they hold executes another.
fn runners(world: &World, daemon: u32) -> Result<Vec<Process>> {
    let binary = world.binary().canonicalize().context("adj is gone")?;
    let ours = proc::mentioning(&world.path("")).into_iter();
    let runners = ours.filter(|process| process.pid != daemon && process.exe.as_deref() == Some(&binary));
    Ok(runners.collect())
}

fn average(runners: &[Process]) -> Result<Memory> {
    let count = runners.len() as u64;
    if count < SESSIONS as u64 {
        bail!("found {count} runners of {SESSIONS}; something ended them");
    }
    let mut sum = Memory::default();
    for runner in runners {
        let memory = proc::memory(runner.pid)?;
        sum = Memory { rss: sum.rss + memory.rss, pss: sum.pss + memory.pss };
    }
    Ok(Memory { rss: sum.rss / count, pss: sum.pss / count })
}

/// Lets time go by.
#[expect(clippy::disallowed_methods, reason = "what is measured is a span in which nothing happens")]
pub(super) fn pass(span: Duration) {
    std::thread::sleep(span);
}

fn float(number: u64) -> f64 {
    number as f64
}
