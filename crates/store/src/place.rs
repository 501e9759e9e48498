//! The state directory: where the files of a store are, whose they are and who may read them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::process::geteuid;

use crate::error::OpenError;

/// The name of the database; every other file of a store but `host.json` begins with it.
const DATABASE: &str = "store.db";

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A file or directory that others could have read, until now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tightened {
    /// Which.
    pub path: PathBuf,
    /// Its mode as it was found.
    pub from: u32,
    /// Its mode now.
    pub to: u32,
}

/// The paths of a store.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    dir: PathBuf,
}

impl Place {
    /// SQLite would take a relative path that begins with `file:` for something else.
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        Ok(Self { dir: std::path::absolute(dir)? })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    pub(crate) fn wal(&self) -> PathBuf {
        self.beside("-wal")
    }

    pub(crate) fn shm(&self) -> PathBuf {
        self.beside("-shm")
    }

    pub(crate) fn host_file(&self) -> PathBuf {
        self.dir.join("host.json")
    }

    /// The path of the database with something added to its name.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        self.dir.join(format!("{DATABASE}{suffix}"))
    }

    /// All files of the store, `host.json` left out, in the order of their names.
    pub(crate) fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(DATABASE.as_bytes()) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }

    /// The files of the store whose names go on like this, oldest first, since their names end in their time.
    pub(crate) fn files_named(&self, suffix_begins: &str, suffix_ends: &str) -> io::Result<Vec<PathBuf>> {
        let begins = format!("{DATABASE}{suffix_begins}");
        let right = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with(&begins) && name.ends_with(suffix_ends)
        };
        Ok(self.files()?.into_iter().filter(right).collect())
    }

    /// Makes the directory if it is missing, and closes it and its files to others.
    pub(crate) fn prepare(&self) -> Result<Vec<Tightened>, OpenError> {
        self.make_directory()?;
        let mut tightened = Vec::new();
        tighten(&self.dir, DIRECTORY_MODE, &mut tightened)?;
        // Asked without writing anything; a read-only file system answers here as well.
        let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::access(&self.dir, wanted)
            .map_err(|error| OpenError::unusable(&self.dir, io::Error::from(error)))?;
        let files = self.files().map_err(|error| OpenError::unusable(&self.dir, error))?;
        for path in files.iter().chain([&self.host_file()]) {
            tighten(path, FILE_MODE, &mut tightened)?;
        }
        Ok(tightened)
    }

    fn make_directory(&self) -> Result<(), OpenError> {
        let unusable = |error: io::Error| OpenError::unusable(&self.dir, error);
        match fs::metadata(&self.dir) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(OpenError::unusable(&self.dir, "it is not a directory")),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&self.dir).map_err(unusable)?;
                self.dir.parent().map_or(Ok(()), sync_directory).map_err(unusable)
            }
            Err(error) => Err(unusable(error)),
        }
    }
}

/// Takes away what others may do with a file; one of another owner is refused, and one that is not there is fine.
fn tighten(path: &Path, mode: u32, tightened: &mut Vec<Tightened>) -> Result<(), OpenError> {
    // The directory may be reached through a link; a file that is one is refused later, and nothing is done to its target.
    let found = if mode == DIRECTORY_MODE { fs::metadata(path) } else { fs::symlink_metadata(path) };
    let found = match found {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::unreadable(path, error)),
    };
    let user = geteuid().as_raw();
    if found.uid() != user {
        return Err(OpenError::ForeignOwner { path: path.to_owned(), owner: found.uid(), user });
    }
    let from = found.mode() & 0o7777;
    if found.is_file() || found.is_dir() {
        let to = from & mode;
        if to != from {
            fs::set_permissions(path, Permissions::from_mode(to)).map_err(|error| OpenError::unusable(path, error))?;
            tightened.push(Tightened { path: path.to_owned(), from, to });
        }
    }
    Ok(())
}

/// A new file that only its owner may read; one that exists is an error.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Writes a small file so that it is there as a whole or not at all, also after a loss of power.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = write_new(&new, bytes).and_then(|()| install(&new, path));
    if written.is_err() {
        // Best effort: the error that is reported is the first one.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    remove_if_there(path)?;
    let mut file = create_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a finished and synced file its name.
pub(crate) fn install(new: &Path, path: &Path) -> io::Result<()> {
    fs::rename(new, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

pub(crate) fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
