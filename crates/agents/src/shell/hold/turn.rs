//! The turn that runs, from the moment it is given to bash until it is written down.

use std::os::fd::OwnedFd;

use adjutant_core::outcome::ExitStatus;

use tokio::time::Instant;

use super::control::Remark;
use super::interrupt::Interrupt;
use crate::shell::text::{CleanText, TurnText};

/// How a turn ended, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The loop told the status.
    Told(i32, Remark),
    /// The loop waits again, and has not told how this ended: the message meddled with the loop.
    Untold,
    /// The shell itself ended.
    WithShell(ExitStatus),
}

/// Where the turn's text is in the stream of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// The mark of the beginning has not come.
    Before,
    /// Output is the turn's own.
    Within,
    /// The mark of the end has come.
    After,
}

/// One turn.
#[derive(Debug)]
pub(super) struct Turn {
    /// The message that opened it; `None` for a person's.
    pub(super) message: Option<u64>,
    pub(super) attempt: u32,
    /// The message's text until bash has read it.
    pub(super) script: Option<OwnedFd>,
    /// When bash said that it begins.
    pub(super) started: Option<Instant>,
    pub(super) stream: Stream,
    pub(super) text: TurnText,
    pub(super) ended: Option<Ended>,
    /// An interrupt was ordered and has not been sent yet.
    pub(super) interrupt_wanted: bool,
    /// What was done to stop it.
    pub(super) interrupt: Option<Interrupt>,
    /// The mark of the end did not come in time.
    pub(super) unmarked: bool,
}

impl Turn {
    /// The turn of a message that is given to bash now.
    pub(super) fn of_message(message: u64, attempt: u32, script: OwnedFd, text: TurnText) -> Self {
        Self { attempt, script: Some(script), ..Self::new(Some(message), Stream::Before, text) }
    }

    /// The turn of a person, whose command begins now.
    pub(super) fn of_person(text: TurnText) -> Self {
        Self { started: Some(Instant::now()), ..Self::new(None, Stream::Within, text) }
    }

    fn new(message: Option<u64>, stream: Stream, text: TurnText) -> Self {
        Self {
            message,
            attempt: 0,
            script: None,
            started: None,
            stream,
            text,
            ended: None,
            interrupt_wanted: false,
            interrupt: None,
            unmarked: false,
        }
    }

    /// Takes output that came while the turn runs.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        if self.stream == Stream::Within {
            self.text.push(bytes);
        }
    }

    /// Whether both its end and the end of its text are known.
    pub(super) fn is_settled(&self) -> bool {
        match self.ended {
            None => false,
            Some(Ended::WithShell(_)) => true,
            Some(Ended::Told(..) | Ended::Untold) => self.stream == Stream::After || self.unmarked,
        }
    }
}

/// Remarks about the end of a turn, in one line.
pub(super) fn remarks(ended: Option<Ended>, unmarked: bool, unlogged_bytes: u64, text: &CleanText) -> Option<String> {
    let mut remarks = Vec::new();
    match ended {
        Some(Ended::Told(_, remark)) => {
            remarks.extend(remark.words());
            if unmarked {
                remarks.push("the end of its output could not be told apart from what followed".to_owned());
            }
        }
        Some(Ended::WithShell(ExitStatus::Code(_))) => remarks.push("the shell itself has ended".to_owned()),
        Some(Ended::WithShell(ExitStatus::Signal(signal))) => {
            remarks.push(format!("the shell itself was ended by signal {signal}"));
        }
        Some(Ended::Untold) => remarks.push("the shell goes on and has not told how the message ended".to_owned()),
        None => {}
    }
    if text.invalid_bytes > 0 {
        remarks.push(format!("{} bytes of its output are no text and stand as U+FFFD", text.invalid_bytes));
    }
    if unlogged_bytes > 0 {
        remarks.push(format!("{unlogged_bytes} bytes of output are missing from the log, which could not be written"));
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}
