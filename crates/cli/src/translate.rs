//! Paths of a container and of its host: pure functions, which look at no file.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

/// A directory of the container and the directory of the host that is mounted there; both absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) container: PathBuf,
    pub(crate) host: PathBuf,
}

/// What is mounted where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathMap(pub(crate) Vec<Mapping>);

impl PathMap {
    /// A path of the host as it is called here.
    pub(crate) fn shown(&self, path: &str) -> String {
        self.to_container(Path::new(path)).map_or_else(|| path.to_owned(), |here| here.display().to_string())
    }

    /// In a document about things that have a place, or a list of them, `path` is as it is called here, and the host's own
    /// name of it is beside it.
    pub(crate) fn show(&self, value: &mut Value) {
        match value {
            Value::Array(all) => all.iter_mut().for_each(|one| self.show(one)),
            Value::Object(fields) => {
                if let Some(session) = fields.get_mut("session").filter(|session| session.is_object()) {
                    self.show(session);
                }
                let Some(host) = fields.get("path").and_then(Value::as_str).map(str::to_owned) else { return };
                fields.insert("path".to_owned(), self.shown(&host).into());
                fields.insert("host_path".to_owned(), host.into());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The host's name of a path of the container that is absolute and resolved. The longest mapping wins, by whole
    /// components; it is applied once.
    pub(crate) fn to_host(&self, path: &Path) -> Option<PathBuf> {
        translated(path, self.0.iter().map(|one| (one.container.as_path(), one.host.as_path())))
    }

    /// The container's name of a path of the host.
    pub(crate) fn to_container(&self, path: &Path) -> Option<PathBuf> {
        translated(path, self.0.iter().map(|one| (one.host.as_path(), one.container.as_path())))
    }

    /// The mappings in words, for an error.
    pub(crate) fn words(&self) -> String {
        let words = |one: &Mapping| format!("{}={}", one.container.display(), one.host.display());
        self.0.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

fn translated<'a>(path: &Path, pairs: impl Iterator<Item = (&'a Path, &'a Path)>) -> Option<PathBuf> {
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let under = pairs.filter_map(|(from, to)| Some((from.components().count(), path.strip_prefix(from).ok()?, to)));
    let (_, rest, to) = under.max_by_key(|(components, ..)| *components)?;
    // Pushing nothing would leave a slash at the end.
    Some(if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) })
}

/// A path without `.`, `..` and doubled slashes, by its words alone.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// Reads `container=host` pairs, separated by colons.
pub(crate) fn pairs(text: &str) -> Result<Vec<Mapping>, String> {
    text.split(':').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn pair(text: &str) -> Result<Mapping, String> {
    match text.split_once('=') {
        Some((container, host)) if !host.contains('=') => mapping(Path::new(container), Path::new(host)),
        Some(_) | None => Err(format!("`{text}` has not the form container=host")),
    }
}

/// A mapping, if both sides are absolute and the container's is not its root.
pub(crate) fn mapping(container: &Path, host: &Path) -> Result<Mapping, String> {
    for side in [container, host] {
        if !side.is_absolute() {
            return Err(format!("`{}` is no absolute path", side.display()));
        }
    }
    let (container, host) = (plain(container), plain(host));
    if container == Path::new("/") {
        return Err("the whole container cannot be a workspace".to_owned());
    }
    Ok(Mapping { container, host })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(list: &[(&str, &str)]) -> PathMap {
        PathMap(list.iter().map(|(c, h)| mapping(Path::new(c), Path::new(h)).unwrap()).collect())
    }

    fn to_host(map: &PathMap, path: &str) -> Option<String> {
        map.to_host(Path::new(path)).map(|path| path.to_str().unwrap().to_owned())
    }

    /// Rows of the table that need no file: the paths are absolute and resolved by then.
    #[test]
    fn h8_h9_every_row_of_the_table() {
        let usual = map(&[("/workspace", "/srv/proj")]);
        for (path, expected) in [
            ("/workspace", Some("/srv/proj")),
            ("/workspace/sub/", Some("/srv/proj/sub")),
            ("/workspace/sub", Some("/srv/proj/sub")),
            ("/workspace2", None),
            ("/etc", None),
            ("/workspace/../etc", None),
            ("/data", None),
            ("workspace", None),
        ] {
            assert_eq!(to_host(&usual, path).as_deref(), expected, "{path}");
        }
        assert_eq!(to_host(&PathMap::default(), "/workspace/a"), None);
        assert_eq!(to_host(&PathMap::default(), "/opt/x"), None);
        let inside = map(&[("/workspace", "/workspace/app")]);
        assert_eq!(to_host(&inside, "/workspace").as_deref(), Some("/workspace/app"));
        assert_eq!(to_host(&inside, "/workspace/x").as_deref(), Some("/workspace/app/x"));
        let vendor = map(&[("/workspace", "/srv/proj"), ("/workspace/vendor", "/opt/vendor")]);
        assert_eq!(to_host(&vendor, "/workspace/vendor/x").as_deref(), Some("/opt/vendor/x"));
        assert_eq!(to_host(&vendor, "/workspace/vendored").as_deref(), Some("/srv/proj/vendored"));
        assert!(mapping(Path::new("/workspace"), Path::new("rel/dir")).is_err());
        assert!(mapping(Path::new("/"), Path::new("/srv")).is_err());
        assert!(mapping(Path::new("/x/.."), Path::new("/srv")).is_err());
    }

    #[test]
    fn pairs_are_read_or_refused() {
        assert_eq!(PathMap(pairs("/a=/b:/c=/d/").unwrap()), map(&[("/a", "/b"), ("/c", "/d")]));
        assert_eq!(pairs("").unwrap(), []);
        for bad in ["/a", "/a=b", "a=/b", "/a=/b=/c", "/=/x"] {
            assert!(pairs(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_a_path_are_made_plain() {
        for (path, expected) in [("/a/./b//c/", "/a/b/c"), ("/a/../b", "/b"), ("/../x", "/x"), ("/", "/")] {
            assert_eq!(plain(Path::new(path)), Path::new(expected));
        }
    }

    fn path() -> impl Strategy<Value = PathBuf> {
        prop::collection::vec("[a-c]{1,2}|\\.\\.", 0..5).prop_map(|parts| Path::new("/").join(parts.join("/")))
    }

    fn any_map() -> impl Strategy<Value = PathMap> {
        let side = prop::collection::vec("[a-c]{1,2}", 1..4).prop_map(|parts| Path::new("/").join(parts.join("/")));
        prop::collection::vec((side.clone(), side), 0..4)
            .prop_map(|pairs| PathMap(pairs.into_iter().map(|(container, host)| Mapping { container, host }).collect()))
    }

    proptest! {
        /// What comes out lies below the host's side of a mapping whose container's side holds what went in.
        #[test]
        fn h8_nothing_leaves_what_is_mapped(map in any_map(), path in path()) {
            if let Some(host) = map.to_host(&path) {
                let from = map.0.iter().find(|one| path.starts_with(&one.container) && host.starts_with(&one.host));
                prop_assert!(from.is_some(), "{path:?} became {host:?}");
                prop_assert!(!path.components().any(|part| part == Component::ParentDir));
            } else {
                let under = map.0.iter().any(|one| path.starts_with(&one.container));
                prop_assert!(!under || path.components().any(|part| part == Component::ParentDir));
            }
        }

        /// There and back again, where the mappings do not overlap.
        #[test]
        fn there_and_back(rest in "[a-c]{1,2}(/[a-c]{1,2}){0,3}") {
            let map = map(&[("/workspace", "/srv/proj"), ("/data", "/mnt/data")]);
            for root in ["/workspace", "/data"] {
                let path = Path::new(root).join(&rest);
                let back = map.to_host(&path).and_then(|host| map.to_container(&host));
                prop_assert_eq!(back, Some(path));
            }
        }
    }
}
