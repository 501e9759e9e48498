//! The grammar of a command line: which tokens are options, which are the verb, and which are text.
//!
//! A parser that guesses takes `- item` for an option and `--fiel` for a message. Here the tokens are sorted first, with
//! the options of the one verb that is called, and then handed to clap as options, `--`, positionals.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use crate::error::CommandError;

/// The option that a token behind `--` is the value of, where a verb has it: a word for an agent's own command line.
const ARGUMENT: &str = "argument";

/// The tokens of a call, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sorted {
    /// Options, each with its value in one token.
    pub(crate) options: Vec<OsString>,
    /// Everything else, in order.
    pub(crate) positionals: Vec<OsString>,
    /// Help is wanted.
    pub(crate) help: bool,
    /// The version is wanted.
    pub(crate) version: bool,
}

/// The first positional, and what is before and after it.
pub(crate) struct Head {
    /// Options before it.
    pub(crate) before: Sorted,
    /// The word itself.
    pub(crate) word: Option<OsString>,
    /// Everything behind it, untouched.
    pub(crate) rest: Vec<OsString>,
}

/// Finds the verb: the first token that is no option.
pub(crate) fn head(command: &Command, tokens: Vec<OsString>) -> Result<Head, CommandError> {
    let commands = [command];
    let mut sorter = Sorter::new(&commands, tokens);
    while sorter.sorted.positionals.is_empty() && sorter.step()? {}
    let word = sorter.sorted.positionals.pop();
    Ok(Head { before: sorter.sorted, word, rest: sorter.tokens.collect() })
}

/// Sorts the tokens behind a verb by the options of its command, and of the commands above it.
pub(crate) fn sort(commands: &[&Command], tokens: Vec<OsString>) -> Result<Sorted, CommandError> {
    let mut sorter = Sorter::new(commands, tokens);
    while sorter.step()? {}
    Ok(sorter.sorted)
}

struct Sorter<'a> {
    commands: &'a [&'a Command],
    tokens: std::iter::Peekable<std::vec::IntoIter<OsString>>,
    sorted: Sorted,
    /// `--` was seen.
    ended: bool,
}

impl<'a> Sorter<'a> {
    fn new(commands: &'a [&'a Command], tokens: Vec<OsString>) -> Self {
        Self { commands, tokens: tokens.into_iter().peekable(), sorted: Sorted::default(), ended: false }
    }

    /// Sorts one token; false when there is none.
    fn step(&mut self) -> Result<bool, CommandError> {
        let Some(token) = self.tokens.next() else {
            return Ok(false);
        };
        match token.to_str() {
            Some("--") if !self.ended => self.ended = true,
            Some(_) | None if self.ended && self.find_long(ARGUMENT).is_some() => {
                self.sorted.options.push(joined(&format!("--{ARGUMENT}"), Some(token)));
            }
            Some(text) if !self.ended && self.is_option(text) => {
                let text = text.to_owned();
                if let Some(long) = text.strip_prefix("--") { self.long(long)? } else { self.shorts(&text[1..])? }
            }
            Some(_) | None => self.sorted.positionals.push(token),
        }
        Ok(true)
    }

    /// A token with white space is text, unless it is a known option with its value attached.
    fn is_option(&self, token: &str) -> bool {
        let known = |(name, _): (&str, &str)| name.strip_prefix("--").is_some_and(|n| self.find_long(n).is_some());
        is_option_shaped(token) || token.split_once('=').is_some_and(known)
    }

    fn long(&mut self, token: &str) -> Result<(), CommandError> {
        let (name, value) = token.split_once('=').map_or((token, None), |(name, value)| (name, Some(value)));
        match (name, self.find_long(name)) {
            ("help", _) => self.sorted.help = true,
            ("version", None) => self.sorted.version = true,
            (_, Some(arg)) => {
                let value = self.value(arg, &format!("--{name}"), value.map(OsString::from))?;
                self.sorted.options.push(joined(&format!("--{name}"), value));
            }
            (_, None) => return Err(self.unknown(&format!("--{name}"))),
        }
        Ok(())
    }

    /// A cluster such as `-qa`, `-n5` or `-f=x`.
    fn shorts(&mut self, cluster: &str) -> Result<(), CommandError> {
        let mut rest = cluster;
        while let Some(short) = rest.chars().next() {
            rest = &rest[short.len_utf8()..];
            let name = format!("-{short}");
            match (short, self.find_short(short)) {
                ('h', _) => self.sorted.help = true,
                (_, Some(arg)) if takes_value(arg) => {
                    let attached = rest.strip_prefix('=').unwrap_or(rest);
                    let attached = (!rest.is_empty()).then(|| OsString::from(attached));
                    let value = self.value(arg, &name, attached)?;
                    self.sorted.options.push(joined(&name, value));
                    return Ok(());
                }
                (_, Some(_)) => self.sorted.options.push(name.into()),
                ('V', None) => self.sorted.version = true,
                (_, None) => return Err(self.unknown(&name)),
            }
        }
        Ok(())
    }

    /// The value of an option: attached to it, or the next token.
    fn value(&mut self, arg: &Arg, name: &str, attached: Option<OsString>) -> Result<Option<OsString>, CommandError> {
        if !takes_value(arg) {
            return match attached {
                Some(_) => Err(CommandError::usage(format!("`{name}` takes no value"))),
                None => Ok(None),
            };
        }
        if attached.is_some() {
            return Ok(attached);
        }
        if arg.get_num_args().is_some_and(|range| range.min_values() == 0) {
            return Ok(self.tokens.next_if(|token| is_number(token)));
        }
        let text = arg.is_allow_hyphen_values_set();
        let fits = |token: &OsString| text || !token.to_str().is_some_and(|t| t == "--" || is_option_shaped(t));
        let value = self.tokens.next_if(fits);
        value.map(Some).ok_or_else(|| CommandError::usage(format!("`{name}` needs a value")))
    }

    fn arguments(&self) -> impl Iterator<Item = &'a Arg> + use<'a> {
        self.commands.iter().flat_map(|command| command.get_arguments())
    }

    fn find_long(&self, name: &str) -> Option<&'a Arg> {
        let is_it = |arg: &&Arg| {
            arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
        };
        self.arguments().find(is_it)
    }

    fn find_short(&self, short: char) -> Option<&'a Arg> {
        let is_it = |arg: &&Arg| {
            arg.get_short() == Some(short) || arg.get_all_short_aliases().is_some_and(|all| all.contains(&short))
        };
        self.arguments().find(is_it)
    }

    /// Names the option and no value: it may be a message.
    fn unknown(&self, name: &str) -> CommandError {
        let longs = self.arguments().filter_map(Arg::get_long);
        let near = crate::near::nearest(name.trim_start_matches('-'), longs);
        let near = near.map_or_else(String::new, |near| format!(" (near: --{near})"));
        let takes_text = self.arguments().any(|arg| arg.is_positional() && arg.get_id() == "positional");
        let text = if takes_text { "; a message that begins with a dash stands behind `--`" } else { "" };
        let error = CommandError::usage(format!("unknown option `{name}`{near}{text}"));
        match self.commands.last().map_or("adj", |command| command.get_name()) {
            "adj" => error.with_hint("adj help"),
            verb => error.with_hint(format!("adj help {verb}")),
        }
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

fn joined(name: &str, value: Option<OsString>) -> OsString {
    let mut token = OsString::from(name);
    if let Some(value) = value {
        token.push("=");
        token.push(value);
    }
    token
}

fn is_number(token: &OsStr) -> bool {
    token.to_str().is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a token has the shape `--?[A-Za-z][A-Za-z0-9-]*(=.*)?` and no white space, so that it cannot be meant as text.
fn is_option_shaped(token: &str) -> bool {
    let Some(name) = token.strip_prefix("--").or_else(|| token.strip_prefix('-')) else {
        return false;
    };
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    let rest_right = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && rest_right && !token.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("send")
            .arg(Arg::new("id"))
            .arg(Arg::new("positional"))
            .arg(Arg::new("text").long("message").allow_hyphen_values(true).num_args(1))
            .arg(Arg::new("file").short('f').long("file").num_args(1))
            .arg(Arg::new("timeout").short('t').long("timeout").visible_alias("limit").num_args(1))
            .arg(Arg::new("tail").long("tail").num_args(0..=1))
            .arg(Arg::new("json").long("json").action(clap::ArgAction::SetTrue))
            .arg(Arg::new("quiet").short('q').action(clap::ArgAction::SetTrue))
    }

    fn sorted(tokens: &[&str]) -> Result<Sorted, CommandError> {
        sort(&[&command()], tokens.iter().map(OsString::from).collect())
    }

    fn split(tokens: &[&str]) -> (Vec<String>, Vec<String>) {
        let sorted = sorted(tokens).unwrap();
        let words = |tokens: Vec<OsString>| tokens.into_iter().map(|t| t.into_string().unwrap()).collect();
        (words(sorted.options), words(sorted.positionals))
    }

    #[test]
    fn a3_what_looks_like_text_is_text() {
        for text in ["- item", "-5", "---", "-", "--fix the parser", "-x y", "--9", "-é"] {
            assert_eq!(split(&["x", text]), (vec![], vec!["x".into(), text.into()]), "{text}");
            assert_eq!(split(&["x", "--", text]), (vec![], vec!["x".into(), text.into()]), "{text}");
        }
    }

    #[test]
    fn a4_help_is_help_unless_behind_the_dashes() {
        assert!(sorted(&["x", "--help"]).unwrap().help);
        let (options, text) = split(&["x", "--", "--help"]);
        assert_eq!((options.len(), text), (0, vec!["x".into(), "--help".into()]));
    }

    #[test]
    fn a5_a_typo_is_an_error() {
        for typo in ["--fiel", "--fiel=brief.md", "-z", "-qz"] {
            let error = sorted(&["x", typo]).unwrap_err();
            assert_eq!(error.exit(), 2, "{typo}");
        }
        let Err(CommandError::Told(body)) = sorted(&["x", "--fiel=secret"]) else { panic!() };
        let expected = "unknown option `--fiel` (near: --file); a message that begins with a dash stands behind `--`";
        assert_eq!(body.message, expected);
    }

    #[test]
    fn options_stand_anywhere_and_take_their_value_in_both_ways() {
        let expected = (vec!["--timeout=5".to_owned(), "--json".into()], vec!["x".to_owned(), "hi".into()]);
        assert_eq!(split(&["--timeout", "5", "x", "--json", "hi"]), expected);
        assert_eq!(split(&["x", "--timeout=5", "hi", "--json"]), expected);
        assert_eq!(split(&["x", "--message=a b"]).0, ["--message=a b"]);
        assert_eq!(split(&["x", "--massage=a b"]).1, ["x", "--massage=a b"]);
        assert_eq!(split(&["-t5", "-q"]).0, ["-t=5", "-q"]);
        assert_eq!(split(&["-qt=5"]).0, ["-q", "-t=5"]);
        assert_eq!(split(&["--limit", "-5s"]).0, ["--limit=-5s"]);
    }

    #[test]
    fn options_that_take_text_take_anything() {
        for text in ["--json", "--", "-x", "--help", "- item"] {
            assert_eq!(split(&["x", "--message", text]).0, [format!("--message={text}")]);
        }
        assert_eq!(sorted(&["x", "--timeout", "--json"]).unwrap_err().exit(), 2);
        assert_eq!(sorted(&["x", "--timeout"]).unwrap_err().exit(), 2);
        assert_eq!(sorted(&["x", "--json=yes"]).unwrap_err().exit(), 2);
    }

    #[test]
    fn a_value_that_may_be_missing_is_a_number() {
        assert_eq!(split(&["--tail", "x"]), (vec!["--tail".into()], vec!["x".into()]));
        assert_eq!(split(&["--tail", "5", "x"]), (vec!["--tail=5".into()], vec!["x".into()]));
    }

    #[test]
    fn the_verb_is_the_first_word() {
        let globals = Command::new("adj").arg(Arg::new("json").long("json").action(clap::ArgAction::SetTrue));
        let tokens = ["--json", "send", "--fiel", "x"].iter().map(OsString::from).collect();
        let head = head(&globals, tokens).unwrap();
        assert_eq!(head.word, Some("send".into()));
        assert_eq!(head.before.options, ["--json"]);
        assert_eq!(head.rest, ["--fiel", "x"]);
    }
}
