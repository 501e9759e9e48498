//! From inside of a container: a network of its own, the binary, the environment, and the gateway's socket.

use adjutant_testkit::{Ended, Running, World};

use super::{Gate, token};
use crate::SOON;

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

/// A proxy that speaks TLS with a certificate of its own for `localhost`, and passes on to a port. It says its own port.
const PROXY: &str = r#"
import socket, ssl, sys, threading
to, folder = int(sys.argv[1]), sys.argv[2]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + "/cert.pem", folder + "/cert-key.pem")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def copy(a, b):
    try:
        while piece := a.recv(65536):
            b.sendall(piece)
    except OSError:
        pass
    for end in (a, b):
        try: end.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(plain):
    try:
        near, far = context.wrap_socket(plain, server_side=True), socket.create_connection(("127.0.0.1", to))
    except OSError:
        return plain.close()
    threading.Thread(target=copy, args=(far, near), daemon=True).start()
    copy(near, far)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// What a certificate says of its owner.
const CERTIFICATE: &str = "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=localhost\n\
                           [ext]\nsubjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n";

/// Makes a certificate that is its own authority, and its key.
fn certificate(world: &World, keys: &std::path::Path, name: &str) {
    let mut openssl = world.command("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-config",
        "config",
    ]);
    openssl.args(["-keyout", &format!("{name}-key.pem"), "-out", &format!("{name}.pem")]).current_dir(keys);
    let _ = Running::start(openssl).end().expect_code(0);
}

#[test]
fn a_gateway_behind_a_proxy_that_speaks_tls_is_reached_when_its_certificate_is_trusted() {
    let world = World::new();
    let gate = Gate::new(&world);
    let keys = world.root().join("tls");
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("config"), CERTIFICATE).unwrap();
    certificate(&world, &keys, "cert");
    let mut proxy = world.command("python3");
    proxy.args(["-c", PROXY, &gate.port.to_string()]).arg(&keys);
    let proxy = Running::start(proxy);
    proxy.await_stdout("it listens", SOON, |said| said.ends_with('\n'));
    let port = proxy.stdout_so_far().trim().to_owned();
    let good = token(&world, &["--mode", "native"]);
    let adj = |host: &str, trusted: &std::path::Path, words: &[&str]| {
        let mut command = world.adj_command(words);
        command.env("ADJ_SANDBOX", "1").env("ADJ_GATEWAY_TOKEN", &good).env_remove("ADJ_HOME");
        command.env("ADJ_GATEWAY_URL", format!("https://{host}:{port}")).env("ADJ_HOST_PATH", world.work());
        command.env("ADJ_CONTAINER_WORKSPACE", world.work()).env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        Running::start(command).end()
    };
    let cert = keys.join("cert.pem");
    let id = adj("localhost", &cert, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    assert_eq!(adj("localhost", &cert, &["ask", &id, "echo over TLS"]).expect_code(0).stdout, "over TLS\n");
    // Another name than that of the certificate, certificates that nobody trusts, and none at all.
    std::fs::write(keys.join("none.pem"), "").unwrap();
    for (host, trusted, why) in
        [("127.0.0.1", "cert.pem", "certificate"), ("localhost", "none.pem", "no certificates are trusted")]
    {
        let refused = adj(host, &keys.join(trusted), &["--json", "list"]).expect_error(255, "gateway_unreachable");
        assert!(refused.error()["message"].as_str().unwrap_or_default().contains(why), "{refused:#?}");
    }
    certificate(&world, &keys, "other");
    let refused = adj("localhost", &keys.join("other.pem"), &["--json", "list"]);
    let _ = refused.expect_error(255, "gateway_unreachable");
    proxy.signal(rustix::process::Signal::KILL);
    let _ = proxy.end();
}
