//! `kill -9` of the daemon while twenty sessions work: the commands go on, and whoever waits gets each one's own code.

use std::path::Path;

use adjutant_testkit::{Bell, Running, World, await_fact};

use crate::SOON;

const SESSIONS: usize = 20;

/// Connections that are open on a listening socket, as the kernel lists them.
fn connections(socket: &Path) -> usize {
    let listed = std::fs::read_to_string("/proc/net/unix").expect("the kernel lists its sockets");
    let path = socket.to_string_lossy();
    let connected = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(5) == Some(&"03") && fields.get(7) == Some(&path.as_ref())
    };
    listed.lines().filter(connected).count()
}

#[test]
fn twenty_sessions_work_through_the_death_of_their_daemon() {
    let world = World::new();
    let sessions = world.shells(SESSIONS);
    let gates: Vec<Bell> = (0..SESSIONS).map(|i| world.bell(&format!("gate-{i}"))).collect();
    let mut begun = world.bell("begun");
    for (i, session) in sessions.iter().enumerate() {
        let script = format!("echo {i} >> ran; echo {i} > begun; read -r _ < gate-{i}; echo answer {i}; (exit {i})");
        world.send(session, &script);
    }
    for _ in 0..SESSIONS {
        begun.line(SOON);
    }
    let waiters: Vec<Running> = sessions.iter().map(|id| world.start(["wait", "--print", "-t", "none", id])).collect();
    await_fact("all waits are connected", SOON, || connections(&world.socket()) >= SESSIONS);

    let before = world.session_processes();
    world.kill_daemon();
    await_fact("all waits have found a new daemon", SOON, || connections(&world.socket()) >= SESSIONS);
    assert_eq!(world.session_processes(), before, "no process of a session has noticed");
    assert!(waiters.iter().all(Running::runs), "no wait has returned before its time");

    gates.iter().for_each(|gate| gate.release(1));
    for (i, waiter) in waiters.into_iter().enumerate() {
        let ended = waiter.end().expect_code(i32::try_from(i).unwrap_or(-1));
        assert_eq!(ended.stdout, format!("answer {i}\n"), "{ended:#?}");
    }
    let mut ran: Vec<usize> = world.lines_of("ran").iter().filter_map(|line| line.parse().ok()).collect();
    ran.sort_unstable();
    assert_eq!(ran, (0..SESSIONS).collect::<Vec<_>>(), "each command ran once");
    world.assert_sound();
}
