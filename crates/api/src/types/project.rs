//! Projects: names for directories.

use crate::schema::{answer, call, words};
use crate::time::WireTime;

words! {
    /// From where a project is known.
    pub enum ProjectOrigin {
        /// Somebody registered it with this host.
        Registered = "registered",
        /// The configuration of the caller names it.
        Configuration = "configuration",
        /// Sessions work in it: the top of a git repository.
        Sessions = "sessions",
    }
}

answer! {
    /// A directory with a name.
    pub struct Project {
        /// Its name.
        pub name: String,
        /// Its directory.
        pub path: String,
        /// From where it is known.
        pub origin: ProjectOrigin,
        /// Sessions in it whose process lives.
        pub live: u64,
        /// When it was registered.
        pub added_at: Option<WireTime>,
    }
}

call! {
    /// A directory that is to have a name.
    pub struct AddProject {
        /// The directory, absolute.
        pub path: String,
        /// Its name; the name of the git top level, or of the directory, unless given.
        pub name: Option<String>,
    }
}
