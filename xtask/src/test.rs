//! `cargo xtask test`: everything that has to hold, on a machine with nothing but Rust.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{Verdict, exec};

pub(crate) mod generated;
mod install;
mod needs;
mod pinned;
mod space;
mod steps;
mod stream;
mod tally;
mod tools;

use steps::{STEPS, Step};
use tally::Tally;

/// The pinned agent that tests find by this variable, where it is there.
pub(crate) fn pinned_agent(variable: &str) -> Option<PathBuf> {
    needs::variables(&needs::NEEDS).into_iter().find_map(|(name, path)| (name == variable).then_some(path))
}

/// What the caller left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Neither install anything nor build the documentation.
    pub(crate) fast: bool,
    /// Lints and tests of this package alone.
    pub(crate) package: Option<String>,
}

impl Options {
    /// Reads `[--fast] [-p crate]`.
    pub(crate) fn parse(args: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match (*arg, args.as_slice().first()) {
                ("--fast", _) => options.fast = true,
                ("-p" | "--package", Some(package)) => {
                    options.package = Some((*package).to_owned());
                    args.next();
                }
                ("-p" | "--package", None) => bail!("`{arg}` wants the name of a crate"),
                _ => bail!("`test` knows no `{arg}`"),
            }
        }
        Ok(options)
    }
}

/// What the steps share.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) root: PathBuf,
    pub(crate) options: &'a Options,
    pub(crate) tally: Tally,
    /// The `adj` with test points, once it is built.
    pub(crate) adj: Option<PathBuf>,
}

/// Runs the steps up to the first that fails; the last line is the sum of the tests.
pub(crate) fn run(options: &Options) -> Result<Verdict> {
    let mut run = Run { root: exec::root(), options, tally: Tally::default(), adj: None };
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut steps = STEPS.iter().filter(|step| step.applies(options));
    let mut failed = None;
    while failed.is_none() {
        let Some(step) = steps.next() else { break };
        let started = Instant::now();
        failed = take(step, &mut run).err().map(|error| format!("FAILED at {}: {error:#}", step.name));
        times.push((step.name, started.elapsed()));
    }
    print_times(&times);
    if let Some(failed) = &failed {
        let left: Vec<&str> = steps.map(|step| step.name).collect();
        say!("\n{failed}");
        say!("not run: {}", if left.is_empty() { "nothing".to_owned() } else { left.join(", ") });
    }
    say!("{}", run.tally);
    Ok(if failed.is_none() { Verdict::Holds } else { Verdict::Fails })
}

fn take(step: &Step, run: &mut Run<'_>) -> Result<()> {
    say!("\n== {}: {}", step.name, step.what);
    (step.act)(run)
}

fn print_times(times: &[(&str, Duration)]) {
    say!("\n== time");
    for (name, time) in times {
        say!("{name:<10} {:>8.1} s", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    say!("{:<10} {:>8.1} s", "total", total.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let of_core = Options { fast: true, package: Some("adjutant-core".into()) };
        assert_eq!(Options::parse(&["-p", "adjutant-core", "--fast"]).unwrap(), of_core);
        assert_eq!(Options::parse(&[]).unwrap(), Options::default());
        assert!(Options::parse(&["-p"]).is_err() && Options::parse(&["--quick"]).is_err());
    }
}
