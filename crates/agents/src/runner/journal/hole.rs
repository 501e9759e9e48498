//! Room that a file gives back to the disk, so that what is known for sure elsewhere costs nothing here. Offsets stay as they
//! are: the file has a hole there, which reads as zeros, and readers step over it.

use std::fs::File;
use std::io::{self, BufRead, Seek};

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};

/// Bytes that a file system gives room for at once, as far as holes are concerned.
pub(crate) const BLOCK_BYTES: u64 = 4096;

/// Bytes that are worth giving back.
pub(crate) const GIVEN_BACK_BYTES_MIN: u64 = 256 * 1024;

/// Gives back what stands between two places, in whole blocks; says up to where it is given back now.
pub(crate) fn give_back(file: &File, from: u64, to: u64) -> u64 {
    let to = to / BLOCK_BYTES * BLOCK_BYTES;
    if to < from + GIVEN_BACK_BYTES_MIN {
        return from;
    }
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // A file system that cannot do this keeps what stands there.
    let _ = fallocate(file, punch, from, to - from);
    to
}

/// Steps over a hole, if a reader stands before one. What follows it first may be the end of a line, which is none.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn skip_hole(file: &mut io::BufReader<File>, next: &mut u64) -> io::Result<()> {
    while file.fill_buf()?.first() == Some(&0) {
        let data = match seek(file.get_ref(), SeekFrom::Data(*next)) {
            Ok(data) if data > *next => data,
            // Zeros that are none of a hole, or a hole up to the end.
            Ok(_) | Err(_) => *next + 1,
        };
        file.seek(io::SeekFrom::Start(data))?;
        *next = data;
    }
    Ok(())
}
