//! What the tests need of a machine, as a table: an issue that needs more adds a row.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::install::{Packages, Source, install};
use super::pinned::Pinned;
use super::tools;
use crate::exec;

/// One thing that must be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What for; shown when it is installed or cannot be.
    pub(crate) why: &'static str,
    /// The command that shows that it is there.
    pub(crate) check: &'static [&'static str],
    /// The least major version, read from what the check prints.
    pub(crate) major: Option<u32>,
    pub(crate) source: Source,
}

/// A program that has the same name in every package manager.
const fn program(name: &'static str, why: &'static str, check: &'static [&'static str]) -> Need {
    Need { name, why, check, major: None, source: Source::System(Packages::same(name)) }
}

const fn component(name: &'static str, why: &'static str, check: &'static [&'static str]) -> Need {
    Need { name, why, check, major: None, source: Source::Rustup(name) }
}

/// A package of npm in one version, which the check of its own looks for.
const fn pinned(name: &'static str, why: &'static str, pinned: Pinned) -> Need {
    Need { name, why, check: &["npm", "--version"], major: None, source: Source::Npm(pinned) }
}

/// What OpenSSH is called; Debian has its server in a package of its own, which brings the client.
const SSH: Packages = Packages { dnf: "openssh-server", ..Packages::same("openssh") };

/// A server prints its version only from the next one on, so a look for its file is all that there is.
const SSHD: &[&str] = &["sh", "-c", "command -v ssh && { command -v sshd || test -x /usr/sbin/sshd; }"];

/// Everything, in the order in which it is installed.
pub(crate) const NEEDS: [Need; 19] = [
    component("rustfmt", "the format is checked", &["cargo", "fmt", "--version"]),
    component("clippy", "the lints hold the rules of the house", &["cargo", "clippy", "--version"]),
    Need {
        major: Some(5),
        ..program("bash", "a shell session is one bash, and it uses what version 5 brought", &["bash", "--version"])
    },
    program("git", "sessions work in checkouts, and tidy reads this one", &["git", "--version"]),
    program("util-linux", "tests start sessions and namespaces of their own", &["setsid", "--version"]),
    program("tmux", "terminals are attached to from inside of one", &["tmux", "-V"]),
    program("curl", "the HTTP API is called by a stranger's client", &["curl", "--version"]),
    Need {
        source: Source::System(Packages { dnf: "iproute", ..Packages::same("iproute2") }),
        ..program("iproute2", "a container of the tests has a network of its own", &["ip", "-V"])
    },
    Need {
        source: Source::System(Packages { apt: "openssh-server", ..SSH }),
        ..program("openssh", "other hosts are reached by `ssh`, and tests run an sshd of their own", SSHD)
    },
    program("openssl", "a proxy of the tests has a certificate of its own", &["openssl", "version"]),
    Need {
        source: Source::System(Packages { pacman: "python", ..Packages::same("python3") }),
        ..program("python3", "the OpenAPI document is validated by a stranger's tool", &["python3", "--version"])
    },
    Need {
        name: "openapi-spec-validator",
        why: "the OpenAPI document is checked against its standard",
        check: &["openapi-spec-validator", "--version"],
        major: Some(0),
        source: Source::Pip("openapi-spec-validator==0.9.0"),
    },
    Need {
        name: "schemathesis",
        why: "the HTTP API is fuzzed by its own document",
        check: &["schemathesis", "--version"],
        major: Some(4),
        source: Source::Pip("schemathesis==4.32.5"),
    },
    Need {
        major: Some(18),
        source: Source::System(Packages { brew: "node", ..Packages::same("nodejs") }),
        ..program("node", "the pinned agents are programs of node", &["node", "--version"])
    },
    program("dpkg", "the Debian package is made and opened again", &["dpkg-deb", "--version"]),
    program("npm", "the pinned agents come from its registry", &["npm", "--version"]),
    pinned(
        "Claude Code 2.1.328",
        "its driver is tested with the real one",
        Pinned {
            package: "@anthropic-ai/claude-code",
            version: "2.1.328",
            program: "claude",
            with: &[],
            variable: "ADJ_TEST_CLAUDE",
        },
    ),
    pinned(
        "Codex 0.169.0",
        "its driver is tested with the real one",
        Pinned {
            package: "@openai/codex",
            version: "0.169.0",
            program: "codex",
            with: &[],
            variable: "ADJ_TEST_CODEX",
        },
    ),
    pinned(
        "MCP conformance suite 0.1.16",
        "`adj mcp` is held to the protocol by a stranger's tests",
        Pinned {
            package: "@modelcontextprotocol/conformance",
            version: "0.1.16",
            program: "conformance",
            // The suite uses what node has since 22.
            with: &["node@22.23.3"],
            variable: "ADJ_TEST_MCP_CONFORMANCE",
        },
    ),
];

/// The variables by which tests find the pinned agents that are there.
pub(crate) fn variables(needs: &[Need]) -> Vec<(&'static str, PathBuf)> {
    let of = |need: &Need| match need.source {
        Source::Npm(pinned) if pinned.is_there() => Some((pinned.variable, pinned.path().ok()?)),
        Source::Npm(_) | Source::System(_) | Source::Rustup(_) | Source::Pip(_) => None,
    };
    needs.iter().filter_map(of).collect()
}

/// Installs what is missing and says how much that was; when everything is there, no package manager is called.
pub(crate) fn provide(needs: &[Need]) -> Result<usize> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_there(need)).collect();
    missing.iter().try_for_each(|need| provide_one(need))?;
    Ok(missing.len())
}

fn provide_one(need: &Need) -> Result<()> {
    say!("installing {}: {}", need.name, need.why);
    if let Err(error) = install(need.source) {
        bail!("{} is missing ({}) and could not be installed: {error:#}", wanted(need), need.why);
    }
    if !is_there(need) {
        bail!("{} is still missing after its installation; `{}` shows why", wanted(need), need.check.join(" "));
    }
    Ok(())
}

fn wanted(need: &Need) -> String {
    need.major.map_or_else(|| need.name.to_owned(), |major| format!("{} {major} or newer", need.name))
}

fn is_there(need: &Need) -> bool {
    if let Source::Npm(pinned) = need.source {
        return pinned.is_there();
    }
    let [program, args @ ..] = need.check else {
        return false;
    };
    let mut command = if *program == "cargo" { exec::cargo(&exec::root()) } else { exec::command(program) };
    if let Ok(path) = tools::path() {
        command.env("PATH", path);
    }
    let Ok(printed) = exec::output(command.args(args)) else {
        return false;
    };
    need.major.is_none_or(|least| major(&String::from_utf8_lossy(&printed)).is_some_and(|found| found >= least))
}

/// The first number that a point follows: `GNU bash, version 5.2.15(1)-release` is 5.
fn major(printed: &str) -> Option<u32> {
    let mut words = printed.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|word| word.contains('.'));
    words.find_map(|word| word.split('.').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(major("GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)"), Some(5));
        assert_eq!(major("GNU bash, version 3.2.57(1)-release (arm64-apple-darwin23)"), Some(3));
        assert_eq!(major("tmux next-3.5"), Some(3));
        assert_eq!(major("no version. here"), None);
    }

    #[test]
    fn every_row_can_be_checked_and_says_why() {
        for need in &NEEDS {
            assert!(!need.check.is_empty() && need.why.len() > 10, "{}", need.name);
        }
    }

    #[test]
    fn what_is_there_is_not_installed() {
        let shell = program("sh", "every system has one", &["sh", "-c", "exit 0"]);
        assert_eq!(provide(&[shell]).unwrap(), 0);
    }

    #[test]
    fn too_old_is_missing() {
        let check = &["sh", "-c", "echo version 4.4"];
        let need = Need { major: Some(5), ..program("bash", "it must be new", check) };
        assert!(!is_there(&need));
        assert_eq!(wanted(&need), "bash 5 or newer");
    }
}
