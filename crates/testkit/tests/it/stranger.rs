//! Other users of the machine: the socket is not theirs, even where somebody has opened the way to it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use adjutant_testkit::{Running, World};

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).map_or(0, |found| found.mode() & 0o7777)
}

#[test]
fn the_socket_is_the_owners_alone() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    assert_eq!(format!("{:o}", mode(&world.socket())), "600");
    assert_eq!(format!("{:o}", mode(&world.state().join("run"))), "700");
    assert_eq!(format!("{:o}", mode(&world.state())), "700");
}

/// Even with every directory and the socket itself opened to all, a connection of another user is refused.
#[test]
fn a_connection_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("only root can call as somebody else; nothing is shown here");
        return;
    }
    let world = World::new();
    let session = world.shell();
    let daemon = world.daemon();
    let open =
        |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).expect("its mode can be set");
    [world.root(), &world.state(), &world.state().join("run"), &world.socket()].into_iter().for_each(open);
    // The binary itself may lie where only root can reach it.
    let adj = world.root().join("adj");
    std::fs::copy(world.adj_path(), &adj).expect("adj can be copied");
    open(&adj);
    for words in [vec!["--json", "list"], vec!["--json", "send", &session, "touch /tmp/not-yours"]] {
        let mut command = world.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&adj).arg("--no-autostart").args(words);
        let refused = Running::start(command).end().expect_error(255, "daemon_unreachable");
        assert!(!refused.stderr.contains(&session), "nothing is told to a stranger: {refused:#?}");
    }
    assert!(!daemon.has_ended());
    let log = std::fs::read_to_string(world.state().join("daemon.log")).unwrap_or_default();
    assert!(log.contains("connection of another user refused"), "{log}");
    let queue = world.adj(["--json", "queue", "list", "-a", &session]).expect_code(0);
    assert_eq!(queue.json(), serde_json::json!([]), "{queue:#?}");
}
