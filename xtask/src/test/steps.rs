//! The steps of `cargo xtask test`, in their order.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Options, Run, generated, needs, space, stream, tools};
use crate::{Verdict, deny, exec, tidy};

/// One step: what it is called, what it does, and when it is left out.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    left_out: Option<fn(&Options) -> bool>,
    pub(crate) act: fn(&mut Run<'_>) -> Result<()>,
}

impl Step {
    /// Whether these options want it.
    pub(crate) fn applies(&self, options: &Options) -> bool {
        !self.left_out.is_some_and(|left_out| left_out(options))
    }
}

const fn step(name: &'static str, what: &'static str, act: fn(&mut Run<'_>) -> Result<()>) -> Step {
    Step { name, what, left_out: None, act }
}

/// Cheap ones first, so that a slip is told in seconds.
pub(crate) const STEPS: [Step; 10] = [
    Step { left_out: Some(|options| options.fast), ..step("needs", "what the tests need on this machine", install) },
    step("format", "cargo fmt --all --check", format),
    step("tidy", "the facts of the architecture", mirror),
    step("deny", "licences, sources and banned crates", licences),
    step("lints", "cargo clippy, every warning an error", lints),
    step("build", "adj with its test points, for the tests that drive it", build),
    step("tests", "unit and integration tests", tests),
    Step { left_out: Some(is_partial), ..step("doctests", "examples in the documentation", doctests) },
    Step { left_out: Some(is_partial), ..step("docs", "cargo doc, every warning an error", docs) },
    step("generated", "files that are made from the code are those in the checkout", compare_generated),
];

/// A single crate may have no library, and whoever is in a hurry wants no documentation.
fn is_partial(options: &Options) -> bool {
    options.fast || options.package.is_some()
}

fn install(_: &mut Run<'_>) -> Result<()> {
    space::tell(&exec::profile_dir("debug")?)?;
    let installed = needs::provide(&needs::NEEDS)?;
    say!("{} needs, {installed} installed", needs::NEEDS.len());
    Ok(())
}

fn format(run: &mut Run<'_>) -> Result<()> {
    exec::run(exec::cargo(&run.root).args(["fmt", "--all", "--check"]))
}

fn mirror(run: &mut Run<'_>) -> Result<()> {
    match tidy::run(&run.root)? {
        Verdict::Holds => Ok(()),
        Verdict::Fails => bail!("the lines above say which"),
    }
}

fn licences(run: &mut Run<'_>) -> Result<()> {
    match deny::run(&run.root)? {
        Verdict::Holds => Ok(()),
        Verdict::Fails => bail!("the lines above say which"),
    }
}

fn lints(run: &mut Run<'_>) -> Result<()> {
    let mut clippy = exec::cargo(&run.root);
    clippy.arg("clippy").args(scope(run)).args(["--all-targets", "--locked", "--", "-D", "warnings"]);
    exec::run(&mut clippy)
}

/// The binary is put aside: building the tests builds an `adj` without test points over it.
fn build(run: &mut Run<'_>) -> Result<()> {
    let mut build = exec::cargo(&run.root);
    exec::run(build.args(["build", "--locked", "--package", "adjutant", "--features", "testpoints"]))?;
    let built = exec::profile_dir("debug")?.join(format!("adj{}", std::env::consts::EXE_SUFFIX));
    run.adj = Some(put_aside(built)?);
    Ok(())
}

fn put_aside(built: PathBuf) -> Result<PathBuf> {
    let folder = exec::profile_dir("debug")?.join("testpoints");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let name = built.file_name().context("a binary has a name")?;
    let (aside, fresh) = (folder.join(name), folder.join("adj.new"));
    std::fs::copy(&built, &fresh).with_context(|| format!("cannot copy {}", built.display()))?;
    // By a rename, since a runner of an earlier run may still hold the old file open for execution.
    std::fs::rename(&fresh, &aside).with_context(|| format!("cannot replace {}", aside.display()))?;
    Ok(aside)
}

fn tests(run: &mut Run<'_>) -> Result<()> {
    let mut runner = exec::cargo(&run.root);
    if exec::succeeds(exec::cargo(&run.root).args(["nextest", "--version"])) {
        runner.args(["nextest", "run"]);
    } else {
        runner.args(["test", "--lib", "--bins", "--tests"]);
    }
    runner.args(scope(run)).args(["--locked", "--no-fail-fast"]);
    counted(run, runner)
}

fn doctests(run: &mut Run<'_>) -> Result<()> {
    let mut runner = exec::cargo(&run.root);
    runner.args(["test", "--workspace", "--doc", "--locked", "--no-fail-fast"]);
    counted(run, runner)
}

/// Runs tests with the binary that they drive, and adds up what the runner says.
fn counted(run: &mut Run<'_>, mut runner: Command) -> Result<()> {
    if let Some(adj) = &run.adj {
        runner.env("ADJ_TEST_BIN", adj);
    }
    runner.env("PATH", tools::path()?);
    runner.envs(needs::variables(&needs::NEEDS));
    // Colours would stand in the lines that are counted.
    runner.env("CARGO_TERM_COLOR", "never");
    let name = exec::line(&runner);
    let status = stream::lines(runner, |line| {
        say!("{line}");
        run.tally.read(line);
    })?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

fn docs(run: &mut Run<'_>) -> Result<()> {
    let mut doc = exec::cargo(&run.root);
    doc.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-Dwarnings");
    exec::run(&mut doc)
}

fn compare_generated(run: &mut Run<'_>) -> Result<()> {
    let adj = run.adj.as_deref().context("adj was not built")?;
    let differences = generated::differences(&run.root, adj)?;
    differences.iter().for_each(|difference| say!("{difference}"));
    if !differences.is_empty() {
        bail!("{} generated file(s) differ", differences.len());
    }
    Ok(())
}

fn scope(run: &Run<'_>) -> Vec<String> {
    match &run.options.package {
        Some(package) => vec!["--package".to_owned(), package.clone()],
        None => vec!["--workspace".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(options: &Options) -> Vec<&'static str> {
        STEPS.iter().filter(|step| step.applies(options)).map(|step| step.name).collect()
    }

    #[test]
    fn nothing_is_left_out_unasked() {
        assert_eq!(names(&Options::default()).len(), STEPS.len());
    }

    #[test]
    fn in_a_hurry() {
        let fast = Options { fast: true, package: None };
        assert_eq!(names(&fast), ["format", "tidy", "deny", "lints", "build", "tests", "generated"]);
    }
}
