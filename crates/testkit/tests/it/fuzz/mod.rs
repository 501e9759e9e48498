//! A stranger's fuzzer reads the OpenAPI document and calls what it describes, rightly and wrongly.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use adjutant_testkit::{Running, World};

/// Examples for each method; the fuzzer adds some of its own for each boundary that the document names. Those that create a
/// session start a shell each.
const EXAMPLES: &str = "20";

/// Checks of the fuzzer that the house means to fail. Only the daemon can know which ids are there; what was taken out of a
/// queue stays to be looked at; and what was created may have ended since.
const CHECKS_LEFT_OUT: &str = "positive_data_acceptance,use_after_free,ensure_resource_availability";

/// The daemon listens on a Unix socket only, and the fuzzer speaks TCP.
fn forward(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            // A daemon that is gone shows as a connection that is closed.
            if let Ok(daemon) = UnixStream::connect(&socket) {
                join(caller, daemon);
            }
        }
    });
    port
}

fn join(caller: TcpStream, daemon: UnixStream) {
    let (mut asks, mut asked) = (caller.try_clone().expect("a socket"), daemon.try_clone().expect("a socket"));
    let (mut told, mut tells) = (caller, daemon);
    thread::spawn(move || {
        let _ = io::copy(&mut asks, &mut asked);
        let _ = asked.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut tells, &mut told);
        let _ = told.shutdown(Shutdown::Both);
    });
}

/// One message that has run and some that wait, each as its session and its id.
fn messages(world: &World, session: &str) -> Vec<String> {
    let said = world.adj(["send", "--json", session, "echo something to find"]).expect_code(0);
    let _ = world.adj(["wait", session]).expect_code(0);
    let later = (0..4).map(|_| world.adj(["wake", "--json", session, "--delay", "1h", "later"]).expect_code(0));
    let all = std::iter::once(said).chain(later).map(|told| told.json()["id"].as_str().map(str::to_owned));
    all.map(|id| format!("{session}/{}", id.expect("it has an id"))).collect()
}

/// No answer of 500 or above, none that is not declared, none that does not have the declared form; what the document
/// forbids is refused. What it allows may be refused too, where only the daemon can know: an id that nobody has.
#[test]
fn the_api_keeps_to_its_document_whatever_it_is_asked() {
    let world = World::new();
    let daemon = world.start_daemon(&[]);
    let sessions = [world.shell(), world.shell(), world.shell()];
    let messages: Vec<String> = sessions.iter().flat_map(|session| messages(&world, session)).collect();
    let document = world.work().join("openapi.json");
    let described = world.adj(["dev", "openapi"]).expect_code(0).stdout;
    std::fs::write(&document, described).expect("the document is written");
    std::fs::write(world.work().join("adj_hooks.py"), include_str!("hooks.py")).expect("the hooks are written");
    let mut fuzzer = world.command("schemathesis");
    fuzzer.arg("run").arg(&document).arg(format!("--url=http://127.0.0.1:{}", forward(world.socket())));
    fuzzer.args(["--no-color", "--seed=1", "--generation-deterministic", "--request-timeout=20"]);
    fuzzer.args(["--max-examples", EXAMPLES, "--exclude-checks", CHECKS_LEFT_OUT]);
    // The one ends the daemon, the other speaks frames.
    fuzzer.args(["--exclude-operation-id=daemon.stop", "--exclude-operation-id=attach"]);
    fuzzer
        .env("FUZZ_MESSAGES", messages.join(" "))
        .env("SCHEMATHESIS_HOOKS", "adj_hooks")
        .env("PYTHONPATH", world.work())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let found = Running::start(fuzzer).end();
    println!("{}", found.stdout);
    assert_eq!(found.code, 0, "{found:#?}");
    assert!(!daemon.has_ended());
    assert_eq!(world.adj(["list", "-q"]).expect_code(0).code, 0);
}

#[test]
fn the_document_is_valid_to_a_stranger() {
    let world = World::new();
    let document = world.work().join("openapi.json");
    let described = world.adj(["dev", "openapi"]).expect_code(0).stdout;
    std::fs::write(&document, &described).expect("the document is written");
    let validate = || {
        let mut validator = world.command("openapi-spec-validator");
        validator.arg(&document);
        Running::start(validator).end()
    };
    let _ = validate().expect_code(0);
    // And the validator does look.
    std::fs::write(&document, described.replacen("\"in\": \"path\"", "\"in\": \"nowhere\"", 1)).expect("it is written");
    assert_ne!(validate().code, 0);
}
