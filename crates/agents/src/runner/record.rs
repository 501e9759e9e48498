//! The records of a runner's journal, as they stand in the file: one JSON object per line.
//!
//! Every change here is additive. A reader skips records of a type that it does not know, so that a daemon and a
//! runner of different versions get along; a field that is new has a default.

use std::io;
use std::path::Path;
use std::sync::Arc;

use adjutant_core::Timestamp;
use adjutant_core::outcome::ExitStatus;
use adjutant_core::process::Incarnation;
use serde::{Deserialize, Serialize};

use crate::process::{boot_id_from_text, boot_id_to_text};

/// The form of the journal that this build writes.
pub(crate) const JOURNAL_VERSION: u32 = 1;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When it was observed, in milliseconds of the wall clock.
    pub(crate) at: i64,
    /// What was observed.
    #[serde(flatten)]
    pub(crate) record: Record,
}

impl Entry {
    /// When it was observed.
    pub(crate) fn observed_at(&self) -> Timestamp {
        Timestamp::from_millis(self.at)
    }
}

/// What a runner wrote down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Record {
    /// The first record: this runner owns the session.
    Opened { version: u32, runner: ProcessRecord },
    /// The only record of a journal that a daemon made: the plan is withdrawn, no runner may start.
    Withdrawn { by: ProcessRecord },
    /// The agent's process exists.
    Started { runner: ProcessRecord, agent: ProcessRecord, supervisor: String },
    /// The agent's process could not be started.
    StartFailed { detail: String },
    /// The agent accepts messages.
    Ready,
    /// A message was given to the agent, which has not confirmed it yet.
    Given { message: u64, attempt: u32 },
    /// The agent has confirmed a message.
    Taken { message: u64, attempt: u32 },
    /// A message that was given to the agent never began, and never will.
    NotTaken { message: u64, attempt: u32, detail: String },
    /// A turn has begun; without a message it is a person's.
    TurnStarted { message: Option<u64> },
    /// A turn has ended.
    TurnEnded(TurnEndRecord),
    /// An interrupt was passed on.
    InterruptPassed { detail: String },
    /// Something waits for input.
    RequestOpened { native: String, summary: String, tool: Option<String>, details: String },
    /// It no longer waits.
    RequestClosed { native: String, end: RequestEndRecord },
    /// Something is written to the standard input of a program that is held by pipes, under this tag.
    Written { tag: String },
    /// A line of the standard output of such a program: here, or in a file beside the journal.
    Line(AnswerRecord),
    /// A program that is held by pipes is lent to people at a terminal.
    Lent(LentRecord),
    /// Records were lost while the journal could not be written.
    Lost { records: u64 },
    /// The last record: the agent's process has ended and nothing of the session is left.
    Exited { exit: Option<ExitRecord>, killed: bool, detail: Option<String> },
    /// A type of a newer version.
    #[serde(other)]
    Unknown,
}

impl Record {
    /// The message whose handing-over this settles, one way or the other.
    pub(crate) fn hands_over(&self) -> Option<u64> {
        if let Self::Given { message, .. } | Self::Taken { message, .. } | Self::NotTaken { message, .. } = self {
            Some(*message)
        } else {
            None
        }
    }

    /// The message of which this reports something.
    pub(crate) fn tells_of(&self) -> Option<u64> {
        if let Self::Taken { message, .. } | Self::NotTaken { message, .. } = self {
            Some(*message)
        } else if let Self::TurnStarted { message } | Self::TurnEnded(TurnEndRecord { message, .. }) = self {
            *message
        } else {
            None
        }
    }
}

/// What becomes of a program that is lent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum LentRecord {
    /// It is being ended, to be started again in a terminal. From here on nothing is written to it.
    Begun,
    /// It runs in the terminal.
    Shown,
    /// Somebody who may type is there, or nobody is any more.
    Watched { by_anybody: bool },
    /// It has ended in the terminal, by a signal where it was `killed`, or could not be started there: why.
    Over {
        detail: String,
        #[serde(default)]
        killed: bool,
    },
    /// It is held by its pipes again; `cut` when it was ended at work, `unseen` when nobody could say whether it was.
    Back {
        cut: bool,
        #[serde(default)]
        unseen: bool,
    },
    /// A step of a newer version.
    #[serde(other)]
    Unknown,
}

/// The end of a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TurnEndRecord {
    /// The message that opened it, if any.
    pub(crate) message: Option<u64>,
    /// The command's exit status.
    pub(crate) exit: Option<ExitRecord>,
    /// An interrupt was passed on during the turn.
    #[serde(default)]
    pub(crate) interrupted: bool,
    /// The agent's process ended by a signal in the middle of it.
    #[serde(default)]
    pub(crate) gone: bool,
    /// A remark.
    #[serde(default)]
    pub(crate) detail: Option<String>,
    /// The final text.
    pub(crate) answer: AnswerRecord,
}

/// The final text of a turn: here, or in a file beside the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnswerRecord {
    /// Bytes of the text as it is kept.
    pub(crate) bytes: u64,
    /// Bytes left out of its middle.
    #[serde(default)]
    pub(crate) cut_bytes: u64,
    /// The text, when it is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// The file's name in the session's directory, when it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
}

impl AnswerRecord {
    /// The text, from wherever it is.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub(crate) fn load(&self, state_dir: &Path) -> io::Result<Arc<str>> {
        match (&self.text, &self.file) {
            (Some(text), _) => Ok(text.as_str().into()),
            (None, Some(file)) => Ok(std::fs::read_to_string(state_dir.join(file))?.into()),
            (None, None) => Ok("".into()),
        }
    }
}

/// How a request was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestEndRecord {
    /// By an answer through Adjutant.
    Answered,
    /// By a person at the terminal.
    AnsweredThere,
    /// It waits no longer.
    Withdrawn,
}

/// An exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExitRecord {
    /// An exit code.
    Code(i32),
    /// A signal's number.
    Signal(i32),
}

impl From<ExitStatus> for ExitRecord {
    fn from(exit: ExitStatus) -> Self {
        match exit {
            ExitStatus::Code(code) => Self::Code(code),
            ExitStatus::Signal(signal) => Self::Signal(signal),
        }
    }
}

impl From<ExitRecord> for ExitStatus {
    fn from(exit: ExitRecord) -> Self {
        match exit {
            ExitRecord::Code(code) => Self::Code(code),
            ExitRecord::Signal(signal) => Self::Signal(signal),
        }
    }
}

/// The identity of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessRecord {
    boot: String,
    pid: u32,
    start_ticks: u64,
}

impl From<&Incarnation> for ProcessRecord {
    fn from(process: &Incarnation) -> Self {
        Self { boot: boot_id_to_text(process.boot), pid: process.pid, start_ticks: process.start_ticks }
    }
}

impl ProcessRecord {
    /// The identity; `None` when the boot id is none.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        let boot = boot_id_from_text(&self.boot)?;
        Some(Incarnation { boot, pid: self.pid, start_ticks: self.start_ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn records_of_the_first_version_load() {
        let end =
            read(r#"{"at":5,"type":"turn_ended","message":42,"exit":{"code":7},"answer":{"bytes":2,"text":"hi"}}"#);
        let answer = AnswerRecord { bytes: 2, text: Some("hi".into()), ..AnswerRecord::default() };
        let exit = Some(ExitRecord::Code(7));
        let expected = TurnEndRecord { message: Some(42), exit, answer, ..TurnEndRecord::default() };
        assert_eq!(end, Entry { at: 5, record: Record::TurnEnded(expected) });
        assert_eq!(read(r#"{"at":1,"type":"ready"}"#).record, Record::Ready);
        let exited = read(r#"{"at":1,"type":"exited","exit":{"signal":9},"killed":false,"detail":null}"#);
        let expected = Record::Exited { exit: Some(ExitRecord::Signal(9)), killed: false, detail: None };
        assert_eq!(exited.record, expected);
    }

    #[test]
    fn the_steps_of_lending_have_their_form() {
        let back = Entry { at: 1, record: Record::Lent(LentRecord::Back { cut: true, unseen: false }) };
        assert_eq!(
            serde_json::to_string(&back).unwrap(),
            r#"{"at":1,"type":"lent","step":"back","cut":true,"unseen":false}"#
        );
        assert_eq!(read(r#"{"at":1,"type":"lent","step":"back","cut":true}"#), back, "of an older runner");
        assert_eq!(read(&serde_json::to_string(&back).unwrap()), back);
        let newer = read(r#"{"at":1,"type":"lent","step":"stolen","by":"x"}"#);
        assert_eq!(newer.record, Record::Lent(LentRecord::Unknown));
    }

    #[test]
    fn a_record_of_a_newer_version_is_unknown_and_no_error() {
        assert_eq!(read(r#"{"at":1,"type":"telepathy","with":["x",{"y":1}]}"#).record, Record::Unknown);
        assert_eq!(read(r#"{"at":1,"type":"ready","mood":"good"}"#).record, Record::Ready);
    }

    #[test]
    fn an_entry_survives_its_line() {
        let own = ProcessRecord::from(&crate::process::own_incarnation().unwrap());
        let entry = Entry { at: -3, record: Record::Opened { version: JOURNAL_VERSION, runner: own } };
        assert_eq!(read(&serde_json::to_string(&entry).unwrap()), entry);
    }
}
