//! Projects: names for directories, registered with this host and kept in a small file of their own.
//!
//! A registered name is no event of any session, so that it is not in the log. The file is replaced whole; one that cannot
//! be read is told and never taken for an empty one.

mod find;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

pub(crate) use self::find::{Located, locate, repository};
use crate::file;

/// Projects that may be registered.
const PROJECTS_MAX: usize = 1_000;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 80;

/// The name of the file in the state directory.
const FILE: &str = "projects.json";

/// A registered directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registered {
    /// Absolute and resolved.
    pub(crate) root: PathBuf,
    /// Milliseconds since 1970.
    pub(crate) added_at: i64,
}

/// Names and their directories.
pub(crate) type Names = BTreeMap<String, Registered>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    projects: Names,
}

/// Why a name cannot be registered or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    /// The file cannot be read or written.
    #[error("the file of the projects cannot be used: {0}")]
    File(#[from] io::Error),
    /// The name has a wrong form.
    #[error(
        "`{0}` cannot be a project's name: it has 1 to {NAME_BYTES_MAX} bytes, no `/`, no control characters, and does not begin with `-` or `.`"
    )]
    Malformed(String),
    /// Another directory has the name.
    #[error("the project `{name}` is {root}")]
    Taken {
        /// The name.
        name: String,
        /// That directory.
        root: String,
    },
    /// There are too many.
    #[error("{PROJECTS_MAX} projects are registered, which is the limit")]
    TooMany,
    /// There is none of this name.
    #[error("no project `{0}` is registered")]
    NotFound(String),
}

/// The registered projects of a host.
#[derive(Debug)]
pub(crate) struct Projects {
    file: PathBuf,
    writing: Mutex<()>,
}

impl Projects {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { file: state_dir.join(FILE), writing: Mutex::default() }
    }

    /// All of them. Waits for the disk.
    pub(crate) fn names(&self) -> io::Result<Names> {
        match std::fs::read(&self.file) {
            Ok(bytes) => Ok(serde_json::from_slice::<Document>(&bytes).map_err(io::Error::other)?.projects),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Names::new()),
            Err(error) => Err(error),
        }
    }

    /// Registers a directory. Saying the same again changes nothing.
    pub(crate) fn add(&self, name: String, project: Registered) -> Result<Registered, ProjectError> {
        check_name(&name)?;
        let _writing = self.writing();
        let mut names = self.names()?;
        match names.get(&name) {
            Some(known) if known.root == project.root => return Ok(known.clone()),
            Some(known) => return Err(ProjectError::Taken { name, root: known.root.display().to_string() }),
            None if names.len() >= PROJECTS_MAX => return Err(ProjectError::TooMany),
            None => names.insert(name, project.clone()),
        };
        self.write(names)?;
        Ok(project)
    }

    /// Takes a name away.
    pub(crate) fn remove(&self, name: &str) -> Result<Registered, ProjectError> {
        let _writing = self.writing();
        let mut names = self.names()?;
        let removed = names.remove(name).ok_or_else(|| ProjectError::NotFound(name.to_owned()))?;
        self.write(names)?;
        Ok(removed)
    }

    fn write(&self, projects: Names) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&Document { projects }).map_err(io::Error::other)?;
        file::write_whole(&self.file, &bytes)
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_name(name: &str) -> Result<(), ProjectError> {
    let bad = |c: char| c == '/' || c.is_control();
    let form = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with(['-', '.']) && !name.contains(bad);
    if form && name.trim() == name { Ok(()) } else { Err(ProjectError::Malformed(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(root: &str) -> Registered {
        Registered { root: root.into(), added_at: 7 }
    }

    #[test]
    fn names_are_kept_and_are_one_directory_each() {
        let dir = tempfile::tempdir().unwrap();
        let projects = Projects::new(dir.path());
        assert_eq!(projects.names().unwrap(), Names::new());
        projects.add("app".to_owned(), at("/srv/app")).unwrap();
        projects.add("app".to_owned(), at("/srv/app")).unwrap();
        assert!(matches!(projects.add("app".to_owned(), at("/srv/b")), Err(ProjectError::Taken { .. })));
        assert_eq!(Projects::new(dir.path()).names().unwrap().keys().collect::<Vec<_>>(), ["app"]);
        assert_eq!(projects.remove("app").unwrap(), at("/srv/app"));
        assert!(matches!(projects.remove("app"), Err(ProjectError::NotFound(_))));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "{\"projects\": {\"a\"").unwrap();
        let projects = Projects::new(dir.path());
        assert!(projects.names().is_err());
        assert!(matches!(projects.add("b".to_owned(), at("/b")), Err(ProjectError::File(_))));
        assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), "{\"projects\": {\"a\"");
    }

    #[test]
    fn a_name_is_one_part_of_a_path_at_most() {
        for bad in ["", "-x", ".", "..", ".x", "a/b", "a\n", " a", &"x".repeat(81)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in ["app", "My App", "a.b", "ünï", &"x".repeat(80)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
    }
}
