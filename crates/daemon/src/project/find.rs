//! Which project holds a directory, and whether it is in a linked work tree. Looks at the file system alone; git itself is
//! not needed to know where a session works.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use adjutant_core::session::Worktree;

use super::Names;

/// Largest `.git` file that is read, in bytes.
const LINK_BYTES_MAX: u64 = 16 * 1024;

/// What is known of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Located {
    /// The name of its project.
    pub(crate) project: Option<String>,
    /// The linked work tree that it is in.
    pub(crate) worktree: Option<Worktree>,
}

/// A checkout of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// The top of the tree that holds the directory.
    pub(crate) top: PathBuf,
    /// The top of the main checkout; the same for a directory in that.
    pub(crate) checkout: PathBuf,
}

/// The repository that holds a directory.
pub(crate) fn repository(directory: &Path) -> Option<Repository> {
    let top = directory.ancestors().find(|dir| dir.join(".git").try_exists().unwrap_or(false))?.to_path_buf();
    let checkout = main_checkout(&top).unwrap_or_else(|| top.clone());
    Some(Repository { top, checkout })
}

/// The main checkout of a linked work tree: its `.git` is a file, and names a directory that names the common one.
fn main_checkout(top: &Path) -> Option<PathBuf> {
    let link = short(&top.join(".git"))?;
    let own = top.join(link.strip_prefix("gitdir:")?.trim());
    let common = own.join(short(&own.join("commondir"))?.trim()).canonicalize().ok()?;
    match common.file_name() {
        Some(name) if name == ".git" => common.parent().map(Path::to_path_buf),
        Some(_) | None => Some(common),
    }
}

fn short(path: &Path) -> Option<String> {
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|found| found.is_file()))?;
    let mut text = String::new();
    file.take(LINK_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The deepest registered directory that holds this one, or else the repository's name.
pub(crate) fn locate(directory: &Path, names: &Names) -> Located {
    let repository = repository(directory);
    let checkout = repository.as_ref().map(|repository| repository.checkout.as_path());
    let registered = registered(directory, names).or_else(|| registered(checkout?, names));
    let project = registered.or_else(|| Some(checkout?.file_name()?.to_str()?.to_owned()));
    let linked = repository.filter(|repository| repository.top != repository.checkout);
    let worktree = linked.and_then(|repository| {
        Some(Worktree { top: text(&repository.top)?, checkout: text(&repository.checkout)?, made: None })
    });
    Located { project, worktree }
}

fn text(path: &Path) -> Option<String> {
    path.to_str().map(str::to_owned)
}

fn registered(directory: &Path, names: &Names) -> Option<String> {
    let holding = names.iter().filter(|(_, project)| directory.starts_with(&project.root));
    holding.max_by_key(|(_, project)| project.root.components().count()).map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::super::Registered;
    use super::*;

    fn tree(dir: &Path) -> (PathBuf, PathBuf) {
        let (main, linked) = (dir.join("app"), dir.join("elsewhere/feature"));
        let own = main.join(".git/worktrees/feature");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::create_dir_all(linked.join("src")).unwrap();
        std::fs::write(own.join("commondir"), "../..\n").unwrap();
        std::fs::write(linked.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
        (main, linked)
    }

    #[test]
    fn a_linked_tree_belongs_to_its_main_checkout() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (main, linked) = tree(&root);
        let found = locate(&linked.join("src"), &Names::new());
        assert_eq!(found.project.as_deref(), Some("app"));
        let worktree = found.worktree.unwrap();
        assert_eq!((worktree.top, worktree.checkout), (linked.display().to_string(), main.display().to_string()));
        assert_eq!(locate(&main, &Names::new()).worktree, None);
        assert_eq!(locate(&root, &Names::new()), Located::default());
    }

    #[test]
    fn the_deepest_registered_directory_names_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (main, linked) = tree(&root);
        let at = |root: &Path| Registered { root: root.to_path_buf(), added_at: 0 };
        let names = Names::from([("outer".to_owned(), at(&root)), ("inner".to_owned(), at(&main))]);
        assert_eq!(locate(&main.join("src"), &names).project.as_deref(), Some("inner"));
        assert_eq!(locate(&linked, &names).project.as_deref(), Some("outer"));
        let main_only = Names::from([("inner".to_owned(), at(&main))]);
        assert_eq!(locate(&linked, &main_only).project.as_deref(), Some("inner"), "by its main checkout");
    }

    #[test]
    fn a_submodule_is_a_repository_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("m/.git/modules/sub");
        std::fs::create_dir_all(&own).unwrap();
        let sub = dir.path().join("m/sub");
        std::fs::create_dir_all(&sub).unwrap();
        std::fs::write(sub.join(".git"), "gitdir: ../.git/modules/sub\n").unwrap();
        assert_eq!(repository(&sub), Some(Repository { top: sub.clone(), checkout: sub }));
    }
}
