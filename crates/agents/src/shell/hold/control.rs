//! What bash's loop says over its pipe.

/// One line from the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The loop is set up.
    Ready,
    /// It waits for what to do next; the last command ended with this status.
    Idle { status: i32 },
    /// A message begins.
    Start { message: u64 },
    /// A message has ended with this status.
    End { message: u64, status: i32, remark: Remark },
    /// This bash is too old for the loop.
    Old { version: String },
    /// The loop was left without having been told to.
    Fell,
}

/// What bash found odd at the end of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remark {
    /// Its standard output is not the terminal.
    pub(super) output_elsewhere: bool,
    /// It has left the loop in which messages run, so that the rest of it did not.
    pub(super) left_early: bool,
}

impl Remark {
    /// The remark in words, for the turn's detail.
    pub(super) fn words(self) -> Option<String> {
        let elsewhere = "the shell's own standard output is redirected away from the terminal";
        let early = "a `break` outside of a loop has ended it, and what stood behind that did not run";
        let words = [(self.left_early, early), (self.output_elsewhere, elsewhere)];
        let said: Vec<&str> = words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// Lines from bash's pipe, in whatever pieces they come.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes a piece and gives the lines that are whole. A line that is none of ours was written by somebody else.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        for byte in piece {
            if *byte == b'\n' {
                said.extend(parse(&self.partial));
                self.partial.clear();
            } else if self.partial.len() < 256 {
                self.partial.push(*byte);
            }
        }
        said
    }
}

fn parse(line: &[u8]) -> Option<Said> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let said = match words.next()? {
        "ready" => Said::Ready,
        "idle" => Said::Idle { status: words.next()?.parse().ok()? },
        "fell" => Said::Fell,
        "old" => Said::Old { version: words.next()?.to_owned() },
        "start" => Said::Start { message: words.next()?.parse().ok()? },
        "end" => {
            let (message, status) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let letters = words.next().unwrap_or_default();
            let remark = Remark { output_elsewhere: letters.contains('o'), left_early: letters.contains('b') };
            Said::End { message, status, remark }
        }
        _ => return None,
    };
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_any_pieces() {
        let remark = Remark { output_elsewhere: true, left_early: true };
        let expected = [
            Said::Ready,
            Said::Idle { status: 130 },
            Said::Start { message: 42 },
            Said::End { message: 42, status: 7, remark },
        ];
        let raw = b"ready\nidle 130\nstart 42\nnonsense\nend 42\nend 42 7 bo\n";
        for size in 1..raw.len() {
            let mut lines = Lines::default();
            let said: Vec<Said> = raw.chunks(size).flat_map(|piece| lines.push(piece)).collect();
            assert_eq!(said, expected, "pieces of {size}");
        }
    }
}
