//! What a runner is told at its start, over its standard input and nowhere else.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::limits::PLAN_BYTES_MAX;
use crate::process::Inherited;

/// The plan of one session: one line of JSON. It holds the caller's environment and is never stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunnerPlan {
    /// The session's own directory under the state directory.
    pub(crate) state_dir: PathBuf,
    /// The session's own directory under the runtime directory.
    pub(crate) run_dir: PathBuf,
    /// The value of `ADJ_STAMP`.
    pub(crate) stamp: String,
    /// How the runner is held: `process`, or the name of its unit.
    pub(crate) supervisor: String,
    /// The agent's program.
    pub(crate) program: PathBuf,
    /// The directory to start it in.
    pub(crate) directory: PathBuf,
    /// No part of that may have become a link.
    #[serde(default)]
    pub(crate) exact: bool,
    /// What it inherits besides its environment.
    #[serde(default)]
    pub(crate) inherited: Inherited,
    /// Its whole environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// The size of its terminal.
    pub(crate) columns: u16,
    /// See `columns`.
    pub(crate) rows: u16,
    /// It is held by pipes, and not in a terminal.
    #[serde(default)]
    pub(crate) pipes: Option<PipesPlan>,
    /// It is a server that sessions share, and is started again when it crashes.
    #[serde(default)]
    pub(crate) server: Option<ServerPlan>,
}

/// How a server is held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServerPlan {
    /// The words of its command line.
    pub(crate) arguments: Vec<String>,
    /// What is there as soon as it listens.
    pub(crate) socket: PathBuf,
    /// One that runs already, whose runner was killed, is held from now on: its pid, and the ticks at which it started.
    #[serde(default)]
    pub(crate) adopted: Option<(u32, u64)>,
}

/// How a program is held by its standard input and output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PipesPlan {
    /// The words of its command line.
    pub(crate) arguments: Vec<String>,
    /// Beginnings of lines of its output that are not kept in the journal.
    pub(crate) passing: Vec<String>,
}

/// Reads the plan; `None` when whoever started the runner went away before it was whole.
///
/// # Errors
/// When the line is no plan.
pub(crate) fn read_plan(from: impl Read) -> io::Result<Option<RunnerPlan>> {
    let mut line = Vec::new();
    io::BufReader::new(from.take(PLAN_BYTES_MAX)).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// The plan as the line that is sent.
///
/// # Errors
/// When a path in it is not text.
pub(crate) fn plan_line(plan: &RunnerPlan) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(plan)?;
    line.push(b'\n');
    if line.len() as u64 > PLAN_BYTES_MAX {
        return Err(io::Error::other(format!("the environment makes a plan of {} bytes", line.len())));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> RunnerPlan {
        RunnerPlan {
            state_dir: "/s".into(),
            run_dir: "/r".into(),
            stamp: "h/u".into(),
            supervisor: "process".into(),
            program: "/bin/bash".into(),
            directory: "/".into(),
            exact: true,
            inherited: Inherited {
                umask: Some(0o22),
                soft_limits: BTreeMap::from([("core".into(), None), ("nofile".into(), Some(9))]),
            },
            environment: BTreeMap::from([("A".into(), "1\n2 \"x\"".into())]),
            columns: 80,
            rows: 24,
            pipes: Some(PipesPlan { arguments: vec!["-p".into()], passing: Vec::new() }),
            server: None,
        }
    }

    #[test]
    fn a_plan_survives_its_line() {
        assert_eq!(read_plan(plan_line(&plan()).unwrap().as_slice()).unwrap(), Some(plan()));
    }

    #[test]
    fn an_end_before_the_line_is_whole_starts_nothing() {
        let line = plan_line(&plan()).unwrap();
        for cut in [0, 1, line.len() - 1] {
            assert_eq!(read_plan(&line[..cut]).unwrap(), None);
        }
    }
}
