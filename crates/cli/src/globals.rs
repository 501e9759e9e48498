//! The options that every verb has.

use clap::{Args, Command};

use crate::ui::{Colour, Ui};

/// Options of every verb.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print only the id or word that a script needs
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Act on that host's daemon
    #[arg(long, value_name = "target", global = true)]
    pub(crate) host: Option<String>,

    /// When to colour words
    #[arg(long, value_name = "when", value_enum, default_value_t = Colour::Auto, global = true)]
    pub(crate) color: Colour,

    /// Do not start the daemon; fail with 255 when it is not running
    #[arg(long, global = true)]
    pub(crate) no_autostart: bool,
}

impl Globals {
    /// A command that knows these options alone: what may stand before the verb.
    pub(crate) fn command() -> Command {
        Self::augment_args(Command::new("adj"))
    }

    /// Streams as these options want them.
    pub(crate) fn ui(&self) -> Ui {
        Ui::new(self.json, self.quiet, self.color)
    }
}
