//! Without a daemon, and without the leave to start one.

use crate::transcript::World;

#[test]
fn no_autostart_is_255_and_changes_nothing() {
    let world = World::new();
    world.replay(
        r#"
$ adj --no-autostart list
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj list --no-autostart --json
2| {"error":{"code":"daemon_unreachable","message":"no daemon listens on [ROOT]/home/run/adj.sock","hint":null,"exit":255,"details":{}}}
= 255
$ adj --no-autostart status fizz-top
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart wait fizz-top
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj --no-autostart watch -F
2| adj: no daemon listens on [ROOT]/home/run/adj.sock
= 255
$ adj daemon status
stopped
= 255
$ adj daemon status --json
{"running":false}
= 255
$ adj daemon status -q
= 255
$ adj daemon stop
No daemon is running
= 0
$ adj daemon run --json
2| {"error":{"code":"usage","message":"`daemon run` has no JSON form","hint":null,"exit":2,"details":{}}}
= 2
"#,
    );
    assert!(!world.home().try_exists().unwrap(), "a call that may not start the daemon made directories");
}

#[test]
fn a_home_that_cannot_be_used_is_one_clear_error() {
    let world = World::new();
    world.write("file", "");
    world.replay(
        r#"
$ ADJ_HOME=$PWD/file adj list
2| adj: cannot use [ROOT]/work/file: File exists (os error 17)
= 255
$ ADJ_SOCKET=$PWD/file adj --no-autostart list
2| adj: no daemon listens on [ROOT]/work/file
= 255
"#,
    );
}
