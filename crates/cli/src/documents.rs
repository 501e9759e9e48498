//! The reference page and the manual pages, made from the verbs and the table of methods.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command};

use crate::commands::{Group, VERBS, tree};
use crate::error::CommandError;
use crate::globals::Globals;

/// The reference page, as Markdown.
pub(crate) fn reference() -> String {
    let mut text =
        String::from("# Reference\n\nMade by `adj dev reference` from the code; do not edit.\n\n## Global options\n\n");
    push_options(&mut text, &Globals::command());
    for group in Group::ALL {
        let _ = write!(text, "\n## {}\n", group.heading());
        for verb in VERBS.iter().filter(|verb| verb.group == group) {
            push_command(&mut text, "adj", &(verb.augment)(Command::new(verb.name)));
        }
    }
    text.push('\n');
    text.push_str(&adjutant_api::reference::markdown());
    text
}

fn push_command(text: &mut String, above: &str, command: &Command) {
    let name = format!("{above} {}", command.get_name());
    let usage = command.clone().bin_name(&name).disable_help_flag(true).render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).trim_end();
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n### `{name}`\n\n```text\n{usage}\n```\n\n{about}\n\n");
    push_options(text, command);
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        push_command(text, &name, sub);
    }
}

fn push_options(text: &mut String, command: &Command) {
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ");
        let _ = writeln!(text, "- `{}`: {help}", written(arg));
    }
}

/// An argument as one writes it.
fn written(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(|name| format!("<{name}>"));
    let value = value.unwrap_or_else(|| format!("<{}>", arg.get_id()));
    let names: Vec<String> = arg.get_short().map(|c| format!("-{c}")).into_iter().chain(longs(arg)).collect();
    match (names.is_empty(), arg.get_action().takes_values()) {
        (true, _) => value,
        (false, true) => format!("{} {value}", names.join(", ")),
        (false, false) => names.join(", "),
    }
}

fn longs(arg: &Arg) -> impl Iterator<Item = String> {
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(aliases).map(|long| format!("--{long}"))
}

/// Writes one manual page per command into a directory.
pub(crate) fn write_manual(directory: &Path) -> Result<(), CommandError> {
    std::fs::create_dir_all(directory)?;
    let mut root = tree().bin_name("adj");
    root.build();
    write_page(directory, &root, "adj")
}

fn write_page(directory: &Path, command: &Command, name: &str) -> Result<(), CommandError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page)?;
    std::fs::write(directory.join(format!("{name}.1")), page)?;
    let below = command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
    below.into_iter().try_for_each(|sub| write_page(directory, sub, &format!("{name}-{}", sub.get_name())))
}
