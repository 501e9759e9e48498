//! The chores of the house: `cargo xtask <verb>`, one file per verb.
//!
//! `tidy` is the mirror, `test` is everything that has to hold before a commit, `bench` shows speed and asserts none.

use std::io::Write;
use std::process::ExitCode;

/// Prints a line. A reader that went away, as `| head` does, is no reason to stop or to panic.
macro_rules! say {
    ($($word:tt)*) => {
        drop(std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($word)*))))
    };
}

mod bench;
mod deny;
mod exec;
mod package;
mod stats;
mod test;
mod tidy;

const USAGE: &str = "\
usage: cargo xtask <verb>

  tidy                      show sizes, layers and names; fail for facts of the architecture
  test [--fast] [-p crate]  install what the tests need where it is missing, then run everything
                            --fast  without installing and without building the documentation
                            -p      lints and tests of one crate alone, without its documentation
  package [--debug] [--target t [--binary file]]...
                            make the tarball, the Debian, npm and Homebrew packages and the release notes; for this
                            machine unless a target is named (the other one is linked by its cross compiler of gcc)
  deny                      licences, sources and banned crates of Cargo.lock against deny.toml
  bench [name...]           build a release and measure: status wait idle messages list watch";

/// How a chore ended that could be done at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    /// Everything holds.
    Holds,
    /// Something does not, and the output says what.
    Fails,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Holds => Self::SUCCESS,
            Verdict::Fails => Self::FAILURE,
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

fn dispatch(args: &[&str]) -> anyhow::Result<ExitCode> {
    match args {
        ["tidy"] => Ok(tidy::run(&exec::root())?.into()),
        ["test", rest @ ..] => Ok(test::run(&test::Options::parse(rest)?)?.into()),
        ["package", rest @ ..] => package::run(&package::Options::parse(rest)?).map(|()| ExitCode::SUCCESS),
        ["deny"] => Ok(deny::run(&exec::root())?.into()),
        ["bench", names @ ..] => bench::run(names).map(|()| ExitCode::SUCCESS),
        ["clock", file] => bench::clock::write(file.as_ref()).map(|()| ExitCode::SUCCESS),
        ["help" | "--help" | "-h"] => {
            say!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            complain(USAGE);
            Ok(ExitCode::from(2))
        }
    }
}
