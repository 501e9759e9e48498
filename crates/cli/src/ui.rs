//! The two streams: results go to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use adjutant_api::ErrorBody;
use serde::Serialize;
use serde_json::Value;

use crate::error::CommandError;
use crate::translate::PathMap;

/// When words are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, and without `NO_COLOR`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How results are printed, and where.
pub(crate) struct Ui {
    /// Machine output.
    pub(crate) json: bool,
    /// Only the id or word that a script needs.
    pub(crate) quiet: bool,
    colour: bool,
    held: Vec<u8>,
    /// What the host's directories are called in this container.
    mapped: Option<PathMap>,
}

/// What is held before it is written, in bytes.
const HELD_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Copy)]
enum Tone {
    Error,
    Warning,
    Hint,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Error => "31",
            Self::Warning => "33",
            Self::Hint => "36",
        }
    }
}

impl Ui {
    /// Streams as the options want them.
    pub(crate) fn new(json: bool, quiet: bool, colour: Colour) -> Self {
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        Self { json, quiet, colour, held: Vec::new(), mapped: None }
    }

    /// Writes a part of the result.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CommandError> {
        self.held.extend_from_slice(text.as_bytes());
        if self.held.len() > HELD_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    /// Writes a line of the result.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), CommandError> {
        self.text(text)?;
        self.text("\n")
    }

    /// Shows paths as they are called in this container.
    pub(crate) fn show_mapped(&mut self, map: PathMap) {
        self.mapped = Some(map);
    }

    /// A path of the host as it is called here.
    pub(crate) fn shown_path(&self, path: &str) -> String {
        self.mapped.as_ref().map_or_else(|| path.to_owned(), |map| map.shown(path))
    }

    /// Writes a JSON document as a line of the result.
    pub(crate) fn document(&mut self, value: &impl Serialize) -> Result<(), CommandError> {
        let text = match &self.mapped {
            None => serde_json::to_string(value),
            Some(_) => serde_json::to_value(value).map(|mut value| {
                self.map_paths(&mut value);
                value.to_string()
            }),
        };
        self.line(&text.map_err(|error| CommandError::internal(&error))?)
    }

    /// In a document about things that have a place, or a list of them, `path` is as it is called here, and the host's own
    /// name of it is beside it.
    pub(crate) fn map_paths(&self, value: &mut Value) {
        if let Some(map) = &self.mapped {
            map.show(value);
        }
    }

    /// Hands on what is held: now, because somebody may wait for it.
    pub(crate) fn flush(&mut self) -> Result<(), CommandError> {
        let held = std::mem::take(&mut self.held);
        let mut out = io::stdout().lock();
        out.write_all(&held).and_then(|()| out.flush()).map_err(CommandError::from_write)
    }

    /// Forgets what was not handed on.
    pub(crate) fn discard(&mut self) {
        self.held.clear();
    }

    /// Says something beside the result.
    pub(crate) fn note(&self, text: &str) {
        self.say("adj:", None, text);
    }

    /// Says something that somebody should look at.
    pub(crate) fn warning(&self, text: &str) {
        self.say("adj:", Some(Tone::Warning), text);
    }

    /// Shows a command that helps.
    pub(crate) fn hint(&self, command: &str) {
        self.say("hint:", Some(Tone::Hint), command);
    }

    /// Says why there is no result.
    pub(crate) fn error(&self, error: &ErrorBody) {
        if self.json {
            return write_error(&error.to_json_line());
        }
        self.say("adj:", Some(Tone::Error), &error.message);
        if let Some(hint) = &error.hint {
            self.hint(hint);
        }
    }

    fn say(&self, word: &str, tone: Option<Tone>, text: &str) {
        let text = text.trim_end().replace('\n', "\nadj: ");
        match tone.filter(|_| self.colour) {
            Some(tone) => write_error(&format!("\x1b[{}m{word}\x1b[0m {text}", tone.code())),
            None => write_error(&format!("{word} {text}")),
        }
    }
}

/// Writes a line to standard error; where nobody listens, nothing is lost.
pub(crate) fn write_error(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
