//! `host.json`: the host's id beside the store, and with it the proof that a store has existed here.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use crate::place::{Place, write_whole};

/// What tells this home's daemon from any other: 128 random bits, drawn when its store was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId([u8; 16]);

impl HostId {
    /// Takes the bytes of an id.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn draw() -> io::Result<Self> {
        let mut bytes = [0; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        Ok(Self(bytes))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let right = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        right.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(|number| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// It is not there.
    Absent,
    /// It names a host.
    Names(HostId),
    /// It is there, and its content is not what was written.
    Garbled,
}

#[derive(Serialize, Deserialize)]
struct HostFile {
    host: String,
}

pub(crate) fn read(place: &Place) -> io::Result<Witness> {
    match fs::read(place.host_file()) {
        Ok(bytes) => Ok(named_in(&bytes).map_or(Witness::Garbled, Witness::Names)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Witness::Absent),
        Err(error) => Err(error),
    }
}

fn named_in(bytes: &[u8]) -> Option<HostId> {
    let file: HostFile = serde_json::from_slice(bytes).ok()?;
    HostId::parse(&file.host)
}

pub(crate) fn write(path: &Path, id: HostId) -> io::Result<()> {
    let text = serde_json::json!({ "host": id.to_string() }).to_string();
    write_whole(path, format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = HostId::draw().unwrap();
        assert_eq!(HostId::parse(&id.to_string()), Some(id));
        assert_ne!(HostId::draw().unwrap(), id);
        assert_eq!(HostId::parse(&"0".repeat(32)), Some(HostId([0; 16])));
    }

    #[test]
    fn other_texts_name_no_host() {
        for text in ["", "0", "+0000000000000000000000000000000", "0000000000000000000000000000000G", &"A".repeat(32)] {
            assert_eq!(HostId::parse(text), None, "{text}");
        }
        assert_eq!(named_in(b"{\"host\":\"x\"}"), None);
        assert_eq!(named_in(b""), None);
    }
}
