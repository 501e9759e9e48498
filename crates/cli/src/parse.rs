//! From sorted tokens to clap's matches, and from clap's errors to ours.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command};

use crate::commands::Verb;
use crate::error::CommandError;
use crate::globals::Globals;
use crate::grammar::{self, Sorted};
use crate::value::ValueError;

/// What a call turned out to be.
pub(crate) enum Parsed {
    /// A call for help.
    Help {
        /// The help.
        text: String,
        /// Nothing else was said; otherwise help is not what was wanted.
        alone: bool,
    },
    /// A call.
    Call(ArgMatches),
}

/// The command of one verb, with the options that every verb has.
pub(crate) fn command(verb: &Verb) -> Command {
    let command = Command::new(verb.name).bin_name(format!("adj {}", verb.name)).disable_version_flag(true);
    let command = command.disable_help_subcommand(true).disable_help_flag(true);
    (verb.augment)(with_globals(command))
}

/// Parses the tokens around and behind a verb.
pub(crate) fn parse(verb: &Verb, before: Vec<OsString>, rest: Vec<OsString>) -> Result<Parsed, CommandError> {
    let command = command(verb);
    if command.has_subcommands() { nested(verb, &command, before, rest) } else { flat(verb, command, before, rest) }
}

fn flat(verb: &Verb, command: Command, before: Vec<OsString>, rest: Vec<OsString>) -> Result<Parsed, CommandError> {
    let sorted = grammar::sort(&[&command], rest)?;
    if sorted.help {
        return Ok(help(command, &sorted));
    }
    matches(verb, command, [vec![verb.name.into()], before, behind(sorted)].concat())
}

fn nested(verb: &Verb, command: &Command, before: Vec<OsString>, rest: Vec<OsString>) -> Result<Parsed, CommandError> {
    let head = grammar::head(command, rest)?;
    let Some(word) = head.word else {
        if head.before.help {
            return Ok(help(command.clone(), &head.before));
        }
        if !command.is_subcommand_required_set() {
            return matches(verb, command.clone(), [vec![verb.name.into()], before, head.before.options].concat());
        }
        return Err(CommandError::usage(format!("`{}` needs one of: {}", verb.name, words(command))));
    };
    let Some(sub) = word.to_str().and_then(|word| command.find_subcommand(word)) else {
        let message = format!("`{}` has no such command; it has: {}", verb.name, words(command));
        return Err(CommandError::usage(message).with_hint(format!("adj help {}", verb.name)));
    };
    let sorted = grammar::sort(&[sub, command], head.rest)?;
    if sorted.help {
        let bin = format!("adj {} {}", verb.name, sub.get_name());
        return Ok(help(nested_command(sub, &bin), &sorted));
    }
    let front = [vec![verb.name.into()], before, head.before.options, vec![word]].concat();
    matches(verb, command.clone(), [front, behind(sorted)].concat())
}

fn words(command: &Command) -> String {
    let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    visible.map(Command::get_name).collect::<Vec<_>>().join(", ")
}

/// A command below a verb, with the options that every verb has.
fn nested_command(sub: &Command, bin: &str) -> Command {
    let about = [sub.get_about().cloned(), sub.get_long_about().cloned()];
    let command = with_globals(sub.clone().bin_name(bin.to_owned()).disable_help_flag(true));
    let [about, long_about] = about.map(|text| text.unwrap_or_default());
    if long_about.to_string().is_empty() { command.about(about) } else { command.about(about).long_about(long_about) }
}

fn with_globals(command: Command) -> Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::SetTrue).help("Print help").global(true);
    Globals::augment_args(command).arg(help.help_heading("Global options")).next_help_heading(None)
}

/// The help of a command: all that is to be said of it, on one page.
pub(crate) fn help_text(command: Command) -> String {
    let about = command.get_long_about().or(command.get_about()).cloned().unwrap_or_default();
    command.about(about).render_help().to_string()
}

/// The help of a command below a verb.
pub(crate) fn sub_help_text(verb: &Verb, word: &str) -> Option<String> {
    let command = command(verb);
    let sub = command.find_subcommand(word)?;
    Some(help_text(nested_command(sub, &format!("adj {} {word}", verb.name))))
}

fn help(command: Command, sorted: &Sorted) -> Parsed {
    Parsed::Help { text: help_text(command), alone: sorted.positionals.is_empty() }
}

fn behind(sorted: Sorted) -> Vec<OsString> {
    let Sorted { mut options, positionals, .. } = sorted;
    if !positionals.is_empty() {
        options.push("--".into());
        options.extend(positionals);
    }
    options
}

fn matches(verb: &Verb, command: Command, tokens: Vec<OsString>) -> Result<Parsed, CommandError> {
    command.try_get_matches_from(tokens).map(Parsed::Call).map_err(|error| explained(&error, verb.name))
}

/// Clap's error in one sentence. What stands in a place for text is never repeated.
pub(crate) fn explained(error: &clap::Error, verb: &str) -> CommandError {
    let hint = format!("adj help {verb}");
    if let Some(value) = std::error::Error::source(error).and_then(|source| source.downcast_ref::<ValueError>()) {
        return wrong_value(error, value);
    }
    let argument = context(error, ContextKind::InvalidArg);
    let message = match error.kind() {
        ErrorKind::UnknownArgument | ErrorKind::TooManyValues => {
            "there is a word too many; a text with spaces is one argument, in quotes".to_owned()
        }
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        ErrorKind::ArgumentConflict => conflict(&argument, &context(error, ContextKind::PriorArg)),
        ErrorKind::InvalidValue => invalid_value(error, &argument),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(source) => format!("{}: {source}", subject(error)),
            None => first_sentence(&error.to_string()),
        },
        ErrorKind::InvalidSubcommand
        | ErrorKind::NoEquals
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion
        | ErrorKind::Io
        | ErrorKind::Format
        | _ => first_sentence(&error.to_string()),
    };
    CommandError::usage(message).with_hint(hint)
}

fn wrong_value(error: &clap::Error, value: &ValueError) -> CommandError {
    CommandError::new(value.code.clone(), format!("{} {value}", subject(error)))
}

/// The option and its value. What may be a text that was given in the wrong place is not repeated.
fn subject(error: &clap::Error) -> String {
    let argument = context(error, ContextKind::InvalidArg);
    let name = argument.split([' ', '=']).next().unwrap_or_default().trim_matches('`');
    let given = context(error, ContextKind::InvalidValue);
    let repeatable = !given.is_empty()
        && given.chars().count() <= 40
        && !given.contains(|c: char| c.is_whitespace() || c.is_control());
    match (name.starts_with('-'), repeatable || name.starts_with('-')) {
        (true, _) => format!("`{name} {}`", given.escape_debug()),
        (false, true) => format!("`{given}`"),
        (false, false) => format!("`{name}`"),
    }
}

fn conflict(argument: &str, prior: &str) -> String {
    if prior.is_empty() || argument == prior {
        return format!("{argument} is given twice");
    }
    format!("{argument} cannot be used with {prior}")
}

fn invalid_value(error: &clap::Error, argument: &str) -> String {
    match context(error, ContextKind::ValidValue) {
        valid if valid.is_empty() => format!("{argument} needs a value"),
        valid => format!("{argument} is one of {}", valid.replace('`', "")),
    }
}

/// What the error says of one thing, names in backticks.
fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) if kind == ContextKind::InvalidValue => text.clone(),
        Some(ContextValue::String(text)) if kind == ContextKind::InvalidArg && text.starts_with('-') => {
            if has_source(error) { text.clone() } else { quoted(text) }
        }
        Some(ContextValue::String(text)) => quoted(text),
        Some(ContextValue::Strings(texts)) => texts.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", "),
        Some(_) | None => String::new(),
    }
}

fn has_source(error: &clap::Error) -> bool {
    std::error::Error::source(error).is_some()
}

/// An option without the name of its value.
fn quoted(text: &str) -> String {
    let text = match text.starts_with('-') {
        true => text.split([' ', '=']).next().unwrap_or(text),
        false => text.trim_end_matches('.'),
    };
    format!("`{}`", text.replace('[', "<").replace(']', ">"))
}

fn first_sentence(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
