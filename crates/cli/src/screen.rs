//! The person's own terminal while it shows a session's: raw, and as it was before when that is over.

use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;

use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr, ttyname};
use tokio::net::unix::pipe;

use crate::error::CommandError;

/// A terminal in raw mode; dropping it gives the person's modes back.
pub(crate) struct Screen {
    before: Termios,
    /// Any device that can be waited for; tokio calls it a pipe.
    keys: pipe::Receiver,
    /// The end of what was shown, for sequences that come in pieces.
    tail: Vec<u8>,
    alternate: bool,
}

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// Switches to the other screen and back, as programs do.
const ALTERNATE: [(&[u8], bool); 6] = [
    (b"\x1b[?1049h", true),
    (b"\x1b[?1049l", false),
    (b"\x1b[?1047h", true),
    (b"\x1b[?1047l", false),
    (b"\x1b[?47h", true),
    (b"\x1b[?47l", false),
];

/// Ends colours, mouse, pasted brackets, application keys, and shows the cursor.
const CALM: &[u8] = b"\x1b[0m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h";

impl Screen {
    /// Whether there is a terminal to be taken over.
    pub(crate) fn check() -> Result<(), CommandError> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            return Ok(());
        }
        Err(CommandError::usage("`attach` needs a terminal on standard input and standard output"))
    }

    /// Takes the terminal over.
    pub(crate) fn take() -> Result<Self, CommandError> {
        // A description of its own, since making the shell's one non-blocking would outlive this process.
        let name = ttyname(io::stdin(), Vec::new()).map_err(io::Error::from)?;
        let name = std::ffi::OsString::from_vec(name.into_bytes());
        let keys = pipe::OpenOptions::new().unchecked(true).open_receiver(name)?;
        let before = tcgetattr(io::stdin()).map_err(io::Error::from)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(io::Error::from)?;
        Ok(Self { before, keys, tail: Vec::new(), alternate: false })
    }

    /// Columns and rows.
    pub(crate) fn size() -> (u16, u16) {
        match tcgetwinsize(io::stdout()) {
            Ok(Winsize { ws_col: columns @ 1.., ws_row: rows @ 1.., .. }) => (columns, rows),
            Ok(_) | Err(_) => (80, 24),
        }
    }

    /// What is typed next; empty when the terminal is gone.
    pub(crate) async fn typed(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            self.keys.readable().await?;
            match self.keys.try_read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    bytes.truncate(count);
                    return Ok(bytes);
                }
            }
        }
    }

    /// Shows what the session shows.
    pub(crate) fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tail.extend_from_slice(bytes);
        for (at, (sequence, is_on)) in (0..self.tail.len()).flat_map(|at| ALTERNATE.iter().map(move |one| (at, one))) {
            if self.tail[at..].starts_with(sequence) {
                self.alternate = *is_on;
            }
        }
        self.tail.drain(..self.tail.len().saturating_sub(7));
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let back: &[u8] = if self.alternate { b"\x1b[?1049l" } else { b"" };
        let mut out = io::stdout().lock();
        let _ = out.write_all(&[back, CALM, b"\r\n"].concat()).and_then(|()| out.flush());
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
