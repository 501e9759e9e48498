//! The daemon's own log: structured lines, bounded by one rotation. No message text, token or user's path stands in it
//! above `debug`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Size at which the log is set aside and begun anew, in bytes; two files at the most are kept.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Begins to log into a file.
pub(crate) fn begin(path: &Path) {
    let filter = EnvFilter::try_from_env("ADJ_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = Rotated::new(path);
    let logging = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(writer);
    // A second daemon in one process exists in tests alone, and may log where the first one does.
    let _ = logging.try_init();
}

/// A file of lines that is turned over when it is large.
pub(crate) struct Rotated(Mutex<Open>);

impl Rotated {
    /// Opens nothing yet.
    pub(crate) fn new(path: &Path) -> Self {
        Self(Mutex::new(Open { path: path.to_owned(), file: None, bytes: 0 }))
    }
}

struct Open {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Open {
    fn file(&mut self) -> io::Result<&mut File> {
        if self.bytes > LOG_BYTES_MAX {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
            self.file = None;
        }
        if self.file.is_none() {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
            self.bytes = file.metadata()?.len();
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("the log is not open"))
    }
}

impl Write for &Rotated {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not stop the daemon from working.
        let written = open.file().and_then(|file| file.write_all(line));
        open.bytes += line.len() as u64;
        drop(written);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Rotated {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f12_the_log_is_turned_over_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("daemon.log");
        let begun = |bytes| Rotated(Mutex::new(Open { path: path.clone(), file: None, bytes }));
        let mut first = &begun(0);
        first.write_all(b"first\n").unwrap();
        first.0.lock().unwrap().bytes = LOG_BYTES_MAX + 1;
        first.write_all(b"second\n").unwrap();
        // A daemon that starts goes on where the last one ended.
        let mut next = &begun(0);
        next.write_all(b"third\n").unwrap();
        let read = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
        assert_eq!((read("daemon.log.1"), read("daemon.log")), ("first\n".to_owned(), "second\nthird\n".to_owned()));
    }
}
