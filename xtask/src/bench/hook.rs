//! `adj hook`: what Claude Code waits for at the beginning and at the end of every turn.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::harness::{Subject, interleave};
use super::report::{Goal, Report, Unit};
use super::world::{World, quiet};

const RUNS: usize = 200;
/// The final text that the end of a turn tells, in bytes.
const SAID_BYTES: usize = 4_000;
const SUBJECT: &str = "adj hook Stop";

/// Measures whole processes while a daemon runs.
pub(crate) fn run(adj: &Path) -> Result<Report> {
    let world = World::new(adj)?;
    world.session()?;
    let (state, payload) = (world.path("s"), world.path("p"));
    std::fs::create_dir(&state).context("cannot make a directory")?;
    let said = serde_json::json!({"hook_event_name": "Stop", "last_assistant_message": "x".repeat(SAID_BYTES)});
    std::fs::write(&payload, said.to_string()).context("cannot write the payload")?;
    let call = || -> Result<()> {
        let mut hook = world.command(world.binary());
        hook.arg("hook").arg(&state).arg("Stop").stdin(File::open(&payload)?).stdout(Stdio::null());
        if !hook.status().context("it does not run")?.success() {
            bail!("a hook never fails");
        }
        Ok(())
    };
    let subjects =
        vec![Subject::new("true", RUNS, || quiet(&mut world.command("true"))), Subject::new(SUBJECT, RUNS, call)];
    let report = Report::new("hook: a whole process, daemon warm").samples(interleave(subjects)?);
    let told = std::fs::read_to_string(state.join("hooks")).context("nothing was taken down")?.lines().count();
    if told <= RUNS {
        bail!("{told} of {} calls were taken down", RUNS + 1);
    }
    let median = report.median_of(SUBJECT).context("nothing was measured")?;
    Ok(report.figure("adj hook Stop, median", median, Unit::Ms, Goal::Under(5.0)))
}
