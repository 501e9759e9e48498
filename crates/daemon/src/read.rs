//! Reading the store: a few connections, each call on a thread that may wait for the disk.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use adjutant_store::{ReadError, Reader};

/// Connections that are kept open for the next call.
const READERS_KEPT_MAX: usize = 4;

/// The reading side of the store.
#[derive(Debug)]
pub(crate) struct Readers {
    state_dir: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    pub(crate) fn new(state_dir: PathBuf) -> Self {
        Self { state_dir, idle: Mutex::default() }
    }

    /// Runs `read` on a connection, on the calling thread, which must be one that may block.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match kept {
            Some(reader) => reader,
            None => Reader::open(&self.state_dir)?,
        };
        let answer = read(&reader);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection on which something failed is not used again.
        if answer.is_ok() && idle.len() < READERS_KEPT_MAX {
            idle.push(reader);
        }
        answer
    }
}
