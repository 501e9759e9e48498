//! Writing down a turn that has ended: its text first, then the record that tells of it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use adjutant_core::outcome::ExitStatus;

use super::turn::{Ended, Turn, remarks};
use crate::limits::{ANSWER_FILES_MAX, ANSWER_INLINE_BYTES_MAX, WAITING_BYTES_MAX};
use crate::runner::{AnswerRecord, Attachment, Journal, Record, TurnEndRecord};

/// The directory of final texts, in the session's state directory.
const ANSWERS: &str = "answers";

/// A file with a final text, until the daemon has it for sure.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// Where the record that names it ends in the journal.
    end: u64,
}

/// The final texts that do not fit into the journal.
#[derive(Debug)]
pub(super) struct Answers {
    state_dir: PathBuf,
    number: u64,
    kept: VecDeque<Kept>,
}

impl Answers {
    /// Final texts in this directory.
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned(), number: 0, kept: VecDeque::new() }
    }

    /// Writes down the end of a turn.
    pub(super) fn settle(&mut self, journal: &mut Journal, turn: Turn, unlogged_bytes: u64) {
        if let (None, Some(message)) = (turn.started, turn.message) {
            // The loop says `start` before a message's first command, and did not.
            let (attempt, detail) = (turn.attempt, "the shell ended before the message began".to_owned());
            return journal.append(&Record::NotTaken { message, attempt, detail });
        }
        let text = turn.text.finish();
        let detail = remarks(turn.ended, turn.unmarked, unlogged_bytes, &text);
        let exit = match turn.ended {
            Some(Ended::Told(status, _)) => Some(ExitStatus::Code(status)),
            Some(Ended::WithShell(exit)) => Some(exit),
            Some(Ended::Untold) | None => None,
        };
        let gone = matches!(turn.ended, Some(Ended::WithShell(ExitStatus::Signal(_))));
        let (answer, attachment) = self.place(journal, text.text, text.cut_bytes);
        let path = attachment.as_ref().map(|attachment| attachment.path.clone());
        let record = Record::TurnEnded(TurnEndRecord {
            message: turn.message,
            exit: exit.map(Into::into),
            interrupted: turn.interrupt.is_some(),
            gone,
            detail,
            answer,
        });
        journal.append_with(&record, attachment);
        self.kept.extend(path.map(|path| Kept { path, end: journal.end() }));
        if self.kept.len() > ANSWER_FILES_MAX {
            self.drop_oldest();
        }
    }

    /// Deletes the texts whose records the daemon has committed.
    pub(super) fn forget(&mut self, committed: u64) {
        while self.kept.front().is_some_and(|kept| kept.end <= committed) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(kept) = self.kept.pop_front() {
            // One that stays costs only room.
            let _ = std::fs::remove_file(kept.path);
        }
    }

    /// Decides where a text goes: into its record, or into a file. While a full disk holds up so much already that no
    /// more can wait in memory, the end of the text is kept, which tells most.
    fn place(&mut self, journal: &Journal, text: String, cut_bytes: u64) -> (AnswerRecord, Option<Attachment>) {
        let answer = AnswerRecord { bytes: text.len() as u64, cut_bytes, ..AnswerRecord::default() };
        if text.len() <= ANSWER_INLINE_BYTES_MAX {
            return (AnswerRecord { text: Some(text), ..answer }, None);
        }
        if journal.waiting_bytes() + text.len() > WAITING_BYTES_MAX {
            return (shortened(&text, cut_bytes), None);
        }
        self.number += 1;
        let name = format!("{ANSWERS}/{}", self.number);
        let attachment = Attachment { path: self.state_dir.join(&name), bytes: text.into_bytes() };
        (AnswerRecord { file: Some(name), ..answer }, Some(attachment))
    }
}

fn shortened(text: &str, cut_bytes: u64) -> AnswerRecord {
    let from = text.ceil_char_boundary(text.len() - ANSWER_INLINE_BYTES_MAX);
    let left_out = from as u64;
    let kept = format!("[... {left_out} bytes left out: the disk took no more ...]\n{}", &text[from..]);
    let (bytes, cut_bytes) = (kept.len() as u64, cut_bytes + left_out);
    AnswerRecord { bytes, cut_bytes, text: Some(kept), file: None }
}
