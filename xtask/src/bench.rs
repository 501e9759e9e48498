//! `cargo xtask bench [name...]`: builds a release, measures, and shows ratios; it asserts nothing. `ADJ_BENCH_BIN` names a
//! binary that is measured instead.
//!
//! Every bench lives in a world of its own and takes what it compares in turns, so that a busy moment of the machine
//! falls on both sides of a ratio.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::exec;

mod claude;
pub(crate) mod clock;
mod harness;
mod hook;
mod http;
mod idle;
mod list;
mod messages;
mod proc;
mod report;
mod status;
mod stream;
mod wait;
mod wake;
mod watch;
mod watchers;
mod world;

use report::Report;

/// A bench: its name on the command line, and what it does with a release of `adj`.
struct Bench {
    name: &'static str,
    run: fn(&Path) -> Result<Report>,
}

const BENCHES: [Bench; 10] = [
    Bench { name: "status", run: status::run },
    Bench { name: "hook", run: hook::run },
    Bench { name: "wait", run: wait::run },
    Bench { name: "wake", run: wake::run },
    Bench { name: "messages", run: messages::run },
    Bench { name: "list", run: list::run },
    Bench { name: "watch", run: watch::run },
    Bench { name: "watchers", run: watchers::run },
    Bench { name: "idle", run: idle::run },
    Bench { name: "claude", run: claude::run },
];

/// Runs the named benches, or all; a bench that cannot run is told, and the others go on.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    let chosen = chosen(names)?;
    let adj = build()?;
    let mut failed = Vec::new();
    for bench in chosen {
        match (bench.run)(&adj) {
            Ok(report) => say!("{report}"),
            Err(error) => {
                say!("{}: could not be measured: {error:#}\n", bench.name);
                failed.push(bench.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not measured: {}", failed.join(", ")) }
}

fn chosen(names: &[&str]) -> Result<Vec<&'static Bench>> {
    if let Some(unknown) = names.iter().find(|name| !BENCHES.iter().any(|bench| bench.name == **name)) {
        let known: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!("there is no bench `{unknown}`; there are {}", known.join(", "));
    }
    Ok(BENCHES.iter().filter(|bench| names.is_empty() || names.contains(&bench.name)).collect())
}

/// The variable that names a binary to be measured; without it a release is built.
const BINARY: &str = "ADJ_BENCH_BIN";

fn build() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(BINARY).map(PathBuf::from) {
        say!("measuring {}\n", given.display());
        return Ok(given);
    }
    exec::run(exec::cargo(&exec::root()).args(["build", "--release", "--locked", "--package", "adjutant"]))?;
    Ok(exec::profile_dir("release")?.join("adj"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benches_are_chosen_by_name() {
        assert_eq!(chosen(&[]).unwrap().len(), BENCHES.len());
        assert_eq!(chosen(&["idle"]).unwrap().len(), 1);
        assert!(chosen(&["idel"]).is_err());
    }
}
