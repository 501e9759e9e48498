//! What is said over a runner's socket.
//!
//! The first line of a connection says what it is to be. A control connection carries orders in one direction, each
//! a line of JSON, followed by exactly as many bytes as it announces; in the other direction the lines of the
//! journal as they stand in the file, so that whoever reads them knows the offset, and between them notices, which
//! begin with `!` and are not in the file. A terminal connection speaks frames after its first line, see
//! [`super::frame`].

use serde::{Deserialize, Serialize};

/// The name of the socket in a session's runtime directory.
pub(crate) const SOCKET: &str = "r.sock";

/// The first line of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hello {
    /// The daemon reads the journal from this offset on, and gives orders.
    Control { from: u64 },
    /// Somebody looks at the terminal.
    Terminal { columns: u16, rows: u16, read_only: bool },
}

/// An order of the daemon. `bytes` announces what follows the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderLine {
    /// A message, whose text follows. All records up to `committed` are safe with the daemon.
    Deliver { message: u64, attempt: u32, committed: u64, bytes: u64 },
    /// A line for the standard input of a program that is held by pipes, which follows. One tag is written once. All
    /// records up to `committed` are safe with the daemon.
    Write { tag: String, committed: u64, bytes: u64 },
    /// Stop the running turn.
    Interrupt {},
    /// The answer to a request, whose text follows.
    Respond { native: String, bytes: u64 },
    /// End the session.
    End { grace_ms: u64 },
    /// Have the program that is held by pipes started again with these words, in a terminal of this size.
    Lend { arguments: Vec<String>, columns: u16, rows: u16 },
    /// Have the program that is lent started again with these words, by its pipes; `cut` when it is at work, `unseen` when
    /// nobody can say whether it is.
    TakeBack {
        arguments: Vec<String>,
        cut: bool,
        #[serde(default)]
        unseen: bool,
    },
}

impl OrderLine {
    /// How many bytes follow the line.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Deliver { bytes, .. } | Self::Respond { bytes, .. } | Self::Write { bytes, .. } => *bytes,
            Self::Interrupt {} | Self::End { .. } | Self::Lend { .. } | Self::TakeBack { .. } => 0,
        }
    }
}

/// What a runner says beside its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// Everything that had happened when the connection was taken up has been sent.
    CaughtUp { working: bool },
    /// A message was not taken and will not be.
    Refused { message: u64, attempt: u32, why: String },
    /// A message was taken before; the journal says what became of it.
    TakenBefore { message: u64 },
    /// A line was not written and will not be: the program takes no more, or too much waits for it.
    NotWritten { tag: String, why: String },
    /// No turn was running that could be interrupted.
    NothingToInterrupt,
    /// No such request is open.
    NoSuchRequest { native: String },
}

/// A line of JSON with its end.
pub(crate) fn line_of(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("the wire's types have text keys and no other failure");
    line.push(b'\n');
    line
}

/// A notice with its mark and its end.
pub(crate) fn notice_line(notice: &Notice) -> Vec<u8> {
    let mut line = vec![b'!'];
    line.extend(line_of(notice));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_form() {
        let text = |line: Vec<u8>| String::from_utf8(line).unwrap();
        assert_eq!(text(line_of(&Hello::Control { from: 7 })), "{\"control\":{\"from\":7}}\n");
        assert_eq!(text(line_of(&OrderLine::Interrupt {})), "{\"interrupt\":{}}\n");
        let caught_up = notice_line(&Notice::CaughtUp { working: true });
        assert_eq!(text(caught_up), "!{\"caught_up\":{\"working\":true}}\n");
    }
}
