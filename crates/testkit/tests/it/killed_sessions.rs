//! `kill -9` of a runner, of a shell, of both, with a daemon to see it and without: what is known is said, and nothing stays.

use adjutant_testkit::{Bell, Process, Running, World, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;
use crate::look::streams;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Runner,
    Shell,
    Both,
}

/// A session in the middle of a command that has a child of its own, and another message behind it.
struct Scene {
    world: World,
    session: String,
    first: String,
    second: String,
    runner: Process,
    shell: Process,
    child: Process,
    /// Nobody opens it; it only has to be there.
    _gate: Bell,
}

fn scene() -> Scene {
    let world = World::new();
    let session = world.shell();
    let mut bell = world.bell("bell");
    let gate = world.bell("gate");
    let first = world.send(&session, "echo x >> ran; (echo $BASHPID > bell; read -r _ < gate) & echo $$ > bell; wait");
    let second = world.send(&session, "echo y >> ran");
    let mut pids: Vec<u32> = (0..2).map(|_| bell.line(SOON).parse().expect("a pid")).collect();
    let shell = world.processes().into_iter().find(|(pid, shown)| pids.contains(pid) && is_leader(*pid, shown));
    let (shell, _) = shell.expect("one of them is the session's shell");
    pids.retain(|pid| *pid != shell);
    let runner = world.processes().into_iter().find(|(_, shown)| shown.contains(" runner ")).expect("a runner").0;
    let [runner, shell, child] = [runner, shell, pids[0]].map(|pid| Process::open(pid).expect("it lives"));
    Scene { world, session, first, second, runner, shell, child, _gate: gate }
}

/// The session's shell leads a session of the kernel; what it starts does not.
fn is_leader(pid: u32, shown: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let session = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(3).map(str::to_owned));
    shown.starts_with("bash") && session == Some(pid.to_string())
}

impl Scene {
    fn kill(&self, victim: Victim) {
        if victim != Victim::Shell {
            self.runner.signal(Signal::KILL);
        }
        if victim != Victim::Runner {
            self.shell.signal(Signal::KILL);
        }
    }

    fn wait_for(&self, message: &str) -> Running {
        self.world.start(["--json", "wait", &self.session, "--for", message, "-t", "none"])
    }

    /// What has to be said, and that nothing stays.
    fn assert_told(&self, victim: Victim, waits: [Running; 2]) {
        let [first, second] = waits.map(Running::end);
        assert_eq!(first.code, 4, "the process ended in the middle: {first:#?}");
        assert_eq!(first.json()["outcome"], "exited", "{first:#?}");
        assert!([1, 4].contains(&second.code), "it never ran: {second:#?}");
        assert_eq!(self.world.adj(["status", &self.session]).expect_code(0).word(), "exited");
        let listed = self.world.adj(["--json", "list", "-a"]).expect_code(0).json();
        assert_eq!(listed[0]["status"], "exited", "{listed:#}");
        let how = if victim == Victim::Shell { "ended" } else { "lost" };
        assert_eq!(listed[0]["exit"]["how"], how, "{listed:#}");
        if victim == Victim::Shell {
            assert_eq!(listed[0]["exit"]["exit_code"], 137, "the signal was seen: {listed:#}");
        }
        let queue = self.world.adj(["--json", "queue", "list", "-a", &self.session]).expect_code(0).json();
        let states: Vec<&Value> = queue.as_array().into_iter().flatten().map(|message| &message["state"]).collect();
        assert!(
            states.iter().all(|state| ["failed", "cancelled"].contains(&state.as_str().unwrap_or_default())),
            "{queue:#}"
        );
        assert_eq!(self.world.lines_of("ran"), ["x"]);
        for process in [&self.runner, &self.shell, &self.child] {
            assert!(process.ends_within(SOON), "{} stays: {:?}", process.pid(), self.world.processes());
        }
        let _ = self.world.adj(["send", &self.session, "true"]).expect_code(4);
        self.world.assert_sound();
    }
}

#[test]
fn what_is_killed_under_a_daemon_is_told_to_whoever_waits() {
    for victim in [Victim::Runner, Victim::Shell, Victim::Both] {
        let scene = scene();
        let waits = [scene.wait_for(&scene.first), scene.wait_for(&scene.second)];
        await_fact("both waits are connected", SOON, || streams(&scene.world) >= 2);
        scene.kill(victim);
        scene.assert_told(victim, waits);
    }
}

#[test]
fn what_is_killed_without_a_daemon_is_found_by_the_next_one() {
    for victim in [Victim::Runner, Victim::Shell, Victim::Both] {
        let scene = scene();
        scene.world.kill_daemon();
        scene.kill(victim);
        let dead = if victim == Victim::Shell { &scene.shell } else { &scene.runner };
        assert!(dead.ends_within(SOON));
        let waits = [scene.wait_for(&scene.first), scene.wait_for(&scene.second)];
        scene.assert_told(victim, waits);
    }
}

/// A session whose processes are all stopped holds up nobody else, is not called dead, and can be ended.
#[test]
fn a_stopped_session_holds_up_nobody_else() {
    let scene = scene();
    let world = &scene.world;
    for process in [&scene.runner, &scene.shell, &scene.child] {
        process.signal(Signal::STOP);
    }
    let other = world.shell();
    let answer = world.adj(["ask", &other, "echo here"]).expect_code(0);
    assert_eq!(answer.stdout, "here\n", "{answer:#?}");
    let listed = world.adj(["list"]).expect_code(0);
    assert_eq!(listed.stdout.matches("working").count(), 1, "{listed:#?}");
    let queued = world.send(&scene.session, "echo z >> ran");

    // The next daemon does not hear of it, and says so.
    world.kill_daemon();
    let answer = world.adj(["ask", &other, "echo again"]).expect_code(0);
    assert_eq!(answer.stdout, "again\n", "{answer:#?}");
    let seen = world.adj(["status", &scene.session]).expect_code(0);
    assert_eq!(seen.word(), "unknown", "{seen:#?}");

    for process in [&scene.child, &scene.shell, &scene.runner] {
        process.signal(Signal::CONT);
    }
    await_fact("it is seen again", SOON, || world.adj(["status", &scene.session]).expect_code(0).word() == "working");
    scene.runner.signal(Signal::STOP);
    let killed = world.adj(["kill", "--force", &scene.session]).expect_code(0);
    for process in [&scene.runner, &scene.shell, &scene.child] {
        assert!(process.ends_within(SOON), "{} stays: {killed:#?}", process.pid());
    }
    let cancelled = world.adj(["wait", &scene.session, "--for", &queued]).expect_code(130);
    assert!(cancelled.stderr.contains("cancelled"), "{cancelled:#?}");
    assert_eq!(world.lines_of("ran"), ["x"]);
    world.assert_sound();
}
