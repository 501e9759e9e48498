//! Reading and writing the files of skills: whole or not at all, and through links that the user made.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use adjutant_api::ErrorCode;

use crate::error::CommandError;

/// The largest file that is read or changed, in bytes. What is longer is no text for an agent to read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

fn failed(file: &Path, what: &str, error: &io::Error) -> CommandError {
    CommandError::new(ErrorCode::Internal, format!("cannot {what} {}: {error}", file.display()))
}

/// The text of a file; nothing where there is none.
pub(crate) fn read(file: &Path) -> Result<Option<String>, CommandError> {
    let opened = match fs::File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(file, "read", &error)),
    };
    let mut bytes = Vec::new();
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(file, "read", &error))?;
    let refused = |why| CommandError::new(ErrorCode::SkillModified, format!("{}: {why}", file.display()));
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(refused("is larger than any text for an agent"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| refused("is no text"))
}

/// Writes a file, with the directories above it. Who reads it meanwhile sees the old text or the new one.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    write_whole(file, text).map_err(|error| failed(file, "write", &error))
}

fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let (file, mode) = match fs::canonicalize(file) {
        Ok(real) => (real.clone(), Some(fs::metadata(real)?.permissions())),
        Err(_) => (file.to_owned(), None),
    };
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    let aside = aside(&file);
    fs::write(&aside, text)?;
    let moved = mode.map_or(Ok(()), |mode| fs::set_permissions(&aside, mode)).and_then(|()| fs::rename(&aside, &file));
    if moved.is_err() {
        drop(fs::remove_file(&aside));
    }
    moved
}

fn aside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    file.with_file_name(name)
}

/// Removes a file that is there.
pub(crate) fn remove(file: &Path) -> Result<(), CommandError> {
    fs::remove_file(file).map_err(|error| failed(file, "remove", &error))
}

/// Removes a file, and its directory when nothing else is in it.
pub(crate) fn remove_with_directory(file: &Path) -> Result<(), CommandError> {
    remove(file)?;
    match file.parent().map(fs::remove_dir) {
        Some(Err(error)) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(failed(file, "tidy up", &error)),
        Some(_) | None => Ok(()),
    }
}
