//! The conformance suite of the protocol's authors. What fails is listed in `conformance.yml`, and exactly that.

use adjutant_testkit::{Running, World, pinned};

use super::http::Server;

#[test]
fn the_suite_passes_but_for_what_is_listed_with_its_reason() {
    let world = World::new();
    let server = Server::start(&world);
    let suite = pinned::mcp_conformance();
    let here = suite.parent().expect("a program lies in a directory").display();
    let listed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mcp/conformance.yml");
    let mut command = world.command(&suite);
    command.env("PATH", format!("{here}:{}", std::env::var("PATH").unwrap_or_default()));
    command.args(["server", "--url", &server.url, "--suite", "all", "--expected-failures"]).arg(listed);
    let ended = Running::start(command).end().expect_code(0);
    assert!(ended.stdout.contains("server-initialize") && ended.stdout.contains("tools-list"), "{ended:#?}");
}
