//! The frames of a terminal's stream, between a runner and whoever looks at its terminal.
//!
//! A frame is a byte for its kind, the length of its payload as a big-endian `u32`, and the payload:
//!
//! | kind | from | name | payload |
//! |---|---|---|---|
//! | 1 | viewer | input | bytes to type |
//! | 2 | viewer | resize | columns and rows, each a big-endian `u16` |
//! | 16 | runner | opened | columns and rows of the terminal now |
//! | 17 | runner | output | bytes to show; the first is what the screen showed lately |
//! | 18 | runner | resized | columns and rows from now on |
//! | 19 | runner | closed | why, as text; nothing follows |
//!
//! A kind that the receiver does not know is skipped. Nobody sends a payload of more than 64 KiB, and a longer one
//! ends the connection.

use std::io;

use crate::limits::FRAME_BYTES_MAX;

/// Bytes before the payload.
const HEADER_BYTES: usize = 5;

/// Why a terminal is closed whose session goes on without one: the beginning of what [`Frame::Closed`] says.
pub const GIVEN_BACK: &str = "the conversation is given back";

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What somebody types.
    Input(Vec<u8>),
    /// The size of the viewer's terminal.
    Resize {
        /// Characters in a row.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// The connection is taken up.
    Opened {
        /// Characters in a row.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// What the terminal shows.
    Output(Vec<u8>),
    /// The terminal has another size now.
    Resized {
        /// Characters in a row.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// The end, and why.
    Closed(String),
}

impl Frame {
    /// The frame as it is sent. Input and output of any length; they become as many frames as they need.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Input(bytes) => pieces(&mut out, 1, bytes),
            Self::Resize { columns, rows } => put(&mut out, 2, &size(*columns, *rows)),
            Self::Opened { columns, rows } => put(&mut out, 16, &size(*columns, *rows)),
            Self::Output(bytes) => pieces(&mut out, 17, bytes),
            Self::Resized { columns, rows } => put(&mut out, 18, &size(*columns, *rows)),
            Self::Closed(why) => put(&mut out, 19, &why.as_bytes()[..why.floor_char_boundary(FRAME_BYTES_MAX)]),
        }
        out
    }

    fn decode(kind: u8, payload: &[u8]) -> io::Result<Option<Self>> {
        let frame = match kind {
            1 => Self::Input(payload.to_vec()),
            2 => two_numbers(payload).map(|(columns, rows)| Self::Resize { columns, rows })?,
            16 => two_numbers(payload).map(|(columns, rows)| Self::Opened { columns, rows })?,
            17 => Self::Output(payload.to_vec()),
            18 => two_numbers(payload).map(|(columns, rows)| Self::Resized { columns, rows })?,
            19 => Self::Closed(String::from_utf8_lossy(payload).into_owned()),
            _ => return Ok(None),
        };
        Ok(Some(frame))
    }
}

fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
}

fn pieces(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    bytes.chunks(FRAME_BYTES_MAX).for_each(|piece| put(out, kind, piece));
}

fn size(columns: u16, rows: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (columns.to_be_bytes(), rows.to_be_bytes());
    [a, b, c, d]
}

fn two_numbers(payload: &[u8]) -> io::Result<(u16, u16)> {
    match payload {
        [a, b, c, d] => Ok((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a size has four bytes")),
    }
}

/// Takes frames out of a stream, in whatever pieces it comes.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    waiting: Vec<u8>,
}

impl FrameDecoder {
    /// Adds a piece of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.waiting.extend_from_slice(piece);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// When the stream is none of frames; it cannot be read on from there.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let Some((kind, length)) = self.header()? else { return Ok(None) };
            let end = HEADER_BYTES + length;
            if self.waiting.len() < end {
                return Ok(None);
            }
            let frame = Frame::decode(kind, &self.waiting[HEADER_BYTES..end])?;
            self.waiting.drain(..end);
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }

    fn header(&self) -> io::Result<Option<(u8, usize)>> {
        let [kind, a, b, c, d, ..] = self.waiting[..] else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
        }
        Ok(Some((kind, length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_stream_in_any_pieces() {
        let frames = [
            Frame::Opened { columns: 200, rows: 50 },
            Frame::Output(b"\x1b[31mhi".to_vec()),
            Frame::Input(vec![3]),
            Frame::Resize { columns: 80, rows: 24 },
            Frame::Resized { columns: 80, rows: 24 },
            Frame::Closed("the session has ended".to_owned()),
        ];
        let mut stream: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        // A frame of a newer version.
        stream.extend_from_slice(&[99, 0, 0, 0, 2, 1, 2]);
        for size in 1..stream.len() {
            let (mut decoder, mut got) = (FrameDecoder::default(), Vec::new());
            for piece in stream.chunks(size) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push(frame);
                }
            }
            assert_eq!(got, frames, "pieces of {size}");
        }
    }

    #[test]
    fn long_output_becomes_several_frames_and_nothing_longer_is_taken() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let (mut decoder, mut got) = (FrameDecoder::default(), Vec::new());
        decoder.push(&Frame::Output(bytes.clone()).encode());
        while let Some(Frame::Output(piece)) = decoder.next_frame().unwrap() {
            got.extend(piece);
        }
        assert_eq!(got, bytes);
        decoder.push(&[17, 0, 1, 0, 1]);
        assert!(decoder.next_frame().is_err());
        let mut decoder = FrameDecoder::default();
        decoder.push(&[2, 0, 0, 0, 1, 7]);
        assert!(decoder.next_frame().is_err());
    }
}
