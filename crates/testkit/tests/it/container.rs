//! A container: a network and a file system of its own, with nothing in them but the binary, a mounted directory and the
//! environment. It reaches its host through a gateway alone.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use adjutant_testkit::{Ended, Running, World};
use rustix::process::{Signal, geteuid};

use crate::SOON;
use crate::gateway::token;

/// The addresses of both ends of the wire between them.
const HOST: &str = "10.213.0.1";
const INSIDE: &str = "10.213.0.2";

/// A host's network and a container on it. The daemon is the world's.
struct Container {
    world: World,
    host: Option<Running>,
    inside: Option<Running>,
    gateway: Option<Running>,
    url: String,
}

impl Container {
    /// A container with a gateway that it reaches by TCP, or by a socket that is mounted into it.
    fn new(over_tcp: bool) -> Self {
        let world = World::new();
        let root = world.root().join("container");
        for name in ["workspace", "run", "notes", "proc"] {
            std::fs::create_dir_all(root.join(name)).expect("a directory");
        }
        std::fs::create_dir(world.work().join("sub")).expect("a directory");
        std::os::unix::fs::symlink("/notes", world.work().join("link")).expect("a link");
        std::fs::copy(world.adj_path(), root.join("adj")).expect("the binary");
        std::fs::write(root.join("notes/message"), "pwd; cat inside").expect("a file");
        let mut made = Self { world, host: None, inside: None, gateway: None, url: String::new() };
        made.make_networks();
        made.start_gateway(over_tcp);
        made
    }

    fn root(&self) -> PathBuf {
        self.world.root().join("container")
    }

    /// A network with the host's end of a wire, and in it one with the other end, where the container's file system is.
    fn make_networks(&mut self) {
        let mut unshare = self.world.command("unshare");
        if !geteuid().is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        unshare.args(["--net", "--mount", "--propagation", "private", "sh", "-c", "echo made; exec cat"]);
        let host = held(unshare);
        let (root, work) = (self.root(), self.world.work());
        let mount = format!(
            "mount --bind {work} {root}/workspace && mkdir -p {gate} && mount --bind {gate} {root}/run && \
             ip link set lo up && echo made && exec cat",
            work = work.display(),
            root = root.display(),
            gate = self.world.root().join("gate").display(),
        );
        let mut inner = self.entering(&host);
        inner.args(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", &mount]);
        let inside = held(inner);
        let wire = format!(
            "ip link set lo up && ip link add near type veth peer name far netns {} && ip addr add {HOST}/24 dev near && \
             ip link set near up",
            inside.pid()
        );
        self.run(&host, &wire);
        self.run(&inside, &format!("ip addr add {INSIDE}/24 dev far && ip link set far up"));
        (self.host, self.inside) = (Some(host), Some(inside));
    }

    /// The words that enter the namespaces of a process.
    fn entering(&self, of: &Running) -> Command {
        let mut command = self.world.command("nsenter");
        command.args(["--target", &of.pid().to_string(), "--net", "--mount"]);
        if !geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--");
        command
    }

    #[track_caller]
    fn run(&self, of: &Running, script: &str) {
        let mut command = self.entering(of);
        command.args(["sh", "-c", script]);
        let _ = Running::start(command).end().expect_code(0);
    }

    fn start_gateway(&mut self, over_tcp: bool) {
        let gate = self.world.root().join("gate/adj.sock");
        let mut gateway = self.entering(self.host.as_ref().expect("a network"));
        gateway.arg("env").arg("-C").arg(self.world.work()).arg(self.world.adj_path()).args(["gateway", "run"]);
        if over_tcp {
            gateway.args(["--bind", HOST]);
            self.url = format!("http://{HOST}:6767");
        } else {
            gateway.arg("--socket").arg(gate);
            self.url = "unix:/run/adj.sock".to_owned();
        }
        let gateway = Running::start(gateway);
        gateway.await_stdout("the gateway listens", SOON, |said| said.contains("Gateway listening on "));
        self.gateway = Some(gateway);
    }

    /// `adj` in a directory of the container, with this environment and nothing else.
    fn start(&self, directory: &str, variables: &[(&str, &str)], words: &[&str]) -> Running {
        let mut command = self.entering(self.inside.as_ref().expect("a container"));
        command.arg("unshare").arg(format!("--root={}", self.root().display())).arg(format!("--wd={directory}"));
        command.arg("/adj").args(words);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("ADJ_SANDBOX", "1").env("ADJ_GATEWAY_URL", &self.url);
        command.envs(variables.iter().copied());
        Running::start(command)
    }

    /// The same with a token and the usual workspace, to its end.
    #[track_caller]
    fn adj(&self, token: &str, directory: &str, words: &[&str]) -> Ended {
        let work = self.world.work().display().to_string();
        self.start(directory, &[("ADJ_GATEWAY_TOKEN", token), ("HOST_PATH", &work)], words).end()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for running in [self.gateway.take(), self.inside.take(), self.host.take()].into_iter().flatten() {
            running.signal(Signal::KILL);
            let _ = running.end();
        }
    }
}

/// A command that says when it has made something, and keeps it.
fn held(mut command: Command) -> Running {
    command.stdin(Stdio::piped());
    let holder = Running::start(command);
    holder.await_stdout("the namespaces are made", SOON, |said| said.contains("made\n"));
    holder
}

/// A whole life of a session, from inside.
fn lives(container: &Container) {
    let world = &container.world;
    let work = world.work().display().to_string();
    std::fs::write(world.work().join("sub/inside"), "of the host\n").expect("a file");
    let token = token(world, &["--root", &work, "--mode", "native"]);
    let adj = |words: &[&str]| container.adj(&token, "/workspace/sub", words);
    let id = adj(&["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let sent = adj(&["send", &id, "-f", "/notes/message"]).expect_code(0);
    assert_eq!(sent.word(), format!("Sent message to {id}"), "a file of the container is read there");
    let answer = adj(&["wait", "--print", &id]).expect_code(0).stdout;
    assert_eq!(answer, format!("{work}/sub\nof the host\n"), "the current directory has its name on the host");
    assert_eq!(adj(&["last-message", &id]).expect_code(0).stdout, answer);
    assert_eq!(adj(&["wait", "--interval", "1.5", &id]).expect_code(0).word(), "completed");
    assert_eq!(adj(&["ask", &id, "printf 'a\\n\\n\\nb\\n'"]).expect_code(0).stdout, "a\n\n\nb\n");
    assert_eq!(adj(&["ask", &id, "(exit 7)"]).expect_code(7).stderr, "");
    let _ = adj(&["ask", &id, "- item"]).expect_code(127);
    let _ = adj(&["--json", "wait", "nobody-top"]).expect_error(4, "session_not_found");
    let listed = adj(&["--json", "list", "--path", "/workspace"]).expect_code(0).json();
    let (path, host_path) = (&listed[0]["path"], &listed[0]["host_path"]);
    assert_eq!(
        (path.as_str(), host_path.as_str()),
        (Some("/workspace/sub"), Some(&*format!("{work}/sub"))),
        "{listed}"
    );
    assert!(adj(&["list"]).expect_code(0).stdout.contains(" /workspace/sub "));
    let doctor = adj(&["--json", "doctor"]);
    let gateway = doctor.json().as_array().and_then(|all| all.iter().find(|one| one["check"] == "gateway").cloned());
    assert_eq!(gateway.expect("a check")["status"], "ok", "{doctor:#?}");
    assert!(!doctor.stdout.contains("\"agent "), "agents run on the host, and are found there: {doctor:#?}");
    // On the host it is a session like any other.
    assert_eq!(world.adj(["status", &id]).expect_code(0).word(), "idle");
    assert_eq!(adj(&["kill", &id]).expect_code(0).word(), format!("Killed session {id}"));
    assert_eq!(adj(&["status", &id]).expect_code(0).word(), "exited");
    refuses_paths(container, &token);
    refuses_tokens(container, &work);
}

fn nothing_was_done(container: &Container, sessions: usize) {
    let all = container.world.adj(["--json", "list", "-a"]).expect_code(0).json();
    assert_eq!(all.as_array().map(Vec::len), Some(sessions), "{all}");
}

/// What has no name on the host, or is none of its roots, is refused, and nothing is sent.
fn refuses_paths(container: &Container, token: &str) {
    let create = ["--json", "create", "--cli", "shell", "--path"];
    for path in ["/etc", "/workspace2", "/workspace/../etc", "/workspace/link", "/notes"] {
        let refused = container.adj(token, "/workspace", &[&create[..], &[path]].concat());
        let error = refused.expect_error(2, "path_not_translatable").error();
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains("ADJ_HOST_PATH") && message.contains("/workspace="), "{message}");
    }
    let _ = container.adj(token, "/workspace", &[&create[..], &["gone"]].concat()).expect_error(2, "path_not_found");
    let here = container.adj(token, "/notes", &create[..4]);
    let _ = here.expect_error(2, "path_not_translatable");
    let unmapped = [("ADJ_GATEWAY_TOKEN", token)];
    let unset = container.start("/workspace", &unmapped, &create[..4]).end();
    let _ = unset.expect_error(2, "path_not_translatable");
    let wrong = [("ADJ_GATEWAY_TOKEN", token), ("ADJ_HOST_PATH", "rel/dir")];
    let _ = container.start("/workspace", &wrong, &create[..4]).end().expect_error(2, "env_invalid");
    for verb in
        [&["--json", "daemon", "status"][..], &["--json", "gateway", "status"], &["--json", "attach", "fizz-top"]]
    {
        let _ = container.adj(token, "/workspace", verb).expect_error(2, "not_supported");
    }
    nothing_was_done(container, 1);
}

/// Who is not known, or may not, is told so.
fn refuses_tokens(container: &Container, work: &str) {
    let world = &container.world;
    let create = ["--json", "create", "--cli", "shell"];
    let expired = token(world, &["--root", work, "--mode", "native", "--expires", "1ms"]);
    let wrong = format!("{expired}x");
    for bad in [expired.as_str(), &wrong, "nonsense"] {
        let refused = container.adj(bad, "/workspace", &create).expect_error(1, "unauthorized");
        assert!(refused.stderr.contains("ADJ_GATEWAY_TOKEN"), "{refused:#?}");
        assert!(!refused.stderr.contains(bad), "no token is told: {refused:#?}");
    }
    let none = container.start("/workspace", &[("HOST_PATH", work)], &create).end();
    let _ = none.expect_error(1, "unauthorized");
    let narrow_mode = token(world, &["--root", work, "--mode", "guarded"]);
    let asked = [&create[..], &["--mode", "native"]].concat();
    let _ = container.adj(&narrow_mode, "/workspace", &asked).expect_error(1, "forbidden");
    let narrow_root = token(world, &["--root", &format!("{work}/sub"), "--mode", "native"]);
    let _ = container.adj(&narrow_root, "/workspace", &create).expect_error(2, "path_not_translatable");
    let others = world.adj(["--json", "list", "-a"]).expect_code(0).json()[0]["id"].as_str().expect("an id").to_owned();
    let stranger = container.adj(&narrow_root, "/workspace", &["--json", "kill", &others]);
    assert!(stranger.code == 1 || stranger.code == 4, "{stranger:#?}");
    nothing_was_done(container, 1);
}

#[test]
fn h18_a_container_with_a_mounted_socket_has_the_whole_life_of_a_session() {
    lives(&Container::new(false));
}

#[test]
fn h18_a_container_on_a_network_has_the_whole_life_of_a_session() {
    let container = Container::new(true);
    lives(&container);
    let nobody = [("ADJ_GATEWAY_URL", "http://10.213.0.1:6768"), ("ADJ_GATEWAY_TOKEN", "x")];
    let gone =
        container.start("/workspace", &nobody, &["--json", "list"]).end().expect_error(255, "gateway_unreachable");
    let message = gone.error()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("10.213.0.1:6768") && message.contains("ADJ_GATEWAY_URL"), "{message}");
    let unknown = [("ADJ_GATEWAY_URL", "http://no.such.host.invalid"), ("ADJ_GATEWAY_TOKEN", "x")];
    let _ = container.start("/workspace", &unknown, &["--json", "list"]).end().expect_error(255, "gateway_unreachable");
}

#[test]
fn f10_the_older_names_of_the_variables_are_read_and_ours_win() {
    let world = World::new();
    let run = |variables: &[(&str, &str)]| {
        let mut list = world.adj_command(["--json", "list"]);
        list.envs(variables.iter().copied());
        Running::start(list).end()
    };
    let old = run(&[("DEV_SESSIONS_SANDBOX", "true"), ("DEV_SESSIONS_GATEWAY_URL", "unix:/nowhere/old.sock")]);
    let old = old.expect_error(255, "gateway_unreachable");
    assert!(old.stderr.contains("old.sock") && old.stderr.contains("DEV_SESSIONS_GATEWAY_URL"), "{old:#?}");
    let both = run(&[
        ("ADJ_SANDBOX", "1"),
        ("DEV_SESSIONS_SANDBOX", "0"),
        ("ADJ_GATEWAY_URL", "unix:/nowhere/new.sock"),
        ("DEV_SESSIONS_GATEWAY_URL", "unix:/nowhere/old.sock"),
    ]);
    assert!(both.expect_error(255, "gateway_unreachable").stderr.contains("new.sock"));
    let _ = run(&[("ADJ_SANDBOX", "maybe")]).expect_error(2, "env_invalid");
    let _ = run(&[("ADJ_SANDBOX", "1"), ("ADJ_GATEWAY_PORT", "abc")]).expect_error(2, "env_invalid");
    let _ = run(&[("ADJ_SANDBOX", "no")]).expect_code(0);
}
