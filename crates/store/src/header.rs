//! What can be said of a database file before SQLite touches it, and what SQLite does not ask when it opens one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::OpenError;
use crate::place::Place;

/// "ADJ1", kept in the header by SQLite's `application_id`.
pub(crate) const APPLICATION_ID: u32 = 0x4144_4A31;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
const WAL_HEADER_BYTES: u64 = 32;
const WAL_FRAME_HEADER_BYTES: u64 = 24;

/// Reads the header; a file that SQLite would take for an empty database is an error here.
pub(crate) fn inspect(place: &Place) -> Result<(), OpenError> {
    let path = place.db();
    let found = std::fs::symlink_metadata(&path).map_err(|error| OpenError::unreadable(&path, error))?;
    if !found.is_file() {
        return Err(OpenError::unreadable(&path, "it is not a file"));
    }
    let wal_bytes = size_of(&place.wal()).map_err(|error| OpenError::unreadable(&place.wal(), error))?;
    let header = read_header(&path)?;
    header_flaw(&header, found.len(), wal_bytes > 0).map_or(Ok(()), |why| Err(OpenError::corrupt(&path, why)))
}

fn read_header(path: &Path) -> Result<[u8; HEADER_BYTES], OpenError> {
    let mut header = [0; HEADER_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) => Ok(header),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(OpenError::corrupt(path, "it is too short to be a database"))
        }
        Err(error) => Err(OpenError::unreadable(path, error)),
    }
}

fn header_flaw(header: &[u8; HEADER_BYTES], bytes: u64, has_wal: bool) -> Option<String> {
    if !header.starts_with(MAGIC) {
        return Some("it does not begin like a database".to_owned());
    }
    if number(header, 68) != u64::from(APPLICATION_ID) {
        return Some("it is a database of another program".to_owned());
    }
    let expected = number(header, 28) * page_bytes(header);
    // With a write-ahead log the pages that are missing may stand there; `missing_pages` looks.
    (expected > bytes && !has_wal).then(|| format!("it should have {expected} bytes and has {bytes}"))
}

fn page_bytes(header: &[u8; HEADER_BYTES]) -> u64 {
    match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    }
}

fn number(header: &[u8], at: usize) -> u64 {
    header[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The first page that is neither in the file nor in its write-ahead log.
///
/// While a log exists, SQLite believes the log about the size of the file, and finds out when it reads the page.
pub(crate) fn missing_page(place: &Place, page_count: u64, page_bytes: u64) -> io::Result<Option<u64>> {
    let in_file = size_of(&place.db())? / page_bytes;
    if in_file >= page_count {
        return Ok(None);
    }
    let in_log = logged_pages(&place.wal(), page_bytes)?;
    Ok((in_file + 1..=page_count).find(|page| !in_log.contains(page)))
}

fn size_of(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// The pages of the frames that carry the log's present salts; what an earlier round left behind does not count.
fn logged_pages(path: &Path, page_bytes: u64) -> io::Result<BTreeSet<u64>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        file => file?,
    };
    let mut salts = [0; 8];
    if file.read_at(&mut salts, 16)? < salts.len() {
        return Ok(BTreeSet::new());
    }
    let mut pages = BTreeSet::new();
    let (mut at, mut frame) = (WAL_HEADER_BYTES, [0; 16]);
    while file.read_at(&mut frame, at)? == frame.len() && frame[8..] == salts {
        pages.insert(number(&frame, 0));
        at += WAL_FRAME_HEADER_BYTES + page_bytes;
    }
    Ok(pages)
}
