//! A state directory of its own for each test.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use adjutant_core::event::Logged;
use adjutant_core::id::Seq;
use adjutant_store::{Entry, Loaded, Reader, Scope, Writer, open};
use tempfile::TempDir;

pub(crate) struct World {
    root: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    /// The state directory; nothing is there yet.
    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.file("store.db")
    }

    pub(crate) fn open(&self) -> (Writer, Loaded) {
        open(&self.dir(), "0.1.0-test").unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.dir()).unwrap()
    }

    /// A connection that may do what the store never does.
    pub(crate) fn sqlite(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.db()).unwrap();
        conn.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        conn
    }

    /// Names of all files in the state directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The files of the store by name, size and a hash of their content. What SQLite makes anew when it looks at a store does
    /// not count: the index into the log, and a log without anything in it.
    pub(crate) fn prints(&self) -> Vec<(String, usize, u64)> {
        let kept = self.names().into_iter().filter(|name| !name.ends_with("-shm"));
        let print = |name: String| {
            let bytes = fs::read(self.file(&name)).unwrap_or_default();
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            (name, bytes.len(), hasher.finish())
        };
        kept.map(print).filter(|(name, bytes, _)| *bytes > 0 || !name.ends_with("-wal")).collect()
    }
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The whole log, page by page.
pub(crate) fn log_of(reader: &Reader) -> Vec<Entry> {
    let (mut all, last) = (Vec::new(), reader.last_seq().unwrap());
    let mut after = Seq::new(0);
    while after < last {
        let page = reader.events_after(after, Scope::default(), 1_000).unwrap();
        all.extend(page.entries);
        after = page.through;
    }
    all
}

pub(crate) fn known(entries: Vec<Entry>) -> Vec<Logged> {
    let logged = |entry| match entry {
        Entry::Known(logged) => logged,
        Entry::Opaque(opaque) => panic!("{opaque:?}"),
    };
    entries.into_iter().map(logged).collect()
}
