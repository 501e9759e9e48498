//! Writing down a turn that has ended: its text first, then the record that tells of it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use adjutant_core::outcome::ExitStatus;

use super::turn::{Ended, Turn, remarks};
use crate::limits::ANSWER_INLINE_BYTES_MAX;
use crate::runner::{AnswerRecord, Journal, Record, TurnEndRecord};

/// The directory of final texts, in the session's state directory.
const ANSWERS: &str = "answers";

/// Writes down the end of a turn.
pub(super) fn settle(journal: &mut Journal, state_dir: &Path, turn: Turn) {
    if let (false, Some(message)) = (turn.started, turn.message) {
        // The loop says `start` before a message's first command, and did not.
        let (attempt, detail) = (turn.attempt, "the shell ended before the message began".to_owned());
        return journal.append(&Record::NotTaken { message, attempt, detail });
    }
    let text = turn.text.finish();
    let detail = remarks(turn.ended, turn.unmarked, &text);
    let exit = match turn.ended {
        Some(Ended::Told(status, _)) => Some(ExitStatus::Code(status)),
        Some(Ended::WithShell(exit)) => Some(exit),
        None => None,
    };
    let gone = matches!(turn.ended, Some(Ended::WithShell(ExitStatus::Signal(_))));
    let answer = store(state_dir, journal.written(), text.text, text.cut_bytes);
    journal.append(&Record::TurnEnded(TurnEndRecord {
        message: turn.message,
        exit: exit.map(Into::into),
        interrupted: turn.interrupted,
        gone,
        detail,
        answer,
    }));
}

/// Puts a text where its record will say that it is.
fn store(state_dir: &Path, number: u64, text: String, cut_bytes: u64) -> AnswerRecord {
    let answer = AnswerRecord { bytes: text.len() as u64, cut_bytes, ..AnswerRecord::default() };
    if text.len() <= ANSWER_INLINE_BYTES_MAX {
        return AnswerRecord { text: Some(text), ..answer };
    }
    let name = format!("{ANSWERS}/{number}");
    match write_file(&state_dir.join(ANSWERS), &state_dir.join(&name), text.as_bytes()) {
        Ok(()) => AnswerRecord { file: Some(name), ..answer },
        // The disk is full, or worse. The end is what tells most.
        Err(_) => {
            let from = text.ceil_char_boundary(text.len() - ANSWER_INLINE_BYTES_MAX);
            let left_out = from as u64;
            let kept = format!("[... {left_out} bytes left out: the disk took no more ...]\n{}", &text[from..]);
            AnswerRecord {
                bytes: kept.len() as u64,
                cut_bytes: cut_bytes + left_out,
                text: Some(kept),
                file: None,
            }
        }
    }
}

fn write_file(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes).inspect_err(|_| {
        // Half a text is of no use, and its room may be what the record needs.
        let _ = std::fs::remove_file(path);
    })
}
