//! The server on loopback: a secret in its address, and no name or page but its own.

use std::io::{Read, Write};
use std::net::TcpStream;

use adjutant_testkit::{Running, World};
use rustix::process::Signal;
use serde_json::json;

use crate::SOON;

/// A server and its address.
pub(super) struct Server {
    running: Option<Running>,
    pub(super) url: String,
}

impl Server {
    pub(super) fn start(world: &World) -> Self {
        let running = world.start(["mcp", "--http"]);
        running.await_stdout("the address", SOON, |said| said.ends_with('\n'));
        let url = running.stdout_so_far().trim().to_owned();
        Self { running: Some(running), url }
    }

    fn parts(&self) -> (&str, &str) {
        let rest = self.url.strip_prefix("http://").expect("a URL");
        rest.split_once('/').expect("a path")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let running = self.running.take().expect("it runs");
        running.signal(Signal::INT);
        let ended = running.end();
        assert!(ended.code == 130 || std::thread::panicking(), "{ended:#?}");
    }
}

/// The status of an answer to a POST of a handshake with these headers.
fn status(server: &Server, path: &str, headers: &[(&str, &str)]) -> u16 {
    let (authority, _) = server.parts();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}})
    .to_string();
    let mut stream = TcpStream::connect(authority).expect("it listens");
    let mut head =
        format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    head.push_str("Accept: application/json, text/event-stream\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("it reads");
    let mut first = [0; 12];
    stream.read_exact(&mut first).expect("it answers");
    String::from_utf8_lossy(&first[9..]).parse().expect("a status")
}

#[test]
fn h1_h2_without_the_secret_or_from_elsewhere_there_is_no_way_in() {
    let world = World::new();
    let server = Server::start(&world);
    let (authority, path) = server.parts();
    let path = format!("/{path}");
    let port = authority.rsplit(':').next().expect("a port");
    let own = ("Host", authority);
    assert_eq!(status(&server, &path, &[own]), 200);
    assert_eq!(status(&server, &path, &[("Host", &format!("localhost:{port}"))]), 200);
    let guess = format!("/{}/mcp", "0".repeat(64));
    for other in ["/", "/mcp", "//mcp", &path[..path.len() - 1], &guess, &format!("{path}/")] {
        assert_eq!(status(&server, other, &[own]), 404, "{other}");
    }
    assert_eq!(status(&server, &path, &[("Host", "evil.example")]), 403);
    assert_eq!(status(&server, &path, &[("Host", &format!("evil.example:{port}"))]), 403);
    assert_eq!(status(&server, &path, &[own, ("Origin", "http://evil.example")]), 403);
    assert_eq!(status(&server, &path, &[own, ("Origin", "http://localhost:1")]), 403);
    assert_eq!(status(&server, &path, &[own, ("Origin", "null")]), 403);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let world = World::new();
    let server = Server::start(&world);
    let port = server.parts().0.rsplit(':').next().expect("a port").to_owned();
    let _ = world.adj(["--json", "mcp", "--http", "--port", &port]).expect_error(1, "port_in_use");
    let _ = world.adj(["--json", "mcp", "--port", "1"]).expect_error(2, "usage");
}
