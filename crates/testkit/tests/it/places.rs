//! Places that cannot serve as a home, and the modes of those that do.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use adjutant_testkit::{Ended, Running, World};

fn adj_without(world: &World, variables: &[&str], set: &[(&str, &str)]) -> Ended {
    let mut command = world.adj_command(["--json", "list"]);
    for name in variables {
        command.env_remove(name);
    }
    command.envs(set.iter().copied());
    Running::start(command).end()
}

#[track_caller]
fn assert_hint(ended: &Ended, word: &str) {
    assert!(ended.error()["hint"].as_str().is_some_and(|hint| hint.contains(word)), "{ended:#?}");
}

#[test]
fn without_a_home_there_is_no_place_for_state() {
    let world = World::new();
    let none = adj_without(&world, &["HOME", "ADJ_HOME"], &[]).expect_error(255, "home_missing");
    assert_hint(&none, "ADJ_HOME");
    let gone = world.root().join("gone");
    let missing =
        adj_without(&world, &["ADJ_HOME"], &[("HOME", &gone.to_string_lossy())]).expect_error(255, "home_missing");
    assert!(missing.stderr.contains(&*gone.to_string_lossy()), "{missing:#?}");
    assert_hint(&missing, "ADJ_HOME");
    assert!(!gone.try_exists().unwrap_or(true), "nobody's home is made by a tool");
    let served = adj_without(&world, &["HOME"], &[]).expect_code(0);
    assert_eq!(served.json(), serde_json::json!([]), "ADJ_HOME alone will do: {served:#?}");
}

#[test]
fn a_socket_path_that_the_system_cannot_bind_is_told() {
    let world = World::new();
    let long = format!("{}/{}", world.root().display(), "x".repeat(100));
    let refused = adj_without(&world, &[], &[("ADJ_HOME", &long)]).expect_error(255, "socket_path_too_long");
    assert!(refused.stderr.contains("bytes"), "{refused:#?}");
    assert_hint(&refused, "ADJ_HOME");
    assert!(!PathBuf::from(&long).try_exists().unwrap_or(true), "nothing is made");
    let relative = adj_without(&world, &[], &[("ADJ_HOME", "here")]).expect_error(2, "env_invalid");
    assert!(relative.stderr.contains("ADJ_HOME"), "{relative:#?}");
}

#[test]
fn a_file_where_the_home_should_be_is_told() {
    let world = World::new();
    std::fs::write(world.state(), "a file").expect("a file can be written");
    let refused = world.adj(["--json", "list"]).expect_error(255, "state_dir_unusable");
    assert!(refused.stderr.contains(&*world.state().to_string_lossy()), "{refused:#?}");
    assert_eq!(std::fs::read(world.state()).ok().as_deref(), Some(b"a file".as_slice()));
}

/// Another user's directory is neither used nor changed. Only root can make one for a test.
#[test]
fn the_directory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("only root can give a directory to somebody else; nothing is shown here");
        return;
    }
    let world = World::new();
    std::fs::create_dir(world.state()).expect("a directory");
    std::os::unix::fs::chown(world.state(), Some(65_534), Some(65_534)).expect("root gives away what it has");
    let refused = world.adj(["--json", "list"]).expect_error(255, "state_dir_unusable");
    assert!(refused.stderr.contains("65534"), "it names the owner: {refused:#?}");
    let store = world.state().join("store.db");
    assert!(!store.try_exists().unwrap_or(true), "no store is made there");
}

/// Whatever the umask is, and however a directory was made before, nobody else can read (F5).
#[test]
fn all_that_is_made_is_the_owners_alone() {
    for (umask, beforehand) in [("000", None), ("022", None), ("022", Some(0o755)), ("077", None)] {
        let world = World::new();
        if let Some(mode) = beforehand {
            std::fs::create_dir(world.state()).expect("a directory");
            std::fs::set_permissions(world.state(), PermissionsExt::from_mode(mode)).expect("its mode can be set");
        }
        let adj = world.adj_path().display();
        let script = format!("umask {umask}; id=$({adj} create -q --cli shell) && {adj} ask $id 'echo here; umask'");
        let answer = world.inside(&script).expect_code(0);
        assert_eq!(answer.stdout, format!("here\n0{umask}\n"), "the session has its caller's umask: {answer:#?}");
        let mut seen = Vec::new();
        assert_private(&world.state(), &mut seen);
        for name in ["store.db", "daemon.log", "adj.sock", "journal"] {
            assert!(seen.iter().any(|path| path.ends_with(name)), "{name} was looked at: {seen:?}");
        }
    }
}

fn assert_private(path: &Path, seen: &mut Vec<PathBuf>) {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        // A file of the store comes and goes.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let expected = if found.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(found.mode() & 0o7777, expected, "the mode of {}", path.display());
    seen.push(path.to_owned());
    if found.is_dir() {
        for entry in std::fs::read_dir(path).expect("a directory can be read").flatten() {
            assert_private(&entry.path(), seen);
        }
    }
}
