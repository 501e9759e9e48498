//! Help: how to begin, all verbs on one page, one verb in full.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Command;

use crate::commands::{self, Group, Outcome, VERBS, Verb};
use crate::error::CommandError;
use crate::ui::Ui;
use crate::{grammar, parse};

/// What `adj` alone says.
pub(crate) const BEGIN: &str = "\
adj: no command is given

Sessions of coding agents and shells, from one command line. To begin:

  adj run --cli shell 'uname -sr'     one task in a session of its own; prints the output, exits with its code
  id=$(adj create -q --cli shell)     a session that stays
  adj send $id 'make test'            put a message in its queue; returns at once
  adj wait --print $id                block until the work has ended; prints the answer, the exit code is the outcome
  adj ask $id 'echo hello'            send, wait and print in one
  adj list                            what is there, and what it does
  adj kill $id                        end it

All commands: adj help
One of them:  adj help send";

/// All verbs, by what they are for.
pub(crate) fn overview() -> String {
    let mut text = String::from(
        "Spawn, message, wait on, watch, wake, answer and stop coding-agent sessions.\n\n\
         Usage: adj [global options] <command> [arguments]\n",
    );
    for group in Group::ALL {
        let _ = writeln!(text, "\n{}:", group.heading());
        for verb in VERBS.iter().filter(|verb| verb.group == group) {
            let _ = writeln!(text, "  {:<13} {}", verb.name, about(verb));
        }
    }
    text.push_str(
        "\nGlobal options: --json, -q/--quiet, --host <target>, --color auto|always|never, --no-autostart,\n\
         -h/--help, -V/--version. One command in full: adj help <command>\n",
    );
    text
}

/// The one line that says what a verb does.
pub(crate) fn about(verb: &Verb) -> String {
    let command = (verb.augment)(Command::new(verb.name));
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// `adj help [verb [command]]`.
pub(crate) fn verb_help(ui: &mut Ui, globals: &Command, tokens: Vec<OsString>) -> Outcome {
    let sorted = grammar::sort(&[globals], tokens)?;
    let words: Vec<String> = sorted.positionals.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let text = match words.as_slice() {
        [] => overview(),
        [verb, sub @ ..] => of_verb(verb, sub)?,
    };
    ui.text(&text)?;
    ui.flush()?;
    Ok(0)
}

fn of_verb(word: &str, sub: &[String]) -> Result<String, CommandError> {
    let verb = commands::find(word).ok_or_else(|| CommandError::usage(format!("no command `{word}`")))?;
    match sub {
        [] => Ok(parse::help_text(parse::command(verb))),
        [sub, ..] => {
            let missing = || CommandError::usage(format!("`{word}` has no command `{sub}`"));
            parse::sub_help_text(verb, sub).ok_or_else(missing)
        }
    }
}
