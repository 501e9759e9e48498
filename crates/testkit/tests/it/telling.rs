//! Telling people: commands and web hooks, which are bounded and hold up nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

use adjutant_testkit::{World, await_fact};
use serde_json::Value;

use crate::SOON;

/// A request: its head, and its body as JSON.
type Posted = (String, Value);

fn read_request(stream: &TcpStream) -> Option<Posted> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let before = head.len();
        reader.read_line(&mut head).ok()?;
        if head[before..].trim().is_empty() {
            break;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).ok()?))
}

/// A receiver on loopback that gives these answers, one for each connection, and the last one from then on.
fn receiver(answers: &'static [&'static str]) -> (String, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (sender, posted) = sync_channel(64);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let Some(request) = read_request(&stream) else { continue };
            if sender.send(request).is_err() {
                return;
            }
            let status = answers[number.min(answers.len() - 1)];
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (address, posted)
}

fn configure(world: &World, text: &str) {
    std::fs::create_dir_all(world.state()).expect("a directory");
    std::fs::write(world.state().join("config.toml"), text).expect("a file");
}

fn log_has(world: &World, words: &[&str]) -> bool {
    let log = std::fs::read_to_string(world.state().join("daemon.log")).unwrap_or_default();
    log.lines().any(|line| words.iter().all(|word| line.contains(word)))
}

#[test]
fn a_web_hook_is_called_again_until_it_succeeds_and_by_the_next_daemon_too() {
    let (address, posted) = receiver(&["503 no", "200 ok"]);
    let world = World::new();
    configure(&world, &format!("[notify]\nwebhook = \"{address}\"\nevents = [\"turn.failed\"]\n"));
    let x = world.shell();
    let _ = world.adj(["ask", &x, "(exit 3) # canary-of-a-text"]).expect_code(3);
    let (first, again) = (posted.recv_timeout(SOON).expect("told"), posted.recv_timeout(SOON).expect("told again"));
    assert_eq!(first.1, again.1, "the same event");
    assert_eq!((first.1["type"].as_str(), first.1["session"].as_str()), (Some("turn.failed"), Some(x.as_str())));
    assert!(first.0.starts_with("post /hook ") && first.0.contains(&format!("idempotency-key: {}", first.1["seq"])));
    assert!(!first.1.to_string().contains("canary"), "no text goes to people's tools: {:#}", first.1);
    await_fact("the log says what came of it", SOON, || {
        log_has(&world, &["people were told", "\"attempts\":2", "webhook"])
    });
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    // What happens while nobody is there to tell it is told by the next daemon, once.
    let (gate, mut begun) = (world.bell("gate"), world.bell("begun"));
    let shell = world.adj(["--json", "inspect", &x]).expect_code(0).json()["agent"]["pid"].as_u64().expect("a pid");
    let _ = world.send(&x, "echo x > begun; read -r _ < gate; (exit 4)");
    begun.line(SOON);
    world.kill_daemon();
    gate.release(1);
    assert!(shell > 0);
    let _ = world.start_daemon(&[]);
    let (_, told) = posted.recv_timeout(SOON).expect("told by the next one");
    assert_eq!((told["type"].as_str(), told["data"]["exit_code"].as_u64()), (Some("turn.failed"), Some(4)), "{told:#}");
    await_fact("it is told", SOON, || log_has(&world, &["people were told", &format!("\"seq\":{}", told["seq"])]));
    world.kill_daemon();
    let _ = world.start_daemon(&[]);
    let _ = world.adj(["ask", &x, "(exit 5)"]).expect_code(5);
    assert_eq!(posted.recv_timeout(SOON).expect("the next event").1["data"]["exit_code"], 5, "nothing is told twice");
}

#[test]
fn a_receiver_that_hangs_holds_up_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let world = World::new();
    let address = silent.local_addr().expect("an address");
    configure(
        &world,
        &format!(
            "[notify]\nwebhook = \"http://{address}/\"\ncommand = [\"sleep\", \"600\"]\nevents = [\"*\"]\ntimeout = \"1h\"\n"
        ),
    );
    let x = world.shell();
    for number in 0..20 {
        assert_eq!(world.adj(["ask", &x, &format!("echo {number}")]).expect_code(0).stdout, format!("{number}\n"));
    }
    let ended = world.adj(["daemon", "stop"]).expect_code(0);
    assert!(ended.took < SOON, "the daemon ends in the middle of an attempt");
}

#[test]
fn a_command_gets_the_event_and_its_failure_is_told() {
    let world = World::new();
    let told = world.work().join("told");
    let script = format!("cat >> {}; echo >> {}", told.display(), told.display());
    configure(&world, &format!("[notify]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nevents = [\"turn.completed\"]\n"));
    let x = world.shell();
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    await_fact("the command has run", SOON, || world.lines_of("told").len() == 1);
    let event: Value = serde_json::from_str(&world.lines_of("told")[0]).expect("JSON");
    assert_eq!(event["type"], "turn.completed");
    await_fact("the log says so", SOON, || log_has(&world, &["people were told", "\"way\":\"command\""]));
    let _ = world.adj(["daemon", "stop"]).expect_code(0);
    configure(&world, "[notify]\ncommand = [\"/no/such/program\"]\nevents = [\"turn.completed\"]\n");
    let _ = world.adj(["ask", &x, "true"]).expect_code(0);
    await_fact("its failure is told", SOON, || log_has(&world, &["people were not told", "/no/such/program"]));
    let _ = world.adj(["kill", "--all"]).expect_code(0);
    let _ = world.adj(["daemon", "stop"]).expect_code(0);
    configure(&world, "[notify]\nwebhook = \"https://x/\"\n");
    let _ = world.adj(["--json", "requests"]).expect_error(2, "config_invalid");
}

#[test]
fn a_wait_runs_a_command_when_it_is_over() {
    let world = World::new();
    let (x, y) = (world.shell(), world.shell());
    for id in [&x, &y] {
        world.send(id, "(exit 2)");
    }
    let ended = world.adj(["wait", &x, "--notify-cmd", "cat > told-one"]).expect_code(2);
    assert_eq!(ended.stdout, "failed\n", "the code and the word stay as they are");
    let one: Value = serde_json::from_str(&world.lines_of("told-one").join("")).expect("JSON");
    assert_eq!((&one[0]["session"], &one[0]["exit_code"]), (&Value::from(x.as_str()), &Value::from(2)));
    let both = world.adj(["wait", &x, &y, "--notify-cmd", "echo x >> tried; exit 1"]).expect_code(1);
    assert!(both.stderr.contains("`--notify-cmd` has failed 3 times"), "{}", both.stderr);
    assert_eq!(world.lines_of("tried").len(), 3);
}
