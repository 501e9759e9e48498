//! The output of a session's terminal as it came, in two files that take turns.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::limits::LOG_FILE_BYTES_MAX;

/// The log that is written, and the one before it.
const FILES: [&str; 2] = ["output.log", "output.log.1"];

/// A log that never holds up what it logs: what cannot be written is dropped and counted.
#[derive(Debug)]
pub(crate) struct OutputLog {
    current: PathBuf,
    previous: PathBuf,
    file: Option<File>,
    file_bytes: u64,
    dropped_bytes: u64,
}

impl OutputLog {
    /// A log in this directory; its first file is made with the first output.
    pub(crate) fn new(state_dir: &Path) -> Self {
        let [current, previous] = FILES.map(|name| state_dir.join(name));
        Self { current, previous, file: None, file_bytes: 0, dropped_bytes: 0 }
    }

    /// Adds output.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.try_write(bytes).is_err() {
            self.dropped_bytes += bytes.len() as u64;
        }
    }

    /// Bytes of output that the log does not have since this was asked last.
    pub(crate) fn take_dropped_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.dropped_bytes)
    }

    /// The log that is written now, and its size.
    pub(crate) fn open_current(&self) -> Option<(File, u64)> {
        let file = File::open(&self.current).ok()?;
        let size = file.metadata().ok()?.len();
        Some((file, size))
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file_bytes >= LOG_FILE_BYTES_MAX {
            self.file = None;
            std::fs::rename(&self.current, &self.previous)?;
            self.file_bytes = 0;
        }
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            let file = options.create(true).append(true).mode(0o600).open(&self.current)?;
            self.file_bytes = file.metadata()?.len();
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
            self.file_bytes += bytes.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h902_the_log_takes_turns_in_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = OutputLog::new(dir.path());
        let block = vec![b'x'; 1024 * 1024];
        for _ in 0..2 * LOG_FILE_BYTES_MAX / (1024 * 1024) + 3 {
            log.write(&block);
        }
        let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len();
        assert_eq!(size(FILES[1]), LOG_FILE_BYTES_MAX);
        assert_eq!(size(FILES[0]), 3 * 1024 * 1024);
        assert_eq!(log.take_dropped_bytes(), 0);
    }

    #[test]
    fn h902_output_that_cannot_be_written_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = OutputLog::new(&dir.path().join("missing"));
        log.write(b"four");
        assert_eq!(log.take_dropped_bytes(), 4);
        assert_eq!(log.take_dropped_bytes(), 0);
    }
}
