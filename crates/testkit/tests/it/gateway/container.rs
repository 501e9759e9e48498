//! From inside of a container: a network of its own, the binary, the environment, and the gateway's socket.

use adjutant_testkit::{Ended, Running, World};

use super::{Gate, token};

/// A place without a network, in which the directory of the world is mounted under another name.
struct Container<'a> {
    world: &'a World,
    socket: String,
}

impl Container<'_> {
    /// Runs `adj` in it, with this token.
    #[track_caller]
    fn adj(&self, token: &str, words: &[&str]) -> Ended {
        let workspace = self.world.root().join("box");
        std::fs::create_dir_all(workspace.join("home")).expect("a directory in the world");
        std::fs::create_dir_all(workspace.join("ws")).expect("a directory in the world");
        let script = r#"mount --bind "$BEHIND" "$ADJ_CONTAINER_WORKSPACE" && cd "$ADJ_CONTAINER_WORKSPACE/sub" && exec "$0" "$@""#;
        let mut command = self.world.command("unshare");
        command.args(["--net", "--mount", "--propagation", "private", "sh", "-c", script]).arg(self.world.adj_path());
        command.args(words).env_remove("ADJ_HOME").env("HOME", workspace.join("home"));
        command.env("BEHIND", self.world.work()).env("ADJ_CONTAINER_WORKSPACE", workspace.join("ws"));
        command.env("ADJ_SANDBOX", "1").env("ADJ_HOST_PATH", self.world.work());
        command.env("ADJ_GATEWAY_URL", format!("unix:{}", self.socket)).env("ADJ_GATEWAY_TOKEN", token);
        Running::start(command).end()
    }
}

#[test]
fn the_binary_and_its_environment_are_enough_in_a_container() {
    if !rustix::process::geteuid().is_root() {
        println!("a network of its own needs root; nothing is shown here");
        return;
    }
    let world = World::new();
    std::fs::create_dir(world.work().join("sub")).unwrap();
    std::fs::write(world.work().join("sub/brief"), "pwd; printf 'a\\n\\nb\\n'").unwrap();
    let socket = world.root().join("gate.sock").display().to_string();
    let gate = Gate::with(&world, &["--socket", &socket]);
    let inside = Container { world: &world, socket };
    let good = token(&world, &["--mode", "native"]);
    let adj = |words: &[&str]| inside.adj(&good, words);
    let id = adj(&["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let _ = adj(&["send", &id, "-f", "brief"]).expect_code(0);
    let here = world.work().join("sub").canonicalize().unwrap().display().to_string();
    assert_eq!(adj(&["wait", "--print", &id]).expect_code(0).stdout, format!("{here}\na\n\nb\n"));
    assert_eq!(adj(&["last-message", &id]).expect_code(0).stdout, format!("{here}\na\n\nb\n"));
    assert_eq!(adj(&["ask", &id, "(exit 7)"]).code, 7);
    let listed = adj(&["--json", "list"]).expect_code(0).json();
    assert_eq!(listed[0]["host_path"], here.as_str(), "{listed:#}");
    assert!(listed[0]["path"].as_str().unwrap().ends_with("/box/ws/sub"), "{listed:#}");
    assert_eq!(adj(&["--json", "status", "nobody-top"]).expect_error(4, "session_not_found").code, 4);
    let _ = adj(&["--json", "create", "--cli", "shell", "-p", "/etc"]).expect_error(2, "path_not_translatable");
    let _ = adj(&["--json", "gateway", "token", "list"]).expect_error(2, "not_supported");
    let _ = adj(&["kill", &id]).expect_code(0);
    assert_eq!(world.adj(["status", &id]).expect_code(0).word(), "exited");
    // With any other token nothing is done.
    std::fs::create_dir(world.root().join("elsewhere")).unwrap();
    let elsewhere = world.root().join("elsewhere").display().to_string();
    let narrow = token(&world, &["--mode", "native", "--root", &elsewhere]);
    let expired = token(&world, &["--mode", "native", "--expires", "1ms"]);
    let bound = token(&world, &[]);
    for (with, code, error) in [
        ("wrong", 1, "unauthorized"),
        ("", 1, "unauthorized"),
        (expired.as_str(), 1, "unauthorized"),
        (narrow.as_str(), 2, "path_not_translatable"),
        (bound.as_str(), 2, "not_supported"),
    ] {
        let refused = inside.adj(with, &["--json", "create", "--cli", "shell"]).expect_error(code, error);
        assert!(!refused.error()["message"].as_str().unwrap_or_default().is_empty(), "{refused:#?}");
    }
    let refused = inside.adj(&bound, &["--json", "create", "--cli", "shell", "--mode", "native"]);
    let _ = refused.expect_error(1, "forbidden");
    assert_eq!(world.adj(["-q", "list"]).expect_code(0).stdout, "", "nothing was done");
    drop(gate);
    let _ = inside.adj(&good, &["--json", "list"]).expect_error(255, "gateway_unreachable");
}
