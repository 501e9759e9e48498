//! Installing what is missing: through the system's package manager, rustup, npm or pip, and without a question.

use std::process::Command;

use anyhow::{Result, bail};

use super::pinned::Pinned;
use super::tools;
use crate::exec;

/// Where a thing comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The system's package manager.
    System(Packages),
    /// A component of the Rust toolchain.
    Rustup(&'static str),
    /// A package of npm in one version, installed into a directory of the project's own.
    Npm(Pinned),
    /// A package of pip with its version, installed into an environment of the project's own.
    Pip(&'static str),
}

/// The name of a package in each manager.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packages {
    pub(crate) apt: &'static str,
    pub(crate) dnf: &'static str,
    pub(crate) pacman: &'static str,
    pub(crate) brew: &'static str,
}

impl Packages {
    /// The same name everywhere.
    pub(crate) const fn same(name: &'static str) -> Self {
        Self { apt: name, dnf: name, pacman: name, brew: name }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Pacman,
    Brew,
}

const MANAGERS: [(Manager, &str); 4] =
    [(Manager::Apt, "apt-get"), (Manager::Dnf, "dnf"), (Manager::Pacman, "pacman"), (Manager::Brew, "brew")];

/// Installs one thing; an error says what a person can do instead.
pub(crate) fn install(source: Source) -> Result<()> {
    match source {
        Source::System(packages) => from_system(packages),
        Source::Rustup(component) => told(&mut words(&["rustup", "component", "add", component])),
        Source::Npm(pinned) => told(&mut pinned.install()?),
        Source::Pip(package) => from_pip(package),
    }
}

/// A system's own Python takes no packages from elsewhere, so there is an environment below the target directory.
fn from_pip(package: &str) -> Result<()> {
    let folder = tools::python()?;
    let python = folder.join("bin/python");
    if !exec::succeeds(exec::command(&python).args(["-m", "pip", "--version"])) {
        let make = || words(&["python3", "-m", "venv", "--clear"]).arg(&folder).status().is_ok_and(|s| s.success());
        if !make() {
            from_system(Packages::same("python3-venv"))?;
            told(words(&["python3", "-m", "venv", "--clear"]).arg(&folder))?;
        }
    }
    told(exec::command(&python).args(["-m", "pip", "install", "--quiet", "--no-input", package]))
}

fn from_system(packages: Packages) -> Result<()> {
    let present = MANAGERS.iter().find(|(_, program)| exec::succeeds(&mut words(&[program, "--version"])));
    let Some((manager, _)) = present else {
        bail!("none of apt-get, dnf, pacman and brew is here; install `{}` by hand", packages.apt);
    };
    for mut command in commands(*manager, packages)? {
        told(&mut command)?;
    }
    Ok(())
}

/// What to run, in this order. A new machine's apt has no lists yet, so they are fetched first.
fn commands(manager: Manager, packages: Packages) -> Result<Vec<Command>> {
    let commands = match manager {
        Manager::Apt => vec![
            privileged(&["apt-get", "update"])?,
            privileged(&["apt-get", "install", "--yes", "--no-install-recommends", packages.apt])?,
        ],
        Manager::Dnf => vec![privileged(&["dnf", "install", "--assumeyes", packages.dnf])?],
        Manager::Pacman => vec![privileged(&["pacman", "-Sy", "--noconfirm", "--needed", packages.pacman])?],
        // Brew refuses to run as root and asks for nothing else.
        Manager::Brew => vec![words(&["brew", "install", packages.brew])],
    };
    Ok(commands)
}

/// As root, or through a sudo that asks for no password; apt is told that nobody will answer.
fn privileged(args: &[&str]) -> Result<Command> {
    let environment = ["env", "DEBIAN_FRONTEND=noninteractive"];
    if rustix::process::geteuid().is_root() {
        return Ok(words(&[&environment, args].concat()));
    }
    if exec::succeeds(&mut words(&["sudo", "-n", "true"])) {
        return Ok(words(&[&["sudo", "-n"], &environment[..], args].concat()));
    }
    bail!("it takes root, and `sudo -n` is not permitted; run `{}` as root", args.join(" "))
}

fn words(words: &[&str]) -> Command {
    let mut command = exec::command(words.first().copied().unwrap_or_default());
    command.args(words.get(1..).unwrap_or_default());
    command
}

/// Says what it runs, and runs it.
fn told(command: &mut Command) -> Result<()> {
    say!("running {}", exec::line(command));
    exec::run(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_told_its_own_name_of_a_package() {
        let packages = Packages { brew: "python@3", ..Packages::same("python3") };
        let commands = commands(Manager::Brew, packages).unwrap();
        assert_eq!(commands.iter().map(exec::line).collect::<Vec<_>>(), ["`brew install python@3`"]);
    }
}
