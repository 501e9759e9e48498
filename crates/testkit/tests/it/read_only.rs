//! A state directory that turned read-only: every call says so, and when it can be written again nothing is missing.

use adjutant_testkit::World;

use crate::SOON;

const DISK_BYTES: u64 = 24 * 1024 * 1024;

#[test]
fn a_read_only_state_directory_is_told_and_then_served_again() {
    let world = World::with_small_disk(DISK_BYTES);
    let state = world.state().display().to_string();
    let session = world.shell();
    let gate = world.bell("gate");
    let mut bell = world.bell("bell");
    let message =
        world.send(&session, "echo begun > bell; read -r _ < gate; echo ended > bell; echo through; (exit 3)");
    assert_eq!(bell.line(SOON), "begun");
    world.kill_daemon();

    // What opens the directory from now on finds it read-only.
    let _ = world.inside(&format!("mount --bind {state} {state} && mount -o remount,bind,ro {state}")).expect_code(0);
    for words in
        [vec!["--json", "list"], vec!["--json", "send", &session, "true"], vec!["--json", "create", "--cli", "shell"]]
    {
        let refused = world.adj(words).expect_error(255, "state_dir_unusable");
        let text = refused.error()["message"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains(&state) && text.contains("Read-only file system"), "{refused:#?}");
    }
    gate.release(1);
    assert_eq!(bell.line(SOON), "ended");
    assert!(world.adj(["daemon", "status"]).code == 255, "no daemon is left half started");

    let _ = world.inside(&format!("umount {state}")).expect_code(0);
    let ended = world.adj(["wait", &session, "--for", &message, "--print", "-t", "60"]).expect_code(3);
    assert_eq!(ended.stdout, "through\n", "{ended:#?}");
    let answer = world.adj(["ask", &session, "echo again"]).expect_code(0);
    assert_eq!(answer.stdout, "again\n", "{answer:#?}");
    world.assert_sound();
}

#[test]
fn a_home_that_can_never_be_written_is_not_begun() {
    let world = World::with_small_disk(DISK_BYTES);
    let state = world.state().display().to_string();
    let _ = world.inside(&format!("mount -o remount,ro {state}")).expect_code(0);
    let refused = world.adj(["--json", "list"]).expect_error(255, "state_dir_unusable");
    assert!(refused.stderr.contains("Read-only file system"), "{refused:#?}");
    let _ = world.inside(&format!("mount -o remount,rw {state}")).expect_code(0);
    let _ = world.adj(["list"]).expect_code(0);
    world.assert_sound();
}
