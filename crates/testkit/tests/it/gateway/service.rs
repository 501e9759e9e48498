//! The gateway as a service of the user's, with a real manager; and a port that somebody else has.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use adjutant_testkit::{Ended, Running, World, await_fact};
use rustix::process::Signal;

use super::Gate;
use crate::SOON;

/// A user manager of systemd in a mount namespace of its own.
struct Manager {
    running: Option<Running>,
    cgroup: String,
}

#[expect(clippy::disallowed_methods, reason = "the test is what starts programs in the manager's namespace")]
fn program(name: &str) -> Command {
    Command::new(name)
}

/// Where the machine has the trees of its control groups.
const GROUPS: &str = "/sys/fs/cgroup/systemd /sys/fs/cgroup/unified";

impl Manager {
    /// Starts one; `None` where that is not possible: it needs root, and systemd.
    fn new(world: &World) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !PathBuf::from("/lib/systemd/systemd").is_file() {
            return None;
        }
        let cgroup = format!("adj-test-{}", std::process::id());
        let script = format!(
            "set -e; for h in {GROUPS}; do if [ -d $h ]; then mkdir -p $h/{cgroup}; echo $$ > $h/{cgroup}/cgroup.procs; fi; done
             mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system /run/user/0; chmod 700 /run/user/0
             exec /lib/systemd/systemd --user --log-target=console"
        );
        let mut command = world.command("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", &script])
            .env("XDG_RUNTIME_DIR", "/run/user/0");
        let manager = Self { running: Some(Running::start(command)), cgroup };
        let ready = || manager.run(world.command("systemctl"), &["--user", "is-system-running"]).stdout == "running\n";
        await_fact("the manager runs", SOON, ready);
        Some(manager)
    }

    /// Runs a command of the world where the manager is.
    fn run(&self, what: Command, words: &[&str]) -> Ended {
        let pid = self.running.as_ref().map_or(0, Running::pid).to_string();
        let mut command = program("nsenter");
        command
            .args(["--target", &pid, "--mount", "--", "env", "-C"])
            .arg(what.get_current_dir().expect("a directory"));
        command.arg(what.get_program()).args(words).env_clear();
        for (name, value) in what.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.env("XDG_RUNTIME_DIR", "/run/user/0").stdin(std::process::Stdio::null());
        Running::start(command).end()
    }

    fn adj(&self, world: &World, words: &[&str]) -> Ended {
        self.run(world.command(world.adj_path()), words)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::TERM);
            let _ = running.end();
        }
        // Directories of groups go when nobody is in them any more.
        let script =
            format!("for h in {GROUPS}; do find $h/{} -depth -type d -exec rmdir {{}} \\; ; done", self.cgroup);
        let _ = program("sh").args(["-c", &script]).stderr(std::process::Stdio::null()).status();
    }
}

#[test]
fn h11_h12_a_service_is_installed_starts_answers_and_is_undone() {
    let mut world = World::new();
    let path = std::env::var("PATH").unwrap_or_default();
    let strange = format!("{path}:/we ird/100%h/a&b/\"quoted\"/back\\slash/$HOME/'x'");
    world.set_variable("PATH", &strange);
    let Some(manager) = Manager::new(&world) else {
        println!("a user manager of systemd needs root and systemd; nothing is shown here");
        return;
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let installed = manager.adj(&world, &["gateway", "install", "--port", &port]).expect_code(0);
    assert!(
        installed.stdout.starts_with(&format!("Gateway daemon installed and started on port {port}\n")),
        "{installed:#?}"
    );
    let unit =
        installed.stdout.split_whitespace().find(|word| word.ends_with(".service;")).expect("it says what it wrote");
    let unit = PathBuf::from(unit.trim_end_matches(';'));
    let text = std::fs::read_to_string(&unit).unwrap();
    assert!(text.contains(&format!("\"{}\" \"gateway\" \"run\"", world.adj_path().display())), "{text}");
    let status = world.adj(["--json", "gateway", "status"]).expect_code(0).json();
    assert_eq!(
        (&status["running"], status["port"].to_string()),
        (&true.into(), port.clone()),
        "the real port: {status:#}"
    );
    let pid = status["pid"].to_string();
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.split('\0').any(|variable| variable == format!("PATH={strange}")), "{environment}");
    let name = unit.file_name().unwrap().to_str().unwrap().to_owned();
    let shown = |what: &str| manager.run(world.command("systemctl"), &["--user", what, &name]).stdout;
    assert_eq!((shown("is-enabled").as_str(), shown("is-active").as_str()), ("enabled\n", "active\n"));
    // The same once more changes nothing: the same process answers.
    let again = manager.adj(&world, &["--json", "gateway", "install", "--port", &port]).expect_code(0).json();
    assert_eq!((&again["changed"], again["pid"].to_string()), (&false.into(), pid.clone()), "{again:#}");
    // One that crashes comes back, and the daemon that it has started has outlived it.
    let token = super::token(&world, &["--mode", "native"]);
    let daemon = world.daemon();
    let crashed = adjutant_testkit::Process::open(pid.parse().unwrap()).expect("it runs");
    crashed.signal(Signal::KILL);
    let pid_now = || world.adj(["--json", "gateway", "status"]).json()["pid"].to_string();
    await_fact("the next one answers", SOON, || world.adj(["gateway", "status"]).code == 0 && pid_now() != pid);
    assert!(!daemon.has_ended());
    let gate = Gate { running: None, port: port.parse().unwrap() };
    assert_eq!(gate.call(&token, "GET", "/v1/sessions", "").0, 200);
    let removed = manager.adj(&world, &["gateway", "uninstall"]).expect_code(0).stdout;
    assert!(removed.starts_with("Gateway daemon uninstalled\n"), "{removed}");
    assert!(!unit.try_exists().unwrap() && shown("is-active") != "active\n");
    assert_eq!(world.adj(["gateway", "status"]).expect_code(255).code, 255);
    assert!(!daemon.has_ended(), "the daemon goes on without a gateway");
    let nothing = manager.adj(&world, &["gateway", "uninstall"]).expect_code(0).stdout;
    assert!(nothing.starts_with("Gateway daemon uninstalled\nNothing was installed"), "{nothing}");
    let _ = world.adj(["daemon", "stop", "--force"]).expect_code(0);
}

#[test]
fn a_port_that_is_taken_is_told_with_its_owner() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let own = std::process::id();
    for words in [["gateway", "run", "--port", &port], ["gateway", "install", "--port", &port]] {
        let refused = world.adj(words).expect_code(1);
        assert!(
            refused.stdout.is_empty() && refused.stderr.contains(&format!("the port {port} is taken by ")),
            "{refused:#?}"
        );
        assert!(
            refused.stderr.contains(&format!("(pid {own})")) && refused.stderr.contains("--port <another>"),
            "{refused:#?}"
        );
    }
    let _ = world.adj(["--json", "gateway", "install", "--port", &port]).expect_error(1, "port_in_use");
    let _ = world.adj(["--json", "gateway", "run", "--port", "65536"]).expect_error(2, "usage");
    let gate = Gate::new(&world);
    let second = world.adj(["gateway", "run", "--port", "0"]).expect_code(1);
    assert!(second.stderr.contains("another gateway (pid "), "{second:#?}");
    let mut command = world.adj_command(["--json", "gateway", "install"]);
    command.env("ADJ_GATEWAY_PORT", "abc");
    let _ = Running::start(command).end().expect_error(2, "env_invalid");
    drop(gate);
    // Without a manager of services that is said, and how to go on.
    let none = world.adj(["--json", "gateway", "install", "--port", "0"]).expect_error(2, "usage");
    assert!(none.error()["message"].as_str().unwrap().contains("port"), "{none:#?}");
}

#[test]
fn without_a_manager_of_services_nothing_is_left_behind() {
    let world = World::new().with_variable("PATH", "/nowhere");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let refused = world.adj(["--json", "gateway", "install", "--port", &port]).expect_error(2, "not_supported");
    assert_eq!(refused.error()["hint"], "adj gateway run");
    let units = world.root().join("home/.config/systemd/user");
    let left: Vec<_> = std::fs::read_dir(units).into_iter().flatten().flatten().map(|file| file.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn f12_the_lines_of_a_gateway_are_kept_and_hold_no_texts() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = super::token(&world, &["--mode", "native"]);
    let id = super::created(&gate.call(&t, "POST", "/v1/sessions", &super::shell_in(&world.work())));
    let path = format!("/v1/sessions/{id}/messages");
    assert_eq!(gate.call(&t, "POST", &path, r#"{"text":"echo the-secret-text"}"#).0, 200);
    let _ = gate.call(&t, "GET", &format!("/v1/the-secret-path?token={t}"), "");
    let said = gate.end();
    let kept = std::fs::read_to_string(world.state().join("gateway.log")).unwrap();
    for text in [&said, &kept] {
        assert!(text.contains("POST send 200 ") && text.contains("token=t1 from=127.0.0.1"), "{text}");
        assert!(!text.contains("the-secret") && !text.contains(&t), "{text}");
    }
    // The next gateway goes on in the same file.
    drop(Gate::new(&world));
    assert!(std::fs::read_to_string(world.state().join("gateway.log")).unwrap().starts_with(&kept));
}
