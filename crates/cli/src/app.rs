//! From the tokens of a call to its exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use adjutant_api::ErrorCode;
use adjutant_api::protocol::VERSION;
use clap::FromArgMatches;

use crate::commands::{self, Outcome, Verb};
use crate::context::Context;
use crate::error::CommandError;
use crate::globals::Globals;
use crate::ui::{Colour, Ui};
use crate::way::Way;
use crate::{grammar, help, hosts, parse};

/// Runs a call. Only the one verb that is called is built, since most calls take less time than all of them.
pub(crate) fn run(tokens: Vec<OsString>) -> ExitCode {
    let json = tokens.iter().take_while(|token| *token != "--").any(|token| token == "--json");
    let mut early = Ui::new(json, false, wanted_colour(&tokens));
    let code = match call(tokens, &mut early) {
        Ok(code) => code,
        Err(error) => told(&early, &error),
    };
    ExitCode::from(code)
}

/// What the tokens say of colour, for errors in the rest of them.
fn wanted_colour(tokens: &[OsString]) -> Colour {
    let after = |word: &str| tokens.windows(2).any(|pair| pair[0] == "--color" && pair[1] == word);
    let is = |word: &str| after(word) || tokens.iter().any(|token| *token == *format!("--color={word}"));
    match (is("always"), is("never")) {
        (true, false) => Colour::Always,
        (false, true) => Colour::Never,
        (true, true) | (false, false) => Colour::Auto,
    }
}

/// Says on standard error why there is no result.
fn told(ui: &Ui, error: &CommandError) -> u8 {
    if let CommandError::Told(body) = error {
        ui.error(body);
    }
    error.exit()
}

fn call(tokens: Vec<OsString>, early: &mut Ui) -> Outcome {
    let globals = Globals::command();
    let head = grammar::head(&globals, tokens)?;
    if head.before.version {
        return printed(early, &format!("adj {VERSION}\n"));
    }
    if head.before.help {
        return printed(early, &help::overview());
    }
    let Some(word) = head.word else {
        crate::ui::write_error(help::BEGIN);
        return Ok(2);
    };
    let word = word.to_string_lossy().into_owned();
    if word == "help" {
        return help::verb_help(early, &globals, head.rest);
    }
    let verb = commands::find(&word).ok_or_else(|| unknown(&word))?;
    if let Some(raw) = verb.raw {
        return raw(head.rest);
    }
    call_verb(verb, head.before.options, head.rest, early)
}

fn call_verb(verb: &Verb, before: Vec<OsString>, rest: Vec<OsString>, early: &mut Ui) -> Outcome {
    let call = parse::parse(verb, before, rest)?;
    let matches = match call {
        parse::Parsed::Help { text, alone: true } => return printed(early, &text),
        parse::Parsed::Help { text, alone: false } => {
            crate::ui::write_error(text.trim_end());
            return Ok(2);
        }
        parse::Parsed::Call(matches) => matches,
    };
    let globals = Globals::from_arg_matches(&matches).map_err(|error| parse::explained(&error, verb.name))?;
    let mut context = Context::new(globals.ui(), !globals.no_autostart, globals.host.clone());
    check_way(&mut context, verb)?;
    // Sessions of several hosts may be ended at once.
    if verb.name != "kill" {
        hosts::route(&mut context, &matches, verb.name)?;
    }
    let outcome = (verb.run)(&mut context, &matches);
    finish(&mut context.ui, outcome)
}

/// What is done to the host itself is not done from inside of a container, and a gateway is one of this machine.
fn check_way(context: &mut Context, verb: &Verb) -> Result<(), CommandError> {
    const HOST_ONLY: [&str; 4] = ["daemon", "gateway", "attach", "dial-stdio"];
    const HERE_ONLY: [&str; 2] = ["gateway", "dial-stdio"];
    if !HOST_ONLY.contains(&verb.name) {
        return Ok(());
    }
    let why = match context.way()? {
        Way::Sandbox(_) => "acts on the host itself and cannot be used inside of a sandbox",
        Way::Host(_) if HERE_ONLY.contains(&verb.name) => "acts on this machine, and `--host` names another one",
        Way::Here | Way::Host(_) => return Ok(()),
    };
    Err(CommandError::new(ErrorCode::NotSupported, format!("`{}` {why}", verb.name)))
}

/// Hands on what is held of the result; of a call that was interrupted there is none.
fn finish(ui: &mut Ui, outcome: Outcome) -> Outcome {
    if matches!(outcome, Err(CommandError::Interrupted)) {
        ui.discard();
        return outcome;
    }
    let flushed = ui.flush();
    match (outcome, flushed) {
        (Err(error), _) => Ok(told(ui, &error)),
        (Ok(_), Err(error)) => Err(error),
        (Ok(code), Ok(())) => Ok(code),
    }
}

fn printed(ui: &mut Ui, text: &str) -> Outcome {
    ui.text(text)?;
    ui.flush()?;
    Ok(0)
}

fn unknown(word: &str) -> CommandError {
    let near = crate::near::nearest(word, commands::names());
    let near = near.map_or_else(String::new, |near| format!(" (near: {near})"));
    let word: String = word.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    CommandError::usage(format!("no command `{word}`{near}")).with_hint("adj help")
}
