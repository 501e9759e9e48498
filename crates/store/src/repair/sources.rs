//! What a repair can read from. Nothing of it is written to.

use std::path::Path;

use adjutant_core::host::Counters;
use rusqlite::Connection;

use super::failed;
use crate::error::RepairError;
use crate::host_file::{self, HostId, Witness};
use crate::place::Place;
use crate::{connection, meta, schema};

/// The damaged database and the newest copy, as far as they can be opened.
pub(super) struct Sources {
    pub(super) damaged: Option<Connection>,
    pub(super) backup: Option<Connection>,
}

impl Sources {
    pub(super) fn open(damaged: Option<&Path>, backup: Option<&Path>) -> Self {
        Self {
            damaged: damaged.and_then(|path| connection::open_to_salvage(path).ok()),
            backup: backup.and_then(open_backup),
        }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Connection> {
        self.damaged.iter().chain(&self.backup)
    }

    pub(super) fn host(&self, place: &Place) -> Result<HostId, RepairError> {
        let path = place.host_file();
        match host_file::read(place).map_err(|error| failed(&path, error))? {
            Witness::Names(host) => Ok(host),
            Witness::Absent | Witness::Garbled => {
                let known = self.each().find_map(|conn| meta::host(conn).ok().flatten());
                known.map_or_else(|| HostId::draw().map_err(|error| failed(&path, error)), Ok)
            }
        }
    }

    /// The highest counters that anybody remembers, and beyond what may be lost.
    pub(super) fn counters(&self) -> Counters {
        let mut highest = Counters::default();
        for known in self.each().filter_map(|conn| meta::counters(conn).ok()) {
            highest.next_seq = highest.next_seq.max(known.next_seq);
            highest.next_message = highest.next_message.max(known.next_message);
            highest.next_request = highest.next_request.max(known.next_request);
        }
        highest
    }
}

fn open_backup(path: &Path) -> Option<Connection> {
    let conn = connection::open_to_read(path).ok()?;
    (schema::version(&conn).ok()? == schema::SUPPORTED).then_some(conn)
}
